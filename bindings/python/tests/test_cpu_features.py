# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The choice of kernels by what the CPU can do, in processes of their own: it is made when a network is created."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

# The libraries that are mapped in the end: NumPy brings an OpenBLAS under another name.
PROGRAM = """
import sys
import numpy as np
import backbone

image = np.random.default_rng(1).standard_normal((1, 3, 70, 50), np.float32)
# The last does not fill the vectors of AVX-512 in its early layers.
networks = backbone.ResNet(18), backbone.ResNet(50), backbone.ResNet(18, base_channels=16)
np.savez(sys.argv[1], *(stage for network in networks for stage in network(image)))
with open("/proc/self/maps") as maps:
    print(any("/libopenblas.so.0" in line or "/libopenblasp-r" in line for line in maps))
"""


def run(
    path: os.PathLike[str], disabled: str, program: str = PROGRAM, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, path],
        env={
            **os.environ,
            "BACKBONE_DISABLE_CPU_FEATURES": disabled,
            "PYTHONPATH": os.pathsep.join(sys.path),
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def systems_openblas() -> str:
    command = ["gcc", "-print-file-name=libopenblas.so.0"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def has(*features: str) -> bool:
    with open("/proc/cpuinfo") as cpuinfo:
        flags = next(line for line in cpuinfo if line.startswith("flags")).split()
    return all(feature in flags for feature in features)


def has_avx2() -> bool:
    return has("avx2", "fma")


def test_kernels_agree(tmp_path: os.PathLike[str]) -> None:
    features = []
    for name, disabled in (
        ("all", ""),
        ("narrow", "avx512"),
        ("portable", "avx2"),
        ("list", ",avx2,avx512,avx2,"),
    ):
        path = os.path.join(tmp_path, name + ".npz")
        result = run(path, disabled)
        assert result.returncode == 0, result.stderr
        # OpenBLAS is loaded by the portable kernels alone.
        assert result.stdout.strip() == str(name not in ("all", "narrow") or not has_avx2())
        with np.load(path) as stages:
            features.append([stages[stage] for stage in stages.files])
    best, narrow, portable, listed = features
    for stage, bound in enumerate(3 * (1e-5, 1e-4, 1e-4, 3e-4)):
        # The width of a vector changes no sum.
        assert np.array_equal(best[stage], narrow[stage])
        assert np.abs(best[stage] - portable[stage]).max() <= bound * np.abs(portable[stage]).max()
        assert np.array_equal(portable[stage], listed[stage])
    # Different kernels add in a different order: the variable has had an effect.
    if has_avx2():
        assert not np.array_equal(best[3], portable[3])


def test_no_memory_for_openblas_is_an_error() -> None:
    """OpenBLAS 0.3.21 tries for ever if it gets no memory for the buffer of a product."""
    program = """
import resource
import signal
import numpy as np
import backbone

def limit(more):
    with open("/proc/self/statm") as statm:
        used = int(statm.read().split()[0]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (used + more if more else hard, hard))

signal.alarm(100)
image = np.random.default_rng(1).standard_normal((1, 3, 70, 50), np.float32)
with backbone.ResNet(18, base_channels=8, threads=3) as net, net.tape() as tape:
    limit(100 << 20)
    for call in (lambda: net(image), lambda: net.forward_train(image, tape), lambda: net(image)):
        try:
            call()
        except MemoryError as error:
            print("OpenBLAS" in str(error))
    limit(0)
    features = net(image)
    # What it has got it keeps.
    limit(100 << 20)
    print(all(np.array_equal(a, b) for a, b in zip(net(image), features)))
"""
    result = run(Path(), "avx2", program)
    assert result.stdout.split() == ["True"] * 4, (result.returncode, result.stdout, result.stderr)


def test_narrow_vectors_can_be_asked_for() -> None:
    program = """
import numpy as np
import backbone

layers = backbone.ResNet(18).profile(np.zeros((1, 3, 64, 64), np.float32))
print({layer.kernel.rpartition("_")[2] for layer in layers if layer.kernel.startswith("convolution")})
"""
    kernels = {"avx2": "openblas"}
    kernels["avx512"] = "avx2" if has_avx2() else "openblas"
    kernels[""] = "avx512" if has("avx512f", "avx512bw", "avx512dq", "avx512vl") else kernels["avx512"]
    for disabled, kernel in kernels.items():
        result = run(Path(), disabled, program)
        assert result.stdout.strip() == str({kernel}), result.stderr


@pytest.mark.parametrize("disabled", ["avx", "avx22", "AVX2", "avx2,sse", "avx2 ", "avx5122"])
def test_unknown_feature(tmp_path: os.PathLike[str], disabled: str) -> None:
    result = run(os.path.join(tmp_path, "x.npz"), disabled)
    assert result.returncode != 0
    assert "ValueError" in result.stderr
    assert f"BACKBONE_DISABLE_CPU_FEATURES is {disabled}" in result.stderr


def test_openblas_that_cannot_be_loaded(tmp_path: os.PathLike[str]) -> None:
    with open(os.path.join(tmp_path, "libopenblas.so.0"), "wb") as library:
        library.write(b"no library")
    result = run(os.path.join(tmp_path, "x.npz"), "avx2", LD_LIBRARY_PATH=os.fspath(tmp_path))
    assert result.returncode != 0
    assert "OSError" in result.stderr
    assert "libopenblas.so.0" in result.stderr


def test_openblas_beside_the_library_comes_before_the_systems(tmp_path: Path) -> None:
    library = tmp_path / "libbackbone.so"
    shutil.copy(os.environ["BACKBONE_LIBRARY"], library)
    beside = tmp_path / "openblas" / "libopenblas.so.0"
    beside.parent.mkdir()
    beside.write_bytes(b"no library")
    result = run(tmp_path / "x.npz", "avx2", BACKBONE_LIBRARY=os.fspath(library))
    assert result.returncode != 0
    assert f"{beside}: file too short" in result.stderr
    # Now the system's file is not a library.
    shutil.copy(systems_openblas(), beside)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "libopenblas.so.0").write_bytes(b"no library")
    result = run(tmp_path / "x.npz", "avx2", BACKBONE_LIBRARY=os.fspath(library), LD_LIBRARY_PATH=os.fspath(broken))
    assert result.returncode == 0, result.stderr


def test_openblas_beside_the_library_starts_no_threads(tmp_path: Path) -> None:
    # Nobody else uses it, and the library computes with threads of its own.
    library = tmp_path / "libbackbone.so"
    shutil.copy(os.environ["BACKBONE_LIBRARY"], library)
    (tmp_path / "openblas").mkdir()
    shutil.copy(systems_openblas(), tmp_path / "openblas" / "libopenblas.so.0")
    program = """
import os
import numpy as np
import backbone

def threads():
    return len(os.listdir("/proc/self/task"))

mask, before = os.sched_getaffinity(0), threads()
net = backbone.ResNet(18, threads=3)
assert os.sched_getaffinity(0) == mask
print(threads() - before)
net(np.zeros((1, 3, 64, 64), np.float32))
print(threads() - before)
"""
    for disabled in ("", "avx2"):
        result = run(Path(), disabled, program, BACKBONE_LIBRARY=os.fspath(library))
        # Two threads of the library, and the one in Python that waits for Ctrl-C.
        assert result.stdout.split() == ["0", "3"], result.stderr


def test_openblas_in_the_folder_the_process_has_moved_to_is_not_loaded(tmp_path: Path) -> None:
    # The library is opened by a relative path, and somebody has put an OpenBLAS where that now leads.
    (tmp_path / "own").mkdir()
    shutil.copy(os.environ["BACKBONE_LIBRARY"], tmp_path / "own" / "libbackbone.so")
    planted = tmp_path / "elsewhere" / "own" / "openblas" / "libopenblas.so.0"
    planted.parent.mkdir(parents=True)
    source = tmp_path / "planted.c"
    source.write_text('#include <stdio.h>\n__attribute__((constructor)) static void run(void) { puts("planted"); }\n')
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", planted, source], check=True)
    program = """
import ctypes
import os
import sys

os.chdir(sys.argv[1])
library = ctypes.CDLL("own/libbackbone.so")
os.chdir("elsewhere")
net = ctypes.c_void_p()
print("status", library.backbone_create(None, ctypes.byref(net)), flush=True)
"""
    result = run(tmp_path, "avx2", program)
    assert result.stdout == "status 0\n", result.stderr


def test_openblas_without_its_functions_is_closed_again(tmp_path: Path) -> None:
    library = tmp_path / "libbackbone.so"
    shutil.copy(os.environ["BACKBONE_LIBRARY"], library)
    beside = tmp_path / "openblas" / "libopenblas.so.0"
    beside.parent.mkdir()
    source = tmp_path / "empty.c"
    source.write_text("void cblas_sgemm(void) {}\n")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", beside, source], check=True)
    program = """
import backbone

try:
    backbone.ResNet(18)
except OSError as error:
    print(error)
with open("/proc/self/maps") as maps:
    print(any("openblas/libopenblas.so.0" in line for line in maps))
"""
    result = run(tmp_path, "avx2", program, BACKBONE_LIBRARY=os.fspath(library))
    assert "openblas_get_num_threads" in result.stdout or "openblas_set_num_threads" in result.stdout, result.stdout
    assert result.stdout.endswith("\nFalse\n"), result.stderr
