# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Compares the boxes that the detector finds in images of OpenCV with those of boxes.py.

The pixels that the network should see are made here by NumPy: a part of the image, and a square with the image in it.
The image is a PNG, so that both decode the same bytes.

Usage: opencv.py OPENCV-PROGRAM PHOTO.jpg
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from boxes import MODEL, SEED, reference, stages
from PIL import Image

program, photo = sys.argv[1:]
pixels = np.array(Image.open(photo).convert("RGB"))
THRESHOLD = 0.4
MEAN_COLOUR = (124, 116, 104)


def run(*options):
    return subprocess.run([program, *map(str, options)], capture_output=True, text=True, check=False)


def compare(png, seen, scale, offset, *options):
    """Run the program, and check its boxes against those of the pixels that it should have seen."""
    result = run(png, f"--weights={MODEL}", f"--seed={SEED}", f"--threshold={THRESHOLD}", *options)
    assert result.returncode == 0, result.stderr
    labels, scores, boxes = reference(stages(seen), (seen.shape[1], seen.shape[0]), THRESHOLD)
    lines = np.array([line.split() for line in result.stdout.splitlines()], np.float64)
    assert len(labels) == len(lines) and len(set(labels)) > 1, (len(labels), len(lines))
    np.testing.assert_array_equal(lines[:, 0], labels)
    np.testing.assert_allclose(lines[:, 1], scores, atol=1e-4)
    np.testing.assert_allclose(lines[:, 2:], boxes / scale + np.tile(offset, 2), atol=0.02 / scale)
    print(f"{options}: the {len(labels)} boxes that numpy finds.")
    return labels, lines[:, 2:]


def halved(image):
    """OpenCV's bilinear resize by exactly 2: rounded means of 2 x 2 pixels."""
    blocks = image.reshape(image.shape[0] // 2, 2, image.shape[1] // 2, 2, 3).astype(int)
    return ((blocks.sum((1, 3)) + 2) >> 2).astype(np.uint8)


def in_square(image, side):
    square = np.full((side, side, 3), MEAN_COLOUR, np.uint8)
    square[: image.shape[0], : image.shape[1]] = image
    return square


with tempfile.TemporaryDirectory() as name:
    png, drawn = Path(name) / "photo.png", Path(name) / "drawn.png"
    Image.fromarray(pixels).save(png)
    height, width, _ = pixels.shape
    assert (height, width) == (64, 96)

    _, boxes = compare(png, pixels, 1, (0, 0), f"--draw={drawn}")
    picture = np.array(Image.open(drawn).convert("RGB"))
    green = (picture == (0, 255, 0)).all(-1)
    # Nothing but boxes is drawn, and each has its corner.
    np.testing.assert_array_equal(picture[~green], pixels[~green])
    assert green.any() and all(green[round(top), round(left)] for left, top, _, _ in boxes if left > 0 and top > 0)

    # Rows of 70 pixels, 96 apart.
    compare(png, pixels[6:56, 5:75], 1, (5, 6), "--region=5,6,70,50")
    # The square is half as large as the image, then it is larger than the part.
    compare(png, in_square(halved(pixels), 48), 0.5, (0, 0), "--size=48")
    compare(png, in_square(halved(pixels[2:62, 4:92]), 44), 0.5, (4, 2), "--size=44", "--region=4,2,88,60")

    weights, outside = f"--weights={MODEL}", f"--region=0,0,{width + 1},1"
    for wrong in ([], [png], [png, f"--weights={png}"], [photo + "x", weights], [png, weights, outside]):
        assert run(*wrong).returncode == 1, wrong
