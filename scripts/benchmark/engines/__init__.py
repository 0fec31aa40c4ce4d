# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The engines: libbackbone and those that people would use instead, one file each.

Each module has

* LABEL, the name in tables; SETTINGS, what it was told, for the report;
* DISTRIBUTION, the Python package that it is (None for libbackbone);
* NEEDS, the models of benchmark.models that it starts from ("weights", "onnx");
* PER_COLUMN, whether it has a model of its own for each input shape, and not just for each depth;
* convert(column, models, folder), which writes its model to the folder (absent if it takes one of NEEDS as it is);
* Engine(threads), whose construction imports the library; `load(models, column)` then does all from the file to a
  network that can run, `set_input(x)` hands over an array (N, C, H, W), `forward()` is timed, and `outputs()` gives the
  features of the last forward pass in the same order of axes, as views where the library allows.

Modules import their library in Engine and convert alone: a process has that of one engine.
"""

from __future__ import annotations

import importlib
from types import ModuleType

OURS = "libbackbone"
# How many of its activations a network makes zero: as one with random weights, as one that was trained, and none.
ZEROS = ("random", "trained", "none")
# Only libbackbone is faster with more of them.
VARIANTS = tuple(f"{OURS}:{zeros}" for zeros in ZEROS[1:])
PEERS = ("onnxruntime", "openvino", "ncnn", "mnn", "pytorch")


def engine(name: str) -> ModuleType:
    """The module of an engine, or of a variant of it."""
    return importlib.import_module(f".{name.partition(':')[0]}", __name__)


def zeros(name: str) -> str:
    """Of the network that an engine, or a variant of it, computes."""
    return name.partition(":")[2] or ZEROS[0]
