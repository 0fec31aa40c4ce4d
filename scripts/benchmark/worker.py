# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The process of one engine: `python -m benchmark.worker ENGINE THREADS MODELS COLUMN`.

It loads the network, does a first forward pass and says so. After that it does what its parent asks:

    check   compare the features of the last forward pass with PyTorch's in float64
    warm    forward passes until times no longer depend on it
    turn    the forward after a pause, more until a fifth of a second is over, and then the one that counts: the first
            ones find caches full of what other engines left there and threads asleep, perhaps all on one CPU
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from . import artifacts
from .channel import Channel
from .columns import BY_KEY, STAGES
from .engines import VARIANTS, engine, zeros

WARM_FORWARDS = 2
WARM_SECONDS = 0.5
SETTLE_SECONDS = 0.2


def main() -> int:
    channel = Channel()
    name, threads, models, key = sys.argv[1:]
    return channel.guarded(lambda: work(channel, name, int(threads), Path(models), key))


def work(channel: Channel, name: str, threads: int, models: Path, key: str) -> None:
    column = BY_KEY[key]
    case = artifacts.folder(models, "case", column, zeros(name))
    start = time.perf_counter_ns()
    net = engine(name).Engine(threads)
    imported = time.perf_counter_ns()
    if name in VARIANTS:
        net.load_file(artifacts.weights_file(models, column, zeros(name)), column)
    else:
        net.load(models, column)
    loaded = time.perf_counter_ns()
    net.set_input(np.load(case / "input.npy"))
    first = timed(net)
    channel.send(import_ns=imported - start, load_ns=loaded - imported, first_ns=first)
    for line in sys.stdin:
        command = line.strip()
        if command == "check":
            channel.send(errors=errors(net.outputs(), case))
        elif command == "warm":
            warm(net)
            channel.send()
        elif command == "turn":
            start = time.perf_counter()
            paused = timed(net)
            while time.perf_counter() - start < SETTLE_SECONDS:
                net.forward()
            channel.send(paused_ns=paused, ns=timed(net))


def timed(net) -> int:
    start = time.perf_counter_ns()
    net.forward()
    return time.perf_counter_ns() - start


def warm(net) -> None:
    # Nothing of Python shall run in the middle of what is timed.
    import gc

    gc.collect()
    gc.disable()
    done = 0
    start = time.perf_counter()
    while done < WARM_FORWARDS or time.perf_counter() - start < WARM_SECONDS:
        net.forward()
        done += 1


def errors(outputs: list[np.ndarray], case: Path) -> dict[str, float | str]:
    """For each stage the largest error relative to the largest value; text if it has no such number."""
    result: dict[str, float | str] = {}
    for stage, output in zip(STAGES, outputs, strict=True):
        expected = np.load(case / f"{stage}.npy", mmap_mode="r")
        if output.shape != expected.shape:
            result[stage] = f"shape {output.shape} instead of {expected.shape}"
        elif not np.isfinite(output).all():
            result[stage] = "not all finite"
        else:
            result[stage] = float(np.abs(output - expected).max() / np.abs(expected).max())
    return result


if __name__ == "__main__":
    sys.exit(main())
