# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""include/backbone.h for ctypes: constants, structs, signatures, and where the library is found.

Names are those of the header without their prefix. The tests compare every line of this file with the header.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, c_char, c_char_p, c_float, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any

VERSION_MAJOR = 0
VERSION_MINOR = 1
VERSION_PATCH = 0
VERSION_STRING = "0.1.0"
ABI_VERSION = 1

STATUS_OK = 0
STATUS_INVALID_ARGUMENT = 1
STATUS_OUT_OF_MEMORY = 2
STATUS_FILE_NOT_FOUND = 3
STATUS_IO = 4
STATUS_BAD_CHECKPOINT = 5
STATUS_MISMATCH = 6
STATUS_UNKNOWN_NAME = 7

STAGE_C2 = 1
STAGE_C3 = 2
STAGE_C4 = 4
STAGE_C5 = 8
STAGE_ALL = 15

CHANNELS_AS_GIVEN = 0
CHANNELS_REVERSED = 1

NORMALIZE_UINT8 = 0
NORMALIZE_ALL = 1

ARITHMETIC_FAST = 0
ARITHMETIC_DIRECT = 1

STYLE_PYTORCH = 0
STYLE_CAFFE = 1

INPUT_CHANNELS_EXACT = 0
INPUT_CHANNELS_SUM = 1
INPUT_CHANNELS_REPEAT = 2
INPUT_CHANNELS_MAP = 3

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD_DEV = (58.395, 57.12, 57.375)

REPORT_LOADED = 0
REPORT_MISSING = 1
REPORT_UNEXPECTED = 2
REPORT_IGNORABLE = 3
REPORT_MISMATCHED = 4

REPORT_CONTAINER = 0
REPORT_WRAPPER = 1
REPORT_PREFIX = 2
REPORT_DIALECT = 3
REPORT_DEPTH = 4
REPORT_BASE_CHANNELS = 5
REPORT_INPUT_CHANNELS = 6
REPORT_DTYPE = 7
REPORT_STYLE = 8
REPORT_INPUT_CONVERSION = 9
REPORT_TENSORS = 10

DTYPE_FLOAT32 = 0
DTYPE_UINT8 = 1
DTYPE_INT64 = 2


class Options(ctypes.Structure):
    """backbone_options."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("depth", c_int32),
        ("in_channels", c_int32),
        ("base_channels", c_int32),
        ("out_stages", c_uint32),
        ("frozen_stages", c_int32),
        ("norm_eval", c_int32),
        ("zero_init_residual", c_int32),
        ("threads", c_int32),
        ("channel_order", c_int32),
        ("mean", POINTER(c_float)),
        ("std_dev", POINTER(c_float)),
        ("arithmetic", c_int32),
        ("style", c_int32),
        ("norm_eps", c_float),
        ("reserved", c_int32),
        ("normalization", c_int32),
        ("reserved2", c_int32),
    ]


class LoadOptions(ctypes.Structure):
    """backbone_load_options."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("strict", c_int32),
        ("key", c_char_p),
        ("prefix", c_char_p),
        ("input_channels", c_int32),
        ("channel_map_length", c_int32),
        ("channel_map", POINTER(c_int32)),
        ("allow_missing", c_int32),
        ("ignore_modules", c_int32),
        ("max_stream_bytes", c_uint64),
    ]


class ReportEntry(ctypes.Structure):
    """backbone_report_entry."""

    _fields_ = [
        ("name", c_char_p),
        ("expected_ndim", c_int32),
        ("actual_ndim", c_int32),
        ("expected_shape", c_int64 * 8),
        ("actual_shape", c_int64 * 8),
    ]


class EntryInfo(ctypes.Structure):
    """backbone_entry_info."""

    _fields_ = [
        ("name", c_char_p),
        ("dtype", c_int32),
        ("ndim", c_int32),
        ("shape", c_int64 * 4),
        ("is_parameter", c_int32),
        ("trainable", c_int32),
        ("batch_statistics", c_int32),
        ("reserved", c_int32),
    ]


class Tensor(ctypes.Structure):
    """backbone_tensor."""

    _fields_ = [
        ("data", c_void_p),
        ("dtype", c_int32),
        ("reserved", c_int32),
        ("shape", c_int64 * 4),
        ("strides", c_int64 * 4),
    ]


class Layer(ctypes.Structure):
    """backbone_layer."""

    _fields_ = [
        ("name", c_char * 48),
        ("kernel", c_char_p),
        ("input_shape", c_int64 * 4),
        ("output_shape", c_int64 * 4),
        ("operations", c_int64),
        ("bytes", c_int64),
        ("nanoseconds", c_int64),
    ]


# The handles `backbone *` and `backbone_report *` are opaque: c_void_p.
_handle = c_void_p
_report = c_void_p
_status = c_int32

