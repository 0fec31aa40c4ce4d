# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Curves of transfers as a table and as a picture."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot

from .curves import save

COLUMNS = ("engine", "way", "seed", "epoch", "loss", "accuracy")
_TITLES = {
    "random": "random weights, all trained",
    "probe": "linear probe",
    "last": "last stage trained",
    "all": "all stages trained",
}
COLOURS = {"random": "#777777", "probe": "#e0a030", "last": "#4f81a8", "all": "#d1495b"}
# Ours solid, with its band; the other dashed.
_STYLES = {"libbackbone": "-", "pytorch": "--"}


def table(curves: list[dict[str, Any]]) -> str:
    """All points as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in curves:
        for epoch, row in enumerate(each["rows"], start=1):
            writer.writerow([each["engine"], each["way"], each["seed"], epoch, row["loss"], row["accuracy"]])
    return text.getvalue()


def accuracies(curves: list[dict[str, Any]], engine: str, way: str) -> np.ndarray:
    """In %, a row for each seed."""
    chosen = [each for each in curves if (each["engine"], each["way"]) == (engine, way)]
    return 100 * np.array([[row["accuracy"] for row in each["rows"]] for each in chosen])


def draw(curves: list[dict[str, Any]], path: Path, note: str) -> None:
    """Mean accuracy over epochs for each way, with the range of the seeds."""
    figure, axis = pyplot.subplots(figsize=(6.6, 4.4), layout="constrained")
    for way, title in _TITLES.items():
        for engine, style in _STYLES.items():
            values = accuracies(curves, engine, way)
            if not values.size:
                continue
            epochs = np.arange(1, values.shape[1] + 1)
            label = title if engine == "libbackbone" else None
            axis.plot(epochs, values.mean(0), style, color=COLOURS[way], linewidth=2, label=label)
            axis.fill_between(epochs, values.min(0), values.max(0), color=COLOURS[way], alpha=0.13, linewidth=0)
    axis.set_xlabel("epoch")
    axis.set_ylabel("test accuracy, %")
    axis.grid(axis="y", color="#e3e3e3")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=9)
    figure.supxlabel(f"{note}\nSolid: libbackbone. Dashed: PyTorch, same weights and batches.", fontsize=8)
    save(figure, path)


def summary(curves: list[dict[str, Any]]) -> str:
    """The accuracy after the last epoch: mean and standard deviation over the seeds, as Markdown."""
    engines = [engine for engine in _STYLES if any(each["engine"] == engine for each in curves)]
    lines = ["| | " + " | ".join(engines) + " |", "| --- |" + " ---: |" * len(engines)]
    for way, title in _TITLES.items():
        cells = []
        for engine in engines:
            last = accuracies(curves, engine, way)[:, -1]
            spread = last.std(ddof=1) if len(last) > 1 else float("nan")
            cells.append(f"{last.mean():.2f} ± {spread:.2f}")
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
