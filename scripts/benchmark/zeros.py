# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The share of zeros in the measured networks, and the time that they save: `scripts/bench --zeros` prints a table.

The time of a convolution that skips the zeros of a ReLU depends on the image. Without zeros means the network of the
table of engines that has none.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch

from . import artifacts, models
from .columns import BY_KEY, Column

WORK = Path(__file__).resolve().parents[2] / ".build" / "bench"
COLUMNS = ("resnet50-224", "resnet101-224")
ROUNDS = 15


def nonzero(column: Column, weights: Path, image: np.ndarray) -> tuple[float, str, str]:
    """Of the inputs of 1x1 convolutions, the share that is not zero, weighted by multiplications, and in percent from
    the least to the most: those before the last convolution of a block, and those of whole blocks."""
    features = models.load(column.network, weights)
    shares: dict[str, list[tuple[float, int]]] = {"conv3": [], "block": []}

    def see(name: str, module: torch.nn.Conv2d, x: torch.Tensor, y: torch.Tensor) -> None:
        kind = "conv3" if name.endswith("conv3") else "block"
        shares[kind].append((float((x != 0).float().mean()), y.numel() * module.in_channels))

    for name, module in features.named_modules():
        if isinstance(module, torch.nn.Conv2d) and module.kernel_size == (1, 1):
            module.register_forward_hook(lambda module, x, y, name=name: see(name, module, x[0], y))
    with torch.inference_mode():
        features(torch.from_numpy(image))
    every = shares["conv3"] + shares["block"]
    weighted = sum(share * count for share, count in every) / sum(count for _, count in every)
    ranges = [[share for share, _ in shares[kind]] for kind in ("conv3", "block")]
    between, blocks = (f"{min(values) * 100:.0f} to {max(values) * 100:.0f}" for values in ranges)
    return weighted, between, blocks


def times(column: Column, weights: list[Path], image: np.ndarray) -> list[float]:
    """Milliseconds of a forward pass on one thread, for each of these weights: medians of rounds in which they take
    turns."""
    import backbone

    nets = [backbone.ResNet(column.depth, threads=1) for _ in weights]
    for net, path in zip(nets, weights, strict=True):
        net.load_weights(path)
    samples: list[list[float]] = [[] for _ in nets]
    for _ in range(ROUNDS):
        for net, own in zip(nets, samples, strict=True):
            net(image)
            start = time.perf_counter()
            net(image)
            own.append((time.perf_counter() - start) * 1e3)
    return [statistics.median(own) for own in samples]


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench --zeros", usage="see scripts/bench --help")
    parser.add_argument("--library", type=Path, required=True)
    os.environ["BACKBONE_LIBRARY"] = str(parser.parse_args().library)
    logs = WORK / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    print("|  | 1x1, weighted | between convolutions | before a block | 1 thread | without zeros |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for column in map(BY_KEY.__getitem__, COLUMNS):
        print(f"==> {column.title}, {ROUNDS} rounds", file=sys.stderr)
        for kind in ("weights", "case", "weights-none"):
            artifacts.prepare(WORK / "models", kind, column, dict(os.environ), logs / f"make-{kind}.log")
        files = [artifacts.weights_file(WORK / "models", column, zeros) for zeros in ("random", "none")]
        image = np.load(WORK / "models" / "case" / column.key / "input.npy")
        weighted, between, blocks = nonzero(column, files[0], image)
        own, dense = times(column, files, image)
        print(
            f"| {column.title} | {weighted * 100:.0f} % | {between} % | {blocks} % | {own:.1f} ms | {dense:.1f} ms |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
