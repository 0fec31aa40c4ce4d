# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Weights as trained networks have them: norms that scale and shift, and statistics that were measured."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from weight_formula import images

_BATCHES = 4
_BATCH = 8


@torch.no_grad()
def prepare(model: nn.Module, seed: int, side: int) -> nn.Module:
    """Give a new model random norms and the statistics of random images; it is in evaluation mode afterwards.

    With fresh statistics, features would grow from block to block without bound.
    """
    generator = torch.Generator().manual_seed(seed)
    shares = _shares(model)
    for module in model.modules():
        if not isinstance(module, (_BatchNorm, nn.GroupNorm)):
            continue
        module.weight.uniform_(0.5, 1.5, generator=generator)
        # One in eight is negative: a norm must not be taken for a positive factor.
        module.weight[torch.rand(module.weight.shape, generator=generator) < 0.125] *= -1
        module.bias.normal_(0, 0.1, generator=generator)
        # The plain mean of all batches.
        if isinstance(module, _BatchNorm):
            module.momentum = None
    for module, share in shares.items():
        module.weight *= share
    model.train()
    for batch in range(_BATCHES):
        model(_calibration(batch, side))
    return model.eval()


def _shares(model: nn.Module) -> dict[nn.Module, float]:
    """The last module with weights of each block's branch, and how much of its scale is kept.

    Trained blocks add little to their input, and less where a stage has more of them. With norms near 1 at the end of
    each branch, a random network magnifies rounding errors from block to block: PyTorch's own float32 was off by 2e-4
    in resnetv2_152d. A wrong block still changes its output by far more than the bounds allow.
    """
    shares = {}
    for stage in model.modules():
        # A stem of several convolutions is a Sequential, and ECA has a conv2 that is None.
        blocks = [m for m in stage.children() if getattr(m, "conv2", None) and not isinstance(m, nn.Sequential)]
        share = min(1.0, math.sqrt(6 / max(1, len(blocks)))) / 3
        for block in blocks:
            names = ("bn3", "bn2") if hasattr(block, "bn2") else ("conv3", "conv2")
            shares[next(getattr(block, name) for name in names if hasattr(block, name))] = share
    return shares


@cache
def _calibration(batch: int, side: int) -> torch.Tensor:
    return torch.from_numpy(images(f"calibration {batch}", (_BATCH, 3, side, side)))
