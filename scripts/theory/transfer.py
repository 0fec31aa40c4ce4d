# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What trained weights are worth for another task: random weights, linear probe, last stage, all stages.

Each way is trained by libbackbone and, with --pytorch, by PyTorch from the same weights on the same batches.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import backbone
import numpy as np
from backbone import optim

from .cli import guarded, positive, rate, say
from .data import Images, read_folder
from .idx import has_idx, read_idx
from .training import RunError, write
from .transfer_curves import draw, summary, table

_EVALUATED = 250
OURS = "libbackbone"
PYTORCH = "pytorch"


@dataclass(frozen=True)
class Way:
    """How to begin, and how many stages stay frozen, as `ResNet.freeze` counts them from the end: 0 for all.

    Attributes:
        is_pretrained: whether stem and stages have the weights of the file. The classifier is always new.
        trained_stages: stages that are trained besides the classifier, the last ones; None: all, and the stem.
    """

    is_pretrained: bool
    trained_stages: int | None

    def frozen_stages(self, stages: int) -> int:
        """The number for a network of so many stages."""
        return -1 if self.trained_stages is None else stages - self.trained_stages


WAYS = {
    "random": Way(False, None),
    "probe": Way(True, 0),
    "last": Way(True, 1),
    "all": Way(True, None),
}


