# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Pictures side by side on one sheet, each with its label and the values of its colours."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..images import Pixels
from .colours import colour_map
from .heat import HeatMap, Measure

# A narrower sheet has its cells in rows of three, if it has more.
NARROW = 900
_NARROW_COLUMNS = 3

# Narrower pictures are enlarged by a whole number: their labels would be unreadable.
_LEAST_WIDTH = 160

_MEASURES = {"l2": "Euclidean norm of the channels", "mean": "mean absolute value of the channels"}


@dataclass(frozen=True)
class Theme:
    """Colours around the pictures."""

    background: str
    ink: str


# Those of GitHub's pages.
THEMES = {"light": Theme("#ffffff", "#1f2328"), "dark": Theme("#0d1117", "#e6edf3")}


@dataclass(frozen=True)
class Panel:
    """A cell of a sheet.

    Attributes:
        label: above the picture.
        pixels: the picture; None for a cell of text.
        ends: what the darkest and the brightest colour mean, for a colour bar below the picture; None for no bar.
        text: the paragraphs of a cell without a picture.
    """

    label: str
    pixels: Pixels | None
    ends: tuple[float, float] | None = None
    text: Sequence[str] = ()


@dataclass(frozen=True)
class Layout:
    """Where the cells of a sheet are, in pixels.

    Attributes:
        columns: cells in a row.
        width: of a picture.
        height: of a picture.
        bars: whether to leave room for a colour bar below each picture.
    """

    columns: int
    width: int
    height: int
    bars: bool

    @classmethod
    def of(
        cls, count: int, shape: tuple[int, int], bars: bool, width: int | None = None, columns: int | None = None
    ) -> Layout:
        """The layout of a number of cells whose pictures have that shape (H, W).

        Args:
            count: of cells.
            shape: (H, W) of each picture.
            bars: whether cells have colour bars.
            width: of the sheet; None for pictures of their own size, or a whole number of times that if they are small.
            columns: cells in a row; None for all, or three where the sheet would be narrower than NARROW.
        """
        height, cell = (length * max(1, math.ceil(_LEAST_WIDTH / shape[1])) for length in shape)
        total = width or cls(count, cell, height, bars).size(count)[0]
        columns = min(columns or (_NARROW_COLUMNS if total < NARROW else count), count)
        if width is not None:
            # With margins of a twentieth: w = columns * cell + (columns + 1) * cell / 20.
            cell = max(1, 20 * width // (21 * columns + 1))
            height = max(1, round(cell * shape[0] / shape[1]))
        return cls(columns, cell, height, bars)

    @property
    def margin(self) -> int:
        """Around the cells and between them."""
        return max(2, self.width // 20)

    @property
    def font_size(self) -> int:
        """Of labels, for "C2: 120 x 160, stride 4" to fit."""
        return max(9, min(self.width // 15, 32))

    @property
    def top(self) -> int:
        """From the top of a cell to its picture."""
        return 2 * self.font_size

    @property
    def bar(self) -> int:
        """The height of a colour bar."""
        return max(4, self.font_size // 2)

    @property
    def cell_height(self) -> int:
        """With the label above, and the colour bar and its values below."""
        below = self.bar + 2 * self.font_size if self.bars else 0
        return self.top + self.height + below

    def size(self, count: int) -> tuple[int, int]:
        """(W, H) of a sheet of so many cells."""
        rows = math.ceil(count / self.columns)
        return self.margin + self.columns * (self.width + self.margin), rows * self.cell_height + self.margin

    def corner(self, index: int) -> tuple[int, int]:
        """(x, y) of the picture of a cell."""
        row, column = divmod(index, self.columns)
        return self.margin + column * (self.width + self.margin), row * self.cell_height + self.top


def compose(
    panels: Sequence[Panel], theme: str = "light", width: int | None = None, columns: int | None = None
) -> Image.Image:
    """A sheet of cells, whose pictures are all of one size.

    Args:
        panels: the cells, in reading order; the first has a picture.
        theme: a key of THEMES.
        width: of the sheet in pixels; None for pictures of their own size.
        columns: cells in a row; None for as many as fit.
    """
    first = panels[0].pixels
    assert first is not None
    bars = any(panel.ends is not None for panel in panels)
    layout = Layout.of(len(panels), (first.shape[0], first.shape[1]), bars, width, columns)
    filled, height = layout.size(len(panels))
    sheet = Image.new("RGB", (width or filled, height), THEMES[theme].background)
    draw = ImageDraw.Draw(sheet)
    font, ink = ImageFont.load_default(layout.font_size), THEMES[theme].ink
    for index, panel in enumerate(panels):
        x, y = layout.corner(index)
        draw.text((x, y - layout.font_size), panel.label, fill=ink, font=font, anchor="lm")
        if panel.pixels is not None:
            sheet.paste(_fitted(panel.pixels, layout), (x, y))
        _write(draw, panel.text, layout, (x, y), font, ink)
        if panel.ends is not None:
            _draw_bar(sheet, draw, panel.ends, layout, (x, y + layout.height), font, ink)
    return sheet


def _fitted(pixels: Pixels, layout: Layout) -> Image.Image:
    """The picture in the size of a cell: by repeating pixels where that is a whole number of times the picture's."""
    times, rest = divmod(layout.width, pixels.shape[1])
    if rest == 0 and layout.height == times * pixels.shape[0]:
        return Image.fromarray(pixels.repeat(times, axis=0).repeat(times, axis=1))
    return Image.fromarray(pixels).resize((layout.width, layout.height), Image.Resampling.LANCZOS)


Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def _write(
    draw: ImageDraw.ImageDraw, text: Sequence[str], layout: Layout, corner: tuple[int, int], font: Font, ink: str
) -> None:
    x, y = corner
    # Half of the font's size is the mean width of a letter.
    letters = max(8, 2 * layout.width // layout.font_size - 2)
    for paragraph in text:
        for line in textwrap.wrap(paragraph, letters):
            draw.text((x, y), line, fill=ink, font=font, anchor="lt")
            y += 4 * layout.font_size // 3
        y += 2 * layout.font_size // 3


def _draw_bar(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    ends: tuple[float, float],
    layout: Layout,
    corner: tuple[int, int],
    font: Font,
    ink: str,
) -> None:
    """The colours from the darkest to the brightest, and the values of both and of the middle below."""
    x, y = corner[0], corner[1] + layout.font_size // 3
    colours = colour_map()[np.rint(np.linspace(0, 255, layout.width)).astype(np.intp)]
    sheet.paste(Image.fromarray(np.broadcast_to(colours, (layout.bar, layout.width, 3)).copy()), (x, y))
    y += layout.bar + layout.font_size // 3
    low, high = ends
    for value, at, anchor in ((low, 0, "lt"), ((low + high) / 2, layout.width // 2, "mt"), (high, layout.width, "rt")):
        draw.text((x + at, y), short(value, high), fill=ink, font=font, anchor=anchor)


def short(value: float, largest: float) -> str:
    """The value with as many decimals as give `largest`, which is 0 or more, three significant digits."""
    decimals = 2 - math.floor(math.log10(largest)) if largest > 0 else 0
    return f"{value:.{min(max(decimals, 0), 9)}f}" if decimals < 6 else f"{value:.2g}"


def sheet_of(
    picture: Pixels,
    maps: Mapping[str, HeatMap],
    opacity: float,
    *,
    measure: Measure = "l2",
    pixelated: bool = False,
    theme: str = "light",
    width: int | None = None,
    columns: int | None = None,
) -> Image.Image:
    """The picture, beside it every map over it, and what the colours mean.

    Args:
        picture: what the network saw, uint8, of shape (H, W, 3).
        maps: by the name of the stage.
        opacity: of the colours, 0 to 1.
        measure: what the maps show.
        pixelated: whether positions are squares.
        theme: a key of THEMES.
        width: of the sheet in pixels; None for pictures of their own size.
        columns: pictures in a row; None for as many as fit.
    """
    panels = [Panel(input_label(picture), picture)]
    for stage, heat in maps.items():
        height, breadth = heat.strength.shape
        label = f"{stage}: {height} x {breadth}, stride {heat.stride}"
        panels.append(Panel(label, heat.over(picture, opacity, pixelated), (heat.low, heat.high)))
    text = [
        f"Colour is the {_MEASURES[measure]} at each position.",
        "Each stage has its own scale, from percentile 1 to percentile 99.5.",
    ]
    return compose([*panels, Panel("", None, text=text)], theme, width, columns)


def input_label(picture: Pixels) -> str:
    """The label of a picture that a network saw: its height and width."""
    return f"input: {picture.shape[0]} x {picture.shape[1]}"
