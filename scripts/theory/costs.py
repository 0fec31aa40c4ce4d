# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What shortcuts cost: parameters, operations and time, beside the plain network."""

from __future__ import annotations

import argparse
import time

import numpy as np
from backbone import optim

from .networks import KINDS
from .training import write

_SIDE = 32
# The first is what the others are compared with.
NETWORKS = ("plain56", "resnet56", "resnet56-b", "resnet56-c", "preact56")


class Measured:
    """A network with the CPU time that steps and forward passes of it took, in seconds."""

    def __init__(self, name: str, width: int, batch: int, threads: int) -> None:
        self.name = name
        self.net = KINDS[name].network(10, width, threads)
        self.net.init_weights(seed=0)
        self.images = np.random.default_rng(0).standard_normal((batch, 3, _SIDE, _SIDE), dtype=np.float32)
        self.labels = np.arange(batch) % 10
        self.steps: list[float] = []
        self.forwards: list[float] = []
        self._optimizer = optim.SGD(self.net, 1e-4, momentum=0.9, weight_decay=1e-4)

    @property
    def operations(self) -> int:
        """Multiplications of the convolutions and the classifier for one image."""
        return sum(layer.operations for layer in self.net.eval().profile(self.images[:1])) // 2

    def turn(self) -> None:
        """Measure the CPU time of a step and of a forward pass, which other processes change less than the time."""
        self.net.train()
        with self.net.tape() as tape:
            started = time.process_time()
            (logits,) = self.net.forward_train(self.images, tape)
            gradients = self.net.backward(tape, [optim.cross_entropy(logits, self.labels)[1]])
            self._optimizer.step(gradients)
            self.steps.append(time.process_time() - started)
        self.net.eval().logits(self.images)
        started = time.process_time()
        self.net.logits(self.images)
        self.forwards.append(time.process_time() - started)


def table(measured: list[Measured]) -> str:
    """A row for each network, as Markdown; CPU times are ratios to the first, the median over rounds."""
    first = measured[0]
    lines = [
        f"| Network | Parameters | beside `{first.name}` | Multiplications, M | Step | Forward pass |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for each in measured:
        more = each.net.trainable_count - first.net.trainable_count
        lines.append(
            f"| `{each.name}` | {each.net.trainable_count:,} | {more:+,} | {each.operations / 1e6:.2f} "
            f"| {_ratio(each.steps, first.steps):.2f} | {_ratio(each.forwards, first.forwards):.2f} |"
        )
    return "\n".join(lines)


def _ratio(times: list[float], others: list[float]) -> float:
    # Round by round: the machine's speed changes between rounds more than within one.
    return float(np.median(np.array(times) / np.array(others)))


def main(arguments: argparse.Namespace) -> None:
    """Print the table and write costs.md."""
    measured = [Measured(name, arguments.width, arguments.batch, arguments.threads) for name in arguments.networks]
    for turn in range(arguments.rounds + 1):
        for each in measured:
            each.turn()
            # The first round has all that happens only once.
            if turn == 0:
                each.steps.clear()
                each.forwards.clear()
    text = table(measured)
    arguments.output.mkdir(parents=True, exist_ok=True)
    write(arguments.output / "costs.md", f"{text}\n")
    print(text)
