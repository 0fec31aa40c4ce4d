# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Image files of a data set as pictures."""

from __future__ import annotations

import os

from PIL import Image

from .._decoding import ImageError, decoded


def picture_of(path: str, max_pixels: int | None) -> Image.Image:
    """The picture in a file, of mode "RGB" or "L".

    Raises:
        ImageError: it is damaged, too large, or a broken link.
        OSError: the file cannot be read.
        MemoryError: with the name of the file.
    """
    try:
        return decoded(path, max_pixels)
    except FileNotFoundError:
        if os.path.islink(path):
            raise ImageError(f"{path}: the link leads nowhere; repair or remove it") from None
        raise
    except MemoryError:
        raise MemoryError(f"{path}: no memory to decode it; use fewer --decoders") from None
