# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The parts of a network, beyond the name of its architecture, as fields of a backbone_options."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any, Literal, SupportsIndex, TypedDict

import numpy as np

from . import _library
from ._arguments import int32

# The names of the outputs of a forward pass, in its order, and their bits.
OUTPUTS = {
    "C1": _library.STAGE_C1,
    "C2": _library.STAGE_C2,
    "C3": _library.STAGE_C3,
    "C4": _library.STAGE_C4,
    "C5": _library.STAGE_C5,
    "pooled": _library.STAGE_POOLED,
    "logits": _library.STAGE_LOGITS,
}

# Pixels of the input per pixel of each, in a network without dilation.
STRIDES = {"C1": 2, "C2": 4, "C3": 8, "C4": 16, "C5": 32}


class Choices(TypedDict, total=False):
    """Keyword arguments of `ResNet` that replace the architecture's own values. None is the same as not given.

    Attributes:
        num_classes: classes of the head, which "logits" among `outputs` builds; default: those of the file or of the
            architecture.
        output_stride: 8, 16 or 32: stages that would exceed it dilate instead of striding.
        replace_stride_with_dilation: whether layer2, layer3 and layer4 dilate instead of striding, as in torchvision.
        dilation_rule: the dilation of the first block of a dilated stage: "previous" (torchvision, timm) or "whole"
            (mmdetection, detectron2).
        block_counts: blocks of each stage, up to four numbers.
        block: "basic" or "bottleneck".
        groups: of the 3x3 convolutions of Bottlenecks.
        width_per_group: of each group in a stage of 64 channels.
        stem: "single", "deep", "tiered" or "small".
        stem_channels: output channels of the stem.
        stem_pooling: "max", "convolution" or "none".
        shortcut: "projection", "average", "subsample", "everywhere", "3x3" or "none".
        norm: "batch" or "group".
        attention: "none", "se", "se_quarter" or "eca".
        anti_aliasing: "none", "blur" or "average".
        preactivation: norms before the convolutions (ResNet v2).
        block_widths: two numbers for the stem and four for each block, see backbone_options.
    """

    num_classes: SupportsIndex | None
    output_stride: SupportsIndex | None
    replace_stride_with_dilation: Sequence[bool] | None
    dilation_rule: Literal["previous", "whole"] | None
    block_counts: Sequence[SupportsIndex] | None
    block: Literal["basic", "bottleneck"] | None
    groups: SupportsIndex | None
    width_per_group: SupportsIndex | None
    stem: Literal["single", "deep", "tiered", "small"] | None
    stem_channels: SupportsIndex | None
    stem_pooling: Literal["max", "convolution", "none"] | None
    shortcut: Literal["projection", "average", "subsample", "everywhere", "3x3", "none"] | None
    norm: Literal["batch", "group"] | None
    attention: Literal["none", "se", "se_quarter", "eca"] | None
    anti_aliasing: Literal["none", "blur", "average"] | None
    preactivation: bool | None
    block_widths: Sequence[SupportsIndex] | None


_NAMES = {
    "dilation_rule": {"previous": _library.DILATION_PREVIOUS, "whole": _library.DILATION_WHOLE},
    "block": {"basic": _library.BLOCK_BASIC, "bottleneck": _library.BLOCK_BOTTLENECK},
    "stem": {
        "single": _library.STEM_SINGLE,
        "deep": _library.STEM_DEEP,
        "tiered": _library.STEM_TIERED,
        "small": _library.STEM_SMALL,
    },
    "stem_pooling": {
        "max": _library.STEM_POOLING_MAX,
        "convolution": _library.STEM_POOLING_CONVOLUTION,
        "none": _library.STEM_POOLING_NONE,
    },
    "shortcut": {
        "projection": _library.SHORTCUT_PROJECTION,
        "average": _library.SHORTCUT_AVERAGE,
        "subsample": _library.SHORTCUT_SUBSAMPLE,
        "everywhere": _library.SHORTCUT_EVERYWHERE,
        "3x3": _library.SHORTCUT_3X3,
        "none": _library.SHORTCUT_NONE,
    },
    "norm": {"batch": _library.NORM_BATCH, "group": _library.NORM_GROUP},
    "attention": {
        "none": _library.ATTENTION_NONE,
        "se": _library.ATTENTION_SE,
        "se_quarter": _library.ATTENTION_SE_QUARTER,
        "eca": _library.ATTENTION_ECA,
    },
    "anti_aliasing": {
        "none": _library.ANTI_ALIASING_NONE,
        "blur": _library.ANTI_ALIASING_BLUR,
        "average": _library.ANTI_ALIASING_AVERAGE,
    },
}


