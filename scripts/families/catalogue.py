# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The networks that are compared: how PyTorch makes each, and what the library has to be told beside the file."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn

from .cifar import CifarResNet
from .narrowing import narrowed
from .zoo import timm, torchvision_resnet

OUTPUTS = ("C1", "C2", "C3", "C4", "C5", "pooled", "logits")

# Those of timm's models/resnetv2.py that have BatchNorm or GroupNorm. The others have standardised weights, EvoNorm or
# FilterResponseNorm.
PREACTIVATED = (
    *("resnetv2_18", "resnetv2_18d", "resnetv2_34", "resnetv2_34d", "resnetv2_50", "resnetv2_50d", "resnetv2_50t"),
    *("resnetv2_101", "resnetv2_101d", "resnetv2_152", "resnetv2_152d", "resnetv2_50d_gn"),
)
TORCHVISION = (
    *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d"),
    *("resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2"),
)
# Blurring and averaging have no weights.
ANTIALIASED = ("resnetblur*", "*resnetaa*", "*resnextaa*")
# More than 200 M parameters: 10 GB in float64 beside the library's two copies of the weights. By what to divide widths.
NARROWED = {"resnext101_32x32d": 2}


@dataclass(frozen=True)
class Network:
    """One network.

    Attributes:
        source: "timm", "torchvision" or "cifar".
        name: as the source calls it; for variants with what is different.
        build: makes PyTorch's model.
        options: what `backbone.ResNet.from_file` has to be told beside the file.
        note: what the table says about it.
        side: of the square images that its statistics are measured on.
        outputs: what it has.
    """

    source: str
    name: str
    build: Callable[[], nn.Module]
    options: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    side: int = 64
    outputs: tuple[str, ...] = OUTPUTS

    @property
    def key(self) -> str:
        """What it is called on the command line."""
        return f"{self.source}/{self.name}"

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the input that is compared."""
        return (2, 3, 32, 32) if self.source == "cifar" else (2, 3, 96, 128)


def networks() -> list[Network]:
    """All of them, in the order of the table."""
    return [*_of_timm(), *_of_torchvision(), *_of_cifar(), *_variants()]


def chosen(patterns: Iterable[str]) -> list[Network]:
    """The networks whose name, or source and name, fit a pattern; all without patterns.

    Raises:
        ValueError: no network fits one of them.
    """
    everything = networks()
    keep = set()
    for pattern in patterns or ("*",):
        fits = {n.key for n in everything if any(fnmatch.fnmatchcase(text, pattern) for text in (n.name, n.key))}
        if not fits:
            raise ValueError(f"no network is called {pattern!r}; --list shows the names")
        keep |= fits
    return [network for network in everything if network.key in keep]


def narrow(name: str, divisor: int) -> Network:
    """A network of timm with its widths divided."""
    return Network("timm", name, partial(narrowed, name, divisor), _by_name(name), f"1/{divisor} of the width")


def _by_name(name: str) -> dict[str, str]:
    return {"architecture": name} if any(fnmatch.fnmatchcase(name, pattern) for pattern in ANTIALIASED) else {}


def _of_timm() -> Iterable[Network]:
    for name in (*timm.list_models(module="resnet"), *PREACTIVATED):
        if name in NARROWED:
            yield narrow(name, NARROWED[name])
        else:
            yield Network("timm", name, partial(timm.create_model, name), _by_name(name))


def _of_torchvision() -> Iterable[Network]:
    for name in TORCHVISION:
        yield Network("torchvision", name, getattr(torchvision_resnet, name))


def _of_cifar() -> Iterable[Network]:
    for option in ("a", "b"):
        for depth in (20, 32, 44, 56, 110):
            yield Network(
                "cifar",
                f"resnet{depth}_{option}",
                partial(CifarResNet, depth, option),
                note=f"shortcuts by option {option.upper()}",
                side=32,
                outputs=tuple(name for name in OUTPUTS if name != "C5"),
            )


def _variants() -> Iterable[Network]:
    """Variants without a name of their own, which the weights do not record."""
    for stride in (16, 8):
        options, note = {"output_stride": stride}, f"output stride {stride}"
        replaced = [False, stride == 8, True]
        dilated = partial(torchvision_resnet.resnet50, replace_stride_with_dilation=replaced)
        yield Network("torchvision", f"resnet50_stride{stride}", dilated, options, note)
        for name in ("resnet50", "resnet50d"):
            dilated = partial(timm.create_model, name, output_stride=stride)
            yield Network("timm", f"{name}_stride{stride}", dilated, options, note)
    yield Network("torchvision", "resnet50_caffe", _of_caffe_style, {"style": "caffe"}, "strides on 1x1 convolutions")


def _of_caffe_style() -> nn.Module:
    model = torchvision_resnet.resnet50()
    for module in model.modules():
        if isinstance(module, torchvision_resnet.Bottleneck):
            module.conv1.stride, module.conv2.stride = module.conv2.stride, module.conv1.stride
    return model


def measured(outputs: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Outputs as the library has them: arrays, with height and width of 1 for pooled features and logits."""
    return {name: (y if y.ndim == 4 else y[:, :, None, None]).numpy() for name, y in outputs.items()}


@torch.inference_mode()
def reference(model: nn.Module, x: torch.Tensor) -> dict[str, Any]:
    """What PyTorch computes from an input of the model's type."""
    return measured(outputs_of(model, x))


def outputs_of(model: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """The same as tensors, of two dimensions for pooled features and logits."""
    if isinstance(model, CifarResNet):
        return model.outputs(x)
    if hasattr(model, "forward_intermediates"):
        # Of pre-activated networks C1 is the stem's last convolution, and C2 to C5 are sums that no norm follows.
        last, stages = model.forward_intermediates(x)
        outputs = dict(zip(OUTPUTS, stages, strict=False))
        outputs["pooled"] = model.forward_head(last, pre_logits=True)
        outputs["logits"] = model.forward_head(last)
        return outputs
    outputs = {"C1": model.relu(model.bn1(model.conv1(x)))}
    y = model.maxpool(outputs["C1"])
    for number in (1, 2, 3, 4):
        outputs[f"C{number + 1}"] = y = getattr(model, f"layer{number}")(y)
    outputs["pooled"] = model.avgpool(y).flatten(1)
    outputs["logits"] = model.fc(outputs["pooled"])
    return outputs
