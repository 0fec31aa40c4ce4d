# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""scripts/house finds the circles that are planted in a copy of the sources."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def house(tmp_path):
    shutil.copytree(ROOT / "Sources", tmp_path / "Sources", symlinks=True)
    shutil.copytree(ROOT / "include", tmp_path / "include")
    shutil.copy(ROOT / "Package.swift", tmp_path)
    shutil.copytree(ROOT / "scripts/architecture", tmp_path / "scripts/architecture")
    for name in ("house", "common.sh"):
        shutil.copy(ROOT / "scripts" / name, tmp_path / "scripts")
    return tmp_path


def check(house):
    return subprocess.run([house / "scripts/house", "--check"], capture_output=True, text=True, check=False)


def test_there_is_no_circle(house):
    result = check(house)
    assert (result.returncode, result.stderr) == (0, "") and result.stdout.startswith("No circles among ")


@pytest.mark.parametrize(
    ("file", "line", "circle"),
    [
        ("Sources/Networks/Graph/Node.swift", "import Execution", "Networks"),
        ("Sources/VectorKernels/Sums.swift", "import Kernels", "Kernels"),
        ("Sources/Networks/Graph/Node.swift", "func planted(_: Configuration) {}", "Families"),
        ("Sources/Runtime/Memory/Heap.swift", "import Networks", "Runtime"),
    ],
)
def test_planted_circles_are_found(house, file, line, circle):
    with (house / file).open("a") as out:
        out.write(f"\n{line}\n")
    result = check(house)
    assert result.returncode == 1
    assert "form a circle" in result.stderr and circle in result.stderr and Path(file).name in result.stderr


def test_a_target_without_sources_is_an_error(house):
    (house / "Sources/Networks").rename(house / "Sources/Elsewhere")
    result = check(house)
    assert result.returncode == 1 and "target Networks has no sources" in result.stderr
