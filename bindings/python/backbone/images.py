# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Image files as inputs of the network: decoding, and the evaluation transforms of torchvision.

Example::

    from backbone.images import load_image, prepare

    image = prepare(load_image("cat.jpg"), size=256, crop=224)  # uint8, (224, 224, 3), RGB
    with backbone.ResNet(50, mean=backbone.IMAGENET_MEAN, std=backbone.IMAGENET_STD) as net:
        features = net(image.transpose(2, 0, 1)[None])

The network applies `mean` and `std`: an image stays uint8 until the library reads it.
"""

from __future__ import annotations

import os
import stat
from typing import Literal, SupportsIndex

import numpy as np
from PIL import Image

from ._arguments import integer
from ._decoding import MAX_PIXELS, ImageError, Pixels, checked_limit, decoded, pixels_of

__all__ = [
    "MAX_PIXELS",
    "SUFFIXES",
    "ImageError",
    "Pixels",
    "Rounding",
    "Size",
    "files_in",
    "load_image",
    "prepare",
    "prepare_picture",
    "resized_shape",
]

# A length, or (H, W).
Size = int | tuple[int, int]

# How the other side of an image of a new size is rounded.
Rounding = Literal["down", "nearest"]

_LONGEST = 65535

# Suffixes of images in folders. A file that is named directly may have any name.
SUFFIXES = frozenset(
    ".avif .bmp .gif .jfif .jp2 .jpe .jpeg .jpg .pbm .pgm .png .pnm .ppm .tga .tif .tiff .webp".split()
)


def load_image(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview, *, max_pixels: int | None = MAX_PIXELS
) -> Pixels:
    """Decode an image.

    A file with several pictures gives the first. Cameras record their orientation (EXIF): the result is upright. Gray
    levels, palettes, CMYK and the like become RGB. Transparency is ignored, and transparent pixels keep their colour,
    as in torchvision's ImageFolder; 16 bits become the nearest 8.

    Args:
        source: a path, or the bytes of a file.
        max_pixels: limit of the image's pixels: a small file can declare gigabytes. None: any number. It
            replaces `PIL.Image.MAX_IMAGE_PIXELS`, which is neither used nor changed.

    Returns:
        A new array of shape (H, W, 3), RGB.

    Raises:
        FileNotFoundError, OSError: the file cannot be opened or read.
        ImageError: it is not an image that Pillow reads, is damaged, has values without a scale (32 bits), or has more
            than `max_pixels`.
        TypeError, ValueError: an argument is not one of these.
    """
    return pixels_of(decoded(source, max_pixels))


def prepare(
    image: Pixels,
    size: Size | None = None,
    crop: Size | None = None,
    max_size: int | None = None,
    *,
    max_pixels: int | None = MAX_PIXELS,
    rounding: Rounding | None = None,
) -> Pixels:
    """Resize, then crop, with the same pixels as torchvision's `Resize` and `CenterCrop` for PIL images.

    `size=256, crop=224` are torchvision's evaluation transforms for ResNets. `size=800, max_size=1333` give the sizes
    of mmdetection and detectron2. Resizing uses Pillow's bilinear filter, whose triangle widens if the image shrinks
    (antialias), as in detectron2; mmdetection's has no antialias.

    Args:
        image: uint8, of shape (H, W, 3).
        size: the length of the shorter side, or (H, W) exactly; None: unchanged.
        crop: the side of a square, or (H, W), cut from the centre; a smaller image gets a black border. None: the whole
            image.
        max_size: with a length as `size`: scale less if the longer side would exceed this. Without
            `size`: the length of the longer side.
        max_pixels: limit of pixels after resizing. None: any number.
        rounding: of the sides that `size` and `max_size` do not give. "nearest": int(side * scale + 0.5), as in mmcv
            and detectron2: 480 x 640 becomes 800 x 1067. "down": as in torchvision's Resize: 800 x 1066. None:
            "nearest" if both `size`, a length, and `max_size` are given, otherwise "down".

    Returns:
        An array of shape (H', W', 3); `image` itself if nothing changes.

    Raises:
        TypeError, ValueError: an argument is not one of these.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        what = f"{image.dtype} of shape {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise TypeError(f"image is {what}; it must be an array of uint8 of shape (H, W, 3)")
    if 0 in image.shape:
        raise ValueError(f"image is of shape {image.shape}; it has no pixels")
    shape = resized_shape(image.shape[:2], size, max_size, rounding)
    if shape != image.shape[:2]:
        image = pixels_of(_resized(Image.fromarray(image), shape, max_pixels, "max_pixels"))
    return image if crop is None else _center_crop(image, *_pair("crop", crop))


