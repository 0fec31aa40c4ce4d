# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What `try` runs: python command.py, the installed command `backbone` on a checkpoint and an image of this file."""

import os
import subprocess
import sys

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

import backbone


def run(*arguments):
    """What the installed command prints."""
    command = [os.path.join(os.path.dirname(sys.executable), "backbone"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


assert run("--version") == f"backbone {backbone.__version__} (libbackbone {backbone.library_version()})\n"
image = np.random.default_rng(2).integers(0, 256, (60, 80, 3), np.uint8)
Image.fromarray(image).save("image.png")
with backbone.ResNet(18, mean=backbone.IMAGENET_MEAN, std=backbone.IMAGENET_STD) as net:
    net.save_weights("resnet18.pth")
    expected = net(image.transpose(2, 0, 1)[None])
run("features", "image.png", "--weights", "resnet18.pth", "--out", "features", "--format", "safetensors")
for name, array in load_file("features/image.png.safetensors").items():
    np.testing.assert_array_equal(array, expected[int(name[1]) - 2][0])
# It has a font of its own to write with.
run("heatmap", "image.png", "--weights", "resnet18.pth")
assert Image.open("image-heatmap.png").width > 5 * 80
print("the command backbone: as expected")
