# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""include/backbone.h for ctypes: constants, structs, signatures, and the search for the library.

Names are those of the header without their prefix. The tests compare every line of this file with the header.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import (
    POINTER,
    c_char,
    c_char_p,
    c_double,
    c_float,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
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
STATUS_CANCELLED = 8
STATUS_STALE = 9
STATUS_NOT_FINITE = 10

STAGE_C2 = 1
STAGE_C3 = 2
STAGE_C4 = 4
STAGE_C5 = 8
STAGE_ALL = 15
STAGE_C1 = 16
STAGE_POOLED = 32
STAGE_LOGITS = 64

CHANNELS_AS_GIVEN = 0
CHANNELS_REVERSED = 1

NORMALIZE_UINT8 = 0
NORMALIZE_ALL = 1

ARITHMETIC_FAST = 0
ARITHMETIC_DIRECT = 1

STYLE_PYTORCH = 0
STYLE_CAFFE = 1

BLOCK_BASIC = 1
BLOCK_BOTTLENECK = 2

STEM_SINGLE = 1
STEM_DEEP = 2
STEM_TIERED = 3
STEM_SMALL = 4

STEM_POOLING_MAX = 1
STEM_POOLING_CONVOLUTION = 2
STEM_POOLING_NONE = 3

SHORTCUT_PROJECTION = 1
SHORTCUT_AVERAGE = 2
SHORTCUT_SUBSAMPLE = 3
SHORTCUT_EVERYWHERE = 4
SHORTCUT_3X3 = 5
SHORTCUT_NONE = 6

NORM_BATCH = 1
NORM_GROUP = 2

ATTENTION_NONE = 1
ATTENTION_SE = 2
ATTENTION_SE_QUARTER = 3
ATTENTION_ECA = 4

ANTI_ALIASING_NONE = 1
ANTI_ALIASING_BLUR = 2
ANTI_ALIASING_AVERAGE = 3

DILATION_PREVIOUS = 0
DILATION_WHOLE = 1

HEAD_EXACT = 0
HEAD_NEW = 1

INPUT_CHANNELS_EXACT = 0
INPUT_CHANNELS_SUM = 1
INPUT_CHANNELS_REPEAT = 2
INPUT_CHANNELS_MAP = 3
INPUT_CHANNELS_FIXED = 4

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
REPORT_ARCHITECTURE = 11
REPORT_CLASSES = 12
REPORT_ASSUMED = 13
REPORT_OPTIMIZER = 14

DTYPE_FLOAT32 = 0
DTYPE_UINT8 = 1
DTYPE_INT64 = 2

BACKWARD_ACCUMULATE = 1

TRAINABLE_ALL = 0
TRAINABLE_NORMS = 1
TRAINABLE_HEAD = 2

IGNORED_LABEL = -100

OPTIMIZER_SGD = 0
OPTIMIZER_ADAMW = 1

PARAMETERS_WEIGHTS = 1
PARAMETERS_NORMS = 2
PARAMETERS_BIASES = 4

STEP_ALLOW_NOT_FINITE = 1


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
        ("architecture", c_char_p),
        ("num_classes", c_int32),
        ("output_stride", c_int32),
        ("dilated_stages", c_uint32),
        ("dilation_rule", c_int32),
        ("block_counts", c_int32 * 4),
        ("block", c_int32),
        ("groups", c_int32),
        ("width_per_group", c_int32),
        ("stem", c_int32),
        ("stem_channels", c_int32),
        ("stem_pooling", c_int32),
        ("shortcut", c_int32),
        ("norm", c_int32),
        ("attention", c_int32),
        ("anti_aliasing", c_int32),
        ("preactivation", c_int32),
        ("block_width_count", c_int32),
        ("block_widths", POINTER(c_int32)),
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
        ("head", c_int32),
        ("reserved", c_int32),
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


class TapeOptions(ctypes.Structure):
    """backbone_tape_options."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("input_gradient", c_int32),
        ("retain", c_int32),
        ("recompute", c_int32),
    ]


class ParameterGroup(ctypes.Structure):
    """backbone_parameter_group."""

    _fields_ = [
        ("prefix", c_char_p),
        ("kinds", c_uint32),
        ("reserved", c_int32),
        ("learning_rate_factor", c_double),
        ("weight_decay", c_double),
    ]


class OptimizerOptions(ctypes.Structure):
    """backbone_optimizer_options."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("kind", c_int32),
        ("nesterov", c_int32),
        ("reserved", c_int32),
        ("momentum", c_double),
        ("dampening", c_double),
        ("beta1", c_double),
        ("beta2", c_double),
        ("epsilon", c_double),
        ("weight_decay", c_double),
        ("groups", POINTER(ParameterGroup)),
        ("group_count", c_size_t),
    ]


# The handles `backbone *`, `backbone_report *`, `backbone_tape *` and `backbone_optimizer *` are opaque: c_void_p.
_handle = c_void_p
_report = c_void_p
_tape = c_void_p
_optimizer = c_void_p
_status = c_int32