def prepare_picture(
    picture: Image.Image,
    size: Size | None = None,
    crop: Size | None = None,
    max_size: int | None = None,
    *,
    max_pixels: int | None = MAX_PIXELS,
    option: str = "max_pixels",
    rounding: Rounding | None = None,
) -> Pixels:
    """The result of `prepare` for a Pillow picture of mode "RGB" or "L", with less memory for large ones.

    Args:
        picture: of mode "RGB" or "L".
        size: as for `prepare`, and so are `crop`, `max_size` and `max_pixels`.
        option: the name of `max_pixels` in errors.
        rounding: as for `prepare`.

    Raises:
        TypeError, ValueError: an argument is not one of these.
    """
    before = picture.height, picture.width
    shape = resized_shape(before, size, max_size, rounding)
    image = pixels_of(picture if shape == before else _resized(picture, shape, max_pixels, option))
    return image if crop is None else _center_crop(image, *_pair("crop", crop))


def resized_shape(
    shape: tuple[int, ...], size: Size | None, max_size: int | None = None, rounding: Rounding | None = None
) -> tuple[int, int]:
    """(H, W) of an image of (H, W) after the resizing of `prepare`, before its crop."""
    if rounding not in (None, "down", "nearest"):
        raise ValueError(f"rounding is {rounding!r}; it must be 'down', 'nearest' or None")
    height, width = shape
    limit = None if max_size is None else _length("max_size", max_size)
    if isinstance(size, (tuple, list)):
        if limit is not None:
            raise ValueError(f"max_size is {limit} where size is {size}, both sides; it must be None")
        return _pair("size", size)
    if size is None and limit is None:
        return height, width
    length = None if size is None else _length("size", size)
    if length is not None and limit is not None and limit <= length:
        raise ValueError(f"max_size is {limit} and size {length}; it must be larger than size")
    scaled = _nearest if rounding_of(size, max_size, rounding) == "nearest" else _down
    short, long = scaled(min(shape), max(shape), length, limit)
    return (long, short) if width <= height else (short, long)


def rounding_of(size: Size | None, max_size: int | None, rounding: Rounding | None = None) -> Rounding:
    """The rounding of `prepare` with these arguments."""
    if rounding is not None:
        return rounding
    is_for_detectors = size is not None and not isinstance(size, (tuple, list)) and max_size is not None
    return "nearest" if is_for_detectors else "down"


def _down(short: int, long: int, size: int | None, limit: int | None) -> tuple[int, int]:
    """The shorter and the longer side as torchvision's Resize computes them."""
    if size is not None:
        short, long = size, size * long // short
    if limit is not None and (size is None or long > limit):
        short, long = limit * short // long, limit
    # A line stays one.
    return max(short, 1), long


def _nearest(short: int, long: int, size: int | None, limit: int | None) -> tuple[int, int]:
    """The same as mmcv's rescale_size and detectron2's ResizeShortestEdge compute them."""
    scale = min(bound / side for bound, side in ((size, short), (limit, long)) if bound is not None)
    return max(int(short * scale + 0.5), 1), max(int(long * scale + 0.5), 1)


def files_in(folder: str | os.PathLike[str]) -> list[str]:
    """The paths of the images in a folder and its subfolders, except hidden ones, by their suffixes.

    Folder by folder, in the order of names. The result includes broken links, whose opening is an error that names
    them, but not pipes, sockets and devices, since reading one may never end.

    Raises:
        OSError: a folder cannot be read.
    """

    def fail(error: OSError) -> None:
        raise error

    found = []
    for path, folders, names in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        images = (name for name in sorted(names) if os.path.splitext(name)[1].lower() in SUFFIXES)
        paths = (os.path.join(path, name) for name in images if not name.startswith("."))
        found += [image for image in paths if not _is_special(image)]
    return found


def _is_special(path: str) -> bool:
    """Whether it is known not to be a regular file."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def _resized(picture: Image.Image, shape: tuple[int, int], max_pixels: int | None, option: str) -> Image.Image:
    limit, (height, width) = checked_limit(max_pixels), shape
    # A hostile strip of one row would become gigabytes.
    if limit is not None and height * width > limit:
        raise ValueError(
            f"an image of {picture.height} x {picture.width} would become one of {height} x {width} pixels, "
            f"{height * width}; {option} is {limit}"
        )
    return picture.resize((width, height), Image.Resampling.BILINEAR)


def _center_crop(image: Pixels, height: int, width: int) -> Pixels:
    missing = [max(height - image.shape[0], 0), max(width - image.shape[1], 0)]
    if any(missing):
        image = np.pad(image, [*((count // 2, count - count // 2) for count in missing), (0, 0)])
    # Halves are rounded to the even number, as in torchvision.
    top, left = round((image.shape[0] - height) / 2), round((image.shape[1] - width) / 2)
    return image[top : top + height, left : left + width]


def _pair(label: str, size: Size) -> tuple[int, int]:
    """One length for both sides, or (H, W)."""
    pair = size if isinstance(size, (tuple, list)) else (size, size)
    if len(pair) != 2:
        raise ValueError(f"{label} is {size}; it must be a length or (H, W)")
    return _length(label, pair[0]), _length(label, pair[1])


def _length(label: str, length: SupportsIndex) -> int:
    value = integer(label, length, 32)
    if not 1 <= value <= _LONGEST:
        raise ValueError(f"{label} is {value}; a length must be from 1 to {_LONGEST}")
    return value
