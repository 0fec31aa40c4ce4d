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
    # As torchvision and timm have it.
    network: str
    batch: int
    height: int
    width: int
    # Timed forward passes of each engine, unless the user says otherwise.
    runs: int

    @property
    def depth(self) -> int:
        """Of a network that it describes."""
        return int(self.network.removeprefix("resnet"))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the input, N, C, H, W."""
        return (self.batch, 3, self.height, self.width)


COLUMNS = (
    Column("resnet18-224", "ResNet-18 224", "resnet18", 1, 224, 224, 20),
    Column("resnet50-224", "ResNet-50 224", "resnet50", 1, 224, 224, 20),
    Column("resnet101-224", "ResNet-101 224", "resnet101", 1, 224, 224, 20),
    Column("resnet50-224x8", "ResNet-50 224 x8", "resnet50", 8, 224, 224, 20),
    Column("resnet18-800x1344", "ResNet-18 800x1344", "resnet18", 1, 800, 1344, 6),
    Column("resnet50-800x1344", "ResNet-50 800x1344", "resnet50", 1, 800, 1344, 6),
)

# Other networks of the family, which are measured when they are named.
FAMILY = (
    Column("resnet50d-224", "ResNet-50-D 224", "resnet50d", 1, 224, 224, 20),
    Column("resnext50-224", "ResNeXt-50 32x4d 224", "resnext50_32x4d", 1, 224, 224, 20),
    Column("wide_resnet50-224", "Wide ResNet-50-2 224", "wide_resnet50_2", 1, 224, 224, 20),
    Column("seresnext50-224", "SE-ResNeXt-50 32x4d 224", "seresnext50_32x4d", 1, 224, 224, 20),
    Column("resnetv2_50-224", "ResNet-50 v2 224", "resnetv2_50", 1, 224, 224, 20),
)

BY_KEY = {column.key: column for column in COLUMNS + FAMILY}

# Start-up is measured here, with this many threads.
STARTUP_COLUMN = BY_KEY["resnet50-224"]
STARTUP_THREADS = 2