def set_choices(options: _library.Options, choices: Mapping[str, Any]) -> None:
    """Write `Choices` to a backbone_options, which keeps the memory of its pointers alive.

    Raises:
        TypeError, ValueError: an unknown choice, or a value whose error the library could not explain.
    """
    for name, value in choices.items():
        if name not in Choices.__annotations__:
            raise TypeError(f"ResNet has no argument {name!r}")
        if value is None:
            continue
        if name in _NAMES:
            setattr(options, name, _named(name, value))
        elif name == "preactivation":
            options.preactivation = 2 if _flag(name, value) else 1
        elif name == "replace_stride_with_dilation":
            options.dilated_stages = _dilated_stages(name, value)
        elif name == "block_counts":
            options.block_counts = (ctypes.c_int32 * 4)(*_numbers(name, value, 4))
        elif name == "block_widths":
            numbers = _numbers(name, value)
            options.block_widths = (ctypes.c_int32 * len(numbers))(*numbers)
            options.block_width_count = len(numbers)
        else:
            setattr(options, name, int32(name, value))
    stride, dilates = choices.get("output_stride"), choices.get("replace_stride_with_dilation")
    if stride is not None and dilates is not None:
        raise ValueError(f"output_stride is {stride} and replace_stride_with_dilation is {dilates}; give one of them")


def _named(name: str, value: Any) -> int:
    if not isinstance(value, str):
        raise TypeError(f"{name} is a {type(value).__name__}; it must be one of {', '.join(map(repr, _NAMES[name]))}")
    if value not in _NAMES[name]:
        raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(map(repr, _NAMES[name]))}")
    return _NAMES[name][value]


def _flag(name: str, value: Any) -> bool:
    # "no" is true, and so is NaN.
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} is {value!r}; it must be a bool")
    return bool(value)


def _sequence(name: str, values: Any, kind: str) -> list[Any]:
    try:
        if not isinstance(values, (str, bytes)):
            return list(values)
    except TypeError:
        pass
    raise TypeError(f"{name} is a {type(values).__name__}; it must be a sequence of {kind}")


def _numbers(name: str, values: Sequence[SupportsIndex], most: int | None = None) -> list[int]:
    numbers = [int32(f"{name}[{index}]", value) for index, value in enumerate(_sequence(name, values, "int"))]
    if not numbers or most is not None and len(numbers) > most:
        count = "4 for each block" if most is None else f"1 to {most}"
        raise ValueError(f"{name} has {len(numbers)} numbers; it must have {count}")
    return numbers


def _dilated_stages(name: str, values: Sequence[bool]) -> int:
    flags = [_flag(f"{name}[{index}]", value) for index, value in enumerate(_sequence(name, values, "bool"))]
    if len(flags) != 3:
        raise ValueError(f"{name} has {len(flags)} values; it must have 3, for layer2 to layer4")
    return sum(_library.STAGE_C3 << index for index, flag in enumerate(flags) if flag)


def output_bits(outputs: Sequence[str]) -> int:
    """The bits of `out_stages` for names of outputs.

    Raises:
        TypeError, ValueError: not a sequence of names of outputs in the order of a forward pass.
    """
    if isinstance(outputs, str):
        raise TypeError(f"outputs is {outputs!r}; it must be a sequence, as ({outputs!r},)")
    names = _sequence("outputs", outputs, "str")
    if not names or names != [name for name in OUTPUTS if name in names]:
        raise ValueError(f"outputs is {tuple(names)}; it must be one or more of {', '.join(OUTPUTS)}, in this order")
    return sum(OUTPUTS[name] for name in names)
