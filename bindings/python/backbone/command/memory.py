# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone memory`: the memory of a forward pass, by network and size."""

from __future__ import annotations

import math
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

import click
import numpy as np

from .. import IMAGENET_MEAN, IMAGENET_STD, ResNet, architectures
from ..images import Size
from . import parameters
from .group import message_of
from .options import arithmetic_option, json_option, stages_option, threads_option
from .terminal import print_json, print_table, progress

_MIB = 1 << 20


@dataclass(frozen=True)
class _Job:
    """One network and one input."""

    network: str
    shape: tuple[int, int, int, int]
    options: dict[str, Any]


@dataclass(frozen=True)
class _Use:
    """Bytes.

    Attributes:
        weights: the values of the network's entries, as a checkpoint in float32 has them.
        features: what the forward pass writes to.
        peak: by how much the process grew, from before the network was created.
    """

    weights: int
    features: int
    peak: int


def _sizes(context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    sizes: list[Size | None] = [parameters.size(context, parameter, text) for text in texts]
    return tuple(size if isinstance(size, tuple) else (size, size) for size in sizes if size is not None)


@click.command(short_help="Measure the memory of a forward pass.")
@click.argument("networks", nargs=-1, required=True, metavar="NETWORKS...")
@click.option(
    "--size",
    "sizes",
    multiple=True,
    callback=_sizes,
    default=("224",),
    metavar="N|HxW",
    help="Height and width of the input. Repeat it for more columns.",
)
@click.option("--batch", type=click.IntRange(1), default=1, metavar="N", help="Images in the input.")
@stages_option
@arithmetic_option
@threads_option
@json_option
def command(
    networks: tuple[str, ...],
    sizes: tuple[tuple[int, int], ...],
    batch: int,
    stages: tuple[int, ...],
    arithmetic: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Measure how much memory a network needs for forward passes of a size, by which its process grows at most.

    NETWORKS are names of architectures or checkpoints. Each number is from a process of its own, which creates the
    network and computes two forward passes of one uint8 input. It includes the weights, packed weights, activations and
    the outputs, but not the input.

    \b
    backbone memory resnet18 resnet50 --size 224 --size 800x1344
    """
    options = {"out_indices": stages, "arithmetic": arithmetic, "threads": threads}
    uses: dict[str, list[_Use]] = {}
    with progress("memory", len(networks) * len(sizes)) as advance:
        for network in networks:
            uses[network] = []
            for size in sizes:
                uses[network].append(_in_new_process(_Job(network, (batch, 3, *size), options)))
                advance(1)
    if as_json:
        rows = [
            {
                "network": network,
                "weights": use.weights,
                "input": [batch, 3, *size],
                "features": use.features,
                "peak": use.peak,
            }
            for network, of_sizes in uses.items()
            for size, use in zip(sizes, of_sizes, strict=True)
        ]
        print_json({"threads": threads, "arithmetic": arithmetic, "bytes": rows})
        return
    columns = ("MiB", ">weights", *(f">{height} x {width}" for height, width in sizes))
    cells = [
        (network, f"{of_sizes[0].weights / _MIB:.0f}", *(f"{use.peak / _MIB:.0f}" for use in of_sizes))
        for network, of_sizes in uses.items()
    ]
    print_table(columns, cells)


def _in_new_process(job: _Job) -> _Use:
    # Not forked: memory that this process has freed would be used first, and not be counted.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        try:
            result = pool.submit(_measured, job).result()
        except BrokenProcessPool:
            height, width = job.shape[2:]
            raise click.ClickException(
                f"{job.network}: the process that computed {height} x {width} was killed; free memory, or pass a "
                "smaller --size or --batch"
            ) from None
    if isinstance(result, str):
        raise click.ClickException(result)
    return result


def _measured(job: _Job) -> _Use | str:
    """The use of a job by this process, or the message of an error."""
    options: dict[str, Any] = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD, **job.options}
    try:
        image = np.random.default_rng(0).integers(0, 256, job.shape, np.uint8)
        before = _reset_peak()
        if job.network in architectures() and not os.path.exists(job.network):
            net = ResNet(job.network, **options)
        else:
            net = ResNet.from_file(job.network, in_channels=3, **options)
        with net:
            features = net(image)
            net(image, features)
            peak = _status("VmHWM") - before
            weights = sum(4 * math.prod(value.shape) for value in net.state_dict().values())
    except (OSError, ValueError, MemoryError) as error:
        message = message_of(error)
        return message if job.network in message else f"{job.network}: {message}"
    return _Use(weights, sum(feature.nbytes for feature in features), peak)


def _reset_peak() -> int:
    """Let the peak begin anew, so that imports do not count. Returns the bytes from which it counts."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        return _status("VmHWM")
    return _status("VmRSS")


def _status(field: str) -> int:
    """Bytes that the system counts for this process."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(f"{field}:"))
