# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Values of options from their text: callbacks for `click.option`."""

from __future__ import annotations

import click

from .. import architectures
from ..images import Size

STAGES = ("C2", "C3", "C4", "C5")


def size(context: click.Context, parameter: click.Parameter, text: str | None) -> Size | None:
    """ "256", a length, or "480x640" as (H, W)."""
    if text is None:
        return None
    try:
        lengths = [int(length) for length in text.lower().split("x")]
    except ValueError:
        lengths = []
    if len(lengths) not in (1, 2) or not all(1 <= length <= 65535 for length in lengths):
        raise click.BadParameter(f"{text!r} is neither a length nor HxW, as in 256 or 480x640")
    return lengths[0] if len(lengths) == 1 else (lengths[0], lengths[1])


def numbers(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[float, ...] | None:
    """ "123.675,116.28,103.53", three numbers."""
    if text is None:
        return None
    try:
        values = tuple(float(number) for number in text.split(","))
    except ValueError:
        values = ()
    if len(values) != 3:
        raise click.BadParameter(f"{text!r} is not three numbers with commas between")
    return values


def opacity(context: click.Context, parameter: click.Parameter, value: float) -> float:
    """From 0 to 1, which NaN is not, though a click.FloatRange takes it."""
    if not 0 <= value <= 1:
        raise click.BadParameter(f"{value} is not a number from 0 to 1")
    return value


def architecture(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    """A name that `backbone.architectures` lists."""
    if text is not None and text not in architectures():
        raise click.BadParameter(f"{text!r} is unknown; pass one of {', '.join(architectures())}")
    return text


def stages(context: click.Context, parameter: click.Parameter, text: str) -> tuple[int, ...]:
    """ "C3,C5" as indices, 0 for C2, ascending."""
    names = {name.strip().upper() for name in text.split(",")}
    if not names <= set(STAGES):
        raise click.BadParameter(f"{text!r} is not a list of {', '.join(STAGES)}")
    return tuple(index for index, stage in enumerate(STAGES) if stage in names)


def input_channels(context: click.Context, parameter: click.Parameter, text: str) -> str | tuple[int, ...]:
    """ "exact", "sum", "repeat", or channels as in "2,1,0"."""
    if text in ("exact", "sum", "repeat"):
        return text
    try:
        return tuple(int(channel) for channel in text.split(","))
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is neither 'exact', 'sum' nor 'repeat', nor a list of channels as in 2,1,0"
        ) from None
