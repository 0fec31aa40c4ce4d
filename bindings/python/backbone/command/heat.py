# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Features as heat maps over their picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from ..images import Pixels
from .colours import coloured

Measure = Literal["l2", "mean"]

# Pixels around the panels and between them.
MARGIN = 8


@dataclass(frozen=True)
class HeatMap:
    """The strength of a stage's response at each position.

    Attributes:
        strength: of shape (h, w).
        low: values up to this have the darkest colour: the first percentile.
        high: values from this on have the brightest colour: percentile 99.5, so that a spot at the border does not use
            up the scale.
        stride: pixels of the picture for each position.
    """

    strength: npt.NDArray[np.float64]
    low: float
    high: float
    stride: int

    @classmethod
    def of(cls, feature: npt.NDArray[np.float32], stride: int, measure: Measure = "l2") -> HeatMap:
        """The heat map of a feature of shape (C, h, w): Euclidean norm over the channels, or mean absolute value."""
        values = np.abs(feature.astype(np.float64))
        strength = np.sqrt(np.square(values).sum(0)) if measure == "l2" else values.mean(0)
        low, high = np.percentile(strength, (1, 99.5))
        return cls(strength, float(low), float(high), stride)

    def over(self, picture: Pixels, opacity: float) -> Pixels:
        """The map in colours over the picture, of the picture's shape (H, W, 3).

        Position i of a stage has its centre at pixel stride * i, since every convolution before it pads by half of its
        kernel; each pixel gets the colour of the nearest centre.
        """
        span = self.high - self.low
        scaled = (self.strength - self.low) / span if span > 0 else np.zeros_like(self.strength)
        rows, columns = (
            np.minimum((np.arange(length) + self.stride // 2) // self.stride, places - 1)
            for length, places in zip(picture.shape[:2], self.strength.shape, strict=True)
        )
        colours = coloured(scaled)[rows[:, None], columns]
        blended: Pixels = np.rint((1 - opacity) * picture + opacity * colours).astype(np.uint8)
        return blended


def compose(panels: Sequence[tuple[str, Pixels]]) -> Image.Image:
    """Pictures of one size side by side on white, each below its label."""
    height, width = panels[0][1].shape[:2]
    top, font = heading(width)
    total = MARGIN + len(panels) * (width + MARGIN)
    sheet = Image.new("RGB", (total, top + height + MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (label, pixels) in enumerate(panels):
        left = MARGIN + index * (width + MARGIN)
        draw.text((left, top // 2), label, fill="black", font=font, anchor="lm")
        sheet.paste(Image.fromarray(pixels), (left, top))
    return sheet


def heading(width: int) -> tuple[int, ImageFont.FreeTypeFont | ImageFont.ImageFont]:
    """The height of the labels of panels of that width, and their font."""
    size = max(8, min(width // 18, 32))
    return 2 * size, ImageFont.load_default(size)


def sheet_of(picture: Pixels, maps: Mapping[str, HeatMap], opacity: float, title: str = "") -> Image.Image:
    """The picture, and beside it every map over it.

    Args:
        picture: the network's input, uint8, of shape (H, W, 3).
        maps: by the name of the stage.
        opacity: of the colours, 0 to 1.
        title: the label of the picture; "" for its size.
    """
    height, width = picture.shape[:2]
    panels = [(title or f"{height} x {width}", picture)]
    for stage, heat in maps.items():
        rows, columns = heat.strength.shape
        panels.append((f"{stage}: {rows} x {columns}, stride {heat.stride}", heat.over(picture, opacity)))
    return compose(panels)
