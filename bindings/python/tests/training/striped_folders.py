# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Folders of generated images with classes that a network can learn to tell apart."""

import numpy as np
from PIL import Image


def stripes(rng, label, classes, height=32, width=32):
    """Stripes whose direction is that of the class; their colour, contrast, width and phase are random."""
    y, x = np.mgrid[:height, :width]
    angle = np.pi * label / classes
    wave = np.sin(rng.uniform(0.6, 0.9) * (x * np.cos(angle) + y * np.sin(angle)) + rng.uniform(0, 2 * np.pi))
    pixels = rng.uniform(80, 170, 3) + wave[..., None] * rng.uniform(20, 60, 3) + rng.normal(0, 25, (height, width, 3))
    return np.clip(pixels, 0, 255).astype(np.uint8)


def write_folders(folder, counts, seed=0, **shape):
    """One folder of PNGs for each name in `counts`, which says how many. Returns `folder`."""
    rng = np.random.default_rng(seed)
    for label, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            Image.fromarray(stripes(rng, label, len(counts), **shape)).save(folder / name / f"{index:03d}.png")
    return folder
