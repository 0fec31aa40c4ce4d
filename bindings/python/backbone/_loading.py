# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Options of a load, and loading without a network."""

from __future__ import annotations

import ctypes
import operator
import os
import stat
from collections.abc import Callable, Sequence
from typing import Any, Literal, SupportsIndex

from . import _library
from ._arguments import Checkpoint, checkpoint, encoded_text, int32, integer
from ._errors import MismatchError, error_of
from ._library import lib
from ._report import LoadReport, take_report
from ._warnings import issue

InputChannels = Literal["exact", "sum", "repeat"] | Sequence[SupportsIndex]

# The library's default.
_STREAM_BYTES = 4 << 30

_MODES = {
    "exact": _library.INPUT_CHANNELS_EXACT,
    "sum": _library.INPUT_CHANNELS_SUM,
    "repeat": _library.INPUT_CHANNELS_REPEAT,
}


def load_options(
    strict: bool,
    key: str | None,
    prefix: str | None,
    input_channels: InputChannels,
    allow_missing: bool = False,
    ignore_modules: bool = False,
    max_stream_bytes: SupportsIndex | None = None,
) -> Any:
    """A backbone_load_options that keeps alive what it points to."""
    options = _library.LoadOptions(struct_size=ctypes.sizeof(_library.LoadOptions), strict=bool(strict))
    options.allow_missing, options.ignore_modules = bool(allow_missing), bool(ignore_modules)
    if key is not None:
        options.key = encoded_text("key", key)
    if prefix is not None:
        options.prefix = encoded_text("prefix", prefix)
    if max_stream_bytes is not None:
        options.max_stream_bytes = integer("max_stream_bytes", max_stream_bytes, 64, signed=False)
    if isinstance(input_channels, str):
        if input_channels not in _MODES:
            raise ValueError(
                f"input_channels is {input_channels!r}; it must be 'exact', 'sum', 'repeat' or a sequence of channels"
            )
        options.input_channels = _MODES[input_channels]
        return options
    try:
        channels = [int32("input_channels[...]", channel) for channel in input_channels]
    except TypeError:
        raise TypeError(f"input_channels is {input_channels!r}; it must be a str or a sequence of int") from None
    options.input_channels = _library.INPUT_CHANNELS_MAP
    options.channel_map_length = len(channels)
    # One more, so that an empty map is no NULL: the library explains what is wrong with it.
    options.channel_map = (ctypes.c_int32 * (len(channels) + 1))(*channels)
    return options


def reported(call: Callable[[Any], int], *, warns: bool = True) -> LoadReport:
    """What a function that takes an `out_report` reports; its warnings are issued as Python's, if it `warns`."""
    pointer = ctypes.c_void_p()
    status = call(ctypes.byref(pointer))
    # Made now: the next call of the library would replace the message.
    error = error_of(status) if status != _library.STATUS_OK else None
    report = take_report(pointer, succeeded=error is None) if pointer else None
    if isinstance(error, MismatchError):
        error.report = report
    if error is not None:
        raise error
    assert report is not None
    if warns:
        issue(report.warnings)
    return report


def rereadable(path: Checkpoint, max_stream_bytes: SupportsIndex | None) -> Checkpoint:
    """`path`, or its bytes if it names a stream: for callers that read it twice."""
    if not isinstance(path, (str, os.PathLike)):
        return path
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        # The library explains what is wrong with it.
        return path
    if not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):
        return path
    limit = operator.index(max_stream_bytes or _STREAM_BYTES)
    with open(path, "rb") as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise OSError(f"{os.fsdecode(path)}: the stream has more than {limit} bytes, the limit of max_stream_bytes")
    return data


def inspect(
    path: Checkpoint,
    *,
    key: str | None = None,
    prefix: str | None = None,
    allow_missing: bool = False,
    ignore_modules: bool = False,
    max_stream_bytes: SupportsIndex | None = None,
) -> LoadReport:
    """Tell what a checkpoint is, without a network: the report of loading it into the one that it describes.

    `depth`, `input_channels` and `base_channels` of the report are those of that network; nothing is loaded.

    Args:
        path: the file, or its bytes in memory, as for `ResNet.load_weights`.
        key: as for `ResNet.load_weights`.
        prefix: as for `ResNet.load_weights`.
        allow_missing: as for `ResNet.load_weights`.
        ignore_modules: as for `ResNet.load_weights`.
        max_stream_bytes: as for `ResNet.load_weights`.

    Raises:
        FileNotFoundError, OSError: the file cannot be opened or read.
        CheckpointError: it is damaged, not of a kind that is read here, or of a depth that is not built here.
        ValueError: it has no such key or prefix.
        MismatchError: `ResNet.load_weights` would refuse it too; `.report` lists the names.
    """
    given = checkpoint("path", path)
    function = lib.backbone_inspect if len(given) == 1 else lib.backbone_inspect_memory
    options = load_options(False, key, prefix, "exact", allow_missing, ignore_modules, max_stream_bytes)
    return reported(lambda out: int(function(*given, ctypes.byref(options), out)), warns=False)
