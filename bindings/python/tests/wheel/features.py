# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What `try` runs: python features.py OUTPUT [EXPECTED], C5 of a ResNet-18, and what its process has mapped."""

import os
import sys

import numpy as np

import backbone

package = os.path.dirname(backbone.__file__)
assert backbone.library_version() == backbone.__version__
with backbone.ResNet(18, threads=2) as net:
    c5 = net(np.random.default_rng(1).standard_normal((2, 3, 64, 96), np.float32))[3]
np.save(sys.argv[1], c5)

with open("/proc/self/maps") as maps:
    mapped = {line.split(None, 5)[5].strip() for line in maps if ".so" in line}
assert os.path.join(package, "libbackbone.so") in mapped
# NumPy brings one under another name.
blas = [path for path in mapped if "/libopenblas.so" in path or "/libopenblasp" in path]
portable = len(sys.argv) > 2 or os.environ.get("BACKBONE_DISABLE_CPU_FEATURES")
if portable:
    assert blas == [os.path.join(package, "openblas", "libopenblas.so.0")], blas
    taken = [path for path in mapped if "libgfortran" in path or "libquadmath" in path]
    site = os.path.dirname(package)
    assert taken and all(path.startswith(site) for path in taken), taken
for expected in map(np.load, sys.argv[2:]):
    error = np.abs(c5 - expected).max() / np.abs(expected).max()
    assert error <= 3e-4, error
print(f"{sys.argv[1]}: as expected")
