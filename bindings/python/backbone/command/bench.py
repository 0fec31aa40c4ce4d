# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone bench`: the time of a forward pass on this machine."""

from __future__ import annotations

import time

import click
import numpy as np

from .options import json_option, timing_options
from .terminal import print_json, print_table, progress
from .timing import Setup

_QUANTILES = {"min": 0, "p10": 10, "median": 50, "p90": 90, "max": 100}


@click.command(short_help="Measure the time of a forward pass.")
@timing_options
@click.option("--repeat", type=click.IntRange(1, 100_000), metavar="N", default=20, help="Measured forward passes.")
@click.option(
    "--warm-up",
    type=click.IntRange(1, 1000),
    metavar="N",
    default=3,
    help="Forward passes before them: the first one plans, allocates and packs the weights.",
)
@json_option
def command(setup: Setup, repeat: int, warm_up: int, as_json: bool) -> None:
    """Measure one forward pass, from an input in memory to the features: quantiles in milliseconds, and images per
    second.

    Times depend on the weights, which decide how many zeros kernels skip: --weights measures a trained network.

    \b
    backbone bench --depth 50 --size 800x1344 --threads 4
    """
    with setup.open() as net, progress("bench", warm_up + repeat) as advance:
        x = setup.input(net)
        # The features of every forward pass go to the same memory: new pages would be a part of the time.
        out = net(x)
        advance(1)
        for _ in range(warm_up - 1):
            net(x, out)
            advance(1)
        seconds = np.empty(repeat)
        for index in range(repeat):
            start = time.perf_counter()
            net(x, out)
            seconds[index] = time.perf_counter() - start
            advance(1)
        described, title = setup.described(net), setup.heading(net)
    milliseconds = {name: 1000 * float(np.percentile(seconds, q)) for name, q in _QUANTILES.items()}
    rate = setup.batch / float(np.median(seconds))
    if as_json:
        print_json(described | {"repeat": repeat, "milliseconds": milliseconds, "images_per_second": rate})
        return
    columns = [f">{name} ms" for name in milliseconds]
    print_table((*columns, ">images/s"), [(*milliseconds.values(), rate)], title=title)
