# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Curves and confusion matrices as pictures, by Matplotlib, which is loaded only here."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._files import written
from ._tables import one_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The largest number of classes with readable names, and with readable counts, in a picture.
_MOST_NAMED = 60
_MOST_COUNTED = 25
_LONGEST_NAME = 24


class PlotError(ImportError):
    """Matplotlib is missing."""


def plot_curves(path: str, history: Sequence[Mapping[str, Any]]) -> None:
    """Draw loss and error of each epoch as a PNG.

    Raises:
        PlotError: Matplotlib is missing.
        OSError: with the name of the file.
    """
    figure = _new_figure(9, 3.6)
    left, right = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in history]
    marker = "o" if len(epochs) < 20 else ""
    for axes, title, curves in (
        (left, "loss", {"training": "loss", "validation": "validation_loss"}),
        (right, "error (%)", {"training": "accuracy", "validation": "validation_accuracy"}),
    ):
        for label, name in curves.items():
            points = [(epoch, row[name]) for epoch, row in zip(epochs, history, strict=True) if row[name] is not None]
            if points:
                values = [value if axes is left else 100 * (1 - value) for _, value in points]
                axes.plot([epoch for epoch, _ in points], values, label=label, marker=marker, markersize=3)
        axes.set_xlabel("epoch")
        axes.set_ylabel(title)
        axes.set_ylim(bottom=0)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    _save(path, figure)


def plot_confusion(path: str, confusion: npt.NDArray[np.int64], classes: Sequence[str]) -> None:
    """Draw a confusion matrix as a PNG: the darker, the larger the share of the class in that row.

    Raises:
        PlotError: Matplotlib is missing.
        OSError: with the name of the file.
    """
    count = len(classes)
    side = min(3.5 + 0.35 * count, 14)
    figure = _new_figure(side + 1, side)
    axes = figure.subplots()
    shares = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the class", fraction=0.046)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    if count <= _MOST_NAMED:
        names = [_short(name) for name in classes]
        # A name may hold a dollar sign, which does not begin a formula.
        axes.set_xticks(range(count), names, rotation=90, parse_math=False, fontsize=8)
        axes.set_yticks(range(count), names, parse_math=False, fontsize=8)
    if count <= _MOST_COUNTED:
        for row, column in np.ndindex(count, count):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(confusion[row, column]), ha="center", va="center", color=colour, fontsize=7)
    _save(path, figure)


def _new_figure(width: float, height: float) -> Figure:
    try:
        with _quiet():
            from matplotlib.figure import Figure
    except ImportError:
        raise PlotError("Matplotlib is missing; install it with: pip install 'backbone[train]'") from None
    # Not by pyplot, which would look for a screen and keep the figure.
    return Figure(figsize=(width, height), layout="constrained")


def _save(path: str, figure: Figure) -> None:
    with _quiet(), written(path) as file:
        figure.savefig(file, format="png", dpi=120)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings about missing characters of the font, and about the list of fonts."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _short(name: str) -> str:
    text = one_line(name)
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 3] + "..."
