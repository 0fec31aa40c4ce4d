# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Ctrl-C during a call of the library.

Python runs signal handlers on its main thread, between two instructions, so not within a call that computes for a
second. But it writes each signal's number to a file descriptor at once (`signal.set_wakeup_fd`): a thread that waits
there ends the call. Signal handlers are not replaced, and the library itself does not handle signals.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from types import TracebackType

from ._library import lib

# Seconds between two attempts to end a call: the first may come before the call has begun.
_INTERVAL = 0.005


class _Watcher:
    """A thread that ends the present call of the main thread when SIGINT arrives."""

    def __init__(self) -> None:
        # Guards what follows. The garbage collector may free a network, and so call `forget`, while it is held.
        self._lock = threading.RLock()
        # The handle of the present call, and a number that changes when it begins and ends.
        self._pointer: int | None = None
        self._number = 0
        # The signals that came during the present call, a byte each.
        self._signals = b""
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        threading.Thread(target=self._serve, name="backbone-interrupts", daemon=True).start()

    def begin(self, pointer: int) -> int:
        """Watch a call that is about to begin. Return the descriptor that signals went to before."""
        with self._lock:
            self._pointer = pointer
            self._number += 1
            self._signals = b""
        return signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)

    def end(self, previous: int) -> None:
        """The call has ended: signals go to the previous descriptor, including those that came meanwhile."""
        signal.set_wakeup_fd(previous)
        with self._lock:
            self._pointer = None
            self._number += 1
            # Bytes still in the pipe were for this call and must not end the next one.
            self._read()
            # To an event loop, which did not run meanwhile.
            if previous != -1:
                with contextlib.suppress(OSError):
                    os.write(previous, self._signals)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._signals += os.read(self._reader, 4096)

    def _serve(self) -> None:
        while True:
            select.select([self._reader], [], [])
            with self._lock:
                self._read()
                number = self._number
                is_interrupted = signal.SIGINT in self._signals
            while is_interrupted and self._cancel(number):
                time.sleep(_INTERVAL)

    def _cancel(self, number: int) -> bool:
        """End a call; whether it was still in progress."""
        with self._lock:
            if self._pointer is None or self._number != number:
                return False
            lib.backbone_cancel(self._pointer)
            return True

    def forget(self, pointer: int) -> None:
        """A handle is about to be freed. A second Ctrl-C may have prevented its last call from reporting its end."""
        with self._lock:
            if self._pointer == pointer:
                self._pointer = None

    def owns(self, descriptor: int) -> bool:
        """Whether signals that go to this descriptor come to this watcher."""
        return descriptor == self._writer

    def close(self) -> None:
        """In a forked child, which has no such thread."""
        os.close(self._reader)
        os.close(self._writer)


_watcher: _Watcher | None = None


class watch:  # noqa: N801 - used as a function
    """`with watch(pointer):` around a call that Ctrl-C is to end. Does nothing on threads that handle no signals."""

    def __init__(self, pointer: int) -> None:
        self._pointer = pointer
        self._previous: int | None = None

    def __enter__(self) -> None:
        global _watcher
        if threading.get_ident() != threading.main_thread().ident:
            return
        try:
            if _watcher is None:
                _watcher = _Watcher()
            self._previous = _watcher.begin(self._pointer)
        # Without a descriptor or thread, or not in the main interpreter: then the call continues to its end.
        except (OSError, RuntimeError, ValueError):
            pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._previous is not None and _watcher is not None:
            _watcher.end(self._previous)


def forget(pointer: int) -> None:
    """Call it before a handle is freed."""
    if _watcher is not None:
        _watcher.forget(pointer)


def _start_again() -> None:
    global _watcher
    if _watcher is not None:
        with contextlib.suppress(ValueError):
            previous = signal.set_wakeup_fd(-1)
            if not _watcher.owns(previous):
                signal.set_wakeup_fd(previous)
        _watcher.close()
        _watcher = None


os.register_at_fork(after_in_child=_start_again)
