# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Python values for C fields, with the checks and messages that ctypes lacks."""

from __future__ import annotations

import ctypes
import itertools
import operator
import os
from collections.abc import Sequence
from typing import Any, SupportsIndex

import numpy as np

# Any other object with a buffer is accepted too; Python before 3.12 has no type for it.
Checkpoint = str | os.PathLike[str] | bytes | bytearray | memoryview


def integer(label: str, value: SupportsIndex, bits: int, signed: bool = True) -> int:
    """`value` as an int of a C type: ctypes would silently use the low bits of one that does not fit.

    Raises:
        TypeError: it is not an integer.
        ValueError: it does not fit.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{label} is a {type(value).__name__}; it must be an int") from None
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if not low <= number <= high:
        raise ValueError(f"{label} is {number}; it must be from {low} to {high}")
    return number


def int32(label: str, value: SupportsIndex) -> int:
    """`value` for an int32_t."""
    return integer(label, value, 32)


def encoded_path(label: str, path: str | os.PathLike[str]) -> bytes:
    """`path` as the system's bytes.

    Raises:
        TypeError: it is not a path.
        ValueError: it contains a zero byte, which would end it in C.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{label} is a {type(path).__name__}; it must be a str or a path")
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        raise ValueError(f"{label} is {path!r}; it must not contain a zero byte")
    return encoded


def checkpoint(label: str, value: Checkpoint) -> tuple[Any, ...]:
    """A checkpoint as arguments of C functions: a path, or address and size of memory, which they keep alive.

    Raises:
        TypeError: it is neither a path nor in memory.
        ValueError: the path contains a zero byte, or the memory is not one block.
    """
    if isinstance(value, (str, os.PathLike)):
        return (encoded_path(label, value),)
    try:
        memory = memoryview(value)
    except TypeError:
        raise TypeError(
            f"{label} is a {type(value).__name__}; it must be a str or a path, or bytes in memory"
        ) from None
    if not memory.c_contiguous:
        raise ValueError(f"{label} has gaps in memory; its bytes must follow each other")
    if memory.nbytes == 0:
        return (None, 0)
    # ctypes alone does not give the address of read-only memory.
    array = np.frombuffer(memory, np.uint8)
    return (array.ctypes.data_as(ctypes.c_void_p), array.size)


def encoded_text(label: str, text: str) -> bytes:
    """`text` as a C string.

    Raises:
        TypeError: it is not a str.
        ValueError: it contains a zero byte, which would end it in C.
    """
    if not isinstance(text, str):
        raise TypeError(f"{label} is a {type(text).__name__}; it must be a str")
    if "\0" in text:
        raise ValueError(f"{label} is {text!r}; it must not contain a zero byte")
    return text.encode(errors="backslashreplace")


def checked_out_indices(out_indices: Sequence[SupportsIndex]) -> tuple[int, ...]:
    """The stages to return, 0 for C2 to 3 for C5.

    Raises:
        TypeError: not a sequence of integers.
        ValueError: empty, out of range or not ascending.
    """
    try:
        indices = tuple(int32("out_indices[...]", index) for index in out_indices)
    except TypeError:
        raise TypeError(f"out_indices is {out_indices!r}; it must be a sequence of int") from None
    ascending = all(a < b for a, b in itertools.pairwise(indices))
    if not indices or not ascending or indices[0] < 0 or indices[-1] > 3:
        raise ValueError(f"out_indices is {indices}; it must be one or more of 0, 1, 2, 3, in ascending order")
    return indices


def per_channel(label: str, values: Sequence[float] | None, in_channels: int) -> Any:
    """A C array of float with one value per channel, or None.

    Raises:
        ValueError: another number of values.
    """
    if values is None:
        return None
    # The library checks the values themselves; one too large for float32 becomes infinite there.
    with np.errstate(over="ignore"):
        array = np.array(values, np.float32)
    if array.shape != (in_channels,):
        raise ValueError(
            f"{label} has shape {array.shape}; it must have one value for each of in_channels, {in_channels}"
        )
    return (ctypes.c_float * array.size)(*array.tolist())
