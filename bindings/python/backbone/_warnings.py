# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The library's warnings as Python warnings."""

from __future__ import annotations

import ctypes
import functools
import sys
import threading
import warnings
from collections.abc import Iterable

from ._errors import check
from ._library import lib


class BackboneWarning(UserWarning):
    """A reason to doubt that inputs or features suit the weights."""


def issue(texts: Iterable[str]) -> None:
    """Issue warnings for the line, outside of this package, that called it."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == __package__:
        level, frame = level + 1, frame.f_back
    for text in texts:
        warnings.warn(text, BackboneWarning, stacklevel=level)


# Without types and without releasing the interpreter's lock: the call reads a number, and every forward pass makes it.
_warning_count = ctypes.PYFUNCTYPE(ctypes.c_int32)(("backbone_warning_count", lib))


class ForwardWarnings:
    """The warnings of one network's forward passes, each issued once, by the first thread."""

    def __init__(self, net: int) -> None:
        # One for all threads: it never decreases.
        self._count = ctypes.c_size_t()
        self._issued = 0
        # Reentrant for signal handlers that compute.
        self._lock = threading.RLock()
        self._update = functools.partial(_warning_count, ctypes.c_void_p(net), ctypes.byref(self._count))

    def take(self, net: int) -> tuple[str, ...]:
        """The new warnings of the network. Only while the handle is in use."""
        self._update()
        return () if self._count.value == self._issued else self._texts(net)

    def _texts(self, net: int) -> tuple[str, ...]:
        with self._lock:
            first, self._issued = self._issued, self._count.value
            return tuple(_text(net, index) for index in range(first, self._issued))


def _text(net: int, index: int) -> str:
    value = ctypes.c_char_p()
    check(lib.backbone_get_warning(net, index, ctypes.byref(value)))
    return (value.value or b"").decode(errors="replace")
