# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The network and input that `bench` and `layers` measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import ResNet
from .._arrays import FloatArray
from .._loading import LoadOptions
from ..images import Size
from .network import CheckpointOptions, title


@dataclass(frozen=True)
class Setup:
    """A network, and the shape of its input.

    Attributes:
        weights: a checkpoint; None: random weights. Times depend on them: kernels skip other numbers of zeros with
            trained ones.
        load: options of its load.
        depth: of the network without a checkpoint and without a name.
        architecture: its name.
        size: height and width of the input.
        batch: images in it.
    """

    depth: int
    architecture: str | None
    weights: str | None
    load: LoadOptions
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
            return ResNet(self.architecture or self.depth, **options)
        return CheckpointOptions(self.load, architecture=self.architecture).create(self.weights, **options)

    def input(self, net: ResNet) -> FloatArray:
        """Normally distributed numbers of shape (N, C, H, W)."""
        shape = (self.batch, net.in_channels, *self._sides())
        return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)

    def heading(self, net: ResNet) -> str:
        """For people."""
        height, width = self._sides()
        return f"{title(net)}, {self.batch} x {net.in_channels} x {height} x {width}, {net.threads} threads"

    def _sides(self) -> tuple[int, int]:
        return self.size if isinstance(self.size, tuple) else (self.size, self.size)

    def described(self, net: ResNet) -> dict[str, Any]:
        """For JSON."""
        return {
            "depth": net.depth,
            "architecture": net.architecture,
            "weights": self.weights,
            "input": [self.batch, net.in_channels, *self._sides()],
            "threads": net.threads,
            "arithmetic": self.arithmetic,
        }
