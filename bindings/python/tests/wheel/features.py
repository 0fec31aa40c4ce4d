# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What `try` runs: python features.py OUTPUT [EXPECTED], C5 of a ResNet-18, and what its process has loaded."""

import ctypes
import os
import sys

import numpy as np

import backbone


class Object(ctypes.Structure):
    """The beginning of dl_phdr_info."""

    _fields_ = [("address", ctypes.c_void_p), ("name", ctypes.c_char_p)]


def loaded() -> list[str]:
    """The paths of the shared objects of this process, as the dynamic loader knows them."""
    paths = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Object), ctypes.c_size_t, ctypes.c_void_p)
    def note(description, size, data):
        paths.append(os.fsdecode(description.contents.name or b""))
        return 0

    ctypes.CDLL(None).dl_iterate_phdr(note, None)
    return paths


package = os.path.dirname(backbone.__file__)
assert backbone.library_version() == backbone.__version__
with backbone.ResNet(18, threads=2) as net:
    c5 = net(np.random.default_rng(1).standard_normal((2, 3, 64, 96), np.float32))[3]
np.save(sys.argv[1], c5)

paths = loaded()
assert os.path.join(package, "libbackbone.so") in paths, paths
# NumPy brings one under another name.
blas = [path for path in paths if "/libopenblas.so" in path or "/libopenblasp" in path]
portable = len(sys.argv) > 2 or os.environ.get("BACKBONE_DISABLE_CPU_FEATURES")
if portable:
    assert blas == [os.path.join(package, "openblas", "libopenblas.so.0")], blas
    taken = [path for path in paths if "libgfortran" in path or "libquadmath" in path]
    site = os.path.dirname(package)
    assert taken and all(path.startswith(site) for path in taken), taken
for expected in map(np.load, sys.argv[2:]):
    error = np.abs(c5 - expected).max() / np.abs(expected).max()
    assert error <= 3e-4, error
print(f"{sys.argv[1]}: as expected")
