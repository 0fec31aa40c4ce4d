# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Compares what the example prints for a photograph with the way through Pillow, numpy and the Python package.

The example passes decoded bytes and lets the library normalise them; here numpy does, and the library gets floats in
another layout. Decoder, channel order, normalisation and strides of the example are in the comparison.

Usage: features.py FEATURES-PROGRAM PHOTO.jpg
"""

import subprocess
import sys

import backbone
import numpy as np
from PIL import Image

program, photo = sys.argv[1:]
printed = subprocess.run(
    [program, photo, "--depth", "18", "--base-channels", "8"], check=True, capture_output=True, text=True
).stdout

pixels = np.asarray(Image.open(photo).convert("RGB"), dtype=np.float32)
normalised = (pixels - np.float32(backbone.IMAGENET_MEAN)) / np.float32(backbone.IMAGENET_STD)
image = np.ascontiguousarray(normalised.transpose(2, 0, 1)[np.newaxis])

with backbone.ResNet(18, base_channels=8) as net:
    features = net(image)

for name, feature, line in zip(("C2", "C3", "C4", "C5"), features, printed.splitlines()[1:], strict=True):
    values = feature.astype(np.float64)
    expected = [values.min(), values.mean(), values.max(), values.std()]
    columns = line.split()
    assert columns[0] == name, line
    assert [int(size) for size in columns[1:8:2]] == list(feature.shape), line
    actual = [float(number) for number in columns[8:]]
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4 * values.max(), err_msg=line)
    assert values.std() > 0, f"{name} is the same everywhere"
print("The example prints the numbers of the Python package.")
