# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Images in a folder for each class, and batches of them, for the examples that train."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from backbone.images import files_in, load_image, prepare

# A path, and the index of its class.
Example = tuple[str, int]
# Images of shape (N, 3, H, W), uint8, and their classes.
Batch = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]


def class_names(folders: Sequence[str]) -> list[str]:
    """The folders within these folders, by name: what is in any of them is a class."""
    names = {entry.name for folder in folders for entry in os.scandir(folder) if entry.is_dir()}
    if len(names) < 2:
        raise ValueError(f"{', '.join(folders)}: {len(names)} folders; expected one for each of two or more classes")
    return sorted(names)


def examples_in(folder: str, classes: Sequence[str]) -> list[Example]:
    """The images of a folder, by class and name."""
    found = [
        (path, label)
        for label, name in enumerate(classes)
        if os.path.isdir(os.path.join(folder, name))
        for path in files_in(os.path.join(folder, name))
    ]
    if not found:
        raise ValueError(f"{folder}: no images in the folders {', '.join(classes)}")
    return found


def load_batch(examples: Sequence[Example], size: int) -> Batch:
    """Decode images; the central square of 7/8 of the shorter side is resized to `size`."""
    images = [prepare(load_image(path), size * 8 // 7, size) for path, _ in examples]
    return np.stack(images).transpose(0, 3, 1, 2), np.array([label for _, label in examples], np.int64)


def shuffled(examples: Sequence[Example], batch: int, seed: int, epoch: int) -> Iterator[list[Example]]:
    """Batches in an order that seed and epoch decide; the last one may be smaller."""
    order = np.random.default_rng([seed, epoch]).permutation(len(examples))
    for start in range(0, len(order), batch):
        yield [examples[index] for index in order[start : start + batch]]
