# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""OpenVINO."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..columns import STAGES, Column

LABEL = "OpenVINO"
SETTINGS = "inference precision f32, latency hint, 1 stream; inputs and outputs in arrays allocated before"
DISTRIBUTION = "openvino"
NEEDS = ("onnx",)
PER_COLUMN = True


def convert(column: Column, models: Path, folder: Path) -> None:
    import openvino

    # Not through openvino.convert_model, which reports its use over the network.
    model = openvino.Core().read_model(models / "onnx" / column.key / "model.onnx")
    openvino.save_model(model, folder / "model.xml", compress_to_fp16=False)


class Engine:
    def __init__(self, threads: int) -> None:
        import openvino

        self._openvino = openvino
        self._threads = threads

    def load(self, models: Path, column: Column) -> None:
        config = {
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": self._threads,
            "NUM_STREAMS": 1,
        }
        path = models / "openvino" / column.key / "model.xml"
        compiled = self._openvino.Core().compile_model(path, "CPU", config)
        self._request = compiled.create_infer_request()
        self._outputs = []
        for stage in STAGES:
            port = compiled.output(stage.lower())
            array = np.full(tuple(port.shape), np.nan, np.float32)
            self._request.set_tensor(port, self._openvino.Tensor(array, shared_memory=True))
            self._outputs.append(array)

    def set_input(self, x: np.ndarray) -> None:
        self._x = x
        self._request.set_input_tensor(self._openvino.Tensor(x, shared_memory=True))

    def forward(self) -> None:
        # Of the two ways to run it once, this one builds no dictionary of results.
        self._request.start_async()
        self._request.wait()

    def outputs(self) -> list[np.ndarray]:
        return self._outputs
