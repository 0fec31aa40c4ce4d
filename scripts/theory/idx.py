# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Images in IDX files, as MNIST and Fashion-MNIST come: Debian's package dataset-fashion-mnist has them."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from .data import DataError, Images

_BYTES = 0x08


def has_idx(folder: Path) -> bool:
    """Whether a folder has IDX files of training images."""
    return (folder / "train-images-idx3-ubyte.gz").is_file()


def read_idx(folder: Path, train: int | None, test: int | None) -> tuple[Images, Images]:
    """The first images of a folder with the four files of MNIST, compressed. Gray levels become three equal channels.

    Args:
        folder: has train-images-idx3-ubyte.gz and the other three.
        train: how many training images; None: all.
        test: how many test images.

    Raises:
        DataError: a file is missing or damaged.
    """
    splits = []
    for name, limit in (("train", train), ("t10k", test)):
        pixels = _array(folder / f"{name}-images-idx3-ubyte.gz", 3)[:limit]
        labels = _array(folder / f"{name}-labels-idx1-ubyte.gz", 1)[:limit]
        if len(pixels) != len(labels) or not len(pixels):
            raise DataError(f"{folder} has {len(pixels)} {name} images and {len(labels)} labels; install it again")
        classes = tuple(map(str, range(int(labels.max()) + 1)))
        splits.append(Images(np.repeat(pixels[:, None], 3, axis=1), labels.astype(np.int64), classes))
    if splits[1].labels.max() >= len(splits[0].classes):
        raise DataError(f"{folder}: a class of the test images has no training image; use more training images")
    return splits[0], Images(splits[1].pixels, splits[1].labels, splits[0].classes)


def _array(path: Path, dimensions: int) -> np.ndarray:
    try:
        with gzip.open(path) as file:
            content = file.read()
        if len(content) < 4 * (1 + dimensions):
            raise DataError(f"{path} is too short for an IDX file; install it again")
        magic, *shape = struct.unpack_from(f">{1 + dimensions}I", content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: {error}; install it again") from error
    start = 4 * (1 + dimensions)
    if magic != _BYTES << 8 | dimensions or len(content) - start != np.prod(shape, dtype=object):
        raise DataError(f"{path} is not an IDX file of bytes in {dimensions} dimensions; install it again")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
