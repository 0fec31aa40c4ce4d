# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Writes one stored case of Tests/Fixtures as files that a C program reads: pixels and the features PyTorch computed.

Usage: write_case.py FOLDER

  model.pth    the checkpoint, of a narrow ResNet-18
  pixels       33 x 65 x 3 bytes, rows of BGR pixels
  C2 ... C5    float32, NCHW
"""

import shutil
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Fixtures"))

from fixture_cases import MODELS, NARROW  # noqa: E402

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
shutil.copy(MODELS / "resnet18.pth", folder / "model.pth")

case = next(case for case in NARROW if case.name == "33x65-pixels")
(folder / "pixels").write_bytes(np.ascontiguousarray(case.input(3)[0].transpose(1, 2, 0)).tobytes())
with np.load(MODELS / "resnet18.npz") as arrays:
    for stage in ("C2", "C3", "C4", "C5"):
        values, shape = arrays[f"narrow/{case.name}/{stage}/values"], arrays[f"narrow/{case.name}/{stage}/shape"]
        assert values.size == shape.prod(), f"{stage} is stored as samples"
        (folder / stage).write_bytes(values.astype(np.float32).tobytes())
