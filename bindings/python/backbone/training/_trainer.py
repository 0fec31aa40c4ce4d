# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The loop of a training: steps, validation, checkpoints, curves."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from typing import Any

import numpy as np

from .._decoding import Pixels
from .._files import remove_abandoned
from .._losses import cross_entropy
from .._optimizers import clip_gradients
from .._resnet import ResNet
from ..images import MAX_PIXELS
from ._evaluation import evaluate
from ._folders import Dataset
from ._loader import Batch, batches
from ._observer import Observer, Stopped
from ._pictures import picture_of
from ._plots import PlotError, plot_curves
from ._random import Draws, Purpose
from ._recipe import Recipe
from ._settings import check_settings
from ._state import Progress, StateError, locked, notes_of, progress_of, read_notes, write_checkpoint
from ._tables import paths_of_curves, write_classes, write_curves

LAST, BEST, CLASSES = "last.pth", "best.pth", "classes.txt"

_DIVERGED = "the training diverged: lower lr, or set clip or warmup"


class Trainer:
    """Trains a classifier on a data set.

    The weights depend only on the network, the images and the recipe. Number of threads, interruptions and times of
    saving do not matter: a training that was killed and resumed ends with the same bits.

    In `output` are last.pth (weights, optimiser and progress), best.pth (the weights of the epoch with the highest
    validation accuracy), classes.txt, curves.csv and curves.png.

    Args:
        net: with logits as its only output, for as many classes as `data` has.
        data: the images.
        recipe: how to train.
        output: the folder for results; created if it is missing. One training at a time writes to it.
        settings: other settings that the result depends on, as a JSON object: it is saved, and compared on resuming.
        decoders: threads that decode ahead.
        save_every: steps between two saves of last.pth, in addition to those after each epoch; 0 for none.
        max_pixels: the most pixels that an image may have.
        observer: receives the events.

    Attributes:
        progress: the progress of the training; not to be changed.
        settings: all that the result depends on.

    Raises:
        ValueError: the network and the data set do not fit.
    """

    def __init__(
        self,
        net: ResNet,
        data: Dataset,
        recipe: Recipe,
        output: str | os.PathLike[str],
        *,
        settings: Mapping[str, Any] | None = None,
        decoders: int = 2,
        save_every: int = 500,
        max_pixels: int | None = MAX_PIXELS,
        observer: Observer | None = None,
    ) -> None:
        if net.outputs != ("logits",) or net.num_classes != len(data.classes):
            raise ValueError(
                f"the network gives {', '.join(net.outputs)} for {net.num_classes} classes; it must give logits for "
                f"the {len(data.classes)} classes of {data.folder}"
            )
        self.progress = Progress()
        self._net, self._data, self._recipe = net, data, recipe
        self._output = os.fspath(output)
        self.settings: dict[str, Any] = {
            **(settings or {}),
            **asdict(recipe),
            "images": f"{len(data.train)} + {len(data.validation)} in {len(data.classes)} classes, {data.digest}",
        }
        self._decoders, self._save_every, self._max_pixels = decoders, save_every, max_pixels
        self._observer = observer or Observer()
        self._view = recipe.view(max_pixels)
        whole, rest = divmod(len(data.train), recipe.batch)
        self.steps = whole + (rest > 1 or (rest == 1 and recipe.batch == 1))
        if not self.steps:
            raise ValueError(f"{data.folder}: {len(data.train)} image to train with; a step needs at least 2")
        self._rates = recipe.learning_rates(self.steps)
        self._optimizer = recipe.new_optimizer(net)
        self._gradients = np.empty(net.trainable_count, np.float32)
        self._labels = np.array([example.label for example in data.train], np.int64)

    def run(self, *, resume: bool = False) -> list[dict[str, Any]]:
        """Train to the end of the last epoch. Returns a row for each epoch: the columns of curves.csv.

        Args:
            resume: continue from last.pth, or begin if it is missing.

        Raises:
            StateError: last.pth has at least one step and `resume` is false; or it was made with other
                settings; or another training writes to this folder.
            Stopped: `Observer.is_stopped` was true; last.pth has the state.
            FloatingPointError: a gradient was NaN or infinite; last.pth is from before.
            ValueError: none of the images could be decoded.
            OSError: an image or the output cannot be read or written.
        """
        with locked(self._output):
            remove_abandoned(self._output)
            path = self._path(LAST)
            if os.path.exists(path) and (resume or not _has_no_step(path)):
                if not resume:
                    raise StateError(f"{path} has a training; resume it, or write to another folder")
                self._load(path)
            else:
                write_classes(self._path(CLASSES), self._data.classes)
                # Before hours of computing: a folder that cannot be written to is an error now.
                self._save()
            self._draw_curves()
            with self._net.tape() as self._tape:
                while self.progress.epoch < self._recipe.epochs:
                    try:
                        self._run_epoch()
                    except Stopped:
                        self._save()
                        raise
        return self.progress.history

    # ---- Steps ----

    def _run_epoch(self) -> None:
        progress, data = self.progress, self._data
        self._observer.on_epoch_begin(progress.epoch, progress.step)
        self._train()
        if not progress.count:
            first = f"; the first: {progress.damaged[0]}" if progress.damaged else ""
            raise ValueError(f"none of {len(data.train)} images could be decoded{first}")
        row = progress.row(self._rates((progress.epoch + 1) * self.steps - 1))
        if data.validation:
            row |= self._validated()
        if progress.end_epoch(row):
            # Before last.pth: a process that is killed between the two computes this row, and best.pth, again.
            write_checkpoint(self._path(BEST), self._net.save_weights, self._notes())
        self._save()
        self._draw_curves()
        self._observer.on_epoch_end(row)

    def _train(self) -> None:
        self._net.train()
        progress, recipe = self.progress, self._recipe
        order = Draws(recipe.seed, Purpose.ORDER, progress.epoch).permutation(len(self._data.train)).tolist()
        damaged = set(progress.damaged)
        groups = [
            [index for index in order[first : first + recipe.batch] if self._data.train[index].path not in damaged]
            for first in range(progress.step * recipe.batch, self.steps * recipe.batch, recipe.batch)
        ]
        before = time.perf_counter()
        with closing(batches(groups, self._load_image, recipe.size, self._decoders)) as items:
            for item in items:
                self._note_damaged(item)
                # Without the damaged images the batch may be too small for BatchNorm.
                if len(item.indices) >= min(2, recipe.batch):
                    self._step(item)
                progress.step += 1
                now = time.perf_counter()
                progress.seconds += now - before
                before = now
                self._observer.on_step(progress, len(item.indices) + len(item.failed))
                self._stop_if_asked()
                if self._save_every and progress.step % self._save_every == 0 and progress.step < self.steps:
                    self._save()

    def _load_image(self, index: int) -> Pixels:
        draws = Draws(self._recipe.seed, Purpose.AUGMENTATION, self.progress.epoch, index)
        return self._view.augmented(picture_of(self._data.train[index].path, self._max_pixels), draws)

    def _step(self, batch: Batch) -> None:
        net, recipe, progress = self._net, self._recipe, self.progress
        labels = self._labels[batch.indices]
        (logits,) = net.forward_train(batch.images.transpose(0, 3, 1, 2), self._tape)
        loss, gradient = cross_entropy(logits, labels, recipe.label_smoothing)
        net.backward(self._tape, [gradient], self._gradients)
        if recipe.clip is not None:
            clip_gradients(net, self._gradients, recipe.clip)
        self._optimizer.lr = self._rates(progress.epoch * self.steps + progress.step)
        try:
            self._optimizer.step(self._gradients)
        except FloatingPointError as error:
            # Without the advice after the semicolon, which is for direct calls of the optimiser.
            found = str(error).partition(";")[0]
            raise FloatingPointError(
                f"epoch {progress.epoch + 1}, step {progress.step + 1}: {found}; {_DIVERGED}"
            ) from None
        progress.loss += loss * len(labels)
        progress.correct += int((logits.reshape(len(labels), -1).argmax(1) == labels).sum())
        progress.count += len(labels)

    # ---- Validation ----

    def _validated(self) -> dict[str, float]:
        """What the validation adds to the row of an epoch."""

        def on_batch(item: Batch) -> None:
            self._observer.on_validation(len(item.indices) + len(item.failed))
            self._stop_if_asked()

        self._net.eval()
        size, decoders = self._recipe.batch, self._decoders
        try:
            result = evaluate(
                self._net, self._data.validation, self._view, batch=size, decoders=decoders, on_batch=on_batch
            )
        except FloatingPointError as unfit:
            raise FloatingPointError(f"epoch {self.progress.epoch + 1}, validation: {unfit}; {_DIVERGED}") from None
        for example, error in result.failed:
            self._note(example.path, error)
        return {
            "validation_loss": result.loss,
            "validation_accuracy": result.top1,
            "validation_top5": result.top5,
        }

    # ---- Interruptions and damage ----

    def _stop_if_asked(self) -> None:
        if self._observer.is_stopped():
            raise Stopped(f"stopped in epoch {self.progress.epoch + 1} after step {self.progress.step} of {self.steps}")

    def _note_damaged(self, batch: Batch) -> None:
        for index, error in batch.failed:
            self._note(self._data.train[index].path, error)

    def _note(self, path: str, error: Exception) -> None:
        if path not in self.progress.damaged:
            self.progress.damaged.append(path)
            self._observer.on_damaged(path, error)

    # ---- Files ----

    def _path(self, name: str) -> str:
        return os.path.join(self._output, name)

    def _notes(self) -> dict[str, Any]:
        described = {"architecture": self._net.architecture, "classes": list(self._data.classes)}
        return notes_of(self.progress, network=described, settings=self.settings)

    def _save(self) -> None:
        # The file tells it too: that of the last step, whether or not this process has made that step.
        done = self.progress.epoch * self.steps + self.progress.step
        self._optimizer.lr = self._rates(max(done - 1, 0))
        write_checkpoint(self._path(LAST), self._optimizer.save, self._notes())

    def _load(self, path: str) -> None:
        notes = read_notes(path)
        progress = progress_of(path, notes)
        assert notes is not None
        check_settings(path, notes.get("settings", {}), self.settings)
        self._optimizer.load(path)
        self.progress = progress

    def _draw_curves(self) -> None:
        history = self.progress.history
        table, picture = paths_of_curves(self._output)
        write_curves(table, history)
        if history:
            try:
                plot_curves(picture, history)
            except PlotError as error:
                self._observer.on_missing_plot(picture, error)


def _has_no_step(path: str) -> bool:
    """Whether a last.pth holds nothing that was trained: its training failed before the first save."""
    try:
        progress = progress_of(path, read_notes(path))
    except StateError:
        return False
    return progress.epoch == progress.step == 0
