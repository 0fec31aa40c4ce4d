# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The constructor's arguments as a backbone_options."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, SupportsIndex

from . import _library
from ._arguments import checked_out_indices, encoded_text, int32, per_channel
from ._choices import Choices, output_bits, set_choices
from ._errors import check
from ._library import lib

if TYPE_CHECKING:
    from typing_extensions import Unpack

ChannelOrder = Literal["as_given", "reversed"]
Arithmetic = Literal["fast", "direct"]
Style = Literal["pytorch", "caffe"]
Normalize = Literal["uint8", "all"]

STYLES = {"pytorch": _library.STYLE_PYTORCH, "caffe": _library.STYLE_CAFFE}
NORMALIZATIONS = {"uint8": _library.NORMALIZE_UINT8, "all": _library.NORMALIZE_ALL}

_ARITHMETICS = {"fast": _library.ARITHMETIC_FAST, "direct": _library.ARITHMETIC_DIRECT}
_CHANNEL_ORDERS = {"as_given": _library.CHANNELS_AS_GIVEN, "reversed": _library.CHANNELS_REVERSED}


def architectures() -> tuple[str, ...]:
    """The names of the networks that `ResNet` can build, as torchvision and timm use them."""
    return tuple(lib.backbone_architecture_name(index).decode() for index in range(lib.backbone_architecture_count()))


def network_options(
    depth: SupportsIndex | str | None = None,
    base_channels: SupportsIndex = 64,
    *,
    architecture: str | None = None,
    in_channels: SupportsIndex = 3,
    frozen_stages: SupportsIndex = -1,
    threads: SupportsIndex | None = None,
    out_indices: Sequence[SupportsIndex] = (0, 1, 2, 3),
    norm_eval: bool = False,
    zero_init_residual: bool = False,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    channel_order: ChannelOrder = "as_given",
    arithmetic: Arithmetic = "fast",
    style: Style = "pytorch",
    norm_eps: float = 1e-5,
    normalize: Normalize = "uint8",
    outputs: Sequence[str] | None = None,
    **choices: Unpack[Choices],
) -> _library.Options:
    """A backbone_options that keeps the memory of its pointers alive. The arguments are those of `ResNet`.

    Raises:
        TypeError, ValueError: an argument whose error the library could not explain.
    """
    if channel_order not in _CHANNEL_ORDERS:
        raise ValueError(f"channel_order is {channel_order!r}; it must be 'as_given' or 'reversed'")
    if arithmetic not in _ARITHMETICS:
        raise ValueError(f"arithmetic is {arithmetic!r}; it must be 'fast' or 'direct'")
    if style not in STYLES:
        raise ValueError(f"style is {style!r}; it must be 'pytorch' or 'caffe'")
    if normalize not in NORMALIZATIONS:
        raise ValueError(f"normalize is {normalize!r}; it must be 'uint8' or 'all'")
    options = _library.Options()
    check(lib.backbone_options_init(ctypes.byref(options), ctypes.sizeof(options)))
    if isinstance(depth, str):
        if architecture is not None and architecture != depth:
            raise ValueError(f"depth is {depth!r}, but architecture is {architecture!r}; pass one of them")
        depth, architecture = None, depth
    if architecture is not None:
        # `options` keeps the bytes alive.
        options.architecture = encoded_text("architecture", architecture)
        options.depth = 0
    if depth is not None:
        options.depth = int32("depth", depth)
    options.in_channels = int32("in_channels", in_channels)
    options.frozen_stages = int32("frozen_stages", frozen_stages)
    options.threads = 0 if threads is None else int32("threads", threads)
    options.base_channels = int32("base_channels", base_channels)
    if outputs is None:
        options.out_stages = sum(_library.STAGE_C2 << index for index in checked_out_indices(out_indices))
    else:
        if tuple(out_indices) != (0, 1, 2, 3):
            raise ValueError(f"outputs is {outputs!r}, but out_indices is {out_indices!r}: give one of them")
        options.out_stages = output_bits(outputs)
    options.norm_eval = bool(norm_eval)
    options.zero_init_residual = bool(zero_init_residual)
    options.channel_order = _CHANNEL_ORDERS[channel_order]
    options.arithmetic = _ARITHMETICS[arithmetic]
    options.style = STYLES[style]
    options.norm_eps = norm_eps
    options.normalization = NORMALIZATIONS[normalize]
    set_choices(options, choices)
    # `options` keeps these arrays alive, and the library copies them.
    options.mean = per_channel("mean", mean, options.in_channels)
    options.std_dev = per_channel("std", std, options.in_channels)
    return options
