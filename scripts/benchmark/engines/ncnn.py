# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""ncnn."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..columns import STAGES, Column

LABEL = "ncnn"
SETTINGS = (
    "converted by pnnx; Winograd, sgemm, packing, light mode and pool allocators on, fp16, bf16 and int8 off; "
    "a batch image by image (faster than its own batches)"
)
DISTRIBUTION = "ncnn"
NEEDS = ("weights",)
PER_COLUMN = False


def convert(column: Column, models: Path, folder: Path) -> None:
    import subprocess

    import pnnx

    from ..models import new_torchscript

    weights = models / "weights" / column.network / "weights.pth"
    new_torchscript(column, weights, folder / "model.pt", freeze=False)
    subprocess.run(
        [pnnx.EXEC_PATH, "model.pt", "inputshape=[1,3,224,224]", "fp16=0"], cwd=folder, check=True, timeout=600
    )
    # It leaves its own representation and scripts beside what ncnn reads.
    for path in folder.iterdir():
        if path.name not in ("model.ncnn.param", "model.ncnn.bin"):
            path.unlink()


class Engine:
    def __init__(self, threads: int) -> None:
        import ncnn

        self._ncnn = ncnn
        self._threads = threads

    def load(self, models: Path, column: Column) -> None:
        folder = models / "ncnn" / column.network
        # They must outlive the network, which does not own them.
        self._allocators = (self._ncnn.UnlockedPoolAllocator(), self._ncnn.PoolAllocator())
        self._net = self._ncnn.Net()
        option = self._net.opt
        option.num_threads = self._threads
        option.blob_allocator, option.workspace_allocator = self._allocators
        for name in ("lightmode", "use_packing_layout", "use_sgemm_convolution", "use_winograd_convolution"):
            setattr(option, name, True)
        for name in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage", "int8_inference"):
            setattr(option, f"use_{name}", False)
        for read, kind in ((self._net.load_param, "param"), (self._net.load_model, "bin")):
            if read(str(folder / f"model.ncnn.{kind}")) != 0:
                raise RuntimeError(f"ncnn could not read model.ncnn.{kind}")
        self._results: list[list[np.ndarray]] = []

    def set_input(self, x: np.ndarray) -> None:
        # Views of the arrays, which must stay alive with them.
        self._x = x
        self._images = [self._ncnn.Mat(image) for image in x]

    def forward(self) -> None:
        results = []
        for image in self._images:
            extractor = self._net.create_extractor()
            extractor.input("in0", image)
            results.append([extractor.extract(f"out{index}")[1] for index in range(len(STAGES))])
        self._results = results

    def outputs(self) -> list[np.ndarray]:
        # A Mat has gaps between its channels; the view strides over them.
        return [np.stack([np.asarray(image[index]) for image in self._results]) for index in range(len(STAGES))]