# name -> (type of the result, types of the arguments)
SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "backbone_version_string": (c_char_p, []),
    "backbone_abi_version": (c_int32, []),
    "backbone_status_string": (c_char_p, [_status]),
    "backbone_last_error_message": (c_char_p, []),
    "backbone_options_init": (_status, [POINTER(Options), c_size_t]),
    "backbone_create": (_status, [POINTER(Options), POINTER(_handle)]),
    "backbone_free": (None, [_handle]),
    "backbone_get_options": (_status, [_handle, POINTER(Options)]),
    "backbone_init_weights": (_status, [_handle, c_uint64]),
    "backbone_load_weights": (_status, [_handle, c_char_p, c_int32, POINTER(_report)]),
    "backbone_load_options_init": (_status, [POINTER(LoadOptions), c_size_t]),
    "backbone_load_weights_with": (_status, [_handle, c_char_p, POINTER(LoadOptions), POINTER(_report)]),
    "backbone_load_weights_from_memory": (
        _status,
        [_handle, c_void_p, c_size_t, POINTER(LoadOptions), POINTER(_report)],
    ),
    "backbone_inspect": (_status, [c_char_p, POINTER(LoadOptions), POINTER(_report)]),
    "backbone_inspect_memory": (_status, [c_void_p, c_size_t, POINTER(LoadOptions), POINTER(_report)]),
    "backbone_create_from_file": (
        _status,
        [c_char_p, POINTER(Options), POINTER(LoadOptions), POINTER(_handle), POINTER(_report)],
    ),
    "backbone_create_from_memory": (
        _status,
        [c_void_p, c_size_t, POINTER(Options), POINTER(LoadOptions), POINTER(_handle), POINTER(_report)],
    ),
    "backbone_save_weights": (_status, [_handle, c_char_p]),
    "backbone_report_count": (_status, [_report, c_int32, POINTER(c_size_t)]),
    "backbone_report_get_entry": (_status, [_report, c_int32, c_size_t, POINTER(ReportEntry)]),
    "backbone_report_get_property": (_status, [_report, c_int32, POINTER(c_char_p)]),
    "backbone_report_warning_count": (_status, [_report, POINTER(c_size_t)]),
    "backbone_report_get_warning": (_status, [_report, c_size_t, POINTER(c_char_p)]),
    "backbone_report_to_json": (_status, [_report, POINTER(c_char_p)]),
    "backbone_report_free": (None, [_report]),
    "backbone_freeze": (_status, [_handle, c_int32]),
    "backbone_set_training": (_status, [_handle, c_int32]),
    "backbone_get_training": (_status, [_handle, POINTER(c_int32)]),
    "backbone_entry_count": (_status, [_handle, POINTER(c_size_t)]),
    "backbone_get_entry_info": (_status, [_handle, c_size_t, POINTER(EntryInfo)]),
    "backbone_find_entry": (_status, [_handle, c_char_p, POINTER(c_size_t)]),
    "backbone_read_entry": (_status, [_handle, c_size_t, c_void_p, c_size_t]),
    "backbone_write_entry": (_status, [_handle, c_size_t, c_void_p, c_size_t]),
    "backbone_output_shapes": (_status, [_handle, POINTER(c_int64), POINTER(c_int64), c_size_t]),
    "backbone_forward": (_status, [_handle, POINTER(Tensor), POINTER(Tensor), c_size_t]),
    "backbone_warning_count": (_status, [_handle, POINTER(c_size_t)]),
    "backbone_get_warning": (_status, [_handle, c_size_t, POINTER(c_char_p)]),
    "backbone_profile": (
        _status,
        [_handle, POINTER(Tensor), POINTER(Tensor), c_size_t, POINTER(Layer), c_size_t, POINTER(c_size_t)],
    ),
}


def find_library(package: str = os.path.dirname(os.path.abspath(__file__))) -> str:
    """Return what to hand to the loader: a file in the package, the file BACKBONE_LIBRARY names, or the soname.

    A place that is set is final: a library there that does not load is an error, not a reason to look further.
    """
    # Without pathlib: importing it takes longer than this module.
    inside = os.path.join(package, "libbackbone.so")
    if os.path.exists(inside):
        return inside
    return os.environ.get("BACKBONE_LIBRARY") or f"libbackbone.so.{ABI_VERSION}"


def load_library(name: str) -> ctypes.CDLL:
    """Load the library `name` and give its functions their types.

    Raises:
        ImportError: it cannot be loaded, is no libbackbone, or has another ABI version than this package.
    """
    try:
        # CDLL releases the interpreter's lock for the time of each call.
        library = ctypes.CDLL(name)
    except OSError as error:
        raise ImportError(
            f"libbackbone cannot be loaded: {error}. It is looked for as libbackbone.so in the package, as the file "
            f"that the environment variable BACKBONE_LIBRARY names, and as libbackbone.so.{ABI_VERSION} by the "
            "system's loader."
        ) from None
    try:
        # Asked before anything else: another ABI may lack the functions below.
        abi_version = library.backbone_abi_version()
        if abi_version != ABI_VERSION:
            raise ImportError(f"{name} has ABI version {abi_version}; this package needs {ABI_VERSION}")
        for function, (result, arguments) in SIGNATURES.items():
            pointer = getattr(library, function)
            pointer.restype = result
            pointer.argtypes = arguments
    except AttributeError as error:
        raise ImportError(f"{name} is no libbackbone: {error}") from None
    return library


lib = load_library(find_library())
