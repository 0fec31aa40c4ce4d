# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The program that scripts/pictures runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import demo
import numpy as np
from backbone.command.sheet import THEMES, sheet_of
from benchmark import plot
from PIL import Image

_RESULTS = Path(__file__).resolve().parent / "benchmark" / "results" / "results.json"
_NETWORK = "resnet50-224"

# Sharp where a page shows it 800 pixels wide.
_WIDTH = 920
# Of the 8 bits of each colour. All of them would make the file larger than the rest of the page.
_BITS = 6


def main(out: Path) -> None:
    """Write all pictures into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    results = json.loads(_RESULTS.read_text())
    image, maps = demo.heat_maps()
    for theme in THEMES:
        plot.draw(results, out / f"speed-{theme}.png", theme, (_NETWORK,), across=1)
        sheet = sheet_of(image, maps, demo.OPACITY, theme=theme, width=_WIDTH, columns=3)
        reduced(sheet).save(out / f"features-{theme}.png", optimize=True)
    print(f"written: features-*.png and speed-*.png in {out}")


def reduced(sheet: Image.Image) -> Image.Image:
    """The picture with fewer bits of each colour; black and white stay what they are."""
    levels = 2**_BITS - 1
    values = np.rint(np.rint(np.asarray(sheet) * (levels / 255)) * (255 / levels))
    return Image.fromarray(values.astype(np.uint8))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
