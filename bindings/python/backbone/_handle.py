# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Ownership of a `backbone *` among Python threads, and calls on it that may take long."""

from __future__ import annotations

import threading
from collections.abc import Callable

from . import _interrupts, _library
from ._library import lib


class Handle:
    """A `backbone *` that is freed when it is closed and the last call has left it.

    `with handle as pointer:` around every call into the library. backbone_free must be the last call on a handle, but
    Python code may close a network while another thread computes: then that thread frees it on its way out.
    """

    def __init__(self, pointer: int) -> None:
        self._pointer = pointer
        # Held here because a network may be collected after the module's globals, at the end of the interpreter.
        self._free = lib.backbone_free
        self._forget = _interrupts.forget
        self._calls = 0
        self._cancels = 0
        self._closed = False
        self._lock = threading.Lock()

    def __enter__(self) -> int:
        with self._lock:
            if self._closed:
                raise ValueError("this ResNet is closed")
            self._calls += 1
            return self._pointer

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._calls -= 1
            last = self._closed and self._calls == 0
        if last:
            self._release()

    def _release(self) -> None:
        self._forget(self._pointer)
        self._free(self._pointer)

    def run(self, call: Callable[[int], int], *, repeatable: bool = True) -> int:
        """The status of a call that Ctrl-C may end: then a signal handler raises KeyboardInterrupt from here.

        Args:
            call: makes the call, given the pointer. It is made again where a signal has ended it whose handler raised
                nothing, or that came while another thread computed with the same network.
            repeatable: whether it can be; else it then ends with STATUS_CANCELLED.
        """
        with self as pointer:
            while True:
                cancels = self._cancels
                with _interrupts.watch(pointer):
                    status = call(pointer)
                if status != _library.STATUS_CANCELLED or self._cancels != cancels or not repeatable:
                    return status

    def cancel(self) -> None:
        """End the calls that have been entered."""
        with self as pointer:
            with self._lock:
                self._cancels += 1
            lib.backbone_cancel(pointer)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def close(self) -> None:
        """Refuse further calls, and free the network as soon as no call is in progress. May be called again."""
        with self._lock:
            last = not self._closed and self._calls == 0
            self._closed = True
        if last:
            self._release()
