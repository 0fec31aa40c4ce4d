# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The table as a picture: how long each engine takes in relation to libbackbone."""

from __future__ import annotations

from pathlib import Path

import matplotlib

from .engines import OURS
from .report import label, milliseconds

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

# Ours stands out; peers keep their colour whichever of them were measured.
_COLOURS = {
    OURS: "#d1495b",
    "onnxruntime": "#2e5077",
    "openvino": "#4f81a8",
    "ncnn": "#7fb3c8",
    "mnn": "#8c9a74",
    "pytorch": "#c9b27c",
}
_TEXT = "#333333"


def draw(results: dict, path: Path) -> bool:
    """Write results.png; False if no column has both us and a peer."""
    panels = {}
    for threads in results["threads"]:
        columns = [column for column in results["columns"] if len(_times(column, threads)) > 1]
        columns = [column for column in columns if OURS in _times(column, threads)]
        if columns:
            panels[threads] = columns
    if not panels:
        return False
    # Wide enough for the legend, and not wider than needed: a README shows it about 8 inches wide.
    width = max(8.0, 1.8 * max(map(len, panels.values())) + 0.5)
    figure, axes = pyplot.subplots(
        len(panels),
        1,
        figsize=(width, 3.2 * len(panels) + 1.0),
        layout="constrained",
        facecolor="white",
        squeeze=False,
    )
    figure.get_layout_engine().set(h_pad=0.12)
    for axis, (threads, columns) in zip(axes[:, 0], panels.items(), strict=True):
        _panel(axis, columns, threads, results["engines"])
    handles, labels = axes[0, 0].get_legend_handles_labels()
    columns = len(labels) if width > 10 else 3
    figure.legend(handles, labels, loc="outside upper center", ncols=columns, frameon=False, fontsize=11)
    machine = results["machine"]
    figure.supxlabel(
        "Time of one forward pass, C2 to C5 in float32, divided by that of libbackbone: higher is slower.\n"
        f"{machine['cpu']}, {machine['cpus']} CPUs, {results['date'][:10]}.",
        fontsize=10,
        color=_TEXT,
    )
    figure.savefig(path, dpi=140)
    pyplot.close(figure)
    return True


def _times(column: dict, threads: int) -> dict[str, float]:
    """Medians by engine."""
    cells = (cell for cell in column["cells"] if cell["threads"] == threads and cell["median_ms"] is not None)
    return {cell["engine"]: cell["median_ms"] for cell in cells}


def _panel(axis, columns: list[dict], threads: int, engines: list[str]) -> None:
    width = 0.9 / len(engines)
    top = 0.0
    for index, name in enumerate(engines):
        offset = (index - (len(engines) - 1) / 2) * width
        places, heights = [], []
        for place, column in enumerate(columns):
            times = _times(column, threads)
            if name in times:
                places.append(place + offset)
                heights.append(times[name] / times[OURS])
        bars = axis.bar(places, heights, width * 0.9, label=label(name), color=_COLOURS.get(name, "#999999"), zorder=3)
        texts = axis.bar_label(bars, [f"{height:.2f}" for height in heights], fontsize=7.5, padding=2, color=_TEXT)
        for text in texts:
            # The line of 1 ends at a number and does not strike it out.
            text.set(zorder=4, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6})
        top = max([top, *heights])
    axis.axhline(1, color=_COLOURS[OURS], linewidth=1, linestyle="--", zorder=2)
    names = [f"{column['title']}\nours {milliseconds(_times(column, threads)[OURS])} ms" for column in columns]
    axis.set_xticks(range(len(columns)), names, fontsize=10, color=_TEXT)
    axis.set_xlim(-0.55, len(columns) - 0.45)
    axis.set_ylim(0, top * 1.1)
    axis.set_title(f"{threads} thread{'s' * (threads != 1)}", loc="left", fontsize=12, color=_TEXT)
    axis.tick_params(axis="both", length=0, colors=_TEXT)
    axis.grid(axis="y", color="#e3e3e3", zorder=0)
    axis.spines[["top", "right", "left"]].set_visible(False)
