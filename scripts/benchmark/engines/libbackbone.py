# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""libbackbone through its Python package, which hands NumPy arrays to the C library as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..columns import Column

LABEL = "libbackbone"
SETTINGS = (
    "the zip .pth as torch.save wrote it; outputs into arrays allocated before; the first forward pass packs the "
    "weights, loading does not"
)
DISTRIBUTION = None
NEEDS = ("weights",)


class Engine:
    def __init__(self, threads: int) -> None:
        import backbone

        self._backbone = backbone
        self._threads = threads

    def load(self, models: Path, column: Column) -> None:
        self.load_file(models / "weights" / column.network / "weights.pth", column)

    def load_file(self, weights: Path, column: Column) -> None:
        self._net = self._backbone.ResNet(architecture=column.network, threads=self._threads)
        self._net.load_weights(weights)
        self._outputs = [np.full(shape, np.nan, np.float32) for shape in self._net.output_shapes(column.shape)]

    def set_input(self, x: np.ndarray) -> None:
        self._x = x

    def forward(self) -> None:
        self._net.forward(self._x, self._outputs)

    def outputs(self) -> list[np.ndarray]:
        return self._outputs
