# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The settings of the outputs in a folder of features, so that an interrupted run can continue."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any

NAME = "features.jsonl"


class JournalError(OSError):
    """A line cannot be written. Without it later runs would not know the output."""


@dataclass(frozen=True)
class _Entry:
    settings: str
    image: list[int] | None
    size: int


class Journal:
    """A line of JSON for each output, in a file beside them, which only grows.

    Lines are of two kinds; for each name the last one counts:

        {"settings": ID, "values": {...}}                               what ID stands for
        {"output": NAME, "settings": ID, "image": [BYTES, MTIME_NS], "size": BYTES}

    The line describes the output if the file has that size. A line is written after its output: a run that is killed
    between the two makes that output again.

    Several processes may write to it at once: each line is one `write` to the end of the file, under a lock that lasts
    from the appearance of the output to the end of its line (`recorded`). So the last line describes the existing
    output, whichever process was last.

    Args:
        folder: where the outputs are; it need not exist.
        settings: all settings that the features of this run depend on.
    """

    def __init__(self, folder: str, settings: dict[str, Any]) -> None:
        self._folder = folder
        self._path = os.path.join(folder, NAME)
        # As they are read back: tuples are lists there.
        self._settings: dict[str, Any] = json.loads(json.dumps(settings))
        self._id = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
        self._known: dict[str, dict[str, Any]] = {}
        self._entries: dict[str, _Entry] = {}
        self._file = -1
        self._read()

    def _read(self) -> None:
        if not os.path.exists(self._path):
            return
        with open(self._path, encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    row = json.loads(line)
                    if "values" in row:
                        self._known[row["settings"]] = row["values"]
                    else:
                        self._entries[row["output"]] = _Entry(row["settings"], row["image"], row["size"])
                except (ValueError, KeyError, TypeError):
                    # The end of a run that was killed while it wrote this line.
                    continue

    def is_done(self, output: str, image: str) -> bool:
        """Whether the output exists, made from the present image with the settings of this run."""
        entry = self._entry(output)
        return entry is not None and entry.settings == self._id and entry.image == _identity(image)

    def difference(self, output: str) -> str:
        """The differences of the output's settings from the present ones, "resize: 256, now 224"; "" without any."""
        entry = self._entry(output)
        if entry is None or entry.settings == self._id:
            return ""
        before, now = self._known.get(entry.settings, {}), self._settings
        # A setting that only one of the two has is another one too.
        names = [name for name in now | before if before.get(name) != now.get(name)]
        return ", ".join(f"{name}: {_short(before.get(name))}, now {_short(now.get(name))}" for name in names)

    def _entry(self, output: str) -> _Entry | None:
        entry = self._entries.get(output)
        try:
            return entry if entry and os.path.getsize(os.path.join(self._folder, output)) == entry.size else None
        except OSError:
            return None

    def __enter__(self) -> Journal:
        os.makedirs(self._folder, exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        with self._locked():
            # A line that a killed run has left without its end must not swallow the next one.
            size = os.fstat(self._file).st_size
            if size and os.pread(self._file, 1, size - 1) != b"\n":
                self._append(b"\n")
            if self._id not in self._known:
                self._write({"settings": self._id, "values": self._settings})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._file)
        self._file = -1

    @contextmanager
    def recorded(self, output: str, image: str, file: IO[bytes]) -> Iterator[None]:
        """Note an output that the block puts in its place. Only while the journal is open.

        Args:
            output: its name below the folder.
            image: the path of what it was made of.
            file: the complete output, whose size is noted.

        Raises:
            JournalError: the line cannot be written.
        """
        size = os.fstat(file.fileno()).st_size
        with self._locked():
            yield
            self._write({"output": output, "settings": self._id, "image": _identity(image), "size": size})

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
        except OSError:
            # A file system without locks: a single process may still write.
            yield
            return
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _write(self, row: dict[str, Any]) -> None:
        self._append(json.dumps(row).encode() + b"\n")

    def _append(self, line: bytes) -> None:
        try:
            while line:
                line = line[os.write(self._file, line) :]
        except OSError as error:
            raise JournalError(error.errno, error.strerror, self._path) from None


def _identity(path: str) -> list[int] | None:
    """Values that change when a file is replaced; None without one."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


def _short(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:12]}..."
