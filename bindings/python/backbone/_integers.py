# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Python integers for C fields. ctypes would take the low bits of one that does not fit, silently."""

from __future__ import annotations

import operator
from typing import SupportsIndex


def integer(label: str, value: SupportsIndex, bits: int, signed: bool = True) -> int:
    """`value` as an int of a C type.

    Raises:
        TypeError: it is no integer.
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
