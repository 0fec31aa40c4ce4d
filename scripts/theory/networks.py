# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The networks of He et al. 2015 (arXiv:1512.03385, section 4.2) that are compared, as options of the library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import backbone

# base_channels counts in 64ths of the usual widths; that of the stem for CIFAR-10 is 16.
_UNITS_PER_CHANNEL = 4
# base_channels is at most 256.
WIDEST = 256 // _UNITS_PER_CHANNEL


@dataclass(frozen=True)
class Kind:
    """A network with its place in the figures.

    Attributes:
        title: what legends say.
        options: of `backbone.ResNet`.
    """

    title: str
    options: dict[str, Any]

    def network(self, classes: int, width: int = 16, threads: int | None = None) -> backbone.ResNet:
        """The network with random weights. `width`: channels of the first stage; later ones have 2 and 4 times more."""
        channels = width * _UNITS_PER_CHANNEL
        options = self.options | {"num_classes": classes, "base_channels": channels, "threads": threads}
        return backbone.ResNet(outputs=("logits",), **options)


def _kinds() -> dict[str, Kind]:
    kinds = {}
    for depth in (20, 56):
        kinds[f"plain{depth}"] = Kind(f"plain, {depth} layers", {"architecture": f"plain{depth}"})
    for depth in (20, 56):
        kinds[f"resnet{depth}"] = Kind(f"residual (A), {depth} layers", {"architecture": f"resnet{depth}"})
    for depth in (20, 56):
        base = {"architecture": f"resnet{depth}"}
        kinds[f"resnet{depth}-b"] = Kind(f"residual (B), {depth} layers", base | {"shortcut": "projection"})
        kinds[f"resnet{depth}-c"] = Kind(f"residual (C), {depth} layers", base | {"shortcut": "everywhere"})
        pre = base | {"shortcut": "projection", "preactivation": True}
        kinds[f"preact{depth}"] = Kind(f"pre-activation, {depth} layers", pre)
    return kinds


KINDS = _kinds()

# The two figures: deeper is worse without shortcuts, and not with them; then what is added to a branch, at 56 layers.
DEGRADATION = ("plain20", "plain56", "resnet20", "resnet56")
SHORTCUTS = ("resnet56", "resnet56-b", "resnet56-c", "preact56")
