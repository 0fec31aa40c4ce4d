# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone convert`: a checkpoint in another format."""

from __future__ import annotations

import os
from typing import Any, Literal

import click

from .._loading import LoadOptions
from . import parameters
from .network import CheckpointOptions, report_of, title
from .options import architecture_option, json_option, key_options, style_option
from .terminal import print_json, printable

_ENDINGS = (".pth", ".pt", ".bin", ".pth.tar", ".safetensors")


@click.command(short_help="Write a checkpoint as .pth or .safetensors.")
@click.argument("source", metavar="IN")
@click.argument("out", metavar="OUT")
@key_options
@click.option(
    "--input-channels",
    callback=parameters.input_channels,
    default="exact",
    metavar="HOW",
    help="What to do with the stem. exact: nothing; sum: make it for gray images; repeat: for --in-channels; a list of "
    "the file's channels: for these, -1 for zeros (2,1,0 turns BGR into RGB).",
)
@click.option("--in-channels", type=click.IntRange(1, 4096), metavar="N", help="Channels of the new stem.")
@architecture_option
@style_option
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
@json_option
def command(
    source: str,
    out: str,
    load: LoadOptions,
    input_channels: Any,
    in_channels: int | None,
    architecture: str | None,
    style: Literal["pytorch", "caffe"],
    force: bool,
    as_json: bool,
) -> None:
    """Write the weights of IN, a checkpoint in any supported format, to OUT.

    The suffix of OUT selects a zip archive as of torch.save (.pth, .pt, .bin, .pth.tar) or safetensors (.safetensors).
    Both are float32, under torchvision's names, without tensors outside of the backbone. OUT appears only when it is
    complete.

    \b
    backbone convert model_final.pkl resnet50.safetensors
    """
    if not out.lower().endswith(_ENDINGS):
        raise click.UsageError(f"OUT is {out!r}; it must end in {', '.join(_ENDINGS)}")
    channels = _channels(input_channels, in_channels)
    if os.path.lexists(out) and not force:
        raise click.ClickException(f"{out} exists; pass --force to replace it")
    load["input_channels"] = input_channels
    options: dict[str, Any] = {} if channels is None else {"in_channels": channels}
    with CheckpointOptions(load, style, architecture).create(source, **options) as net:
        net.save_weights(out)
        report = report_of(net)
    if as_json:
        print_json(
            {
                "in": source,
                "out": out,
                "depth": net.depth,
                "architecture": net.architecture,
                "in_channels": net.in_channels,
                "loaded": len(report.loaded),
                "missing": list(report.missing),
                "unexpected": list(report.unexpected),
                "warnings": list(report.warnings),
                "bytes": os.path.getsize(out),
            }
        )
        return
    for line in str(report).splitlines():
        # Warnings have been shown.
        if not line.startswith("  warning"):
            click.echo(printable(line))
    click.echo(f"written: {printable(out)}, {title(net)}, {os.path.getsize(out)} bytes")


def _channels(input_channels: Any, in_channels: int | None) -> int | None:
    """Channels of the network's stem; None: those of the file."""
    if input_channels == "repeat":
        if in_channels is None:
            raise click.UsageError("--input-channels repeat needs --in-channels")
        return in_channels
    if in_channels is not None:
        raise click.UsageError("--in-channels is for --input-channels repeat")
    if input_channels == "exact":
        return None
    return 1 if input_channels == "sum" else len(input_channels)
