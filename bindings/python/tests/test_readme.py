# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The examples of the README, as printed."""

import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT

EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def output_of(text, folder):
    """What the one example with this text in it prints."""
    (example,) = [example for example in EXAMPLES if text in example]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(
        [sys.executable, "-c", example], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_example_with_arrays(tmp_path):
    assert output_of("import numpy", tmp_path) == "(1, 2048, 7, 7) 318\n"


@pytest.mark.parity
def test_example_with_tensors(tmp_path):
    pytest.importorskip("torch")
    shapes = "{'layer2': (1, 512, 28, 28), 'layer3': (1, 1024, 14, 14), 'layer4': (1, 2048, 7, 7)}\n"
    assert output_of("import torch", tmp_path) == shapes