# name -> (type of the result, types of the arguments)
SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "backbone_version_string": (c_char_p, []),
    "backbone_architecture_count": (c_size_t, []),
    "backbone_architecture_name": (c_char_p, [c_size_t]),
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
    "backbone_save_weights_with": (_status, [_handle, c_char_p, c_char_p]),
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
    "backbone_cancel": (_status, [_handle]),
    "backbone_profile": (
        _status,
        [_handle, POINTER(Tensor), POINTER(Tensor), c_size_t, POINTER(Layer), c_size_t, POINTER(c_size_t)],
    ),
    "backbone_tape_options_init": (_status, [POINTER(TapeOptions), c_size_t]),
    "backbone_tape_create": (_status, [_handle, POINTER(TapeOptions), POINTER(_tape)]),
    "backbone_tape_free": (None, [_tape]),
    "backbone_tape_bytes": (_status, [_handle, _tape, POINTER(c_size_t)]),
    "backbone_forward_train": (_status, [_handle, _tape, POINTER(Tensor), POINTER(Tensor), c_size_t]),
    "backbone_backward": (
        _status,
        [_handle, _tape, POINTER(Tensor), c_size_t, POINTER(Tensor), c_void_p, c_size_t, c_uint32],
    ),
    "backbone_feature_gradients": (_status, [_handle, _tape, POINTER(Tensor), c_size_t, POINTER(Tensor)]),
    "backbone_trainable_count": (_status, [_handle, POINTER(c_size_t)]),
    "backbone_trainable_slot": (_status, [_handle, c_size_t, POINTER(c_size_t), POINTER(c_size_t)]),
    "backbone_read_trainable": (_status, [_handle, c_void_p, c_size_t]),
    "backbone_write_trainable": (_status, [_handle, c_void_p, c_size_t]),
    "backbone_bind_parameters": (_status, [_handle, c_void_p, c_size_t]),
    "backbone_parameters_changed": (_status, [_handle, POINTER(c_size_t), c_size_t]),
    "backbone_set_trainable": (_status, [_handle, c_int32]),
    "backbone_cross_entropy": (
        _status,
        [POINTER(Tensor), POINTER(c_int64), c_size_t, c_double, POINTER(c_double), POINTER(Tensor)],
    ),
    "backbone_optimizer_options_init": (_status, [POINTER(OptimizerOptions), c_size_t, c_int32]),
    "backbone_optimizer_create": (_status, [_handle, POINTER(OptimizerOptions), POINTER(_optimizer)]),
    "backbone_optimizer_free": (None, [_optimizer]),
    "backbone_optimizer_step": (_status, [_handle, _optimizer, c_void_p, c_size_t, c_double, c_uint32]),
    "backbone_optimizer_follow": (_status, [_handle, _optimizer]),
    "backbone_clip_gradients": (_status, [_handle, c_void_p, c_size_t, c_double, POINTER(c_double)]),
    "backbone_save_training": (_status, [_handle, _optimizer, c_char_p, c_double]),
    "backbone_load_training": (_status, [_handle, _optimizer, c_char_p, POINTER(_report)]),
    "backbone_statistics_begin": (_status, [_handle]),
    "backbone_statistics_add": (_status, [_handle, POINTER(Tensor)]),
    "backbone_statistics_commit": (_status, [_handle]),
    "backbone_statistics_cancel": (_status, [_handle]),
}


def find_library(package: str = os.path.dirname(os.path.abspath(__file__))) -> str:
    """Return the name for the loader: a file in the package, the file that BACKBONE_LIBRARY names, or the soname.

    An existing place is final: a library there that does not load is an error, and the search ends.
    """
    # Without pathlib: importing it costs more time than this module.
    inside = os.path.join(package, "libbackbone.so")
    if os.path.exists(inside):
        return inside
    return os.environ.get("BACKBONE_LIBRARY") or f"libbackbone.so.{ABI_VERSION}"


def load_library(name: str) -> ctypes.CDLL:
    """Load the library `name` and give its functions their types.

    Raises:
        ImportError: it cannot be loaded, is not libbackbone, or has another ABI version than this package.
    """
    try:
        # CDLL releases the interpreter's lock during each call.
        library = ctypes.CDLL(name)
    except OSError as error:
        raise ImportError(
            f"libbackbone cannot be loaded: {error}. It is looked for as libbackbone.so in the package, as the file "
            f"that the environment variable BACKBONE_LIBRARY names, and as libbackbone.so.{ABI_VERSION} by the "
            "system's loader."
        ) from None
    try:
        # Checked first: another ABI may lack the functions below.
        abi_version = library.backbone_abi_version()
        if abi_version != ABI_VERSION:
            raise ImportError(f"{name} has ABI version {abi_version}; this package needs {ABI_VERSION}")
        for function, (result, arguments) in SIGNATURES.items():
            pointer = getattr(library, function)
            pointer.restype = result
            pointer.argtypes = arguments
    except AttributeError as error:
        raise ImportError(f"{name} is not libbackbone: {error}") from None
    return library


lib = load_library(find_library())
