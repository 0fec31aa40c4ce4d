# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The accuracy of a classifier on images with known classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .._decoding import Pixels
from .._resnet import ResNet
from ._augment import View
from ._folders import Example
from ._loader import Batch, batches
from ._pictures import picture_of


@dataclass
class Evaluation:
    """The result on a set of images.

    Attributes:
        confusion: images of class i (row) that were taken for class j (column).
        loss: the mean cross entropy.
        top5: the share of images whose class is among the five most likely ones.
        failed: images that could not be decoded, with the error of each; they are not counted.
    """

    confusion: npt.NDArray[np.int64]
    loss: float = 0.0
    top5: float = 0.0
    failed: list[tuple[Example, Exception]] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Images that were counted."""
        return int(self.confusion.sum())

    @property
    def top1(self) -> float:
        """The share of images whose class is the most likely one: the accuracy."""
        return float(np.trace(self.confusion) / self.count)

    @property
    def recalls(self) -> npt.NDArray[np.float64]:
        """The share of each class that was recognised; NaN for a class without images."""
        with np.errstate(invalid="ignore"):
            recalls: npt.NDArray[np.float64] = np.diagonal(self.confusion) / self.confusion.sum(1)
        return recalls


def evaluate(
    net: ResNet,
    examples: Sequence[Example],
    view: View,
    *,
    batch: int = 32,
    decoders: int = 2,
    on_batch: Callable[[Batch], None] = lambda batch: None,
) -> Evaluation:
    """Classify images, and compare with their classes. The result does not depend on `batch` and `decoders`.

    Args:
        net: with logits among its outputs, in evaluation mode.
        examples: the images.
        view: how they are seen.
        batch: images computed together.
        decoders: threads that decode ahead.
        on_batch: called after each batch; what it raises ends the evaluation.

    Raises:
        ValueError: no image could be decoded.
        FloatingPointError: a logit is NaN or infinite.
        OSError: a folder cannot be read any more.
    """
    result = Evaluation(np.zeros((net.num_classes, net.num_classes), np.int64))
    indices = range(len(examples))
    groups = [indices[first : first + batch] for first in range(0, len(indices), batch)]

    def load(index: int) -> Pixels:
        return view.evaluated(picture_of(examples[index].path, view.max_pixels))

    with closing(batches(groups, load, view.size, decoders)) as items:
        for item in items:
            result.failed += [(examples[index], error) for index, error in item.failed]
            if item.indices:
                _count(result, net, item, [examples[index] for index in item.indices])
            on_batch(item)
    if not result.count:
        reason = f"; the first: {result.failed[0][1]}" if result.failed else ""
        raise ValueError(f"none of {len(examples)} images could be decoded{reason}")
    result.loss /= result.count
    result.top5 /= result.count
    return result


def _count(result: Evaluation, net: ResNet, batch: Batch, examples: list[Example]) -> None:
    logits = net.logits(batch.images.transpose(0, 3, 1, 2)).astype(np.float64)
    for example, row in zip(examples, logits, strict=True):
        if not np.isfinite(row).all():
            raise FloatingPointError(f"{example.path}: the network's logits are NaN or infinite")
        highest = row.max()
        # One by one and in the order of the images: the sum has the same bits for every batch.
        result.loss += float(highest + np.log(np.exp(row - highest).sum()) - row[example.label])
        # Of equal logits that of the lower class is first, as for argmax.
        order = np.argsort(-row, kind="stable")
        result.top5 += bool((order[:5] == example.label).any())
        result.confusion[example.label, order[0]] += 1
