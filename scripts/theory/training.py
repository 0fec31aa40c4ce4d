# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""One network's training: settings, record and state on disk, from which it goes on to the same bits."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from backbone import optim

from .data import Images, Normalization, batches
from .networks import KINDS

# Images of one forward pass of an evaluation.
_EVALUATED = 250


class RunError(RuntimeError):
    """A run that cannot begin or go on; the message says why and what to do."""


@dataclass(frozen=True)
class Settings:
    """What decides the numbers of a run. Those of the paper, but for epochs and evaluations.

    Attributes:
        epochs: passes over the training images.
        width: channels of the stem.
        learning_rate: of the first half; a tenth of it as of 50 %, a hundredth as of 75 % of the steps.
        batch: images of a step.
        seed: of weights, order, crops and flips.
        evaluations: per epoch; each is a point of the curves, and a state to go on from.
        momentum: of SGD.
        weight_decay: of SGD, norms and biases included.
    """

    epochs: int
    width: int = 16
    learning_rate: float = 0.1
    batch: int = 128
    seed: int = 0
    evaluations: int = 2
    momentum: float = 0.9
    weight_decay: float = 1e-4


class Run:
    """The training of a network in a folder: NAME.json, the record, names the state, NAME.STEP.pth.

    Attributes:
        record: what NAME.json has: "network", "settings", "data", "parameters", "state" and "rows". A row has the
            "step" and "epoch" after which the network was evaluated, "loss" and "train_error" of the augmented images
            since the row before, "test_error", and "cpu_seconds", which the bits do not include.
    """

    def __init__(
        self, name: str, folder: Path, settings: Settings, train: Images, test: Images, threads: int | None = None
    ) -> None:
        self.name, self.folder, self.settings, self.threads = name, folder, settings, threads
        self._train, self._test = train, test
        if len(train) < settings.batch:
            raise RunError(f"{len(train)} training images do not fill a batch; --batch must be at most that")
        self._normalization = Normalization.of(train)
        self.net = KINDS[name].network(len(train.classes), settings.width, threads)
        self._optimizer = optim.SGD(
            self.net, settings.learning_rate, settings.momentum, weight_decay=settings.weight_decay
        )
        self._path = folder / f"{name}.json"
        fresh = {
            "network": name,
            "settings": asdict(settings),
            "data": {"train": len(train), "test": len(test), "pixels": f"{train.fingerprint()}{test.fingerprint()}"},
            "parameters": self.net.trainable_count,
            "state": None,
            "rows": [],
        }
        self.record = self._resumed(fresh)

    @property
    def step(self) -> int:
        """Steps done."""
        return self.record["rows"][-1]["step"] if self.record["rows"] else 0

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.settings.epochs * self._steps_per_epoch

    @property
    def _steps_per_epoch(self) -> int:
        return len(self._train) // self.settings.batch

    def schedule(self) -> optim.Schedule:
        """The learning rate by step."""
        return optim.MultiStep(self.settings.learning_rate, (self.steps // 2, self.steps * 3 // 4))

    def advance(self) -> dict[str, Any]:
        """Train up to the next evaluation, evaluate, save, and return the new row.

        Raises:
            RunError: the loss or a gradient is not finite any more.
            OSError: the state cannot be written; the one before is as it was.
        """
        started = time.process_time()
        # Ends of intervals, rounded alike however often the run was interrupted.
        done = self.step * self.settings.evaluations // self._steps_per_epoch + 1
        end = min(-(-done * self._steps_per_epoch // self.settings.evaluations), self.steps)
        loss, wrong, count = 0.0, 0, 0
        schedule = self.schedule()
        self.net.train()
        stream = batches(self._train, self._normalization, self.settings.batch, self.settings.seed, self.step)
        with self.net.tape() as tape:
            gradients = None
            for step in range(self.step, end):
                images, labels = next(stream)
                (logits,) = self.net.forward_train(images, tape)
                value, gradient = optim.cross_entropy(logits, labels)
                gradients = self.net.backward(tape, [gradient], gradients)
                self._optimizer.lr = schedule(step)
                try:
                    self._optimizer.step(gradients)
                except FloatingPointError as error:
                    raise RunError(f"{self.name} diverged at step {step}: {error}; lower --learning-rate") from error
                loss += value * len(labels)
                wrong += int((logits[:, :, 0, 0].argmax(1) != labels).sum())
                count += len(labels)
        row = {
            "step": end,
            "epoch": end / self._steps_per_epoch,
            "lr": schedule(end - 1),
            "loss": loss / count,
            "train_error": wrong / count,
            "test_error": self.error(self._test),
            "cpu_seconds": round(time.process_time() - started, 1),
        }
        self._save(row)
        return row

    def error(self, images: Images) -> float:
        """The part of images that the network classifies wrongly, without augmentation."""
        self.net.eval()
        wrong = 0
        for start in range(0, len(images), _EVALUATED):
            part = slice(start, start + _EVALUATED)
            logits = self.net.logits(self._normalization(images.pixels[part]))
            wrong += int((logits.argmax(1) != images.labels[part]).sum())
        return wrong / len(images)

    def _save(self, row: dict[str, Any]) -> None:
        state = self.folder / f"{self.name}.{row['step']}.pth"
        self._optimizer.save(state)
        record = self.record | {"state": state.name, "rows": [*self.record["rows"], row]}
        # Whatever happens, the record names a state that is complete.
        write(self._path, json.dumps(record, indent=1) + "\n")
        if self.record["state"]:
            (self.folder / self.record["state"]).unlink(missing_ok=True)
        self.record = record

    def _resumed(self, fresh: dict[str, Any]) -> dict[str, Any]:
        if not self._path.exists():
            self.net.init_weights(seed=self.settings.seed)
            return fresh
        record = read(self._path)
        for part in ("settings", "data", "parameters"):
            if record[part] != fresh[part]:
                raise RunError(
                    f"{self._path} has {part} {record[part]}, this run {fresh[part]}: "
                    "give the same options and images, or another --output"
                )
        try:
            self._optimizer.load(self.folder / record["state"])
        except (OSError, ValueError, RuntimeError) as error:
            raise RunError(f"{self._path} cannot go on: {error}; remove it to begin again") from error
        return record


def read(path: Path) -> dict[str, Any]:
    """A record.

    Raises:
        RunError: the file is not one.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if {"network", "settings", "data", "parameters", "state", "rows"} <= record.keys() and record["rows"]:
            return record
    except (OSError, ValueError, AttributeError):
        pass
    raise RunError(f"{path} is not a record of scripts/degradation; remove it, or give another --output")


def write(path: Path, text: str) -> None:
    """A file that is complete or as it was before."""
    partial = path.with_name(f"{path.name}.partial")
    with open(partial, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)

