# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Ownership of a `backbone *` among Python threads."""

from __future__ import annotations

import threading

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
        self._calls = 0
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
            self._free(self._pointer)

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
            self._free(self._pointer)