@dataclass(frozen=True)
class Plan:
    """What decides the numbers.

    Attributes:
        epochs: passes over the training images.
        learning_rate: of the first step; it falls to 0 along a cosine.
        batch: images of a step.
        momentum: of SGD.
        weight_decay: of SGD.
    """

    epochs: int
    learning_rate: float
    batch: int
    momentum: float = 0.9
    weight_decay: float = 1e-4

    def batches(self, images: Images, seed: int) -> Iterator[Iterator[np.ndarray]]:
        """For each epoch the positions of each batch's images; those that do not fill a batch are left out."""
        for epoch in range(self.epochs):
            order = np.random.default_rng((seed, epoch)).permutation(len(images))
            full = len(order) // self.batch * self.batch
            yield iter(order[:full].reshape(-1, self.batch))

    def schedule(self, images: Images) -> optim.Schedule:
        """The learning rate by step."""
        return optim.Cosine(self.learning_rate, self.epochs * (len(images) // self.batch))


def stages_of(net: backbone.ResNet) -> int:
    """Stages of a network, by the names of its entries, which are torchvision's or, with pre-activation, timm's."""
    return len({match[0] for name in net.state_dict() if (match := re.match(r"layer\d|stages\.\d", name))})


def new_network(weights: Path, way: Way, classes: int, seed: int, threads: int | None) -> backbone.ResNet:
    """A network for another task: with a random classifier, and the other weights of the file if the way says so."""
    options = {"num_classes": classes, "mean": backbone.IMAGENET_MEAN, "std": backbone.IMAGENET_STD, "threads": threads}
    with warnings.catch_warnings():
        # Nobody wants the head of the file.
        warnings.filterwarnings("ignore", "the head of the file", backbone.BackboneWarning)
        try:
            net = backbone.ResNet.from_file(weights, outputs=("logits",), head="new", **options)
        except ValueError as error:
            raise RunError(f"{weights} cannot be used: {error}; give other weights") from error
    loaded = net.state_dict()
    net.init_weights(seed=seed)
    if way.is_pretrained:
        head = {name: value for name, value in net.state_dict().items() if re.match(r"(head\.)?fc\.", name)}
        net.load_state_dict(loaded | head)
    return net.freeze(way.frozen_stages(stages_of(net)))


def fit(net: backbone.ResNet, plan: Plan, train: Images, test: Images, seed: int) -> list[dict[str, float]]:
    """Train a network; the mean loss and the test accuracy of each epoch."""
    optimizer = optim.SGD(net, plan.learning_rate, plan.momentum, weight_decay=plan.weight_decay)
    schedule, step, rows = plan.schedule(train), 0, []
    for epoch in plan.batches(train, seed):
        net.train()
        losses = []
        with net.tape() as tape:
            for chosen in epoch:
                (logits,) = net.forward_train(train.pixels[chosen], tape)
                loss, gradient = optim.cross_entropy(logits, train.labels[chosen])
                optimizer.lr = schedule(step)
                optimizer.step(net.backward(tape, [gradient]))
                losses.append(loss)
                step += 1
        net.eval()
        rows.append({"loss": float(np.mean(losses)), "accuracy": accuracy(net.logits, test)})
    return rows


def accuracy(logits: Callable[[np.ndarray], np.ndarray], images: Images) -> float:
    """The part of images that a function from pixels to logits classifies rightly."""
    right = 0
    for start in range(0, len(images), _EVALUATED):
        part = slice(start, start + _EVALUATED)
        right += int((logits(images.pixels[part]).argmax(1) == images.labels[part]).sum())
    return right / len(images)


def curve(engine: str, way: str, seed: int, arguments: argparse.Namespace, data: tuple[Images, Images]) -> list[dict]:
    """One curve."""
    plan = Plan(arguments.epochs, arguments.learning_rate, arguments.batch)
    net = new_network(arguments.weights, WAYS[way], len(data[0].classes), seed, arguments.threads)
    with net:
        if engine == OURS:
            return fit(net, plan, *data, seed)
        from . import transfer_torch

        return transfer_torch.fit(net, plan, *data, seed, arguments.threads)


def run(arguments: argparse.Namespace) -> None:
    """Compute the curves that the folder does not have yet, then write table and picture."""
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / "transfer.json"
    data = read_data(arguments)
    if len(data[0]) < arguments.batch:
        raise RunError(f"{len(data[0])} training images do not fill a batch; --batch must be at most that")
    settings = {
        "weights": arguments.weights.name,
        "plan": asdict(Plan(arguments.epochs, arguments.learning_rate, arguments.batch)),
        "data": {"train": len(data[0]), "test": len(data[1]), "pixels": "".join(d.fingerprint() for d in data)},
    }
    results = {"settings": settings, "curves": []}
    if path.exists():
        results = read(path)
        if results["settings"] != settings:
            raise RunError(f"{path} is of {results['settings']}, this run of {settings}: give another --output")
    known = {(c["engine"], c["way"], c["seed"]) for c in results["curves"]}
    engines = (OURS, PYTORCH) if arguments.pytorch else (OURS,)
    for seed in range(arguments.seeds):
        for key in ((engine, way, seed) for engine in engines for way in WAYS):
            if key in known:
                continue
            rows = curve(*key, arguments, data)
            results["curves"].append({"engine": key[0], "way": key[1], "seed": seed, "rows": rows})
            write(path, json.dumps(results, indent=1) + "\n")
            say(f"{key[0]:12} {key[1]:7} seed {seed}  accuracy {100 * rows[-1]['accuracy']:.2f} %")
    write(arguments.output / "transfer.csv", table(results["curves"]))
    note = (
        f"{len(data[0])} training and {len(data[1])} test images, {arguments.epochs} epochs, {arguments.seeds} seeds; "
        "bands from the least to the greatest."
    )
    draw(results["curves"], arguments.output / "transfer.png", note)
    print(summary(results["curves"]))


def read(path: Path) -> dict[str, Any]:
    """The curves of an earlier run."""
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        if results.keys() == {"settings", "curves"}:
            return results
    except (OSError, ValueError, AttributeError):
        pass
    raise RunError(f"{path} is not a result of scripts/transfer; remove it, or give another --output")


def read_data(arguments: argparse.Namespace) -> tuple[Images, Images]:
    """Training and test images of the folder, as many as were asked for."""
    if has_idx(arguments.folder):
        return read_idx(arguments.folder, arguments.images, arguments.test_images)
    train, test = read_folder(arguments.folder, arguments.images)
    # Any part of the test images that has its classes mixed.
    chosen = np.sort(np.random.default_rng(0).permutation(len(test))[: arguments.test_images])
    return train, Images(test.pixels[chosen], test.labels[chosen], test.classes)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/transfer", usage="see scripts/transfer --help")
    parser.add_argument("weights", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=positive, default=1000)
    parser.add_argument("--test-images", type=positive, default=2000)
    parser.add_argument("--epochs", type=positive, default=8)
    parser.add_argument("--batch", type=positive, default=50)
    parser.add_argument("--learning-rate", type=rate, default=0.02)
    parser.add_argument("--seeds", type=positive, default=3)
    parser.add_argument("--threads", type=positive)
    parser.add_argument("--pytorch", action="store_true")
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    return guarded(lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
