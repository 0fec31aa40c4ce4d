# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The settings common to all workers of a training."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import ray

from .._library import IMAGENET_MEAN, IMAGENET_STD_DEV
from .._optimizers import SGD, Optimizer
from .._resnet import ResNet
from .._schedules import Cosine, Schedule
from ..training._augment import View
from ..training._folders import Dataset
from ..training._random import Draws, Purpose

# Names within a checkpoint.
WEIGHTS_FILE = "training.pth"
HISTORY_FILE = "history.json"


def sgd(net: ResNet) -> Optimizer:
    """The optimiser of `train` unless another is given."""
    return SGD(net, lr=0.01, momentum=0.9, weight_decay=1e-4)


@dataclass(frozen=True)
class Settings:
    """The arguments of `train`, for the workers; `train` describes them."""

    dataset: Dataset
    weights: Any
    options: dict[str, Any]
    optimizer: Callable[[ResNet], Optimizer]
    schedule: Schedule | None
    workers: int
    threads: int
    epochs: int
    batch: int
    view: View
    seed: int
    label_smoothing: float

    def network(self) -> ResNet:
        """The network of the weights, with a classifier for the classes of the images."""
        weights = ray.get(self.weights) if isinstance(self.weights, ray.ObjectRef) else self.weights
        options: dict[str, Any] = self.options | {"mean": self.mean, "std": self.std}
        options |= {"outputs": ("logits",), "num_classes": len(self.dataset.classes), "threads": self.threads}
        if weights is None:
            return ResNet(**options)
        return ResNet.from_file(weights, head="new", **options)

    @property
    def mean(self) -> tuple[float, ...] | None:
        """What is subtracted from the pixels of each channel."""
        return _numbers(self.options.get("mean", IMAGENET_MEAN))

    @property
    def std(self) -> tuple[float, ...] | None:
        """What the differences are divided by."""
        return _numbers(self.options.get("std", IMAGENET_STD_DEV))

    @property
    def steps(self) -> int:
        """Steps of an epoch. A last batch of fewer than two images for each worker is left out."""
        count = len(self.dataset.train)
        return count // self.batch + (count % self.batch >= 2 * self.workers)

    def learning_rates(self, optimizer: Optimizer) -> Schedule:
        """The learning rate of each step, counted from the first one of all epochs."""
        return self.schedule or Cosine(optimizer.lr, steps=self.epochs * self.steps)

    def shares(self, epoch: int, rank: int) -> list[list[int]]:
        """The images of each step that a worker computes; the epoch's order depends on the seed alone."""
        order = Draws(self.seed, Purpose.ORDER, epoch).permutation(len(self.dataset.train))
        batches = (order[step * self.batch : (step + 1) * self.batch] for step in range(self.steps))
        return [self.share(batch, rank) for batch in batches]

    def share(self, batch: npt.NDArray[np.intp], rank: int) -> list[int]:
        """The part of a batch that a worker computes."""
        first, end = (len(batch) * position // self.workers for position in (rank, rank + 1))
        return [int(index) for index in batch[first:end]]

    def identity(self) -> dict[str, Any]:
        """The settings that determine the result: a run can only continue with the same. In the form that JSON
        restores."""
        view = {name: getattr(self.view, name) for name in ("size", "resize", "augment", "flip")}
        values = {
            "images": self.dataset.digest,
            "classes": self.dataset.classes,
            "workers": self.workers,
            "epochs": self.epochs,
            "batch": self.batch,
            "seed": self.seed,
            "label_smoothing": self.label_smoothing,
            "schedule": repr(self.schedule),
            **view,
        }
        result: dict[str, Any] = json.loads(json.dumps(values))
        return result


def _numbers(values: Any) -> tuple[float, ...] | None:
    return None if values is None else tuple(values)
