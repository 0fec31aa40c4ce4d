# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Image files as pictures of 8 bits, by Pillow."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from ._arguments import integer

Pixels = npt.NDArray[np.uint8]

# The default limit of pixels of an image: a gigabyte in Pillow's memory.
MAX_PIXELS = 2**28

# Pixels converted to an array at a time.
_STRIP = 1 << 22


class ImageError(ValueError):
    """A file is not an image that Pillow reads, is damaged, or too large; the message names it."""


def checked_limit(max_pixels: int | None, option: str = "max_pixels") -> int | None:
    """`max_pixels`, which errors call `option`, as an argument: at least 1, or None for no limit.

    Raises:
        TypeError, ValueError: it is neither.
    """
    if max_pixels is None:
        return None
    number = integer(option, max_pixels, 64)
    if number < 1:
        raise ValueError(f"{option} is {number}; it must be at least 1, or None for no limit")
    return number


def decoded(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview, max_pixels: int | None, option: str = "max_pixels"
) -> Image.Image:
    """The picture in a file as `backbone.images.load_image` describes it: upright, of mode "RGB", or "L" if it is gray.

    Args:
        source: a path, or the bytes of a file.
        max_pixels: the limit of its pixels; None: any number.
        option: the name of `max_pixels` in errors.

    Raises: what `load_image` raises.
    """
    max_pixels = checked_limit(max_pixels, option)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _picture(io.BytesIO(source), "the image in memory", max_pixels, option)
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(f"source is a {type(source).__name__}; it must be a path or bytes")
    if "\0" in (name := os.fsdecode(source)):
        raise ValueError(f"source is {name!r}; a path must not contain a zero byte")
    # Opened here, to distinguish the system's errors from the decoder's.
    with open(source, "rb") as file:
        return _picture(file, name, max_pixels, option)


def pixels_of(picture: Image.Image) -> Pixels:
    """A new array of shape (H, W, 3) of a picture that `decoded` returned."""
    width, height = picture.size
    pixels = np.empty((height, width, 3), np.uint8)
    # Pillow copies data for NumPy: strip by strip this needs little memory.
    rows = max(1, _STRIP // max(width, 1))
    for top in range(0, height, rows):
        strip = np.asarray(picture.crop((0, top, width, min(top + rows, height))))
        pixels[top : top + rows] = strip[..., None] if strip.ndim == 2 else strip
    return pixels


def _picture(file: IO[bytes], name: str, max_pixels: int | None, option: str) -> Image.Image:
    try:
        with _at_most(max_pixels), Image.open(file) as image:
            image.load()
            _turn_upright(image)
            return _eight_bits(image)
    except MemoryError:
        raise
    except UnidentifiedImageError:
        raise ImageError(f"{name}: not an image that Pillow reads; remove it or convert it to PNG or JPEG") from None
    except _TooManyPixelsError as error:
        raise ImageError(
            f"{name}: the image has {error.height} x {error.width} pixels, {error.height * error.width}; {option} is "
            f"{max_pixels}: raise it if the file can be trusted"
        ) from None
    except Exception as error:
        # Decoders raise any kind of error: OSError, SyntaxError, struct.error, ...
        raise ImageError(f"{name}: the image is damaged or of a kind that Pillow does not decode ({error})") from error


def _turn_upright(image: Image.Image) -> None:
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:
        # The metadata is damaged, not the picture: viewers show it unrotated.
        pass


def _eight_bits(image: Image.Image) -> Image.Image:
    # Pillow keeps the 16 bits of a gray PPM, and in older versions those of a PNG, in 32.
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PPM", "PNG")):
        values = np.asarray(image).astype(np.uint32)
        values += 128
        values //= 257
        return Image.fromarray(values.astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError("its 32-bit values have no scale that 8 bits could be taken from")
    # One channel instead of three equal ones is a third of the memory and of the work.
    mode = "L" if image.mode in ("1", "L") else "RGB"
    return image if image.mode == mode else image.convert(mode)


# ---- The number of pixels ----
#
# Pillow has one limit for the whole process, MAX_IMAGE_PIXELS, and looks at it in many of its decoders. It belongs to
# the host program, which may decode on other threads meanwhile. So this module extends its check: on a thread that
# decodes for this module the limit is that of the call, on all others it is Pillow's.


class _Limit(threading.local):
    pixels: int | None = None
    is_ours = False


class _TooManyPixelsError(Image.DecompressionBombError):
    def __init__(self, width: int, height: int) -> None:
        super().__init__(f"{height} x {width} pixels")
        self.width, self.height = width, height


_limit = _Limit()
_check_of_pillow: Any = Image._decompression_bomb_check


def _check(size: tuple[int, int], *arguments: Any, **options: Any) -> None:
    if not _limit.is_ours:
        _check_of_pillow(size, *arguments, **options)
    elif _limit.pixels is not None and size[0] * size[1] > _limit.pixels:
        raise _TooManyPixelsError(*size)


setattr(Image, "_decompression_bomb_check", _check)  # noqa: B010


@contextmanager
def _at_most(pixels: int | None) -> Iterator[None]:
    _limit.pixels, _limit.is_ours = pixels, True
    try:
        yield
    finally:
        _limit.is_ours = False
