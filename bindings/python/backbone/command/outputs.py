# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Files of features, which appear under their names only when they are complete."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
import numpy.typing as npt

Arrays = Mapping[str, npt.NDArray[np.float32]]


@contextmanager
def written(path: str) -> Iterator[IO[bytes]]:
    """A file to write to, which takes its place at the end if nothing fails.

    Raises:
        OSError: with the name of the file.
    """
    folder, name = os.path.split(path)
    partial = os.path.join(folder, f".{name}.partial")
    try:
        os.makedirs(folder or ".", exist_ok=True)
        try:
            with open(partial, "wb") as file:
                yield file
            os.replace(partial, path)
        except BaseException:
            if os.path.exists(partial):
                os.unlink(partial)
            raise
    except OSError as error:
        # What a full disk says names no file.
        if error.filename is None or error.filename == partial:
            raise OSError(error.errno, error.strerror, path) from None
        raise


def write_features(path: str, arrays: Arrays) -> int:
    """Write arrays as a .npz or, by the ending of the path, as safetensors. Returns the size of the file in bytes."""
    with written(path) as file:
        if path.endswith(".safetensors"):
            from safetensors.numpy import save

            file.write(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))
        else:
            named: dict[str, Any] = dict(arrays)
            np.savez(file, **named)
        return file.tell()
