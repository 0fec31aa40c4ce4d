# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The reference: a plain ResNet in PyTorch with torchvision's names, of any width, and the freezing that detectors use.

The parity tests hold it against torchvision's own model. Average pooling and classifier are left out.
"""

import copy

import numpy as np
import torch
from torch import nn
from weight_formula import DEPTHS, layout, weight


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, inplanes, planes, stride, downsample, style, eps):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes, eps)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes, eps)
        self.downsample = downsample

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, inplanes, planes, stride, downsample, style, eps):
        super().__init__()
        strides = (stride, 1) if style == "caffe" else (1, stride)
        self.conv1 = nn.Conv2d(inplanes, planes, 1, strides[0], bias=False)
        self.bn1 = nn.BatchNorm2d(planes, eps)
        self.conv2 = nn.Conv2d(planes, planes, 3, strides[1], 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes, eps)
        self.conv3 = nn.Conv2d(planes, planes * 4, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes * 4, eps)
        self.downsample = downsample

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """C2 to C5 of an image. Freezing holds in training mode, as in mmdetection."""

    def __init__(
        self, depth, in_channels=3, base_channels=64, frozen_stages=-1, norm_eval=False, style="pytorch", eps=1e-5
    ):
        super().__init__()
        expansion, blocks = DEPTHS[depth]
        block = Bottleneck if expansion == 4 else BasicBlock
        self.frozen_stages, self.norm_eval = frozen_stages, norm_eval
        self.conv1 = nn.Conv2d(in_channels, base_channels, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(base_channels, eps)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inplanes = base_channels
        for stage, count in enumerate(blocks):
            planes, layers = base_channels << stage, []
            for number in range(count):
                stride, downsample = 2 if stage and not number else 1, None
                if stride != 1 or inplanes != planes * expansion:
                    projection = nn.Conv2d(inplanes, planes * expansion, 1, stride, bias=False)
                    downsample = nn.Sequential(projection, nn.BatchNorm2d(planes * expansion, eps))
                layers.append(block(inplanes, planes, stride, downsample, style, eps))
                inplanes = planes * expansion
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))

    def forward(self, x):
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        features = []
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            features.append(x)
        return tuple(features)

    def train(self, mode=True):
        super().train(mode)
        frozen = [self.conv1, self.bn1] if self.frozen_stages >= 0 else []
        frozen += [getattr(self, f"layer{stage}") for stage in range(1, self.frozen_stages + 1)]
        for module in frozen:
            module.eval()
            module.requires_grad_(False)
        if self.norm_eval:
            for module in norms(self):
                module.eval()
        return self


def norms(model):
    return [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]


def with_formula(depth, in_channels=3, base_channels=64, **options):
    """A model in evaluation mode with the weights of `weight_formula` and fresh statistics."""
    with torch.device("meta"):
        model = ResNet(depth, in_channels, base_channels, **options)
    model.to_empty(device="cpu")
    for module in norms(model):
        module.reset_running_stats()
    parameters = {
        name: torch.from_numpy(weight(name, shape))
        for name, shape in layout(depth, in_channels, base_channels).items()
        if name.endswith(("weight", "bias"))
    }
    model.load_state_dict(parameters, strict=False)
    return model.eval()


@torch.no_grad()
def calibrate(model, x):
    """Set every norm's statistics to those of one batch; with fresh ones, features of deep networks reach 1e8.

    One forward pass is enough: in training mode no layer sees what is being set. Statistics of single channels that the
    batch leaves at a variance of nearly nothing are lifted, or the norm would magnify rounding errors.
    """
    copied = copy.deepcopy(model)
    copied.frozen_stages, copied.norm_eval = -1, False
    copied.train()
    for module in norms(copied):
        module.momentum = 1.0
    copied(torch.as_tensor(x, dtype=copied.conv1.weight.dtype))
    for source, target in zip(norms(copied), norms(model), strict=True):
        target.running_mean.copy_(source.running_mean)
        target.running_var.copy_(source.running_var.clamp_min(1e-2))
    return model


@torch.no_grad()
def features(model, x, dtype=torch.float64):
    """C2 to C5 as NumPy arrays, computed in `dtype` by a copy of the model."""
    exact = copy.deepcopy(model).to(dtype).train(model.training)
    x = torch.as_tensor(np.ascontiguousarray(x)).to(dtype)
    result = tuple(feature.numpy() for feature in exact(x))
    if model.training:
        for source, target in zip(norms(exact), norms(model), strict=True):
            for buffer, value in zip(target.buffers(), source.buffers(), strict=True):
                buffer.copy_(value)
    return result


def normalised(x, mean, std, reverse=False):
    """What a network sees of uint8 pixels, in float64: channels reversed if told, less the mean, by the deviation."""
    x = x[:, ::-1] if reverse else x
    mean, std = (np.array(values, np.float32).astype(np.float64)[:, None, None] for values in (mean, std))
    return (x - mean) / std
