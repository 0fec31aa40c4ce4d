# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""A process of `beside`: `python -m benchmark.beside_worker ENGINE COMPANION SIDE WORK`; SIDE is ours, theirs or both.

"Ours" are forward passes of the engine: a ResNet-50 on an image of 224 x 224 with one thread for each CPU.

It loads its side, computes once, and says so. After that it does what its parent asks; answers are in milliseconds:

    loop ours       forward passes one after the other, median and least; the companion, if any, is idle
    loop theirs     the same for the companion's computation
    pause ours N    forward passes after pauses of N milliseconds
    pause theirs N
    turns           the companion and a forward pass by turns: both of both
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .channel import Channel
from .columns import STARTUP_COLUMN
from .companions import COMPANIONS
from .engines import engine

SETTLE_SECONDS = 0.15
CALLS = 7


def ours(name: str, models: Path) -> Callable[[], object]:
    net = engine(name).Engine(len(os.sched_getaffinity(0)))
    net.load(models, STARTUP_COLUMN)
    net.set_input(np.load(models / "case" / STARTUP_COLUMN.key / "input.npy"))
    return net.forward


def milliseconds(call: Callable[[], object]) -> float:
    started = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - started) / 1e6


def summary(times: list[float]) -> dict[str, float]:
    return {"ms": statistics.median(times), "least": min(times)}


def loop(call: Callable[[], object]) -> list[float]:
    settled = time.perf_counter() + SETTLE_SECONDS
    while time.perf_counter() < settled:
        call()
    return [milliseconds(call) for _ in range(CALLS)]


def after_pauses(call: Callable[[], object], pause: float) -> list[float]:
    times = []
    for _ in range(CALLS + 1):
        time.sleep(pause / 1e3)
        times.append(milliseconds(call))
    return times[1:]


def by_turns(calls: dict[str, Callable[[], object]]) -> dict[str, dict[str, float]]:
    times = [{side: milliseconds(call) for side, call in calls.items()} for _ in range(CALLS + 1)]
    return {side: summary([sample[side] for sample in times[1:]]) for side in calls}


def serve(channel: Channel, name: str, companion: str, side: str, work: Path) -> None:
    calls = {}
    if side != "ours":
        calls["theirs"] = COMPANIONS[companion](work)
    if side != "theirs":
        calls["ours"] = ours(name, work / "models")
    for call in calls.values():
        call()
    channel.send()
    for line in sys.stdin:
        match line.split():
            case ["loop", which]:
                channel.send(**summary(loop(calls[which])))
            case ["pause", which, pause]:
                channel.send(**summary(after_pauses(calls[which], float(pause))))
            case ["turns"]:
                channel.send(**by_turns(calls))


def main() -> int:
    channel = Channel()
    name, companion, side, work = sys.argv[1:]
    return channel.guarded(lambda: serve(channel, name, companion, side, Path(work)))


if __name__ == "__main__":
    sys.exit(main())
