# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Norms of gradients by depth, before and after training: what an identity beside each block does to them."""

from __future__ import annotations

import argparse
import csv
import io
from dataclasses import dataclass
from pathlib import Path

import backbone
import numpy as np
from backbone import optim
from matplotlib import pyplot

from . import curves
from .data import Images, Normalization, read_folder
from .networks import KINDS
from .training import Settings, read, write

MOMENTS = ("initial", "trained")
_TITLES = {"initial": "new", "trained": "trained"}
# Images of the one backward pass.
_BATCH = 128
COLUMNS = ("network", "moment", "layer", "name", "gradient", "weight")


@dataclass(frozen=True)
class Norm:
    """Euclidean norms of a 3x3 convolution of the trunk.

    Attributes:
        layer: its number, from 1, as the layers of the network's name count them.
        name: that of its weight.
        gradient: of the gradient of the loss.
        weight: of the weight.
    """

    layer: int
    name: str
    gradient: float
    weight: float


def norms(net: backbone.ResNet, images: np.ndarray, labels: np.ndarray) -> list[Norm]:
    """Those of a network in training mode for the mean cross entropy of a batch, which BatchNorms normalise.

    Args:
        net: its running statistics change, its weights do not.
        images: float32, (N, 3, H, W), as the network takes them.
        labels: (N,).
    """
    net.train()
    with net.tape() as tape:
        (logits,) = net.forward_train(images, tape)
        gradients = net.named_slices(net.backward(tape, [optim.cross_entropy(logits, labels)[1]]))
    weights = net.named_slices(net.read_trainable())
    # Neither shortcuts nor the classifier.
    trunk = [name for name in weights if weights[name].shape[2:] == (3, 3)]
    return [
        Norm(number, name, _norm(gradients[name]), _norm(weights[name])) for number, name in enumerate(trunk, start=1)
    ]


def _norm(values: np.ndarray) -> float:
    return float(np.sqrt((values.astype(np.float64) ** 2).sum()))


def measure(names: tuple[str, ...], train: Images, folder: Path, usual: Settings, threads: int) -> list[tuple]:
    """Rows of `COLUMNS`: of each network with new weights, and with those that a run left in a folder, if it did.

    Args:
        usual: of the networks that the folder does not have.
    """
    rows = []
    # The same images for each, that no network has seen more often than others.
    chosen = np.random.default_rng(0).permutation(len(train))[: usual.batch]
    images, labels = Normalization.of(train)(train.pixels[chosen]), train.labels[chosen]
    for name in names:
        path = folder / f"{name}.json"
        record = read(path) if path.exists() else None
        settings = Settings(**record["settings"]) if record else usual
        for moment in MOMENTS if record else MOMENTS[:1]:
            net = KINDS[name].network(len(train.classes), settings.width, threads)
            net.init_weights(seed=settings.seed)
            if moment == "trained":
                net.load_weights(folder / record["state"], strict=True)
            rows += [(name, moment, *vars(norm).values()) for norm in norms(net, images, labels)]
    return rows


def draw(rows: list[tuple], path: Path, note: str) -> None:
    """Norms of gradients over layers, a panel for each moment."""
    moments = [moment for moment in MOMENTS if any(row[1] == moment for row in rows)]
    figure, axes = pyplot.subplots(
        1, len(moments), figsize=(4.6 * len(moments), 3.9), layout="constrained", squeeze=False, sharey=True
    )
    for axis, moment in zip(axes[0], moments, strict=True):
        for name in dict.fromkeys(row[0] for row in rows if row[1] == moment):
            points = [(row[2], row[4]) for row in rows if row[:2] == (name, moment)]
            style = "--" if "plain" in name else "-"
            axis.plot(*zip(*points, strict=True), style, color=curves.COLOURS[name], label=KINDS[name].title)
        axis.set_yscale("log")
        axis.set_title(f"{_TITLES[moment]} weights", loc="left", fontsize=11)
        axis.set_xlabel("layer")
        axis.grid(axis="y", color="#e3e3e3")
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, fontsize=8)
    axes[0, 0].set_ylabel("norm of the gradient of a layer's weight")
    figure.supxlabel(note, fontsize=8)
    curves.save(figure, path)


def summary(rows: list[tuple]) -> str:
    """First and last layer of each network, as Markdown: gradients, their ratio, and the weight of the first layer."""
    lines = [
        "| Network | Weights | First layer | Last layer | First / last | Weight of the first layer |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for name, moment in dict.fromkeys(row[:2] for row in rows):
        own = [row for row in rows if row[:2] == (name, moment)]
        first, last = own[0][4], own[-1][4]
        cells = " | ".join(f"{value:.3g}" for value in (first, last, first / last, own[0][5]))
        lines.append(f"| `{name}` | {_TITLES[moment]} | {cells} |")
    return "\n".join(lines)


def main(arguments: argparse.Namespace) -> None:
    """Print the summary, write gradients.csv and gradients.png."""
    train, _ = read_folder(arguments.folder, arguments.images)
    usual = Settings(epochs=1, width=arguments.width, batch=min(_BATCH, len(train)), seed=arguments.seed)
    rows = measure(arguments.networks, train, arguments.output, usual, arguments.threads)
    arguments.output.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([COLUMNS, *rows])
    write(arguments.output / "gradients.csv", text.getvalue())
    draw(rows, arguments.output / "gradients.png", f"Cross entropy of {usual.batch} training images.")
    print(summary(rows))
