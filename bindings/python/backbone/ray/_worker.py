# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The function that each worker of a training runs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import ray.train
import torch
import torch.distributed

from .._decoding import decoded
from .._losses import cross_entropy
from ..training._loader import Batch, batches
from ..training._random import Draws, Purpose
from ._settings import HISTORY_FILE, WEIGHTS_FILE, Settings


def work(config: Mapping[str, Any]) -> dict[str, Any]:
    """Train from the last checkpoint to the end, or report in "error" why that is impossible.

    All workers find such an error at the same step, so that none waits for another. Other exceptions end the group of
    workers, and Ray starts a new one.
    """
    worker = Worker(config["settings"])
    try:
        worker.run()
    except (FloatingPointError, _Mismatch) as error:
        return {"error": str(error), "diverged": isinstance(error, FloatingPointError)}
    return {}


class _Mismatch(ValueError):
    """The checkpoint is of another run."""


class Worker:
    """One of several processes that train the same network, each with its share of every batch."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rank = ray.train.get_context().get_world_rank()
        self._net = settings.network()
        self._optimizer = settings.optimizer(self._net)
        self._rates = settings.learning_rates(self._optimizer)
        self._tape = self._net.tape()
        self._gradients = np.zeros(self._net.trainable_count, np.float32)
        self._history: list[dict[str, float]] = []

    def run(self) -> None:
        """Train the missing epochs; each ends with a checkpoint."""
        self._restore()
        for epoch in range(len(self._history) + 1, self._settings.epochs + 1):
            row = {"epoch": epoch, **self._train(epoch)}
            self._send_statistics()
            self._check_weights()
            if self._settings.dataset.validation:
                row |= {f"validation_{name}": value for name, value in self._validate().items()}
            self._history.append(row)
            self._report(row)

    # ---- Passes ----

    def _train(self, epoch: int) -> dict[str, float]:
        settings, total = self._settings, np.zeros(4)
        self._net.train()
        shares = settings.shares(epoch, self._rank)
        first = (epoch - 1) * settings.steps

        def load(index: int) -> Any:
            with decoded(settings.dataset.train[index].path, settings.view.max_pixels) as picture:
                return settings.view.augmented(picture, Draws(settings.seed, Purpose.AUGMENTATION, epoch, index))

        with contextlib.closing(batches(shares, load, settings.view.size, settings.threads)) as loaded:
            for step, batch in enumerate(loaded):
                labels = np.array([settings.dataset.train[index].label for index in batch.indices], np.int64)
                # Unreadable images are left out, so that the others have the same weight in all workers.
                count = _sum(np.array([len(labels)], np.float64))[0]
                self._gradients[:] = 0
                if len(labels):
                    total += self._backward(batch, labels, count)
                total[3] += len(batch.failed)
                _sum(self._gradients)
                self._optimizer.lr = self._rates(first + step)
                self._optimizer.step(self._gradients)
        return _means(total)

    def _backward(self, batch: Batch, labels: npt.NDArray[np.int64], count: float) -> npt.NDArray[np.float64]:
        """The gradients of this worker's terms of the mean loss of all `count` images; loss, correct and images."""
        (logits,) = self._net.forward_train(batch.images.transpose(0, 3, 1, 2), self._tape)
        loss, gradient = cross_entropy(logits, labels, self._settings.label_smoothing)
        self._net.backward(self._tape, [gradient * np.float32(len(labels) / count)], self._gradients)
        return _score(loss, logits, labels)

    def _validate(self) -> dict[str, float]:
        settings, total = self._settings, np.zeros(4)
        self._net.eval()
        examples = settings.dataset.validation
        mine = settings.share(np.arange(len(examples)), self._rank)
        size = max(1, settings.batch // settings.workers)
        groups = [mine[start : start + size] for start in range(0, len(mine), size)]

        def load(index: int) -> Any:
            with decoded(examples[index].path, settings.view.max_pixels) as picture:
                return settings.view.evaluated(picture)

        with contextlib.closing(batches(groups, load, settings.view.size, settings.threads)) as loaded:
            for batch in loaded:
                labels = np.array([examples[index].label for index in batch.indices], np.int64)
                total[3] += len(batch.failed)
                if len(labels):
                    logits = self._net.logits(batch.images.transpose(0, 3, 1, 2))
                    total += _score(cross_entropy(logits, labels)[0], logits, labels)
        return _means(total)

    # ---- Communication of the workers ----

    def _send_statistics(self) -> None:
        """Give all workers the running statistics of the first, which its checkpoint has, as PyTorch's DDP does."""
        for _, buffer in self._net.named_buffers():
            values = np.array(buffer.data)
            torch.distributed.broadcast(torch.from_numpy(values.reshape(-1)), 0)
            if self._rank:
                buffer.data = values

    def _check_weights(self) -> None:
        digest = hashlib.sha256(self._net.read_trainable().tobytes()).hexdigest()
        digests: list[Any] = [None] * self._settings.workers
        torch.distributed.all_gather_object(digests, digest)
        if len(set(digests)) > 1:
            raise RuntimeError("the workers have different weights; run them on processors of the same kind")

    # ---- Checkpoints ----

    def _restore(self) -> None:
        """Load weights, optimiser and history of the last checkpoint, if any."""
        checkpoint = ray.train.get_checkpoint()
        if checkpoint is None:
            return
        with checkpoint.as_directory() as folder:
            with open(os.path.join(folder, HISTORY_FILE)) as file:
                saved = json.load(file)
            _check_identity(saved["identity"], self._settings.identity())
            self._optimizer.load(os.path.join(folder, WEIGHTS_FILE))
        self._history = saved["history"]

    def _report(self, row: dict[str, float]) -> None:
        if self._rank:
            ray.train.report(row)
            return
        with tempfile.TemporaryDirectory(prefix="backbone-") as folder:
            self._optimizer.save(os.path.join(folder, WEIGHTS_FILE))
            with open(os.path.join(folder, HISTORY_FILE), "w") as file:
                json.dump({"identity": self._settings.identity(), "history": self._history}, file)
            ray.train.report(row, checkpoint=ray.train.Checkpoint.from_directory(folder))


def _check_identity(saved: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise if a checkpoint is of a run with other settings."""
    for name, value in wanted.items():
        if saved.get(name) != value:
            raise _Mismatch(
                f"the checkpoint is of a run with {name} {saved.get(name)!r}, not {value!r}; "
                f"give the same settings, or another folder"
            )


def _sum(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Replace an array by the sum of those of all workers; all get the same bits."""
    torch.distributed.all_reduce(torch.from_numpy(values))
    return values


def _score(loss: float, logits: npt.NDArray[Any], labels: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Terms of the sums that `_means` takes."""
    flat = logits.reshape(len(labels), -1)
    return np.array([loss * len(labels), (flat.argmax(1) == labels).sum(), len(labels), 0], np.float64)


def _means(total: npt.NDArray[np.float64]) -> dict[str, float]:
    """Of all workers: mean loss, accuracy, and how many images could not be read.

    Args:
        total: sums of this worker: loss, images that are classified correctly, images, those that could not be read.
    """
    loss, correct, count, failed = (float(value) for value in _sum(total))
    count = max(count, 1.0)
    return {"loss": loss / count, "accuracy": correct / count, "failed": failed}
