# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone heatmap`: where the features of an image are strong, as a picture."""

from __future__ import annotations

import os

import click

from .heat import HeatMap, Measure
from .network import NetworkOptions
from .options import Preparation, json_option, network_options, opacity_option, preparation_options, stages_option
from .outputs import written
from .parameters import STAGES
from .sheet import NARROW, THEMES, sheet_of
from .terminal import print_json, print_table


@click.command(short_help="Draw C2 to C5 over an image.")
@click.argument("image")
@network_options
@click.option("--out", "-o", metavar="FILE", help="A PNG.  [default: cat-heatmap.png here, for cat.jpg]")
@stages_option
@click.option(
    "--measure",
    type=click.Choice(["l2", "mean"]),
    default="l2",
    help="Value of a position: the Euclidean norm of its channels, or the mean of their absolute values.",
)
@opacity_option(0.7)
@click.option("--pixelated", is_flag=True, help="Positions as squares; otherwise colours are bilinear between them.")
@click.option("--theme", type=click.Choice(list(THEMES)), default="light", help="Colours around the pictures.")
@click.option(
    "--width",
    type=click.IntRange(100, 20_000),
    metavar="N",
    show_default="pictures of the input's size",
    help=f"Pixels of the PNG's width. A PNG narrower than {NARROW} has its pictures in rows of three.",
)
@preparation_options
@json_option
def command(
    image: str,
    network: NetworkOptions,
    preparation: Preparation,
    out: str | None,
    stages: tuple[int, ...],
    measure: Measure,
    opacity: float,
    pixelated: bool,
    theme: str,
    width: int | None,
    as_json: bool,
) -> None:
    """Draw how strongly each stage responds at each position: a PNG with IMAGE, and C2 to C5 in colours over gray.

    Each stage has its own scale, from percentile 1 (dark violet) to percentile 99.5 (pale yellow), with its values
    below. Images longer than 640 pixels are scaled down to that, unless --resize, --crop or --max-size say otherwise.

    \b
    backbone heatmap cat.jpg -w resnet50.pth
    """
    out = out or os.path.splitext(os.path.basename(image))[0] + "-heatmap.png"
    if not out.lower().endswith(".png"):
        raise click.UsageError(f"--out is {out!r}; it must end in .png")
    picture = preparation.shown(image)
    with network.open([STAGES[stage] for stage in stages]) as net:
        features = net(picture.transpose(2, 0, 1)[None])
        maps = {
            name: HeatMap.of(feature[0], stride, measure)
            for name, feature, stride in zip(net.outputs, features, net.out_strides, strict=True)
        }
    with written(out) as file:
        sheet = sheet_of(
            picture, maps, opacity, measure=measure, pixelated=pixelated, theme=theme, width=width
        )
        sheet.save(file, "PNG")
    shapes = {name: feature.shape[1:] for name, feature in zip(maps, features, strict=True)}
    if as_json:
        rows = {
            name: {"shape": shapes[name], "stride": heat.stride, "low": heat.low, "high": heat.high}
            for name, heat in maps.items()
        }
        pixels = {"size": picture.shape[:2], "mean": list(network.mean), "std": list(network.std)}
        print_json({"out": out, **pixels, "measure": measure, "stages": rows})
        return
    network.print_normalization()
    print_table(
        ("stage", "shape (C, H, W)", ">stride", ">darkest at", ">brightest at"),
        [(name, shapes[name], heat.stride, heat.low, heat.high) for name, heat in maps.items()],
    )
    click.echo(f"written: {out}")
