# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""A mapping of arrays as a checkpoint in memory, so that the library's own rules apply to it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ._report import LoadReport

# The safetensors names of the dtypes that the library reads.
_DTYPES = {
    "f2": "F16", "f4": "F32", "f8": "F64", "i1": "I8", "i2": "I16", "i4": "I32", "i8": "I64", "u1": "U8", "b1": "BOOL",
}  # fmt: skip


def safetensors_of(mapping: Mapping[str, npt.ArrayLike], float_names: set[str]) -> bytearray:
    """The content of a safetensors file with the arrays of a mapping.

    Args:
        mapping: arrays, or anything that NumPy converts to one. Values that it cannot convert appear by name alone.
        float_names: names whose values must be floating-point numbers.

    Raises:
        TypeError: names that are not text, or other numbers under one of `float_names`.
    """
    header: dict[str, Any] = {}
    arrays: list[npt.NDArray[Any]] = []
    size = 0
    for name, values in mapping.items():
        if not isinstance(name, str):
            raise TypeError(f"the mapping has the key {name!r}; its keys must be str")
        array = _converted(name, values, name in float_names)
        header[name] = {
            "dtype": _DTYPES[array.dtype.str[1:]],
            "shape": array.shape,
            "data_offsets": (size, size + array.nbytes),
        }
        arrays.append(array)
        size += array.nbytes
    text = json.dumps(header).encode()
    content = bytearray(8 + len(text) + size)
    content[:8] = len(text).to_bytes(8, "little")
    content[8 : 8 + len(text)] = text
    numbers = np.frombuffer(content, np.uint8, offset=8 + len(text))
    start = 0
    for array in arrays:
        numbers[start : start + array.nbytes] = array.reshape(-1).view(np.uint8)
        start += array.nbytes
    return content


def _converted(name: str, values: npt.ArrayLike, must_be_float: bool) -> npt.NDArray[Any]:
    """An array of one of the dtypes above, contiguous and little-endian."""
    array = np.asarray(values)
    if must_be_float and array.dtype.kind != "f":
        raise TypeError(f"{name} is float32; values of {array.dtype} cannot be written to it")
    if array.dtype.kind in "iu" and array.dtype.str[1:] not in _DTYPES:
        array = array.astype(np.int64)
    elif array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    elif array.dtype.str[1:] not in _DTYPES:
        array = np.empty(0, np.uint8)
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)


def of_mapping(report: LoadReport) -> LoadReport:
    """The report of loading such content, as one of the mapping itself."""
    return dataclasses.replace(report, container="mapping", json="")
