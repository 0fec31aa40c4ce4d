# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Networks of timm with fewer channels everywhere."""

from __future__ import annotations

import torch
from torch import nn

from .zoo import timm


def narrowed(name: str, divisor: int) -> nn.Module:
    """A network of timm's models/resnet.py, all of whose widths are divided by a number.

    timm has an argument for the widths of stages and of deep stems. A stem of one convolution has 64 channels whatever
    it is told; it is replaced.
    """
    channels = tuple(width // divisor for width in (64, 128, 256, 512))
    with torch.device("meta"):
        stem = timm.create_model(name).conv1
    if isinstance(stem, nn.Sequential):
        return timm.create_model(name, channels=channels, stem_width=stem[3].out_channels // divisor)
    model = timm.create_model(name, channels=channels)
    model.conv1 = nn.Conv2d(3, channels[0], 7, 2, 3, bias=False)
    model.bn1 = nn.BatchNorm2d(channels[0])
    first = model.layer1[0]
    first.conv1 = _with_inputs(first.conv1, channels[0])
    if first.conv1.kernel_size == (3, 3):
        # A BasicBlock needs a projection for a stem of 64 channels alone.
        first.downsample = None
    else:
        position = next(i for i, module in enumerate(first.downsample) if isinstance(module, nn.Conv2d))
        first.downsample[position] = _with_inputs(first.downsample[position], channels[0])
    return model


def _with_inputs(old: nn.Conv2d, inputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, old.out_channels, old.kernel_size, old.stride, old.padding, bias=False)
