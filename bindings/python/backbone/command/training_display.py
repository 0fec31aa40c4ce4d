# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The display of `backbone train`, and the signals that stop it."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click

from ..training import Observer, Progress
from .group import message_of
from .terminal import warn

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Display(Observer):
    """A line for each epoch, a bar while it runs, and a warning for each damaged image.

    Args:
        epochs: of the whole training.
        images: of an epoch, as they are trained with.
        held: images of the validation.
        heading: the first line; None to print no lines at all.
    """

    def __init__(self, epochs: int, images: int, held: int, heading: str | None) -> None:
        self._epochs, self._images, self._held, self._heading = epochs, images, held, heading
        self._left = 0
        self._done = 0
        self._has_said_so = False
        self._started = time.monotonic()
        self._bar: Any = None
        self._task: Any = None
        self.signal: signal.Signals | None = None

    @contextmanager
    def shown(self) -> Iterator[Display]:
        """Show the bar, if the standard error is a terminal, and treat SIGINT and SIGTERM as requests to stop."""
        # What a parent process has decided to ignore (nohup) stays ignored.
        caught = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
        before = {number: signal.signal(number, self._take) for number in caught}
        try:
            if not sys.stderr.isatty():
                yield self
                return
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bars

            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[detail]}"))
            # Lines for the terminal are put above the bar; lines for a file go there.
            is_shared = sys.stdout.isatty()
            console = Console(stderr=True)
            with Bars(*columns, console=console, transient=True, redirect_stdout=is_shared) as bar:
                self._bar, self._task = bar, bar.add_task("train", total=self._epochs, detail="")
                yield self
        finally:
            self._bar = None
            for number, handler in before.items():
                signal.signal(number, handler)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            # The second one does not wait for the end of the step.
            raise KeyboardInterrupt
        # While a handler of its own is set, no signal ends a backward pass, which cannot be made again.
        self.signal = signal.Signals(number)

    def is_stopped(self) -> bool:
        """Whether a signal came."""
        return self.signal is not None

    def on_epoch_begin(self, epoch: int, step: int) -> None:
        """Print the heading, and count what is left."""
        if not self._left:
            if self._heading is not None:
                click.echo(self._heading)
            self._left = (self._epochs - epoch) * (self._images + self._held)
            self._started = time.monotonic()

    def on_step(self, progress: Progress, images: int) -> None:
        """Show loss, accuracy and speed of the epoch so far."""
        self._advance(images)
        if self._bar is not None and progress.count:
            self._show(
                progress.epoch,
                f"loss {progress.loss / progress.count:.4f}  accuracy {100 * progress.correct / progress.count:.2f} %  "
                f"{progress.count / progress.seconds:.1f} images/s  {self._time_left()} left",
            )

    def on_validation(self, images: int) -> None:
        """Show the time that is left."""
        self._advance(images)
        if self._bar is not None:
            self._bar.update(self._task, detail=f"validation  {self._time_left()} left")

    def on_epoch_end(self, row: Mapping[str, Any]) -> None:
        """Print the row."""
        if self._heading is None:
            return
        text = f"epoch {row['epoch']:3d}  loss {row['loss']:.4f}  accuracy {100 * row['accuracy']:6.2f} %"
        if row["validation_accuracy"] is not None:
            text += f"  validation loss {row['validation_loss']:.4f}"
            text += f"  accuracy {100 * row['validation_accuracy']:6.2f} %"
        text += f"  {row['images'] / max(row['seconds'], 1e-3):.1f} images/s"
        if row["epoch"] < self._epochs:
            text += f"  {self._time_left()} left"
        click.echo(text)
        sys.stdout.flush()

    def on_damaged(self, path: str, error: Exception) -> None:
        """Name it."""
        message = message_of(error)
        warn(f"skipped: {message if path in message else f'{path}: {message}'}")

    def on_missing_plot(self, path: str, error: Exception) -> None:
        """Say so once."""
        if not self._has_said_so:
            warn(f"{path} is not drawn: {error}")
            self._has_said_so = True

    def _advance(self, images: int) -> None:
        self._done += images
        self._left = max(self._left - images, 0)

    def _show(self, epoch: int, detail: str) -> None:
        done = self._done / (self._done + self._left) if self._done else 0.0
        self._bar.update(
            self._task,
            description=f"epoch {epoch + 1}/{self._epochs}",
            completed=done * self._epochs,
            detail=detail,
        )

    def _time_left(self) -> str:
        seconds = round((time.monotonic() - self._started) / max(self._done, 1) * self._left)
        return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
