# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Learning rates by step: those of `torch.optim.lr_scheduler`, as functions of the number of the step."""

from __future__ import annotations

import bisect
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass


class Schedule(ABC):
    """A function from the number of a step (or epoch), from 0, to a learning rate. It keeps no state.

    Set it before each step: `optimizer.lr = schedule(step)`.
    """

    @abstractmethod
    def __call__(self, step: int) -> float:
        """The learning rate of a step."""


@dataclass(frozen=True)
class Step(Schedule):
    """Multiplies the learning rate by `gamma` every `every` steps: StepLR.

    Attributes:
        lr: of the first step.
        every: steps between two changes.
        gamma: the factor.
    """

    lr: float
    every: int
    gamma: float = 0.1

    def __call__(self, step: int) -> float:
        return self.lr * float(self.gamma) ** (step // self.every)


@dataclass(frozen=True)
class MultiStep(Schedule):
    """Multiplies the learning rate by `gamma` at each milestone: MultiStepLR.

    Attributes:
        lr: of the first step.
        milestones: the first step of each lower learning rate, ascending.
        gamma: the factor.
    """

    lr: float
    milestones: Sequence[int]
    gamma: float = 0.1

    def __post_init__(self) -> None:
        if list(self.milestones) != sorted(self.milestones):
            raise ValueError(f"milestones is {self.milestones!r}; it must be ascending")

    def __call__(self, step: int) -> float:
        return self.lr * float(self.gamma) ** bisect.bisect_right(self.milestones, step)


@dataclass(frozen=True)
class Cosine(Schedule):
    """Goes from `lr` to `minimum` along half a cosine, and stays there: CosineAnnealingLR.

    Attributes:
        lr: of the first step.
        steps: the number after which `minimum` is reached (T_max).
        minimum: of the last step (eta_min).
    """

    lr: float
    steps: int
    minimum: float = 0.0

    def __call__(self, step: int) -> float:
        done = min(step, self.steps) / self.steps
        return self.minimum + (self.lr - self.minimum) * (1 + math.cos(math.pi * done)) / 2


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Rises from lr / div_factor to `lr` and falls far below, both along a cosine: OneCycleLR.

    Attributes:
        lr: the highest (max_lr).
        steps: of the whole cycle (total_steps); later ones have the last learning rate.
        rise: the share of steps that rise (pct_start).
        div_factor: the first learning rate is lr / div_factor.
        final_div_factor: the last one is the first one / final_div_factor.
    """

    lr: float
    steps: int
    rise: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4

    def __call__(self, step: int) -> float:
        first = self.lr / self.div_factor
        peak = self.rise * self.steps - 1
        end = self.steps - 1
        step = min(step, end)
        if step <= peak:
            return _between(first, self.lr, step / peak if peak else 1.0)
        return _between(self.lr, first / self.final_div_factor, (step - peak) / (end - peak))


@dataclass(frozen=True)
class WarmUp(Schedule):
    """Multiplies the first learning rates of another schedule by a factor that rises linearly to 1: LinearLR.

    Attributes:
        schedule: the other schedule, or a learning rate.
        steps: that rise (total_iters).
        start: the factor of the first step (start_factor).
    """

    schedule: Schedule | float
    steps: int
    start: float = 1 / 3

    def __call__(self, step: int) -> float:
        lr = self.schedule(step) if isinstance(self.schedule, Schedule) else self.schedule
        done = min(step, self.steps) / self.steps if self.steps else 1.0
        return lr * (self.start + (1 - self.start) * done)


def _between(start: float, end: float, done: float) -> float:
    """On half a cosine from `start` to `end`."""
    return end + (start - end) / 2 * (1 + math.cos(math.pi * done))
