# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Images as a network sees them while it is trained, and while it is evaluated: the transforms of torchvision."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from PIL import Image

from .._decoding import Pixels, pixels_of
from ..images import MAX_PIXELS, prepare_picture
from ._random import Draws

Augment = Literal["resized-crop", "padded-crop", "flip", "none"]
AUGMENTS: tuple[str, ...] = get_args(Augment)

_SCALE = (0.08, 1.0)
_RATIO = (3 / 4, 4 / 3)


class Box(NamedTuple):
    """A part of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int


def random_box(height: int, width: int, draws: Draws) -> Box:
    """The parameters of RandomResizedCrop: `get_params` of torchvision, with the same distribution.

    The part has 0.08 to 1 of the area and a ratio of width to height from 3/4 to 4/3. After ten tries that do not fit
    in the image it is the largest part in the middle with the nearest such ratio.
    """
    area = height * width
    low, high = (math.log(ratio) for ratio in _RATIO)
    for _ in range(10):
        target = area * draws.uniform(*_SCALE)
        ratio = math.exp(draws.uniform(low, high))
        w, h = round(math.sqrt(target * ratio)), round(math.sqrt(target / ratio))
        if 0 < w <= width and 0 < h <= height:
            return Box(draws.below(height - h + 1), draws.below(width - w + 1), h, w)
    w, h = width, height
    if width / height < _RATIO[0]:
        h = round(w / _RATIO[0])
    elif width / height > _RATIO[1]:
        w = round(h * _RATIO[1])
    return Box((height - h) // 2, (width - w) // 2, h, w)


@dataclass(frozen=True)
class View:
    """How an image is seen: decoded, cut and scaled to `size` x `size` pixels.

    Attributes:
        size: height and width of what the network gets.
        resize: for evaluation, the length of the shorter side before the centre is cut out.
        augment: what training changes at random. "resized-crop": a part of random size and shape. "padded-crop": the
            evaluation's view with a black border of size / 8 pixels (4 of 32), and a part of it at a random position.
            "flip": the evaluation's view. "none": the same, never mirrored.
        flip: mirror half of the images, unless `augment` is "none".
        max_pixels: the most pixels that an image may be resized to.
    """

    size: int
    resize: int
    augment: Augment = "resized-crop"
    flip: bool = True
    max_pixels: int | None = MAX_PIXELS

    def evaluated(self, picture: Image.Image) -> Pixels:
        """As torchvision's Resize and CenterCrop. Shape (size, size, 3)."""
        return prepare_picture(picture, self.resize, self.size, max_pixels=self.max_pixels)

    def augmented(self, picture: Image.Image, draws: Draws) -> Pixels:
        """As torchvision's RandomResizedCrop or RandomCrop, and RandomHorizontalFlip. Shape (size, size, 3)."""
        if self.augment == "resized-crop":
            image = self._resized_crop(picture, random_box(picture.height, picture.width, draws))
        elif self.augment == "padded-crop":
            border = padding(self.size)
            image = np.pad(self.evaluated(picture), [(border, border), (border, border), (0, 0)])
            top, left = draws.below(2 * border + 1), draws.below(2 * border + 1)
            image = image[top : top + self.size, left : left + self.size]
        else:
            image = self.evaluated(picture)
        is_mirrored = self.flip and self.augment != "none" and draws.uniform() < 0.5
        return image[:, ::-1] if is_mirrored else image

    def _resized_crop(self, picture: Image.Image, box: Box) -> Pixels:
        part = picture.crop((box.left, box.top, box.left + box.width, box.top + box.height))
        if part.size != (self.size, self.size):
            part = part.resize((self.size, self.size), Image.Resampling.BILINEAR)
        return pixels_of(part)


def padding(size: int) -> int:
    """Pixels that "padded-crop" adds on each side: 4 for 32, as He et al. did on CIFAR."""
    return max(1, size // 8)
