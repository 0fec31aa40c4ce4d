# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Curves and confusion matrices as CSV."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .._files import written

# The columns of curves.csv.
COLUMNS = (
    "epoch",
    "lr",
    "loss",
    "accuracy",
    "validation_loss",
    "validation_accuracy",
    "validation_top5",
    "images",
    "seconds",
)


def write_curves(path: str, history: Sequence[Mapping[str, Any]]) -> None:
    """Write a row for each epoch; accuracies are shares from 0 to 1, missing values are empty.

    The whole file is replaced, so that a resumed training neither repeats a row nor leaves half of one.

    Raises:
        OSError: with the name of the file.
    """
    rows = [["" if row.get(name) is None else row[name] for name in COLUMNS] for row in history]
    _write(path, [list(COLUMNS), *rows])


def write_confusion(path: str, confusion: npt.NDArray[np.int64], classes: Sequence[str]) -> None:
    """Write a row for each class, with the number of its images that were taken for each class.

    Raises:
        OSError: with the name of the file.
    """
    rows = [[name, *map(int, row)] for name, row in zip(classes, confusion, strict=True)]
    _write(path, [["class", *classes], *rows])


def write_classes(path: str, classes: Sequence[str]) -> None:
    """Write the name of a class in each line, for `backbone classify --classes`.

    A name may contain characters that end a line, or that are not text: those are escaped, as in Python.

    Raises:
        OSError: with the name of the file.
    """
    with written(path) as file:
        file.write("".join(f"{one_line(name)}\n" for name in classes).encode())


def one_line(text: str) -> str:
    """`text` without control characters and undecodable bytes, which are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _write(path: str, rows: Sequence[Sequence[Any]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    with written(path) as file:
        # Names of files may hold bytes that are not UTF-8.
        file.write(text.getvalue().encode(errors="surrogateescape"))


def paths_of_curves(folder: str) -> tuple[str, str]:
    """The CSV and the PNG of a training."""
    return os.path.join(folder, "curves.csv"), os.path.join(folder, "curves.png")
