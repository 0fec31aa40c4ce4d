# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Compares the boxes that the C++ detector prints and draws with those of boxes.py.

Usage: detector.py DETECTOR-PROGRAM PHOTO.jpg
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from boxes import MODEL, SEED, clear, reference, stages
from PIL import Image

program, photo = sys.argv[1:]
pixels = np.array(Image.open(photo).convert("RGB"))
height, width, _ = pixels.shape
features = stages(pixels)


def compare(printed, picture, threshold):
    """What the program printed and drew with what numpy finds; gives the number of boxes."""
    labels, scores, boxes = reference(features, (width, height), threshold)
    lines = np.array([line.split() for line in printed.splitlines()], np.float64)
    assert len(labels) == len(lines) and len(set(labels)) > 1, (len(labels), len(lines))
    np.testing.assert_array_equal(lines[:, 0], labels)
    np.testing.assert_allclose(lines[:, 1], scores, atol=1e-4)
    np.testing.assert_allclose(lines[:, 2:], boxes, atol=0.02)

    # Every border in its colour, later boxes over earlier ones.
    inner = boxes[(boxes > 0) & (boxes < [width, height, width, height])]
    clear(inner - np.round(inner), 0, 1e-4)
    expected = pixels.copy()
    for label, box in zip(labels, boxes, strict=True):
        left, top, right, bottom = np.minimum(box.astype(int), [width - 1, height - 1, width - 1, height - 1])
        colour = np.eye(3, dtype=np.uint8)[label] * 255
        expected[[top, bottom], left : right + 1] = colour
        expected[top : bottom + 1, [left, right]] = colour
    np.testing.assert_array_equal(picture, expected)
    return len(labels)


with tempfile.TemporaryDirectory() as name:
    ppm, drawn = Path(name) / "photo.ppm", Path(name) / "drawn.ppm"
    Image.fromarray(pixels).save(ppm)
    command = [program, ppm, "--weights", MODEL, "--seed", str(SEED), "--draw", drawn, "--threshold"]
    for threshold in (0.9, 0.4):
        printed = subprocess.run([*command, str(threshold)], check=True, capture_output=True, text=True).stdout
        found = compare(printed, np.array(Image.open(drawn)), threshold)
        print(f"At {threshold} the detector finds the {found} boxes that numpy does.")
    for wrong in ([program], [program, photo], [program, ppm, "--weights", ppm], [program, ppm, "--widht", "3"]):
        failed = subprocess.run(wrong, capture_output=True, text=True, check=False)
        assert failed.returncode == 1 and failed.stderr.startswith("detector: "), wrong
