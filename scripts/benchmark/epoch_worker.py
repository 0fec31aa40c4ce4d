# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""A process of `epoch`: `python -m benchmark.epoch_worker ENGINE DEPTH NORMS FOLDER BATCH ROUNDS FILES`.

ENGINE is "weights", which writes those that both begin with; "ours"; or "pytorch". The latter say when they are ready.
After that they train an epoch for each line they read, one more than ROUNDS, and answer with its seconds.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .channel import Channel

SIZE = 224
# Few steps change the weights little: each epoch is as much work as the one before.
RATE = 1e-3
MOMENTUM = 0.9
DECAY = 1e-4
WORKERS = 2
THREADS = 2


@dataclass(frozen=True)
class Case:
    depth: int
    norm_eval: bool
    folder: Path
    batch: int
    rounds: int
    files: Path

    @property
    def weights(self) -> Path:
        return self.files / f"resnet{self.depth}.pth"


def weights(case: Case, channel: Channel) -> None:
    from backbone.training import read_dataset

    from .models import new_classifier

    new_classifier(f"resnet{case.depth}", case.weights, len(read_dataset(case.folder, fraction=0).classes))
    channel.send(ready=True)


def ours(case: Case, channel: Channel) -> None:
    """What `backbone train FOLDER --frozen-stages 1 --validation-fraction 0` does."""
    import backbone
    from backbone.training import Observer, Recipe, Trainer, read_dataset

    class Rounds(Observer):
        def on_epoch_begin(self, epoch: int, step: int) -> None:
            wait_for_line()

        def on_epoch_end(self, row: Any) -> None:
            channel.send(seconds=row["seconds"], images=row["images"], loss=row["loss"])

    data = read_dataset(case.folder, fraction=0)
    recipe = Recipe(
        epochs=1 + case.rounds, batch=case.batch, lr=RATE, momentum=MOMENTUM, weight_decay=DECAY, decay_all=True,
        schedule="constant", size=SIZE,
    )
    output = case.files / "ours"
    shutil.rmtree(output, ignore_errors=True)
    with backbone.ResNet.from_file(
        case.weights, outputs=("logits",), mean=backbone.IMAGENET_MEAN, std=backbone.IMAGENET_STD, frozen_stages=1,
        norm_eval=case.norm_eval, threads=THREADS, head="exact",
    ) as net:
        trainer = Trainer(net, data, recipe, output, decoders=WORKERS, save_every=0, observer=Rounds())
        channel.send(ready=True)
        trainer.run()


def pytorch(case: Case, channel: Channel) -> None:
    """As a reference script does it: ImageFolder, transforms, a DataLoader with workers, a loop."""
    import torch
    from torch.utils.data import DataLoader

    from .models import torchvision_resnet, train_but_the_first

    networks = torchvision_resnet()
    from torchvision import datasets, transforms

    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    changes = [
        transforms.RandomResizedCrop(SIZE),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ]
    top = case.folder / "train" if (case.folder / "train").is_dir() else case.folder
    data = datasets.ImageFolder(str(top), transforms.Compose(changes))
    # A last step of one image is left out there too.
    drops = len(data) % case.batch == 1
    loader = DataLoader(
        data, case.batch, shuffle=True, num_workers=WORKERS, persistent_workers=True, drop_last=drops
    )
    model = getattr(networks, f"resnet{case.depth}")(num_classes=len(data.classes))
    model.load_state_dict(torch.load(case.weights, weights_only=True))
    model = model.to(memory_format=torch.channels_last)
    train_but_the_first(model, case.norm_eval)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, RATE, MOMENTUM, weight_decay=DECAY)
    loss_of = torch.nn.CrossEntropyLoss()
    channel.send(ready=True)
    for _ in range(1 + case.rounds):
        wait_for_line()
        total, count, correct = 0.0, 0, 0
        started = time.perf_counter()
        for images, labels in loader:
            logits = model(images.to(memory_format=torch.channels_last))
            loss = loss_of(logits, labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
            correct += int((logits.argmax(1) == labels).sum())
            count += len(labels)
        seconds = time.perf_counter() - started
        channel.send(seconds=seconds, images=count, loss=total / count)


def wait_for_line() -> None:
    if not sys.stdin.readline():
        raise EOFError("the parent has ended")


def main() -> int:
    channel = Channel()

    def work() -> None:
        engine, depth, norms, folder, batch, rounds, files = sys.argv[1:]
        engines: dict[str, Callable[[Case, Channel], None]] = {"weights": weights, "ours": ours, "pytorch": pytorch}
        case = Case(int(depth), norms == "norm_eval", Path(folder), int(batch), int(rounds), Path(files))
        engines[engine](case, channel)

    return channel.guarded(work)


if __name__ == "__main__":
    sys.exit(main())
