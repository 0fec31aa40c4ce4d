# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Maps a backbone_status to a Python exception."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _library
from ._library import lib

if TYPE_CHECKING:
    from ._report import LoadReport


class CheckpointError(ValueError):
    """A file is damaged, contradicts itself, or is not a supported format."""


class MismatchError(RuntimeError):
    """An intact checkpoint does not fit the network; `report` lists the differences.

    Attributes:
        report: the LoadReport of the refused load.
    """

    report: LoadReport | None = None


class CancelledError(RuntimeError):
    """`ResNet.cancel` ended the call; the network is as it was before."""


class StaleError(RuntimeError):
    """An object belongs to another state of the network: since then stages were frozen or unfrozen, or weights
    changed."""


_EXCEPTIONS: dict[int, type[Exception]] = {
    _library.STATUS_INVALID_ARGUMENT: ValueError,
    _library.STATUS_OUT_OF_MEMORY: MemoryError,
    _library.STATUS_FILE_NOT_FOUND: FileNotFoundError,
    _library.STATUS_IO: OSError,
    _library.STATUS_BAD_CHECKPOINT: CheckpointError,
    _library.STATUS_MISMATCH: MismatchError,
    _library.STATUS_UNKNOWN_NAME: KeyError,
    _library.STATUS_CANCELLED: CancelledError,
    _library.STATUS_STALE: StaleError,
    _library.STATUS_NOT_FINITE: FloatingPointError,
}

# Options of the library with other names in Python.
_PYTHON_NAMES = {
    "out_stages is": "outputs (out_stages) is",
    "block_width_count is": "the length of block_widths is",
    "dilated_stages is": "replace_stride_with_dilation (dilated_stages) is",
}


def error_of(status: int) -> Exception:
    """The exception for a call that has just failed on this thread, with the library's message."""
    message = lib.backbone_last_error_message().decode(errors="replace")
    for name, ours in _PYTHON_NAMES.items():
        if message.startswith(name):
            message = ours + message.removeprefix(name)
    return _EXCEPTIONS.get(status, RuntimeError)(message)


def check(status: int) -> None:
    """Raise if `status` is a failure."""
    if status != _library.STATUS_OK:
        raise error_of(status)
