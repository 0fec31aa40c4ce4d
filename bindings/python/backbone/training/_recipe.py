# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""How a classifier is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from .._optimizers import SGD, AdamW, Group, Optimizer
from .._resnet import ResNet
from .._schedules import Cosine, MultiStep, OneCycle, Schedule, Step, WarmUp
from ..images import MAX_PIXELS
from ._augment import AUGMENTS, Augment, View

Kind = Literal["sgd", "adamw"]
Course = Literal["cosine", "step", "multi-step", "one-cycle", "constant"]
OPTIMIZERS: tuple[str, ...] = get_args(Kind)
SCHEDULES: tuple[str, ...] = get_args(Course)

# The factor of the first step of a warm-up, that of torchvision's reference scripts.
_WARMUP_START = 0.01

# For each number its least and largest value.
_RANGES: dict[str, tuple[float, float]] = {
    "epochs": (1, 1_000_000),
    "batch": (1, 65536),
    "lr": (0, 1e6),
    "momentum": (0, 1),
    "weight_decay": (0, 1e6),
    "head_factor": (0, 1e6),
    "gamma": (0, 1e6),
    "step_epochs": (1, 1_000_000),
    "warmup": (0, 1_000_000),
    "label_smoothing": (0, 1),
    "size": (1, 4096),
    "resize": (1, 65535),
    "seed": (0, (1 << 63) - 1),
}


@dataclass(frozen=True)
class Recipe:
    """The settings that the result of a training depends on, other than the network and the images.

    Attributes:
        epochs: passes through all images.
        batch: images per step. A last step of a single image is left out, as BatchNorm may need more.
        optimizer: "sgd" or "adamw".
        lr: the highest learning rate.
        momentum: of SGD.
        nesterov: of SGD.
        weight_decay: of the weights of convolutions and classifier.
        decay_all: weight decay of norms and biases too, as PyTorch's optimisers do by default.
        head_factor: multiplies the classifier's learning rate.
        schedule: "cosine" falls to 0 at the last step; "step" multiplies by `gamma` every `step_epochs`; "multi-step"
            at each of `milestones`; "one-cycle" rises and falls; "constant".
        milestones: epochs, ascending.
        step_epochs: epochs between two changes.
        gamma: the factor of "step" and "multi-step".
        warmup: epochs in which the learning rate rises linearly from a hundredth; fractions are allowed.
        label_smoothing: from 0 to 1.
        clip: the highest norm of the gradients; None for any.
        size: height and width that images are cut and scaled to.
        resize: for validation, the length of the shorter side before the centre is cut out; None: size * 256 / 224 with
            "resized-crop", else `size`.
        augment: see `View`; None: "padded-crop" for sizes up to 64, else "resized-crop".
        flip: mirror half of the images, unless `augment` is "none".
        seed: of the order of the images and the augmentation.

    Raises:
        ValueError: a value is out of range; the message names it.
    """

    epochs: int = 10
    batch: int = 32
    optimizer: Kind = "sgd"
    lr: float = 0.01
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 1e-4
    decay_all: bool = False
    head_factor: float = 1.0
    schedule: Course = "cosine"
    milestones: Sequence[int] = ()
    step_epochs: int = 30
    gamma: float = 0.1
    warmup: float = 0.0
    label_smoothing: float = 0.0
    clip: float | None = None
    size: int = 224
    resize: int | None = None
    augment: Augment | None = None
    flip: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.augment is None:
            object.__setattr__(self, "augment", "padded-crop" if self.size <= 64 else "resized-crop")
        if self.resize is None:
            scaled = round(self.size * 256 / 224) if self.augment == "resized-crop" else self.size
            object.__setattr__(self, "resize", scaled)
        object.__setattr__(self, "milestones", tuple(self.milestones))
        for name, (low, high) in _RANGES.items():
            if not low <= (value := getattr(self, name)) <= high:
                raise ValueError(f"{name} is {value}; it must be from {low:g} to {high:g}")
        if self.clip is not None and not 0 < self.clip < math.inf:
            raise ValueError(f"clip is {self.clip}; it must be more than 0")
        for name, values in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES), ("augment", AUGMENTS)):
            if (value := getattr(self, name)) not in values:
                raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(values)}")
        if (self.schedule == "multi-step") != bool(self.milestones):
            raise ValueError(f"milestones is {self.milestones}; the schedule multi-step needs them, others ignore them")
        if list(self.milestones) != sorted(self.milestones) or any(epoch < 1 for epoch in self.milestones):
            raise ValueError(f"milestones is {self.milestones}; it must be ascending epochs from 1")
        if self.resize is not None and self.resize < self.size:
            raise ValueError(f"resize is {self.resize}; it must be at least size, {self.size}")
        if self.nesterov and not (self.optimizer == "sgd" and self.momentum):
            raise ValueError("nesterov needs SGD with momentum")

    def view(self, max_pixels: int | None = MAX_PIXELS) -> View:
        """How images are seen."""
        assert self.resize is not None and self.augment is not None
        return View(self.size, self.resize, self.augment, self.flip, max_pixels)

    def learning_rates(self, steps: int) -> Schedule:
        """The learning rate of each step of all epochs.

        Args:
            steps: of one epoch.
        """
        total = self.epochs * steps
        schedules: dict[str, Schedule] = {
            "cosine": Cosine(self.lr, total),
            "step": Step(self.lr, self.step_epochs * steps, self.gamma),
            "multi-step": MultiStep(self.lr, [epoch * steps for epoch in self.milestones], self.gamma),
            "one-cycle": OneCycle(self.lr, total),
            "constant": MultiStep(self.lr, []),
        }
        schedule = schedules[self.schedule]
        rising = round(self.warmup * steps)
        return WarmUp(schedule, rising, _WARMUP_START) if rising else schedule

    def new_optimizer(self, net: ResNet) -> Optimizer:
        """The optimiser, with groups for the classifier and for parameters without weight decay.

        Raises:
            ValueError: no parameter of the network is trainable.
        """
        plain = self.weight_decay if self.decay_all else 0.0
        head = head_prefix(net)
        groups = (
            Group(head, ("weights",), self.head_factor),
            Group(head, ("biases",), self.head_factor, plain),
            Group(kinds=("norms", "biases"), weight_decay=plain),
        )
        if self.optimizer == "adamw":
            return AdamW(net, self.lr, weight_decay=self.weight_decay, groups=groups)
        return SGD(net, self.lr, self.momentum, weight_decay=self.weight_decay, nesterov=self.nesterov, groups=groups)


def head_prefix(net: ResNet) -> str:
    """The prefix of the classifier's parameters: "fc.", or "head.fc." in ResNet v2."""
    *_, last = (name for name, _ in net.named_parameters())
    return last.removesuffix("bias")
