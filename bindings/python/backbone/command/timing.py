# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What `bench` and `layers` measure: a network and an input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import ResNet
from .._arrays import FloatArray
from ..images import Size
from .network import CheckpointOptions


@dataclass(frozen=True)
class Setup:
    """A network, and the shape of its input.

    Attributes:
        weights: a checkpoint; None: random weights, with which kernels skip fewer or more zeros than with trained ones.
        depth: of the network without a checkpoint.
        size: height and width of the input.
        batch: images in it.
    """

    depth: int
    weights: str | None
    size: Size
    batch: int
    stages: tuple[int, ...]
    arithmetic: str
    threads: int | None

    def open(self) -> ResNet:
        """The network."""
        options: dict[str, Any] = {
            "out_indices": self.stages,
            "arithmetic": self.arithmetic,
            "threads": self.threads,
        }
        if self.weights is None:
            return ResNet(self.depth, **options)
        return CheckpointOptions().create(self.weights, **options)

    def input(self, net: ResNet) -> FloatArray:
        """Normally distributed numbers of shape (N, C, H, W)."""
        shape = (self.batch, net.in_channels, *self._sides())
        return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)

    def title(self, net: ResNet) -> str:
        """For people."""
        height, width = self._sides()
        return f"ResNet-{net.depth}, {self.batch} x {net.in_channels} x {height} x {width}, {net.threads} threads"

    def _sides(self) -> tuple[int, int]:
        return self.size if isinstance(self.size, tuple) else (self.size, self.size)

    def described(self, net: ResNet) -> dict[str, Any]:
        """For JSON."""
        return {
            "depth": net.depth,
            "weights": self.weights,
            "input": [self.batch, net.in_channels, *self._sides()],
            "threads": net.threads,
            "arithmetic": self.arithmetic,
        }
