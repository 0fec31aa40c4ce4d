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
pixels = np.asarray(Image.open(photo).convert("RGB"), dtype=np.float32)
normalised = (pixels - np.float32(backbone.IMAGENET_MEAN)) / np.float32(backbone.IMAGENET_STD)
image = np.ascontiguousarray(normalised.transpose(2, 0, 1)[np.newaxis])

STAGES = ("C2", "C3", "C4", "C5")
# The last network has three stages.
for words, arguments in (
    (["--depth", "18"], {"depth": 18, "outputs": STAGES}),
    (
        ["--architecture", "seresnet18", "--all"],
        {"depth": "seresnet18", "outputs": ("C1", *STAGES, "pooled", "logits")},
    ),
    (["--architecture", "resnet20", "--all"], {"depth": "resnet20", "outputs": ("C1", *STAGES, "pooled", "logits")}),
):
    command = [program, photo, *words, "--base-channels", "8"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    with backbone.ResNet(base_channels=8, **arguments) as net:
        names, features = net.outputs, net(image)
    for name, feature, line in zip(names, features, printed.splitlines()[1:], strict=True):
        values = feature.astype(np.float64)
        expected = [values.min(), values.mean(), values.max(), values.std()]
        columns = line.split()
        assert columns[0] == name, line
        assert [int(size) for size in columns[1:8:2]] == list(feature.shape), line
        actual = [float(number) for number in columns[8:]]
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4 * values.max(), err_msg=line)
        assert values.std() > 0, f"{name} is the same everywhere"
print("The example prints the numbers of the Python package.")
