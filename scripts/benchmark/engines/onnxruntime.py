# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..columns import STAGES, Column

LABEL = "ONNX Runtime"
SETTINGS = "CPU provider, all graph optimisations, sequential; inputs and outputs bound to arrays allocated before"
DISTRIBUTION = "onnxruntime"
NEEDS = ("onnx",)


class Engine:
    def __init__(self, threads: int) -> None:
        import onnxruntime

        self._ort = onnxruntime
        self._threads = threads

    def load(self, models: Path, column: Column) -> None:
        options = self._ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.execution_mode = self._ort.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = self._ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        path = models / "onnx" / column.key / "model.onnx"
        self._session = self._ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._binding = self._session.io_binding()
        shapes = {value.name: value.shape for value in self._session.get_outputs()}
        self._outputs = [np.full(shapes[stage.lower()], np.nan, np.float32) for stage in STAGES]
        for stage, array in zip(STAGES, self._outputs, strict=True):
            self._binding.bind_output(stage.lower(), "cpu", 0, np.float32, array.shape, array.ctypes.data)

    def set_input(self, x: np.ndarray) -> None:
        self._x = x
        self._binding.bind_input("image", "cpu", 0, np.float32, x.shape, x.ctypes.data)

    def forward(self) -> None:
        self._session.run_with_iobinding(self._binding)

    def outputs(self) -> list[np.ndarray]:
        return self._outputs
