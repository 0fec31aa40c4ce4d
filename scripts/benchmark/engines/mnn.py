# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""MNN."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..columns import STAGES, Column

LABEL = "MNN"
SETTINGS = (
    "session interface, precision high, the input copied in and the features out, as it wants; for one image of 224 "
    "pixels Winograd memory level 1, which is faster and more exact, for more pixels its default, 3, which is faster"
)
DISTRIBUTION = "MNN"
NEEDS = ("onnx",)
PER_COLUMN = True

# Interpreter::HintMode of MNN; the Python package has no names for them.
_WINOGRAD_MEMORY_LEVEL = 3


def convert(column: Column, models: Path, folder: Path) -> None:
    # The converter itself. The command mnnconvert of the package would install a client for reporting its use over the
    # network, and with it other versions of packages that are here.
    import _tools

    source = models / "onnx" / column.key / "model.onnx"
    result = folder / "model.mnn"
    _tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--modelFile", str(source), "--MNNModel", str(result)])
    if not result.exists():
        raise RuntimeError("MNN's converter wrote no model")


class Engine:
    def __init__(self, threads: int) -> None:
        import MNN

        self._mnn = MNN
        self._threads = threads

    def load(self, models: Path, column: Column) -> None:
        path = models / "mnn" / column.key / "model.mnn"
        self._net = self._mnn.Interpreter(str(path))
        if column.batch * column.height * column.width <= 224 * 224:
            self._net.setSessionHint(_WINOGRAD_MEMORY_LEVEL, 1)
        self._session = self._net.createSession({"backend": "CPU", "numThread": self._threads, "precision": "high"})
        self._input = self._net.getSessionInput(self._session)
        if tuple(self._input.getShape()) != column.shape:
            raise RuntimeError(f"MNN made the input {self._input.getShape()} of {column.shape}")
        self._host_input = self._host_tensor(column.shape)
        inner = [self._net.getSessionOutput(self._session, stage.lower()) for stage in STAGES]
        self._pairs = [(tensor, self._host_tensor(tensor.getShape())) for tensor in inner]
        # Views of memory that the library owns.
        self._outputs = [host.getNumpyData() for _, host in self._pairs]

    def _host_tensor(self, shape: tuple[int, ...]) -> object:
        start = np.full(shape, np.nan, np.float32)
        return self._mnn.Tensor(shape, self._mnn.Halide_Type_Float, start, self._mnn.Tensor_DimensionType_Caffe)

    def set_input(self, x: np.ndarray) -> None:
        self._host_input.getNumpyData()[...] = x

    def forward(self) -> None:
        self._input.copyFrom(self._host_input)
        self._net.runSession(self._session)
        for tensor, host in self._pairs:
            tensor.copyToHostTensor(host)

    def outputs(self) -> list[np.ndarray]:
        return self._outputs
