# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Child processes: driven over pipes, stopped and continued, and always ended."""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_live: set[Child] = set()
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class ChildError(Exception):
    """A child ended, failed or did not answer; the text says which."""


class Child:
    """A process that answers commands, a word a line on its standard input, with a line of JSON each.

    What else it prints goes to a log.
    """

    def __init__(self, command: list[str | Path], environment: dict[str, str], log: Path) -> None:
        self._log = log
        self._rest = b""
        with open(log, "wb") as errors:
            self.started = time.perf_counter_ns()
            self._process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                # Ctrl-C is for the parent, which ends its children, stopped ones too.
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        _live.add(self)

    def ask(self, command: str, timeout: float) -> dict[str, Any]:
        """Send a command and return the answer.

        Raises:
            ChildError: it says that it failed, it ended, or it took longer than `timeout` seconds.
        """
        try:
            os.write(self._process.stdin.fileno(), command.encode() + b"\n")
        except BrokenPipeError:
            raise ChildError(self._death()) from None
        return self.answer(timeout)

    def answer(self, timeout: float) -> dict[str, Any]:
        """Wait for a line from the child; errors as for `ask`."""
        deadline = time.monotonic() + timeout
        pipe = self._process.stdout.fileno()
        while b"\n" not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([pipe], [], [], left)[0]:
                raise ChildError(f"it did not answer within {timeout:.0f} s")
            received = os.read(pipe, 1 << 16)
            if not received:
                raise ChildError(self._death())
            self._rest += received
        line, self._rest = self._rest.split(b"\n", 1)
        answer = json.loads(line)
        if "error" in answer:
            raise ChildError(answer["error"])
        return answer

    def stop(self) -> None:
        """Stop all its threads where they are, and return when they have stopped."""
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def go_on(self) -> None:
        """Let a stopped child go on."""
        self._process.send_signal(signal.SIGCONT)

    def peak_memory(self) -> int:
        """The most bytes that it has had in memory so far."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise ChildError("the system does not tell its peak memory")

    def end(self) -> None:
        """End it, at once and whatever its state."""
        _live.discard(self)
        if self._process.returncode is None:
            # With what it may have started itself.
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def _death(self) -> str:
        code = self._process.wait()
        how = f"it was ended by {signal.Signals(-code).name}" if code < 0 else f"it ended with status {code}"
        last = last_line(self._log)
        return f"{how}: {last}" if last else how


def run(command: list[str | Path], environment: dict[str, str], log: Path, timeout: float) -> None:
    """Run a command to its end, with its output in a log.

    Raises:
        ChildError: it failed or took longer than `timeout` seconds.
    """
    child = Child(command, environment, log)
    try:
        # One line at its end, or the reason why it is missing.
        child.answer(timeout)
    finally:
        child.end()


def end_all() -> None:
    """End every child that is left."""
    for child in list(_live):
        child.end()


def last_line(log: Path) -> str:
    """The end of a log, where tools say why they failed."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def python(module: str, *arguments: str | Path) -> list[str | Path]:
    """The command line of a module of this package."""
    return [sys.executable, "-m", f"{__package__}.{module}", *arguments]


def _end_with_parent() -> None:
    # Also where the parent is killed and can clean up nothing.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
