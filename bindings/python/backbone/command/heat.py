# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Features as heat maps over their picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..images import Pixels
from .colours import coloured

Measure = Literal["l2", "mean"]


@dataclass(frozen=True)
class HeatMap:
    """The strength of a stage's response at each position.

    Attributes:
        strength: of shape (h, w).
        low: values up to this have the darkest colour.
        high: values from this on have the brightest colour.
        stride: pixels of the picture for each position.
    """

    strength: npt.NDArray[np.floating]
    low: float
    high: float
    stride: int

    @classmethod
    def of(cls, feature: npt.NDArray[np.float32], stride: int, measure: Measure = "l2") -> HeatMap:
        """The heat map of a feature of shape (C, h, w): Euclidean norm over the channels, or mean absolute value.

        Its colours go from percentile 1 to percentile 99.5, so that a spot at the border does not take all of them.
        """
        values = np.abs(feature.astype(np.float64))
        strength = np.sqrt(np.square(values).sum(0)) if measure == "l2" else values.mean(0)
        low, high = np.percentile(strength, (1, 99.5))
        return cls(strength, float(low), float(high), stride)

    def over(self, picture: Pixels, opacity: float, pixelated: bool = False) -> Pixels:
        """The map in colours over the picture in gray, of the picture's shape (H, W, 3).

        Position i of a stage has its centre at pixel stride * i, since every convolution before it pads by half of its
        kernel. Between centres the map is bilinear; with `pixelated` each pixel gets the value of the nearest centre.
        """
        size = picture.shape[:2]
        strength = (nearest if pixelated else smoothed)(self.strength, self.stride, size)
        span = self.high - self.low
        scaled = (strength - self.low) / span if span > 0 else np.zeros(size)
        gray = np.asarray(Image.fromarray(picture).convert("L"))[..., None]
        blended: Pixels = np.rint((1 - opacity) * gray + opacity * coloured(scaled)).astype(np.uint8)
        return blended


def smoothed(heat: npt.NDArray[np.floating], stride: int, size: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """A map of a stage at every pixel of the picture, bilinear between centres, which are at stride * i."""
    rows, columns = (np.arange(length) for length in size)
    wide = np.stack([np.interp(columns, stride * np.arange(heat.shape[1]), row) for row in heat.astype(np.float64)])
    return np.stack([np.interp(rows, stride * np.arange(heat.shape[0]), column) for column in wide.T], axis=1)


def nearest(heat: npt.NDArray[np.floating], stride: int, size: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """The same with the value of the nearest centre."""
    rows, columns = (
        np.minimum((np.arange(length) + stride // 2) // stride, positions - 1)
        for length, positions in zip(size, heat.shape, strict=True)
    )
    values: npt.NDArray[np.float64] = heat.astype(np.float64)[rows[:, None], columns]
    return values
