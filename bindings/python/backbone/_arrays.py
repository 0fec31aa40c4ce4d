# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""NumPy arrays as the library's tensor descriptors, without a copy wherever strides can say it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _library

FloatArray = npt.NDArray[np.float32]

_DTYPES = {np.dtype(np.float32): _library.DTYPE_FLOAT32, np.dtype(np.uint8): _library.DTYPE_UINT8}

# Whether strided arrays share an element is a hard problem in general. This bounds the time; what people make of slices
# and transposed views is decided at once. (NumPy's annotations know none but its two named amounts of work.)
_OVERLAP_WORK: Any = 100_000
_TooHardError = getattr(np, "exceptions", np).TooHardError


def input_tensor(array: npt.NDArray[Any]) -> tuple[_library.Tensor, npt.NDArray[Any]]:
    """Describe an input; the second value must stay alive as long as the first is in use.

    Raises:
        TypeError: not an array of float32 or uint8.
        ValueError: not of four dimensions.
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"the input is a {type(array).__name__}; it must be a numpy.ndarray of shape (N, C, H, W)")
    if array.dtype not in _DTYPES:
        raise TypeError(f"the input has dtype {array.dtype}; it must be float32 or uint8: use x.astype(numpy.float32)")
    _check_dimensions("the input", array)
    if not _has_element_strides(array):
        array = np.ascontiguousarray(array)
    return _describe(array, _strides(array)), array


def output_tensor(array: FloatArray, label: str) -> _library.Tensor:
    """Describe an output.

    Raises:
        TypeError: not an array of float32.
        ValueError: read-only, not of four dimensions, or with elements that are not aligned.
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{label} is a {type(array).__name__}; it must be a numpy.ndarray of float32")
    if array.dtype != np.float32:
        raise TypeError(f"{label} has dtype {array.dtype}; it must be float32")
    _check_dimensions(label, array)
    if not array.flags.writeable:
        raise ValueError(f"{label} is read-only")
    if not _has_element_strides(array):
        raise ValueError(
            f"{label} has strides {array.strides} in bytes; they must be multiples of 4, and so its address"
        )
    return _describe(array, _output_strides(array))


def new_output(shape: Sequence[int], channels_last: bool) -> FloatArray:
    """An uninitialised array of shape (N, C, H, W), in memory as NCHW or as NHWC."""
    if channels_last:
        n, c, h, w = shape
        return np.empty((n, h, w, c), np.float32).transpose(0, 3, 1, 2)
    return np.empty(tuple(shape), np.float32)


def check_disjoint(arrays: Sequence[tuple[str, npt.NDArray[Any]]]) -> None:
    """Refuse arrays that share elements; those that interleave without sharing any are fine.

    Raises:
        ValueError: two of them share memory.
    """
    for (first_label, first), (second_label, second) in itertools.combinations(arrays, 2):
        try:
            shared = np.shares_memory(first, second, max_work=_OVERLAP_WORK)
        except _TooHardError:
            continue
        if shared:
            raise ValueError(f"{second_label} overlaps {first_label} in memory")


def _check_dimensions(label: str, array: npt.NDArray[Any]) -> None:
    if array.ndim != 4:
        raise ValueError(f"{label} has shape {array.shape}; it must have four dimensions, (N, C, H, W)")


def _has_element_strides(array: npt.NDArray[Any]) -> bool:
    return array.flags.aligned and all(stride % array.itemsize == 0 for stride in array.strides)


def _strides(array: npt.NDArray[Any]) -> list[int]:
    return [stride // array.itemsize for stride in array.strides]


def _output_strides(array: npt.NDArray[Any]) -> list[int]:
    # The strides of an empty array and of an axis of one element are never used, and NumPy leaves anything in them (0
    # after `a[None]`). The library asks for strides with which no two elements meet: such an axis gets one beyond all
    # others, an empty array those of contiguous memory.
    if array.size == 0:
        _, c, h, w = array.shape
        return [max(c * h * w, 1), max(h * w, 1), max(w, 1), 1]
    strides = _strides(array)
    extent = 1 + sum((size - 1) * abs(stride) for size, stride in zip(array.shape, strides, strict=True))
    return [stride if size > 1 else extent for size, stride in zip(array.shape, strides, strict=True)]


def _describe(array: npt.NDArray[Any], strides: Sequence[int]) -> _library.Tensor:
    tensor = _library.Tensor()
    tensor.data = array.ctypes.data
    tensor.dtype = _DTYPES[array.dtype]
    tensor.shape[:] = array.shape
    tensor.strides[:] = strides
    return tensor
