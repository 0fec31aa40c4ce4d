# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The times as pictures: a bar chart for each network, for pages with a light and with a dark background."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import matplotlib

from .engines import OURS
from .report import label, milliseconds

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

# Inches of a page's width. At 100 pixels an inch, as pages show it, letters are 14 pixels high.
_WIDTH = 8.0
_RESOLUTION = 200
_LETTERS = 10
_BAR = 0.3


@dataclass(frozen=True)
class Theme:
    """Colours on one kind of page: GitHub's, with our bars coloured and all others gray."""

    background: str
    ink: str
    ours: str
    peers: str


THEMES = {
    "light": Theme("#ffffff", "#1f2328", "#d1495b", "#c6ccd3"),
    "dark": Theme("#0d1117", "#e6edf3", "#e0566a", "#4d5661"),
}


def draw(results: dict, path: Path, theme: str = "light", keys: tuple[str, ...] = (), across: int = 2) -> bool:
    """Write the times with the most threads; False if no network has both ours and a peer's.

    Args:
        results: what was measured.
        path: the PNG.
        theme: a key of THEMES.
        keys: of the networks; () for all.
        across: charts side by side.
    """
    threads = max(results["threads"])
    columns = [column for column in results["columns"] if not keys or column["key"] in keys]
    charts = {_title(column): _times(column, threads) for column in columns}
    charts = {title: times for title, times in charts.items() if OURS in times and len(times) > 1}
    if not charts:
        return False
    across = min(across, len(charts))
    down, colours = math.ceil(len(charts) / across), THEMES[theme]
    bars = max(map(len, charts.values()))
    # The larger letters of a chart that fills the page can be read on a telephone too.
    letters = _LETTERS + 5 * (across == 1)
    height = down * (bars * _BAR * letters / _LETTERS + 0.5) + 0.08 * letters
    figure, axes = pyplot.subplots(
        down, across, figsize=(_WIDTH, height), layout="constrained", facecolor=colours.background, squeeze=False
    )
    figure.get_layout_engine().set(h_pad=0.08, w_pad=0.1)
    for axis in axes.flat:
        axis.set_visible(False)
    for axis, (title, times) in zip(axes.flat, charts.items(), strict=False):
        _chart(axis, title, times, colours, letters)
    machine = results["machine"]
    measured = f"image to C2–C5 in float32, {threads} thread{'s' * (threads != 1)}"
    title = f"Milliseconds per forward pass, {measured}: lower is better"
    if across == 1:
        title = f"Milliseconds per forward pass: lower is better\n{measured}"
    figure.suptitle(title, fontsize=letters, color=colours.ink, weight="bold", x=0.01, ha="left")
    processor = machine["cpu"] + " with AVX-512" * ("avx512f" in machine["instruction_sets"])
    figure.supxlabel(
        f"{processor}, {machine['cpus']} CPUs{' of a virtual machine' * machine['virtual']}, {results['date'][:10]}",
        fontsize=letters - 1,
        color=colours.ink,
        x=0.01,
        ha="left",
    )
    # Without the date and the version that matplotlib adds: the same results give the same file.
    figure.savefig(path, dpi=_RESOLUTION, metadata={"Software": None})
    pyplot.close(figure)
    return True


def _title(column: dict) -> str:
    """As in "ResNet-50, 8 images of 224 x 224"."""
    images, _, height, width = column["shape"]
    batch = f"{images} images of " if images > 1 else ""
    return f"{column['title'].split()[0]}, {batch}{height} x {width}"


def _times(column: dict, threads: int) -> dict[str, float]:
    """Medians by engine."""
    cells = (cell for cell in column["cells"] if cell["threads"] == threads and cell["median_ms"] is not None)
    return {cell["engine"]: cell["median_ms"] for cell in cells}


def _chart(axis, title: str, times: dict[str, float], colours: Theme, letters: int) -> None:
    """The fastest is at the top."""
    names = sorted(times, key=times.__getitem__)
    values = [times[name] for name in names]
    bars = axis.barh(
        range(len(names)),
        values,
        height=0.72,
        color=[colours.ours if name == OURS else colours.peers for name in names],
    )
    for text, name in zip(
        axis.bar_label(bars, map(milliseconds, values), fontsize=letters, padding=4, color=colours.ink),
        names,
        strict=True,
    ):
        text.set_fontweight("bold" if name == OURS else "normal")
    axis.set_visible(True)
    axis.set_facecolor(colours.background)
    axis.set_yticks(range(len(names)), [label(name) for name in names], fontsize=letters, color=colours.ink)
    axis.get_yticklabels()[names.index(OURS)].set_fontweight("bold")
    axis.invert_yaxis()
    axis.set_xticks([])
    # Room for the number after the longest bar.
    axis.set_xlim(0, max(values) * 1.18)
    axis.set_title(title, loc="left", fontsize=letters, color=colours.ink)
    axis.tick_params(axis="y", length=0)
    axis.spines[:].set_visible(False)
