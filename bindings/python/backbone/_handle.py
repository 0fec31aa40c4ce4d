# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Ownership of the library's objects among Python threads, and long calls."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from . import _interrupts, _library
from ._library import lib


class Owned:
    """An object of the library that is freed when it is closed and the last call has left it.

    `with owned as pointer:` around every call that uses it. The function that frees an object must be the last call on
    it, but Python code may close it while another thread computes: then that thread frees it when its call ends.

    Args:
        pointer: the object.
        free: frees it.
        label: its name in errors.
    """

    def __init__(self, pointer: int, free: Callable[[int], None], label: str) -> None:
        self._pointer = pointer
        # Held here because an object may be collected after the module's globals, at the end of the interpreter.
        self._free = free
        self._label = label
        self._calls = 0
        self._closed = False
        self._released = False
        # A signal handler may use, cancel or close the object while its thread holds this.
        self._lock = threading.RLock()

    def __enter__(self) -> int:
        with self._lock:
            # First, so that a signal handler that closes the object from here on leaves it to this call.
            self._calls += 1
            closed = self._closed
        if closed:
            self.__exit__()
            raise ValueError(f"this {self._label} is closed")
        return self._pointer

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._calls -= 1
            last = self._is_last()
        if last:
            self._release()

    def _is_last(self) -> bool:
        """Whether the object is closed and no call uses it: true once."""
        last = self._closed and self._calls == 0 and not self._released
        self._released = self._released or last
        return last

    def _release(self) -> None:
        self._free(self._pointer)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def close(self) -> None:
        """Refuse further calls, and free the object once no call is in progress. May be called again."""
        with self._lock:
            self._closed = True
            last = self._is_last()
        if last:
            self._release()


class Handle(Owned):
    """A `backbone *`."""

    def __init__(self, pointer: int) -> None:
        super().__init__(pointer, lib.backbone_free, "ResNet")
        self._forget = _interrupts.forget
        self._cancels = 0

    def _release(self) -> None:
        self._forget(self._pointer)
        super()._release()

    def run(self, call: Callable[[int], int], *, repeatable: bool = True) -> int:
        """The status of a call that Ctrl-C may end: then a signal handler raises KeyboardInterrupt from here.

        Args:
            call: makes the call, given the pointer. It is made again if a signal has ended it whose handler raised
                nothing, or that came while another thread computed with the same network.
            repeatable: whether it can be made again; else it then ends with STATUS_CANCELLED.
        """
        with self as pointer:
            while True:
                cancels = self._cancels
                with _interrupts.watch(pointer):
                    status = call(pointer)
                if status != _library.STATUS_CANCELLED or self._cancels != cancels or not repeatable:
                    return status

    def cancel(self) -> None:
        """End the calls in progress."""
        with self as pointer:
            with self._lock:
                self._cancels += 1
            lib.backbone_cancel(pointer)


_Self = TypeVar("_Self", bound="Closing")


class Closing:
    """An object of this package that owns a library object, as `_owned`, and releases it when it is closed."""

    _owned: Owned

    def close(self) -> None:
        """Release the object. Calls in progress on other threads finish first. May be called again."""
        self._owned.close()

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # Missing if the constructor failed.
        owned = getattr(self, "_owned", None)
        if owned is not None:
            owned.close()
