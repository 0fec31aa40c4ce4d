# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..columns import Column

LABEL = "PyTorch"
SETTINGS = "TorchScript, frozen, optimize_for_inference, inference mode"
DISTRIBUTION = "torch"
NEEDS = ("weights",)
PER_COLUMN = False


def convert(column: Column, models: Path, folder: Path) -> None:
    from ..models import new_torchscript

    weights = models / "weights" / column.network / "weights.pth"
    new_torchscript(column, weights, folder / "model.pt", freeze=True)


class Engine:
    def __init__(self, threads: int) -> None:
        import torch

        self._torch = torch
        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)

    def load(self, models: Path, column: Column) -> None:
        path = models / "pytorch" / column.network / "model.pt"
        # What optimize_for_inference makes cannot be saved.
        self._net = self._torch.jit.optimize_for_inference(self._torch.jit.load(path))
        self._results = ()

    def set_input(self, x: np.ndarray) -> None:
        self._x = self._torch.from_numpy(x)

    def forward(self) -> None:
        with self._torch.inference_mode():
            self._results = self._net(self._x)

    def outputs(self) -> list[np.ndarray]:
        return [result.numpy() for result in self._results]
