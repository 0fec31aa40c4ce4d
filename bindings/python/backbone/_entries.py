# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Parameters and buffers: the entries of a state dict."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _library
from ._errors import check
from ._handle import Handle
from ._library import lib

_DTYPES: dict[int, np.dtype[Any]] = {
    _library.DTYPE_FLOAT32: np.dtype(np.float32),
    _library.DTYPE_UINT8: np.dtype(np.uint8),
    _library.DTYPE_INT64: np.dtype(np.int64),
}


class Entry:
    """A parameter or buffer of a network, live: `data` reads and writes the network's own values.

    Usable as long as the network is open, by many threads at once; a write waits for forward passes in progress.

    Attributes:
        name: as in PyTorch, "layer1.0.conv1.weight".
        shape: (out, in, height, width) of a convolution, (channels,) of a BatchNorm, () of num_batches_tracked.
        dtype: float32, or int64 for num_batches_tracked.
    """

    __slots__ = ("_handle", "_index", "dtype", "name", "shape")

    def __init__(self, handle: Handle, index: int, info: _library.EntryInfo) -> None:
        self._handle = handle
        self._index = index
        self.name: str = info.name.decode()
        self.shape: tuple[int, ...] = tuple(info.shape[: info.ndim])
        self.dtype: np.dtype[Any] = _DTYPES[info.dtype]

    @property
    def data(self) -> npt.NDArray[Any]:
        """A copy of the values.

        Assigning writes an array, or anything that NumPy converts to one, of exactly this shape. Floating-point values
        of another width are converted to float32.

        Raises:
            ValueError: on assignment, another shape; or the network is closed.
            TypeError: on assignment, integers for float32 or floating-point numbers for int64.
        """
        values = np.empty(self.shape, self.dtype)
        with self._handle as net:
            check(lib.backbone_read_entry(net, self._index, values.ctypes.data, values.nbytes))
        return values

    @data.setter
    def data(self, values: npt.ArrayLike) -> None:
        array = self.converted(values)
        if array.shape != self.shape:
            raise ValueError(f"{self.name} has shape {self.shape}; the values have shape {array.shape}")
        self.write(array)

    @property
    def batch_statistics(self) -> bool:
        """Whether this belongs to a BatchNorm that currently normalises with the statistics of the batch."""
        return bool(self._info().batch_statistics)

    def converted(self, values: npt.ArrayLike) -> npt.NDArray[Any]:
        """`values` as a contiguous array of this entry's dtype, in their own shape.

        Raises:
            TypeError: integers for float32, or floating-point numbers for int64.
        """
        array = np.asarray(values)
        # NumPy would convert all of these; an integer tensor under a weight's name is a mistake.
        fits = array.dtype.kind == "f" if self.dtype.kind == "f" else np.can_cast(array.dtype, self.dtype)
        if not fits:
            raise TypeError(f"{self.name} is {self.dtype}; values of {array.dtype} cannot be written to it")
        return np.asarray(array, self.dtype, order="C")

    def write(self, array: npt.NDArray[Any]) -> None:
        """Write what `converted` returned, of this entry's shape."""
        with self._handle as net:
            check(lib.backbone_write_entry(net, self._index, array.ctypes.data, array.nbytes))

    def _info(self) -> _library.EntryInfo:
        info = _library.EntryInfo()
        with self._handle as net:
            check(lib.backbone_get_entry_info(net, self._index, ctypes.byref(info)))
        return info

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.shape}>"


class Parameter(Entry):
    """A weight or bias."""

    __slots__ = ()

    @property
    def requires_grad(self) -> bool:
        """Whether it is trainable. Changed by `ResNet.freeze` and `ResNet.set_trainable`."""
        return bool(self._info().trainable)


class Buffer(Entry):
    """A running_mean, running_var or num_batches_tracked."""

    __slots__ = ()


def entries_of(handle: Handle) -> tuple[Entry, ...]:
    """All entries of a network, in PyTorch's order."""
    entries: list[Entry] = []
    count = ctypes.c_size_t()
    with handle as net:
        check(lib.backbone_entry_count(net, ctypes.byref(count)))
        for index in range(count.value):
            info = _library.EntryInfo()
            check(lib.backbone_get_entry_info(net, index, ctypes.byref(info)))
            entries.append((Parameter if info.is_parameter else Buffer)(handle, index, info))
    return tuple(entries)
