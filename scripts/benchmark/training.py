# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""A training step here and in PyTorch, by turns: `scripts/bench --training` prints tables, with `--save` keeps them.

A step is a forward pass, a backward pass from gradients of C3 to C5 and an update by SGD with momentum: batch 8, images
of 224 x 224, stem and layer1 frozen, two threads. Each case has a process for each engine, of which one is awake at a
time. What counts is the ratio within a round, since machines drift. A second table, not of a library that is given,
tells what a step here is made of.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
from pathlib import Path

from .arguments import positive
from .children import Child, end_all, python
from .page import Page

LOGS = Path(__file__).resolve().parents[2] / ".build" / "bench"
TIMEOUT = 300.0
ROUNDS = 7
ENGINES = {"ours": "libbackbone", "module": "torch.Backbone", "pytorch": "PyTorch, channels_last"}
# Names of parts as backbone-bench prints them, for people.
PARTS = {
    "median": "step",
    "frozen": "frozen stages",
    "packing": "packing of weights",
    "forward": "forward convolutions",
    "dataGradients": "gradients of inputs",
    "weightGradients": "gradients of weights",
    "rest": "norms, ReLU, pooling, sums",
    "optimizer": "SGD with momentum",
}
CASES = [(50, "norm_eval"), (50, "batch"), (18, "norm_eval"), (18, "batch")]


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench --training", usage="see scripts/bench --help")
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--runs", type=positive, default=ROUNDS)
    parser.add_argument("--tool", type=Path)
    parser.add_argument("--save", action="store_true")
    arguments = parser.parse_args()
    environment = dict(os.environ, BACKBONE_LIBRARY=str(arguments.library), OMP_NUM_THREADS="2")
    page = Page("scripts/bench --training", arguments.runs)
    page.write(
        "| network | norms | engine | ms | of PyTorch | peak MiB | of PyTorch |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: |",
    )
    try:
        for depth, norms in CASES:
            page.write(*measure(depth, norms, arguments.runs, environment))
    finally:
        end_all()
    if tool := arguments.tool:
        page.write("", f"What a step is made of, in ms (GFLOP/s of the definition), two threads; {limit(tool)}:", "")
        page.write(*breakdown(tool, arguments.runs))
    if arguments.save:
        page.save("training.md", "Training steps")


def measure(depth: int, norms: str, rounds: int, environment: dict[str, str]) -> list[str]:
    """The rows of a case."""
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
    rows = []
    for name, label in ENGINES.items():
        ratio = statistics.median(a / b for a, b in zip(times[name], times["pytorch"], strict=True))
        rows.append(
            f"| ResNet-{depth} | {norms} | {label} | {statistics.median(times[name]):.0f} | {ratio:.2f} "
            f"| {memory[name] >> 20} | {memory[name] / memory['pytorch']:.2f} |"
        )
        children[name].end()
    return rows


def limit(tool: Path) -> str:
    """What the two cores can multiply at most."""
    speed = re.search(r"2 threads: ([\d.]+) GFLOP/s", bench(tool, "peak", "--threads", "2"))
    return f"the cores can multiply at {speed[1]} GFLOP/s" if speed else "the limit is not known"


def breakdown(tool: Path, rounds: int) -> list[str]:
    """A table of the parts of steps."""
    columns = []
    for depth, norms in CASES:
        options = ["--architecture", f"resnet{depth}", "--norms", norms.removeprefix("norm_"), "--runs", str(rounds)]
        text = bench(tool, "training", "--batch", "8", "--threads", "2", *options)
        columns.append(re.findall(r"^(\w+) ([\d.]+) ms(?:, ([\d.]+) GFLOP/s)?", text, re.MULTILINE))
    rows = ["| part | " + " | ".join(f"ResNet-{depth}, {norms}" for depth, norms in CASES) + " |"]
    rows.append("| --- |" + " ---: |" * len(CASES))
    for cells in zip(*columns, strict=True):
        name = PARTS[cells[0][0]]
        texts = [f"{float(ms):.0f}" + (f" ({float(speed):.0f})" if speed else "") for _, ms, speed in cells]
        rows.append(f"| {name} | " + " | ".join(texts) + " |")
    return rows


def bench(tool: Path, *arguments: str) -> str:
    """What `backbone-bench` prints."""
    return subprocess.run([tool, *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    main()
