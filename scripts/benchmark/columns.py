# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What is measured: networks and input sizes."""

from __future__ import annotations

from dataclasses import dataclass

STAGES = ("C2", "C3", "C4", "C5")


@dataclass(frozen=True)
class Column:
    """A network at an input size: a column of the table."""

    key: str
    title: str
    depth: int
    batch: int
    height: int
    width: int
    # Timed forwards of each engine, unless the user says otherwise.
    runs: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the input, N, C, H, W."""
        return (self.batch, 3, self.height, self.width)


COLUMNS = (
    Column("resnet18-224", "ResNet-18 224", 18, 1, 224, 224, 20),
    Column("resnet50-224", "ResNet-50 224", 50, 1, 224, 224, 20),
    Column("resnet101-224", "ResNet-101 224", 101, 1, 224, 224, 20),
    Column("resnet50-224x8", "ResNet-50 224 x8", 50, 8, 224, 224, 20),
    Column("resnet18-800x1344", "ResNet-18 800x1344", 18, 1, 800, 1344, 6),
    Column("resnet50-800x1344", "ResNet-50 800x1344", 50, 1, 800, 1344, 6),
)

BY_KEY = {column.key: column for column in COLUMNS}

# Start-up is measured here, with this many threads.
STARTUP_COLUMN = BY_KEY["resnet50-224"]
STARTUP_THREADS = 2
