# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Options of a load, and loading without a network."""

from __future__ import annotations

import ctypes
import operator
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, TypedDict

from . import _library
from ._arguments import Checkpoint, checkpoint, encoded_text, int32, integer
from ._errors import CheckpointError, MismatchError, error_of
from ._library import lib
from ._report import LoadReport, take_report
from ._warnings import issue

if TYPE_CHECKING:
    from typing_extensions import Unpack

InputChannels = Literal["exact", "sum", "repeat"] | Sequence[SupportsIndex]

_MODES = {
    "exact": _library.INPUT_CHANNELS_EXACT,
    "sum": _library.INPUT_CHANNELS_SUM,
    "repeat": _library.INPUT_CHANNELS_REPEAT,
}

# Options that only decide whether a load succeeds.
ALLOWING = ("allow_missing", "ignore_modules")

# Suffixes of checkpoint files; and the largest length of a path in bytes.
_ENDINGS = (b".pth", b".pt", b".bin", b".tar", b".pkl", b".pickle", b".ckpt", b".safetensors")
_LONGEST_PATH = 4096


Head = Literal["exact", "new"]

_HEADS = {"exact": _library.HEAD_EXACT, "new": _library.HEAD_NEW}


class MatchOptions(TypedDict, total=False):
    """Keyword arguments of all loads, other than `strict`; `ResNet.load_weights` describes them.

    A new one gets a line here and one in `_SETTERS`. Then `ResNet.load_weights`, `from_file` and `load_state_dict`,
    `inspect` and the command's `CheckpointOptions` hand it to the library.
    """

    allow_missing: bool
    ignore_modules: bool
    head: Head


class LoadOptions(MatchOptions, total=False):
    """The same for a file, in which tensors have to be found and may be converted."""

    key: str | None
    prefix: str | None
    input_channels: InputChannels
    max_stream_bytes: SupportsIndex | None


def load_options(strict: bool, **fields: Unpack[LoadOptions]) -> Any:
    """A backbone_load_options that keeps the memory of its pointers alive.

    Raises:
        TypeError: an unknown option, or a wrong type.
        ValueError: a value that is not allowed.
    """
    options = _library.LoadOptions(struct_size=ctypes.sizeof(_library.LoadOptions), strict=bool(strict))
    for name, value in fields.items():
        if name not in _SETTERS:
            raise TypeError(f"a load has no option {name!r}; it has strict, {', '.join(_SETTERS)}")
        _SETTERS[name](options, name, value)
    return options


def match_options(strict: bool, **fields: Unpack[MatchOptions]) -> Any:
    """`load_options` for a mapping instead of a file.

    Raises:
        TypeError: an unknown option, or a wrong type.
    """
    for name in fields:
        if name not in MatchOptions.__annotations__:
            raise TypeError(f"loading a mapping has no option {name!r}")
    return load_options(strict, **fields)


