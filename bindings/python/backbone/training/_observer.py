# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Reports of a training to its caller, which can stop it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._state import Progress


class Stopped(Exception):
    """A training was stopped by its observer. The state is saved; the message says where it stopped."""


class Observer:
    """Methods that `Trainer` calls on its own thread; a subclass overrides those that it needs."""

    def is_stopped(self) -> bool:
        """Whether to stop: asked after each step, and after each batch of the validation."""
        return False

    def on_epoch_begin(self, epoch: int, step: int) -> None:
        """An epoch, counted from 0, begins, or is resumed after this many steps."""

    def on_step(self, progress: Progress, images: int) -> None:
        """A step is done.

        Args:
            progress: including this step; not to be changed.
            images: of this step, including damaged ones.
        """

    def on_validation(self, images: int) -> None:
        """A batch of the validation is done."""

    def on_epoch_end(self, row: Mapping[str, Any]) -> None:
        """An epoch is complete, and its state saved; `row` has the columns of curves.csv."""

    def on_damaged(self, path: str, error: Exception) -> None:
        """An image cannot be decoded and is skipped from now on; called once for each."""

    def on_missing_plot(self, path: str, error: Exception) -> None:
        """The picture of the curves was not drawn, because Matplotlib is missing."""
