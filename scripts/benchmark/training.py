# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""A training step here and in PyTorch, by turns: `scripts/bench --training` prints a table.

A step is a forward pass, a backward pass from gradients of C3 to C5 and an update by SGD with momentum: batch 8, images
of 224 x 224, stem and layer1 frozen, two threads. For each case there is a process for each engine, of which one is
awake at a time. What counts is the ratio within a round, since machines drift.
"""

from __future__ import annotations

import argparse
import os
import statistics
from pathlib import Path

from .arguments import positive
from .children import Child, end_all, python
from .machine import machine

LOGS = Path(__file__).resolve().parents[2] / ".build" / "bench"
TIMEOUT = 300.0
ROUNDS = 7
ENGINES = {"ours": "libbackbone", "module": "torch.Backbone", "pytorch": "PyTorch, channels_last"}
CASES = [(50, "norm_eval"), (50, "batch"), (18, "norm_eval"), (18, "batch")]


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench --training", usage="see scripts/bench --help")
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--runs", type=positive, default=ROUNDS)
    arguments = parser.parse_args()
    environment = dict(os.environ, BACKBONE_LIBRARY=str(arguments.library), OMP_NUM_THREADS="2")
    about = machine()
    model = f"family {about['cpu_family']}, model {about['cpu_model']}"
    print(f"{about['cpu']} ({model}), {about['busy_percent']} % busy\n")
    print("| network | norms | engine | ms | of PyTorch | peak MiB | of PyTorch |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: |")
    try:
        for depth, norms in CASES:
            measure(depth, norms, arguments.runs, environment)
    finally:
        end_all()


def measure(depth: int, norms: str, rounds: int, environment: dict[str, str]) -> None:
    """Print the rows of a case."""
    children = {}
    for name in ENGINES:
        command = python("training_worker", name, str(depth), norms)
        children[name] = Child(command, environment, LOGS / f"training-{name}-{depth}-{norms}.log")
        # Two steps that are not counted.
        children[name].answer(TIMEOUT)
        children[name].stop()
    times: dict[str, list[float]] = {name: [] for name in ENGINES}
    for _ in range(rounds):
        for name, child in children.items():
            child.go_on()
            times[name].append(child.ask("step", TIMEOUT)["ms"])
            child.stop()
    memory = {name: child.peak_memory() for name, child in children.items()}
    for name, label in ENGINES.items():
        ratio = statistics.median(a / b for a, b in zip(times[name], times["pytorch"], strict=True))
        print(
            f"| ResNet-{depth} | {norms} | {label} | {statistics.median(times[name]):.0f} | {ratio:.2f} "
            f"| {memory[name] >> 20} | {memory[name] / memory['pytorch']:.2f} |",
            flush=True,
        )
        children[name].end()


if __name__ == "__main__":
    main()