def split_options(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Keyword arguments as those of a load, and all others."""
    ours = {name: value for name, value in options.items() if name in _SETTERS}
    return ours, {name: value for name, value in options.items() if name not in _SETTERS}


def _set_text(options: _library.LoadOptions, name: str, value: Any) -> None:
    if value is not None:
        setattr(options, name, encoded_text(name, value))


def _set_flag(options: _library.LoadOptions, name: str, value: Any) -> None:
    setattr(options, name, bool(value))


def _set_size(options: _library.LoadOptions, name: str, value: Any) -> None:
    if value is not None:
        setattr(options, name, integer(name, value, 64, signed=False))


def _set_input_channels(options: _library.LoadOptions, name: str, value: Any) -> None:
    if isinstance(value, str):
        if value not in _MODES:
            raise ValueError(f"{name} is {value!r}; it must be 'exact', 'sum', 'repeat' or a sequence of channels")
        options.input_channels = _MODES[value]
        return
    try:
        channels = [int32(f"{name}[...]", channel) for channel in value]
    except TypeError:
        raise TypeError(f"{name} is {value!r}; it must be a str or a sequence of int") from None
    options.input_channels = _library.INPUT_CHANNELS_MAP
    options.channel_map_length = len(channels)
    # One more, so that an empty map is not NULL: the library then reports what is wrong with it.
    options.channel_map = (ctypes.c_int32 * (len(channels) + 1))(*channels)


def _set_head(options: _library.LoadOptions, name: str, value: Any) -> None:
    if not isinstance(value, str) or value not in _HEADS:
        raise ValueError(f"{name} is {value!r}; it must be 'exact' or 'new'")
    options.head = _HEADS[value]


_SETTERS: dict[str, Callable[[_library.LoadOptions, str, Any], None]] = {
    "key": _set_text,
    "prefix": _set_text,
    "input_channels": _set_input_channels,
    "allow_missing": _set_flag,
    "ignore_modules": _set_flag,
    "head": _set_head,
    "max_stream_bytes": _set_size,
}


def call_with_checkpoint(
    path: Checkpoint, from_file: Callable[..., int], from_memory: Callable[..., int], *rest: Any, warns: bool = True
) -> LoadReport:
    """The report of a function of the library that reads a checkpoint.

    Args:
        path: of the file, or its bytes.
        from_file: the function that takes a path, and then `rest` and `out_report`.
        from_memory: the function that takes address and size, and then `rest` and `out_report`.
        rest: further arguments.
        warns: as for `reported`.

    Raises: what that function reports.
    """
    given = checkpoint("path", path)
    function = from_file if len(given) == 1 else from_memory
    try:
        return reported(lambda out: int(function(*given, *rest, out)), warns=warns)
    except CheckpointError as error:
        hint = "" if len(given) == 1 else _path_hint(path)
        raise CheckpointError(f"{error}{hint}") if hint else error from None


def stream_content(path: Checkpoint, max_stream_bytes: SupportsIndex | None = None) -> Checkpoint:
    """`path`, or the bytes of the stream that it names (a pipe, /dev/stdin).

    For reading a checkpoint without a network, which cannot be cancelled: here Ctrl-C ends the wait for a stream.

    Raises:
        OSError: the stream has more than `max_stream_bytes`, 4 GiB by default.
    """
    if not isinstance(path, (str, os.PathLike)):
        return path
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        # The library explains what is wrong with it.
        return path
    if not stat.S_ISFIFO(mode):
        return path
    limit = operator.index(max_stream_bytes or 4 << 30)
    with open(path, "rb") as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise OSError(
            f"{os.fspath(path)!r} has more than {limit} bytes, the limit of max_stream_bytes; "
            "raise the limit or load from a file"
        )
    return content


def _path_hint(content: Any) -> str:
    """Advice for bytes that are a path instead of a checkpoint; else ""."""
    view = memoryview(content)
    data = view.tobytes() if view.nbytes < _LONGEST_PATH else b""
    # A name has no control characters.
    if not data or min(data) < 32 or not (data.lower().endswith(_ENDINGS) or os.path.exists(data)):
        return ""
    return f". {data!r} is a path, but bytes are the content of a checkpoint; pass os.fsdecode(path)"


def reported(call: Callable[[Any], int], *, warns: bool = True) -> LoadReport:
    """The report of a function with an `out_report`; its warnings are issued as Python warnings, if it `warns`."""
    pointer = ctypes.c_void_p()
    status = call(ctypes.byref(pointer))
    # Created now: the next call of the library would replace the message.
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


def inspect(path: Checkpoint, *, strict: bool = False, **options: Unpack[LoadOptions]) -> LoadReport:
    """Report the content of a checkpoint without a network: the report of loading it into the network that it
    describes.

    `depth`, `input_channels` and `base_channels` of the report are those of that network; nothing is loaded.

    Args:
        path: the file, or its bytes in memory, as for `ResNet.load_weights`.
        strict: as for `ResNet.load_weights`.
        options: `key`, `prefix`, ..., as for `ResNet.load_weights`.

    Raises:
        FileNotFoundError, OSError: the file cannot be opened or read.
        CheckpointError: it is damaged, not a supported format, or of an unsupported depth.
        ValueError: it has no such key or prefix.
        MismatchError: `ResNet.load_weights` would refuse it too; `.report` lists the names.
    """
    given = ctypes.byref(load_options(strict, **options))
    path = stream_content(path, options.get("max_stream_bytes"))
    return call_with_checkpoint(path, lib.backbone_inspect, lib.backbone_inspect_memory, given, warns=False)
