# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Records as a table and as figures."""

from __future__ import annotations

import csv
import io
import textwrap
from pathlib import Path
from typing import Any

import matplotlib

from .networks import KINDS
from .training import write

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

COLUMNS = ("network", "step", "epoch", "lr", "loss", "train_error", "test_error")
# Characters of a note below a panel.
_NOTE = 70
# Depth by colour, as in the paper; shortcuts have colours of their own.
COLOURS = {
    "plain20": "#4f81a8",
    "plain56": "#d1495b",
    "resnet20": "#4f81a8",
    "resnet56": "#d1495b",
    "resnet56-b": "#2e5077",
    "resnet56-c": "#8c9a74",
    "preact56": "#e0a030",
}


def table(records: list[dict[str, Any]]) -> str:
    """The rows of all records as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for record in records:
        for row in record["rows"]:
            writer.writerow([record["network"], *(row[column] for column in COLUMNS[1:])])
    return text.getvalue()


def summary(records: list[dict[str, Any]]) -> str:
    """The errors at the end of each record, in %, as Markdown."""
    lines = ["| Network | Epochs | Training error, % | Test error, % |", "| --- | ---: | ---: | ---: |"]
    for record in records:
        last = record["rows"][-1]
        errors = " | ".join(f"{100 * last[column]:.1f}" for column in ("train_error", "test_error"))
        lines.append(f"| `{record['network']}` | {last['epoch']:.1f} | {errors} |")
    return "\n".join(lines)


def draw(panels: dict[str, list[dict[str, Any]]], path: Path, note: str) -> None:
    """A figure with a panel for each title: training error (thin) and test error (bold) over time.

    Args:
        panels: records by title; those without rows are left out.
        path: the PNG.
        note: a line below.
    """
    figure, axes = pyplot.subplots(
        1, len(panels), figsize=(4.6 * len(panels), 3.9), layout="constrained", squeeze=False, sharey=True
    )
    for axis, (title, records) in zip(axes[0], panels.items(), strict=True):
        for record in records:
            _curves(axis, record)
        axis.set_title(title, loc="left", fontsize=11)
        axis.set_xlabel("epoch")
        axis.grid(axis="y", color="#e3e3e3")
        axis.spines[["top", "right"]].set_visible(False)
        if records:
            axis.legend(frameon=False, fontsize=8)
    axes[0, 0].set_ylabel("error, %")
    # A figure of one panel is narrower than the note.
    note = textwrap.fill(note, _NOTE * len(panels))
    figure.supxlabel(f"{note}\nBold: test error. Dashed: error on the augmented training images.", fontsize=8)
    save(figure, path)


def _curves(axis: Any, record: dict[str, Any]) -> None:
    name, rows = record["network"], record["rows"]
    epochs = [row["epoch"] for row in rows]
    colour = COLOURS.get(name, "#777777")
    axis.plot(epochs, [100 * row["test_error"] for row in rows], color=colour, linewidth=2, label=KINDS[name].title)
    # The mean of an interval belongs to its middle.
    middles = [(before + after) / 2 for before, after in zip([0, *epochs], epochs, strict=False)]
    axis.plot(middles, [100 * row["train_error"] for row in rows], color=colour, linewidth=1, linestyle="--")


def save(figure: Any, path: Path) -> None:
    """Write a figure as PNG, complete or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    # Without the date and the version of matplotlib the same numbers give the same file.
    figure.savefig(partial, dpi=110, format="png", metadata={"Software": None})
    pyplot.close(figure)
    partial.replace(path)


def write_table(records: list[dict[str, Any]], path: Path) -> None:
    """Write `table`."""
    write(path, table(records))
