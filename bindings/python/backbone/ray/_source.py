# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The source of images, as a Dataset of Ray Data."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import ray.data

from ..images import files_in

# A folder, a pattern, a file, a list of files, or a Dataset.
Source = str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Any


class Rows(NamedTuple):
    """A data set to work on."""

    dataset: Any
    """Of Ray Data."""
    image_column: str
    units: int | None
    """The number of its pieces; None if only Ray knows."""


def found_in(source: Source) -> Any:
    """The data of a source: a list of files, an address, or a Dataset. Does not need Ray.

    Raises:
        FileNotFoundError: the file or folder does not exist, or is empty.
        TypeError: `source` is not one of these.
    """
    if isinstance(source, ray.data.Dataset) or (isinstance(source, str) and "://" in source):
        return source
    if isinstance(source, (str, os.PathLike)):
        files = _files(Path(source))
    elif isinstance(source, Sequence) and not isinstance(source, (bytes, bytearray, memoryview)):
        files = [os.fspath(file) for file in source]
    else:
        raise TypeError(
            f"source is a {type(source).__name__}; it must be a path, a sequence of paths, or a ray.data.Dataset"
        )
    if not files:
        raise FileNotFoundError(f"source is {source!r}; it must contain images or Parquet files")
    return files


def rows_of(found: Any, image_column: str, id_column: str, rows_per_file: int, actors: int) -> Rows:
    """The Dataset of a result of `found_in`.

    The actors read image files: a list of a million paths is a small Dataset, and a missing file is a row with an
    error.
    """
    if isinstance(found, ray.data.Dataset):
        return Rows(found, image_column, None)
    if isinstance(found, str):
        return Rows(ray.data.read_parquet(found), image_column, None)
    if all(file.endswith(".parquet") for file in found):
        return Rows(ray.data.read_parquet([os.path.abspath(file) for file in found]), image_column, None)
    # Several pieces for each actor, so that they end together.
    rows = min(rows_per_file, -(-len(found) // (4 * actors)))
    paths = pa.table({id_column: pa.array(found, pa.string())})
    pieces = [paths.slice(start, rows) for start in range(0, len(found), rows)]
    return Rows(ray.data.from_arrow(pieces), id_column, len(pieces))


def _files(path: Path) -> list[str]:
    """The Parquet files, or else the images, of a path or a pattern, in order."""
    if path.is_dir():
        return sorted(str(file) for file in path.rglob("*.parquet") if file.is_file()) or files_in(path)
    if path.exists():
        return [str(path)]
    if glob.has_magic(str(path)):
        return sorted(file for file in glob.glob(str(path), recursive=True) if os.path.isfile(file))
    raise FileNotFoundError(f"source is {str(path)!r}; the file or folder does not exist")
