# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Others that compute in the same process, with as many threads as they take; each some ten milliseconds."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np


def numpy(work: Path) -> Callable[[], object]:
    """A product of matrices by the OpenBLAS in NumPy."""
    matrix = np.random.default_rng(1).standard_normal((1024, 1024), np.float32)
    return lambda: matrix @ matrix


def pytorch(work: Path) -> Callable[[], object]:
    """Convolutions by the oneDNN in PyTorch, with OpenMP."""
    import torch

    images = torch.ones(1, 64, 56, 56)
    kernels = torch.ones(64, 64, 3, 3)

    def compute() -> None:
        with torch.inference_mode():
            for _ in range(10):
                torch.nn.functional.conv2d(images, kernels, padding=1)

    return compute


def openmp(work: Path) -> Callable[[], object]:
    """Loops of a program compiled with -fopenmp."""
    library = work / "openmp.so"
    if not library.exists():
        source = Path(__file__).with_name("openmp.c")
        # Three processes start at once: none may find half a file.
        new = library.with_suffix(f".{id(library)}")
        subprocess.run(["cc", "-O2", "-fopenmp", "-shared", "-fPIC", source, "-o", new], check=True)
        new.rename(library)
    function = ctypes.CDLL(str(library)).compute
    function.argtypes = [ctypes.POINTER(ctypes.c_float), ctypes.c_long, ctypes.c_int]
    values = np.ones(1 << 18, np.float32)
    pointer = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    return lambda: function(pointer, values.size, 10)


COMPANIONS = {"NumPy": numpy, "PyTorch": pytorch, "OpenMP": openmp}
