# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""JPEG photographs in folders of classes: parts of the photographs that scikit-image brings along, with new colours."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = 10
_SOURCES = ("astronaut", "chelsea", "coffee", "rocket")
# Both orientations are as common as in a collection of photographs.
_SHAPES = ((300, 400), (400, 300))
_QUALITY = 90


def write_photographs(folder: Path, count: int) -> Path:
    """Write `count` files, all classes equally often. The same number gives the same files. Returns the folder of
    classes, which is made only once.
    """
    result = folder / f"photographs-{count}"
    if result.exists():
        return result
    from skimage import data

    sources = [Image.fromarray(getattr(data, name)()) for name in _SOURCES]
    random = np.random.default_rng(1)
    partial = result.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for index in range(count):
        label = index % CLASSES
        path = partial / f"class{label}" / f"{index:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        _photograph(sources[index % len(sources)], label, random).save(path, quality=_QUALITY)
    partial.rename(result)
    return result


def _photograph(source: Image.Image, label: int, random: np.random.Generator) -> Image.Image:
    height, width = _SHAPES[random.integers(len(_SHAPES))]
    # The largest part of that shape, or down to seven tenths of it.
    scale = min(source.height / height, source.width / width) * random.uniform(0.7, 1)
    part_height, part_width = int(height * scale), int(width * scale)
    top = int(random.integers(source.height - part_height + 1))
    left = int(random.integers(source.width - part_width + 1))
    part = source.resize(
        (width, height), Image.Resampling.BICUBIC, (left, top, left + part_width, top + part_height)
    )
    # A class is a colour cast; contrast and brightness are those of the file alone.
    angle = 2 * np.pi * (label / CLASSES + np.arange(3) / 3)
    gains = random.uniform(0.7, 1.1) * (1 + 0.3 * np.cos(angle))
    pixels = np.asarray(part, np.float32) * gains + random.uniform(0, 30)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
