# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""A colour map from dark violet over red to pale yellow, whose lightness rises evenly.

It is computed in Oklab (Björn Ottosson, "A perceptual color space for image processing", 2020, whose matrices these
are): equal steps of the map look like equal steps, and a print in gray keeps their order.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from ..images import Pixels

# From Oklab to the cube roots of cone responses, and from those responses to linear sRGB.
_TO_ROOTS = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_TO_LINEAR = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


@functools.cache
def colour_map() -> Pixels:
    """256 colours, of shape (256, 3), RGB."""
    t = np.linspace(0, 1, 256)
    lightness = 0.15 + 0.80 * t
    hue = np.radians(290 + 175 * t)
    # A screen has at least this much colour in all hues of the map, so nothing is clipped.
    chroma = 0.075 + 0.105 * np.sin(np.pi * t)
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], -1)
    linear = np.clip((lab @ _TO_ROOTS.T) ** 3 @ _TO_LINEAR.T, 0, 1)
    # IEC 61966-2-1.
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    colours: Pixels = np.rint(255 * encoded).astype(np.uint8)
    colours.flags.writeable = False
    return colours


def coloured(values: npt.NDArray[np.float64]) -> Pixels:
    """Colours of values from 0 to 1; values outside get the nearest of the two. Shape (..., 3)."""
    return colour_map()[np.rint(255 * np.clip(values, 0, 1)).astype(np.intp)]
