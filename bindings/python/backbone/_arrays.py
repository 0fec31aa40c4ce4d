# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""NumPy arrays as the library's tensor descriptors, without a copy wherever strides allow."""

from __future__ import annotations

import ctypes
import itertools
import struct
import sys
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from . import _library

FloatArray = npt.NDArray[np.float32]

_DTYPES = {np.dtype(np.float32): _library.DTYPE_FLOAT32, np.dtype(np.uint8): _library.DTYPE_UINT8}

# Kinds of devices in dlpack.h whose memory the CPU reads: its own, and pinned memory of CUDA and ROCm.
_CPU_DEVICES = (1, 3, 11)

# Whether strided arrays share an element is a hard problem in general. This bounds the time; slices and transposed
# views are decided at once. (NumPy's annotations only know its two named amounts of work.)
_OVERLAP_WORK: Any = 100_000
_TooHardError = getattr(np, "exceptions", np).TooHardError


def as_array(value: Any, label: str) -> npt.NDArray[Any]:
    """A view of the memory of an array, a PyTorch tensor, or any object that supports either protocol; never a copy.

    Raises:
        TypeError: it is not one of these, or its protocol refuses with a TypeError.
        ValueError: the protocol refuses otherwise: the memory is not the CPU's, or a gradient would be lost.
    """
    if isinstance(value, np.ndarray):
        return value
    torch = sys.modules.get("torch")
    try:
        if torch is not None and isinstance(value, torch.Tensor):
            # Before version 2.1 NumPy treats arrays from DLPack as read-only.
            return cast("npt.NDArray[Any]", value.numpy())
        if hasattr(value, "__array_interface__"):
            return np.asarray(value)
        if hasattr(value, "__dlpack__"):
            device, _ = value.__dlpack_device__()
            if device not in _CPU_DEVICES:
                raise BufferError(f"it is on a device of the kind {int(device)} of DLPack, not on the CPU")
            return np.from_dlpack(value)
    except (RuntimeError, BufferError, TypeError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{label} is a {type(value).__name__} whose memory cannot be shared: {error}") from None
    raise TypeError(
        f"{label} is a {type(value).__name__}; it must be a numpy.ndarray or share its memory, "
        "by __array_interface__ or __dlpack__"
    )


def input_tensor(value: Any, label: str = "the input") -> tuple[_library.Tensor, npt.NDArray[Any]]:
    """Describe an input; the second value must stay alive as long as the first is in use.

    Raises:
        TypeError: `as_array` refuses it, or it is not float32 or uint8.
        ValueError: not of four dimensions, or what `as_array` raises.
    """
    array = as_array(value, label)
    if array.dtype not in _DTYPES:
        raise TypeError(f"{label} has dtype {array.dtype}; it must be float32 or uint8: use x.astype(numpy.float32)")
    _check_dimensions(label, array)
    if not _has_element_strides(array):
        # Not by ascontiguousarray, which returns a contiguous array at an odd address unchanged.
        array = array.copy(order="C")
    return _describe(array, _strides(array)), array


def output_array(value: Any, label: str) -> FloatArray:
    """A view of the caller's memory for an output.

    Raises:
        TypeError: nothing that `as_array` takes, or not of float32.
        ValueError: read-only, not of four dimensions, with elements that are not aligned, or what `as_array` adds.
    """
    array = as_array(value, label)
    if array.dtype != np.float32:
        raise TypeError(f"{label} has dtype {array.dtype}; it must be float32")
    _check_dimensions(label, array)
    if not array.flags.writeable:
        raise ValueError(f"{label} is read-only; pass a writable array")
    if not _has_element_strides(array):
        raise ValueError(
            f"{label} has strides {array.strides} in bytes; they must be multiples of 4, and so its address"
        )
    return array


def output_tensor(array: FloatArray) -> _library.Tensor:
    """Describe what `output_array` or `new_output` returned."""
    return _describe(array, _output_strides(array))


class NewOutputs:
    """Makes and describes the outputs of an input of one shape.

    Args:
        shapes: (N, C, H, W) of each.
        channels_last: whether their memory is NHWC.
    """

    def __init__(self, shapes: Sequence[Sequence[int]], channels_last: bool) -> None:
        self._shapes = [(n, h, w, c) if channels_last else (n, c, h, w) for n, c, h, w in shapes]
        self._channels_last = channels_last
        self._type: Any = _library.Tensor * len(shapes)
        self._described = bytes(self._type(*map(output_tensor, self._arranged(self._empty()))))

    def make(self) -> tuple[list[FloatArray], Any]:
        """Uninitialised arrays, and their descriptors: `backbone_tensor[]`."""
        arrays = self._empty()
        tensors = self._type.from_buffer_copy(self._described)
        for tensor, array in zip(tensors, arrays, strict=True):
            tensor.data = _address(array)
        return self._arranged(arrays), tensors

    def _empty(self) -> list[FloatArray]:
        return [np.empty(shape, np.float32) for shape in self._shapes]

    def _arranged(self, arrays: list[FloatArray]) -> list[FloatArray]:
        return [array.transpose(0, 3, 1, 2) for array in arrays] if self._channels_last else arrays


def global_average(feature: FloatArray) -> FloatArray:
    """The mean over rows and columns of one image's feature of shape (C, H, W), summed in float64.

    Image by image, for the same bits in every batch: NumPy splits a sum depending on the whole array.
    """
    means: FloatArray = feature.mean(axis=(1, 2), dtype=np.float64).astype(np.float32)
    return means


def check_disjoint(
    labels: Sequence[str], arrays: Sequence[npt.NDArray[Any]], tensors: Sequence[_library.Tensor]
) -> None:
    """Refuse arrays that share elements; those that interleave without sharing any are fine.

    Args:
        labels: the name of each in an error.
        arrays: the arrays.
        tensors: the descriptors of the arrays, which know their addresses.

    Raises:
        ValueError: two of them share memory.
    """
    if all(array.flags.c_contiguous for array in arrays):
        # This is a large part of the time of a call: asking NumPy for each pair would double it.
        starts = [tensor.data or 0 for tensor in tensors]
        spans = sorted((start, start + array.nbytes) for start, array in zip(starts, arrays, strict=True))
        if all(end <= start for (_, end), (start, _) in itertools.pairwise(spans)):
            return
    for (first_label, first), (second_label, second) in itertools.combinations(zip(labels, arrays, strict=True), 2):
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
    flags = array.flags
    return flags.aligned and (flags.c_contiguous or all(stride % array.itemsize == 0 for stride in array.strides))


def _strides(array: npt.NDArray[Any]) -> Sequence[int]:
    if array.flags.c_contiguous:
        return _contiguous(array.shape)
    return [stride // array.itemsize for stride in array.strides]


def _output_strides(array: npt.NDArray[Any]) -> Sequence[int]:
    # The strides of an empty array and of an axis of one element are never used, and NumPy leaves anything in them (0
    # after `a[None]`). The library asks for strides with which no two elements meet: such an axis gets one larger than
    # all others, an empty array those of contiguous memory. (NumPy calls every empty array contiguous.)
    strides = _strides(array)
    if array.flags.c_contiguous:
        return strides
    extent = 1 + sum((size - 1) * abs(stride) for size, stride in zip(array.shape, strides, strict=True))
    return [stride if size > 1 else extent for size, stride in zip(array.shape, strides, strict=True)]


def _contiguous(shape: Sequence[int]) -> tuple[int, int, int, int]:
    _, c, h, w = shape
    return max(c * h * w, 1), max(h * w, 1), max(w, 1), 1


# The fields of backbone_tensor. Packing them takes a fifth of the time of assigning to each.
_FIELDS = struct.Struct("=Qii4q4q")


def _describe(array: npt.NDArray[Any], strides: Sequence[int]) -> _library.Tensor:
    fields = _FIELDS.pack(_address(array), _DTYPES[array.dtype], 0, *array.shape, *strides)
    return _library.Tensor.from_buffer_copy(fields)


def _address(array: Any) -> int:
    try:
        # Half the time of array.ctypes.data; not for arrays that are read-only, empty, or in other strides.
        return ctypes.addressof(ctypes.c_char.from_buffer(array))
    except (TypeError, ValueError, BufferError):
        return int(array.ctypes.data)
