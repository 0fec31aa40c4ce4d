# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Image files as what the network takes: decoding, and the evaluation transforms of torchvision.

Example::

    from backbone.images import load_image, prepare

    image = prepare(load_image("cat.jpg"), size=256, crop=224)  # uint8, (224, 224, 3), RGB
    with backbone.ResNet(50, mean=backbone.IMAGENET_MEAN, std=backbone.IMAGENET_STD) as net:
        features = net(image.transpose(2, 0, 1)[None])

`mean` and `std` are the network's affair: an image stays uint8 until the library reads it.
"""

from __future__ import annotations

import io
import os
from typing import IO, SupportsIndex

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from ._arguments import integer

Pixels = npt.NDArray[np.uint8]

# A length, or (H, W).
Size = int | tuple[int, int]

_LONGEST = 65535

# What a folder is searched for. A file that is named itself may have any name.
SUFFIXES = frozenset(
    ".avif .bmp .gif .jfif .jp2 .jpe .jpeg .jpg .pbm .pgm .png .pnm .ppm .tga .tif .tiff .webp".split()
)


class ImageError(ValueError):
    """A file is no image that Pillow reads, is damaged, or too large; the message names it."""


def load_image(source: str | os.PathLike[str] | bytes | bytearray | memoryview) -> Pixels:
    """Decode an image.

    Of a file with many pictures it is the first. Cameras store beside the pixels how they were held (EXIF): the picture
    comes upright. Gray levels, palettes, CMYK and the like become RGB. Of transparent pixels the colour is taken and
    the transparency left out, as torchvision's ImageFolder does; of 16 bits the nearest 8.

    Args:
        source: a path, or the bytes of a file.

    Returns:
        A new array of shape (H, W, 3), RGB.

    Raises:
        FileNotFoundError, OSError: the file cannot be opened or read.
        ImageError: it is no image that Pillow reads, is damaged, has values without a scale (32 bits), or would be
            larger than Pillow allows (179 million pixels; `PIL.Image.MAX_IMAGE_PIXELS` is half of that).
        TypeError: `source` is neither.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _decoded(io.BytesIO(source), "the image in memory")
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(f"source is a {type(source).__name__}; it must be a path or bytes")
    if "\0" in (name := os.fsdecode(source)):
        raise ValueError(f"source is {name!r}; a path must not contain a zero byte")
    # Opened here, so that what the system says is told from what the decoder says.
    with open(source, "rb") as file:
        return _decoded(file, name)


def prepare(image: Pixels, size: Size | None = None, crop: Size | None = None, max_size: int | None = None) -> Pixels:
    """Resize, then crop, to the pixel as torchvision's `Resize` and `CenterCrop` do with PIL images.

    `size=256, crop=224` are torchvision's evaluation transforms for ResNets; `size=800, max_size=1333` those of usual
    detectors. Resizing is Pillow's bilinear filter, whose triangle widens where the image shrinks (antialias).

    Args:
        image: uint8, of shape (H, W, 3).
        size: the length of the shorter side, or (H, W) exactly; None: the size it has.
        crop: the side of a square, or (H, W), cut from the centre; where the image is smaller, black is added around
            it. None: all of it.
        max_size: with a length as `size`: scale less where the longer side would become longer than this. Without
            `size`: the length of the longer side.

    Returns:
        An array of shape (H', W', 3); `image` itself if there is nothing to do.

    Raises:
        TypeError, ValueError: an argument is none of these.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        what = f"{image.dtype} of shape {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise TypeError(f"image is {what}; it must be an array of uint8 of shape (H, W, 3)")
    if 0 in image.shape:
        raise ValueError(f"image is of shape {image.shape}; it has no pixels")
    height, width = resized_shape(image.shape[:2], size, max_size)
    if (height, width) != image.shape[:2]:
        # A hostile strip of one row would become gigabytes.
        if Image.MAX_IMAGE_PIXELS is not None and height * width > 2 * Image.MAX_IMAGE_PIXELS:
            raise ValueError(
                f"an image of {image.shape[0]} x {image.shape[1]} would become one of {height} x {width} pixels"
            )
        image = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
    return image if crop is None else _center_crop(image, *_pair("crop", crop))


def resized_shape(shape: tuple[int, ...], size: Size | None, max_size: int | None = None) -> tuple[int, int]:
    """(H, W) of what `prepare` makes of an image of (H, W) before it crops."""
    height, width = shape
    short, long = sorted((height, width))
    limit = None if max_size is None else _length("max_size", max_size)
    if isinstance(size, (tuple, list)):
        if limit is not None:
            raise ValueError(f"max_size is {limit} where size is {size}, both sides; it must be None")
        return _pair("size", size)
    if size is None:
        if limit is None:
            return height, width
        short, long = limit * short // long, limit
    else:
        length = _length("size", size)
        if limit is not None and limit <= length:
            raise ValueError(f"max_size is {limit} and size {length}; it must be larger than size")
        short, long = length, length * long // short
        if limit is not None and long > limit:
            short, long = limit * short // long, limit
    # A line stays one.
    short = max(short, 1)
    return (long, short) if width <= height else (short, long)


def files_in(folder: str | os.PathLike[str]) -> list[str]:
    """The paths of the images in a folder and in those below it, hidden ones excepted, by their suffixes.

    Folder by folder, in the order of names.

    Raises:
        OSError: a folder cannot be read.
    """

    def fail(error: OSError) -> None:
        raise error

    found = []
    for path, folders, names in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        images = (name for name in sorted(names) if os.path.splitext(name)[1].lower() in SUFFIXES)
        found += [os.path.join(path, name) for name in images if not name.startswith(".")]
    return found


def _decoded(file: IO[bytes], name: str) -> Pixels:
    try:
        with Image.open(file) as image:
            image.load()
            _turn_upright(image)
            return np.array(_rgb(image))
    except MemoryError:
        raise
    except UnidentifiedImageError:
        raise ImageError(f"{name}: no image of a kind that is known here") from None
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name}: {error}") from None
    except Exception as error:
        # Decoders raise what they happen to stumble over: OSError, SyntaxError, struct.error, ...
        raise ImageError(f"{name}: the image is damaged or of a kind that is not decoded here ({error})") from error


def _turn_upright(image: Image.Image) -> None:
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:
        # The notes beside the picture are damaged, not the picture: viewers show it as it lies.
        pass


def _rgb(image: Image.Image) -> Image.Image:
    # Pillow keeps the 16 bits of a gray PPM, and in older versions those of a PNG, in 32.
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PPM", "PNG")):
        return Image.fromarray(((np.asarray(image).astype(np.int64) + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError("its 32-bit values have no scale that 8 bits could be taken from")
    return image.convert("RGB")


def _center_crop(image: Pixels, height: int, width: int) -> Pixels:
    missing = [max(height - image.shape[0], 0), max(width - image.shape[1], 0)]
    if any(missing):
        image = np.pad(image, [*((count // 2, count - count // 2) for count in missing), (0, 0)])
    # Halves are rounded to the even number, as torchvision's.
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
