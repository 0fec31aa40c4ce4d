# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The files of a training: weights and optimiser in a .pth, and the progress of the training in the same file.

One file holds everything that resuming needs, and replaces the older one in one step. So a process that is
killed at any moment leaves a consistent state. PyTorch ignores the additional member of the zip archive.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from ._tables import COLUMNS

# PyTorch's own place for files that it does not interpret.
_MEMBER = "archive/extra/backbone.json"
_MOST_BYTES = 64 << 20

# Below the output folder: files that are not complete.
_SCRATCH = ".unfinished"


class StateError(ValueError):
    """A training cannot be resumed: its file does not fit, or it was made with other settings; the message says why."""


@dataclass
class Progress:
    """The progress of a training.

    Attributes:
        epoch: complete epochs, validation included.
        step: steps of the present epoch that are done.
        loss: sum of the losses of the images of the present epoch.
        correct: images of the present epoch that were classified correctly.
        count: images of the present epoch so far.
        seconds: of the present epoch so far.
        best: the row of the epoch with the highest validation accuracy, the lowest loss among equal ones; None before
            the first.
        history: a row for each complete epoch.
        damaged: paths of images that were skipped.
    """

    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    correct: int = 0
    count: int = 0
    seconds: float = 0.0
    best: dict[str, Any] | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    def row(self, lr: float) -> dict[str, Any]:
        """The row of the present epoch, whose images are all done, without what the validation adds.

        Args:
            lr: of the last step.
        """
        return {
            "epoch": self.epoch + 1,
            "lr": lr,
            "loss": self.loss / self.count,
            "accuracy": self.correct / self.count,
            "validation_loss": None,
            "validation_accuracy": None,
            "validation_top5": None,
            "images": self.count,
            "seconds": round(self.seconds, 3),
        }

    def end_epoch(self, row: dict[str, Any]) -> bool:
        """Note a complete epoch. Returns whether it is the best one so far; without validation none is."""
        self.history.append(row)
        self.epoch += 1
        self.step = self.correct = self.count = 0
        self.loss = self.seconds = 0.0
        if row["validation_accuracy"] is None or (self.best is not None and _rank(row) <= _rank(self.best)):
            return False
        self.best = row
        return True


def _rank(row: dict[str, Any]) -> tuple[float, float]:
    return row["validation_accuracy"], -row["validation_loss"]


def write_checkpoint(path: str, save: Callable[[str], None], notes: dict[str, Any]) -> None:
    """Write a .pth with notes; an existing file is unchanged until the new one is complete and synced.

    Args:
        path: of the file.
        save: writes a .pth of libbackbone to a path.
        notes: a JSON object.

    Raises:
        OSError: with the name of the file.
    """
    folder, name = os.path.split(path)
    scratch = os.path.join(folder, _SCRATCH)
    partial = os.path.join(scratch, name)
    try:
        os.makedirs(scratch, exist_ok=True)
        save(partial)
        with open(partial, "r+b") as file:
            with zipfile.ZipFile(file, "a") as archive:
                archive.writestr(_MEMBER, json.dumps(notes))
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
        _sync_folder(folder)
    except OSError as error:
        # The library's own text begins with the path.
        reason = error.strerror or str(error)
        reason = reason.removeprefix(f"{partial}: ").removeprefix("cannot write it: ").replace(partial, path)
        raise OSError(error.errno or 0, f"cannot be written: {reason}", path) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def read_notes(path: str) -> dict[str, Any] | None:
    """The notes of a file that `write_checkpoint` wrote; None for a checkpoint of another kind.

    Raises:
        OSError: the file cannot be read.
        StateError: the notes are damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if _MEMBER not in archive.namelist():
                return None
            if archive.getinfo(_MEMBER).file_size > _MOST_BYTES:
                raise StateError(f"{path}: the notes of the training have more than {_MOST_BYTES} bytes")
            notes = json.loads(archive.read(_MEMBER))
    except zipfile.BadZipFile:
        # Not a zip, or a truncated one: the library reports it when it loads the file.
        return None
    except (ValueError, NotImplementedError, RuntimeError, EOFError, RecursionError) as error:
        raise StateError(f"{path}: the notes of the training are damaged ({error})") from None
    if not isinstance(notes, dict):
        raise StateError(f"{path}: the notes of the training are not an object")
    return notes


def progress_of(path: str, notes: dict[str, Any] | None) -> Progress:
    """The progress that notes hold.

    Raises:
        StateError: they hold none, or not of this version.
    """
    try:
        progress = Progress(**(notes or {})["progress"])
        if not _is_sound(progress):
            raise TypeError
        return progress
    except (KeyError, TypeError):
        raise StateError(f"{path}: not the last.pth of a training; resuming needs one that `train` wrote") from None


def _is_sound(progress: Progress) -> bool:
    """Whether what a file says is of the types that are used."""
    if not isinstance(progress.history, list):
        return False
    counts = (progress.epoch, progress.step, progress.correct, progress.count)
    best = progress.best
    rows = [*progress.history, *([] if best is None else [best])]
    return (
        all(isinstance(count, int) and 0 <= count < 1 << 62 for count in counts)
        and all(isinstance(number, (int, float)) for number in (progress.loss, progress.seconds))
        and len(progress.history) == progress.epoch
        and all(isinstance(row, dict) and set(row) == set(COLUMNS) for row in rows)
        and all(value is None or isinstance(value, (int, float)) for row in rows for value in row.values())
        and (best is None or None not in (best["validation_accuracy"], best["validation_loss"]))
        and isinstance(progress.damaged, list)
        and all(isinstance(path, str) for path in progress.damaged)
    )


def notes_of(progress: Progress, **others: Any) -> dict[str, Any]:
    """Notes for `write_checkpoint`."""
    return {**others, "progress": asdict(progress)}


@contextmanager
def locked(folder: str) -> Iterator[None]:
    """Create a folder, lock it against other trainings, and remove the unfinished files of a killed one.

    Raises:
        StateError: another process trains there.
        OSError: the folder cannot be made.
    """
    os.makedirs(folder, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateError(f"{folder}: another training writes to this folder; choose another one") from None
        except OSError:
            # A file system without locks.
            pass
        shutil.rmtree(os.path.join(folder, _SCRATCH), ignore_errors=True)
        yield
    finally:
        os.close(descriptor)


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError:
        # Some file systems cannot.
        pass
    finally:
        os.close(descriptor)
