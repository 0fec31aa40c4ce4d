# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone layers`: the algorithm and the time of each layer."""

from __future__ import annotations

import dataclasses

import click
import numpy as np

from .. import Layer
from .options import json_option, timing_options
from .terminal import print_json, print_table, progress
from .timing import Setup


@click.command(short_help="List the layers with the time of each.")
@timing_options
@click.option(
    "--repeat",
    type=click.IntRange(1, 10_000),
    metavar="N",
    default=5,
    help="Forward passes; the time of a layer is their median.",
)
@json_option
def command(setup: Setup, repeat: int, as_json: bool) -> None:
    """List the steps of a forward pass in the order of computation: the algorithm of each, its shapes, time and speed.

    Times depend on the weights, which decide how many zeros kernels skip: --weights measures a trained network.
    Operations are those of the layer's definition, two for each product: Winograd's minimal filtering does fewer, so
    GFLOP/s may exceed the peak of the machine. Bytes are activations and packed weights, read or written once.

    \b
    backbone layers --depth 50 --size 800x1344
    """
    with setup.open() as net, progress("layers", repeat + 1) as advance:
        x = setup.input(net)
        runs = []
        # The first one packs weights.
        for index in range(repeat + 1):
            run = net.profile(x)
            runs += [run] if index else []
            advance(1)
        described, title = setup.described(net), setup.heading(net)
    layers = [
        dataclasses.replace(same[0], seconds=float(np.median([layer.seconds for layer in same])))
        for same in zip(*runs, strict=True)
    ]
    if as_json:
        rows = [dataclasses.asdict(layer) for layer in layers]
        print_json(described | {"repeat": repeat, "layers": rows})
        return
    total = sum(layer.seconds for layer in layers)
    operations, size = sum(layer.operations for layer in layers), sum(layer.bytes for layer in layers)
    end = Layer("all", "", (0, 0, 0, 0), (0, 0, 0, 0), operations, size, total)
    names = [(layer.name, layer.kernel, _shape(layer.input_shape), _shape(layer.output_shape)) for layer in layers]
    cells = [(*row, *_numbers(layer, total)) for row, layer in zip(names, layers, strict=True)]
    columns = ("layer", "algorithm", "input", "output", ">ms", ">%", ">GFLOP/s", ">MB")
    print_table(columns, [*cells, ("all", "", "", "", *_numbers(end, total))], title=title, last=True)


def _shape(shape: tuple[int, int, int, int]) -> str:
    return " x ".join(map(str, shape))


def _numbers(layer: Layer, total: float) -> tuple[str, str, str, str]:
    speed = f"{layer.operations / layer.seconds / 1e9:.1f}" if layer.operations and layer.seconds else ""
    return f"{1000 * layer.seconds:.3f}", f"{100 * layer.seconds / total:.1f}", speed, f"{layer.bytes / 1e6:.2f}"
