# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Timing: all engines of a column side by side, one forward pass at a time."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .children import Child, ChildError, python
from .columns import Column
from .engines import VARIANTS
from .machine import Disturbance

# More than this, relative to the largest value of a stage, is not the same function.
LARGEST_ERROR = 1e-2
TIMEOUT = 900.0


@dataclass
class Contestant:
    """One engine with one number of threads."""

    engine: str
    threads: int
    child: Child | None = None
    failure: str | None = None
    samples: list[float] = field(default_factory=list)
    # The first forward pass of each turn.
    paused: list[float] = field(default_factory=list)
    errors: dict[str, float | str] = field(default_factory=dict)
    peak_memory: int = 0

    def fail(self, reason: str) -> None:
        self.failure = reason
        print(f"    {self.engine} with {self.threads} thread{'s' * (self.threads != 1)}: {reason}", file=sys.stderr)
        if self.child:
            self.child.end()

    def check(self) -> None:
        """Compare its last features with the reference; the larger error of two checks stays.

        Raises:
            ChildError: they are not the features.
        """
        for stage, error in self.child.ask("check", TIMEOUT)["errors"].items():
            if isinstance(error, str):
                raise ChildError(f"wrong result, {stage}: {error}")
            self.errors[stage] = max(error, self.errors.get(stage, 0.0))
            if error > LARGEST_ERROR:
                raise ChildError(f"wrong result, {stage} is off by {error:.1g} of its largest value")

    def cell(self, column: Column) -> dict[str, object]:
        """What goes into results.json."""
        timed = self.samples and not self.failure
        return {
            "column": column.key,
            "threads": self.threads,
            "engine": self.engine,
            "failure": self.failure,
            "median_ms": round(statistics.median(self.samples), 3) if timed else None,
            "min_ms": round(min(self.samples), 3) if timed else None,
            "samples_ms": [round(sample, 3) for sample in self.samples],
            "median_after_pause_ms": round(statistics.median(self.paused), 3) if timed else None,
            "samples_after_pause_ms": [round(sample, 3) for sample in self.paused],
            "errors": self.errors,
            "peak_memory": self.peak_memory,
        }


def measure(
    column: Column,
    contestants: list[Contestant],
    runs: int,
    models: Path,
    environment: Callable[[int], dict[str, str]],
    logs: Path,
) -> dict[str, object]:
    """Time every contestant `runs` times on a column, by turns. Returns what goes into results.json.

    Only one process is awake at any time: thread pools of others that wait for work by spinning would take its CPUs.
    Each round goes through all of them, beginning with another one and every second time backwards, so that a machine
    that becomes slower or faster does so for all.
    """
    print(f"==> {column.title}: starting {len(contestants)} processes", file=sys.stderr)
    disturbance = Disturbance()
    for contestant in contestants:
        try:
            start(contestant, column, models, environment(contestant.threads), logs)
        except ChildError as error:
            contestant.fail(str(error))
    began = time.monotonic()
    for number in range(runs):
        waiting = [contestant for contestant in contestants if not contestant.failure]
        shift = number % max(len(waiting), 1)
        order = waiting[shift:] + waiting[:shift]
        for contestant in order[:: -1 if number % 2 else 1]:
            try:
                contestant.child.go_on()
                answer = contestant.child.ask("turn", TIMEOUT)
                contestant.child.stop()
                contestant.samples.append(answer["ns"] / 1e6)
                contestant.paused.append(answer["paused_ns"] / 1e6)
            except ChildError as error:
                contestant.fail(str(error))
        progress(column, number + 1, runs, time.monotonic() - began)
    for contestant in contestants:
        if contestant.failure:
            continue
        try:
            contestant.child.go_on()
            # What was timed were the features, too.
            contestant.check()
            contestant.child.end()
        except ChildError as error:
            contestant.fail(str(error))
    others, stolen = disturbance.percent()
    if others + stolen > 5:
        print(f"warning: {others + stolen:.0f} % of the time went to others", file=sys.stderr)
    return {
        "key": column.key,
        "title": column.title,
        "shape": column.shape,
        "runs": runs,
        "others_percent": others,
        "stolen_percent": stolen,
        "cells": [contestant.cell(column) for contestant in contestants if contestant.engine not in VARIANTS],
        "variants": [contestant.cell(column) for contestant in contestants if contestant.engine in VARIANTS],
    }


def start(contestant: Contestant, column: Column, models: Path, environment: dict[str, str], logs: Path) -> None:
    """Bring a contestant to where it can be timed, and stop it there."""
    threads = str(contestant.threads)
    contestant.child = Child(
        python("worker", contestant.engine, threads, models, column.key),
        environment,
        logs / f"{column.key}-{contestant.engine}-{threads}.log",
    )
    contestant.child.answer(TIMEOUT)
    # Comparing needs memory of its own.
    contestant.peak_memory = contestant.child.peak_memory()
    contestant.check()
    contestant.child.ask("warm", TIMEOUT)
    contestant.child.stop()


def progress(column: Column, done: int, total: int, seconds: float) -> None:
    left = f"{seconds / done * (total - done):.0f} s left"
    if sys.stderr.isatty():
        print(f"\r    round {done} of {total}, {left}    ", end="" if done < total else "\n", file=sys.stderr)
    elif done in (1, total) or done % 5 == 0:
        print(f"    {column.title}: round {done} of {total}, {left}", file=sys.stderr)
