# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Federated averaging (McMahan et al. 2017): clients train on images of their own, and exchange weights alone.

    python federated.py hospital-1 hospital-2 --validation both --weights resnet18.pth --output averaged.pth

Each round every client starts from the common network, trains on its folder, and returns its parameters as one vector
(`ResNet.read_trainable`), its running statistics and its number of images. The server averages them. Clients take
turns in this program; between machines the same three things would be sent.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from class_folders import Example, class_names, examples_in, load_batch, shuffled

import backbone
from backbone import optim


class Update(NamedTuple):
    """What a client returns after a round."""

    weights: npt.NDArray[np.float32]
    """Of all trainable parameters, in the order of the state dict."""
    statistics: dict[str, npt.NDArray[np.float32]]
    """Running means and variances of BatchNorms, by name."""
    images: int
    """How many it trained on."""


def averaged(updates: Sequence[Update]) -> tuple[npt.NDArray[np.float32], dict[str, npt.NDArray[np.float32]]]:
    """The mean of the clients, weighted by their images and computed in float64: parameters and statistics.

    Means of BatchNorms are averaged like weights. Variances are those of all images together: the mean variance within
    the clients and the variance of their means.
    """
    total = sum(update.images for update in updates)
    shares = [update.images / total for update in updates]

    def mean(arrays: Sequence[npt.NDArray[np.floating]]) -> npt.NDArray[np.float64]:
        return np.sum([share * array.astype(np.float64) for share, array in zip(shares, arrays, strict=True)], axis=0)

    statistics = {}
    for name in updates[0].statistics:
        values = [update.statistics[name] for update in updates]
        if name.endswith("running_var"):
            means = [update.statistics[name.replace("_var", "_mean")].astype(np.float64) for update in updates]
            common = mean(means)
            values = [value + (own - common) ** 2 for value, own in zip(values, means, strict=True)]
        statistics[name] = mean(values).astype(np.float32)
    return mean([update.weights for update in updates]).astype(np.float32), statistics


def trained(
    net: backbone.ResNet, examples: Sequence[Example], arguments: argparse.Namespace, round_number: int
) -> Update:
    """Train the network on a client's images. The optimiser starts anew in each round."""
    optimizer = optim.SGD(net, lr=arguments.lr, momentum=0.9)
    net.train()
    with net.tape() as tape:
        for epoch in range(arguments.local_epochs):
            for batch in shuffled(examples, arguments.batch, arguments.seed + round_number, epoch):
                if len(batch) < min(2, len(examples)):
                    continue
                images, labels = load_batch(batch, arguments.size)
                (logits,) = net.forward_train(images, tape)
                optimizer.step(net.backward(tape, [optim.cross_entropy(logits, labels)[1]]))
    return Update(net.read_trainable(), statistics_of(net), len(examples))


def statistics_of(net: backbone.ResNet) -> dict[str, npt.NDArray[np.float32]]:
    """Running means and variances, by name."""
    return {name: np.array(buffer.data) for name, buffer in net.named_buffers() if "running" in name}


def restore(
    net: backbone.ResNet, weights: npt.NDArray[np.float32], statistics: dict[str, npt.NDArray[np.float32]]
) -> None:
    """Give a network these parameters and statistics."""
    net.write_trainable(weights)
    for name, value in statistics.items():
        net.get_entry(name).data = value


def evaluated(net: backbone.ResNet, examples: Sequence[Example], arguments: argparse.Namespace) -> tuple[float, float]:
    """Mean loss and accuracy."""
    net.eval()
    loss, correct = 0.0, 0
    for start in range(0, len(examples), arguments.batch):
        images, labels = load_batch(examples[start : start + arguments.batch], arguments.size)
        logits = net.logits(images)
        loss += optim.cross_entropy(logits, labels)[0] * len(labels)
        correct += int((logits.argmax(1) == labels).sum())
    return loss / len(examples), correct / len(examples)


def main() -> None:
    """Train by rounds, print loss and accuracy of the common network, and write it."""
    arguments = parsed_arguments()
    classes = class_names([*arguments.clients, arguments.validation])
    clients = [examples_in(folder, classes) for folder in arguments.clients]
    validation = examples_in(arguments.validation, classes)
    net = backbone.ResNet.from_file(
        arguments.weights,
        head="new",
        outputs=("logits",),
        num_classes=len(classes),
        frozen_stages=arguments.frozen_stages,
        norm_eval=arguments.norm_eval,
        mean=backbone.IMAGENET_MEAN,
        std=backbone.IMAGENET_STD,
    )
    print(f"{len(clients)} clients with {', '.join(str(len(examples)) for examples in clients)} images")
    weights, statistics = net.read_trainable(), statistics_of(net)
    for number in range(1, arguments.rounds + 1):
        updates = []
        for examples in clients:
            restore(net, weights, statistics)
            updates.append(trained(net, examples, arguments, number))
        weights, statistics = averaged(updates)
        restore(net, weights, statistics)
        loss, accuracy = evaluated(net, validation, arguments)
        print(f"round {number:3}  validation loss {loss:.4f}  accuracy {100 * accuracy:6.2f} %", flush=True)
    net.save_weights(arguments.output)


def parsed_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train one network on the images of several clients.")
    parser.add_argument("clients", nargs="+", metavar="FOLDER", help="of each client: a folder of images per class")
    parser.add_argument("--validation", required=True, metavar="FOLDER", help="images to measure the network on")
    parser.add_argument("--weights", required=True, metavar="FILE", help="start from these, with a new classifier")
    parser.add_argument("--output", required=True, metavar="FILE", help="the weights at the end, .pth or .safetensors")
    parser.add_argument("--rounds", type=int, default=10, metavar="N", help="exchanges of weights (default 10)")
    parser.add_argument("--local-epochs", type=int, default=1, metavar="N", help="passes in a round (default 1)")
    parser.add_argument("--batch", type=int, default=32, metavar="N", help="images of a step (default 32)")
    parser.add_argument("--size", type=int, default=224, metavar="N", help="height and width (default 224)")
    parser.add_argument("--lr", type=float, default=0.01, metavar="X", help="the learning rate (default 0.01)")
    parser.add_argument("--frozen-stages", type=int, default=1, metavar="N", help="-1 to 4 (default 1)")
    parser.add_argument("--norm-eval", action="store_true", help="BatchNorms keep their running statistics")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the order of the images (default 0)")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, RuntimeError, FloatingPointError) as error:
        sys.exit(f"federated.py: {error}")
