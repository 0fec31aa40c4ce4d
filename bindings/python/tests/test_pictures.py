# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The pictures of README.md and of the benchmark: read back, and made again."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[3]
IMAGES = ROOT / "docs/images"
SAVED = ROOT / "scripts/benchmark/results"

sys.path.insert(0, str(ROOT / "scripts"))

from benchmark import plot  # noqa: E402


@pytest.fixture(scope="module")
def results():
    return json.loads((SAVED / "results.json").read_text())


def runs_of(pixels, colour):
    """Lengths of the bars of a colour, from top to bottom."""
    found = (np.abs(pixels.astype(int) - [int(colour[i : i + 2], 16) for i in (1, 3, 5)]).max(-1) == 0).sum(1)
    lengths, inside = [], False
    for count in found:
        if count > 50 and not inside:
            lengths.append(count)
        inside = count > 50
    return lengths


def milliseconds(results, key, threads):
    column = next(column for column in results["columns"] if column["key"] == key)
    return {cell["engine"]: cell["median_ms"] for cell in column["cells"] if cell["threads"] == threads}


@pytest.mark.parametrize("theme", plot.THEMES)
def test_bars_are_as_long_as_the_times(results, theme):
    pixels = np.asarray(Image.open(IMAGES / f"speed-{theme}.png").convert("RGB"))
    colours, times = plot.THEMES[theme], milliseconds(results, "resnet50-224", 2)
    (ours,) = runs_of(pixels, colours.ours)
    peers = runs_of(pixels, colours.peers)
    expected = sorted(time for engine, time in times.items() if engine != "libbackbone")
    np.testing.assert_allclose(peers / ours, np.array(expected) / times["libbackbone"], rtol=0.01)


@pytest.mark.parametrize("theme", plot.THEMES)
def test_saved_charts_are_those_of_the_saved_results(results, theme, tmp_path):
    saved = {"light": "results.png", "dark": "results-dark.png"}[theme]
    assert plot.draw(results, tmp_path / "all.png", theme)
    assert plot.draw(results, tmp_path / "one.png", theme, ("resnet50-224",), across=1)
    for made, kept in (("all.png", SAVED / saved), ("one.png", IMAGES / f"speed-{theme}.png")):
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / made)), np.asarray(Image.open(kept)))


def test_networks_without_both_us_and_a_peer_have_no_chart(results, tmp_path):
    alone = [dict(column, cells=column["cells"][:1]) for column in results["columns"]]
    assert not plot.draw(dict(results, columns=alone), tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize("name", ["features", "speed"])
def test_pictures_of_the_readme_are_small_and_alike(name):
    light, dark = (IMAGES / f"{name}-{theme}.png" for theme in ("light", "dark"))
    assert max(light.stat().st_size, dark.stat().st_size) < 300_000
    assert Image.open(light).size == Image.open(dark).size
    corners = [Image.open(path).convert("RGB").getpixel((0, 0)) for path in (light, dark)]
    assert min(corners[0]) >= 250 and max(corners[1]) <= 30
