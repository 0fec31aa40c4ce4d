# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Folders of small images as arrays, and the augmentation of He et al. 2015 (arXiv:1512.03385, section 4.2)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from backbone.images import ImageError, files_in, load_image

# Zeros around an image, from which the crop is taken.
PADDING = 4
# Decoding releases the interpreter's lock.
_DECODERS = 2


class DataError(ValueError):
    """Images that cannot be used; the message names them and the cure."""


@dataclass(frozen=True)
class Images:
    """Images of one size with their classes.

    Attributes:
        pixels: uint8, (N, 3, H, W), RGB.
        labels: int64, (N,), positions in `classes`.
        classes: names of the folders, ascending.
    """

    pixels: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def fingerprint(self) -> str:
        """A checksum of pixels and labels: a run that is resumed must see the same ones."""
        return f"{zlib.crc32(self.labels.tobytes(), zlib.crc32(self.pixels.tobytes())):08x}"


def read_folder(folder: Path, limit: int | None = None) -> tuple[Images, Images]:
    """The images below FOLDER/train, and those below FOLDER/test or FOLDER/val.

    Args:
        folder: has a folder for each class in each of the two.
        limit: use only so many training images, the first ones of each class; None: all.

    Raises:
        DataError: a folder is missing or empty, or an image is damaged or of another size than the first.
    """
    splits = [folder / "train", next((folder / name for name in ("test", "val") if (folder / name).is_dir()), None)]
    if not splits[0].is_dir() or splits[1] is None:
        raise DataError(f"{folder} needs folders train and test (or val), each with a folder of images per class")
    train, test = read_classes(splits[0], limit), read_classes(splits[1])
    if train.classes != test.classes:
        odd = sorted(set(train.classes) ^ set(test.classes))[0]
        raise DataError(f"{folder}: only one of train and {splits[1].name} has the class folder {odd}; add it")
    if train.pixels.shape[1:] != test.pixels.shape[1:]:
        sizes = [" x ".join(map(str, images.pixels.shape[2:])) for images in (train, test)]
        raise DataError(f"{folder}: images are {sizes[0]} in train and {sizes[1]} in {splits[1].name}; resize them")
    return train, test


def read_classes(folder: Path, limit: int | None = None) -> Images:
    """The images in the folders of a folder, whose names are the classes.

    Raises:
        DataError: see `read_folder`.
    """
    classes = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(classes) < 2:
        raise DataError(f"{folder} has {len(classes)} class folders; it needs at least 2")
    paths, labels = [], []
    for label, name in enumerate(classes):
        found = files_in(folder / name)
        if not found:
            raise DataError(f"{folder / name} has no images; add some or remove the folder")
        # As evenly as the limit can be divided.
        share = len(found) if limit is None else (limit + len(classes) - 1 - label) // len(classes)
        paths += found[:share]
        labels += [label] * len(found[:share])
    if not paths:
        raise DataError(f"the limit of {limit} images leaves none of {folder}; raise it")
    pixels = None
    with ThreadPoolExecutor(_DECODERS) as pool:
        for index, (path, image) in enumerate(zip(paths, pool.map(_decoded, paths), strict=True)):
            if pixels is None:
                pixels = np.empty((len(paths), 3, *image.shape[:2]), np.uint8)
            if image.shape[:2] != pixels.shape[2:]:
                sizes = [" x ".join(map(str, shape)) for shape in (image.shape[:2], pixels.shape[2:])]
                raise DataError(f"{path} is {sizes[0]} pixels; {paths[0]} is {sizes[1]}: resize one of them")
            pixels[index] = image.transpose(2, 0, 1)
    return Images(pixels, np.array(labels), tuple(classes))


def _decoded(path: str) -> np.ndarray:
    try:
        return load_image(path)
    except (ImageError, OSError) as error:
        raise DataError(f"{error}; repair or remove {path}") from error


@dataclass(frozen=True)
class Normalization:
    """Mean and standard deviation of each channel, of training images."""

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def of(cls, images: Images) -> Normalization:
        """Those of images."""
        # Sums of integers: the same bits on every machine.
        counts = np.stack([np.bincount(images.pixels[:, c].reshape(-1), minlength=256) for c in range(3)])
        levels, total = np.arange(256), counts[0].sum()
        mean = counts @ levels / total
        std = np.sqrt(counts @ levels**2 / total - mean**2)
        if not std.all():
            raise DataError("all training images have one colour in a channel; nothing can be learned from them")
        return cls(mean.astype(np.float32), std.astype(np.float32))

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Float32 of uint8 pixels (N, 3, H, W)."""
        return (pixels - self.mean[:, None, None]) / self.std[:, None, None]


def augmented(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A random crop of each image in 4 more pixels of zeros on each side, flipped or not.

    Args:
        values: normalised images (N, 3, H, W), for which 0 is the mean.
        random: draws 2 positions and a flip per image.
    """
    count, channels, height, width = values.shape
    padded = np.pad(values, ((0, 0), (0, 0), (PADDING, PADDING), (PADDING, PADDING)))
    tops, lefts = random.integers(0, 2 * PADDING + 1, (2, count))
    flips = random.integers(0, 2, count)
    columns = np.arange(width) + lefts[:, None]
    columns = np.where(flips[:, None] == 1, columns[:, ::-1], columns)
    rows = np.arange(height) + tops[:, None]
    index = np.arange(count)[:, None, None, None], np.arange(channels)[:, None, None]
    return padded[(*index, rows[:, None, :, None], columns[:, None, None, :])]


def batches(
    images: Images, normalization: Normalization, size: int, seed: int, first: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Augmented batches without end, as those of one run from its step `first` on.

    Each epoch is a permutation of its own; images that do not fill a batch are left out of it. Order and crops follow
    from seed and step alone: a resumed run sees what an undisturbed one does, and every network the same.
    """
    per_epoch = len(images) // size
    step = first
    while True:
        epoch, position = divmod(step, per_epoch)
        order = np.random.default_rng((seed, epoch)).permutation(len(images))
        for start in range(position * size, per_epoch * size, size):
            chosen = order[start : start + size]
            values = normalization(images.pixels[chosen])
            yield augmented(values, np.random.default_rng((seed, epoch, start))), images.labels[chosen]
            step += 1
