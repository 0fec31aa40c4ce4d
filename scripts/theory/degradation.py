# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Several networks trained in turn, with the figures of all that a folder has."""

from __future__ import annotations

import argparse
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import curves
from .cli import say
from .data import read_folder
from .networks import DEGRADATION, KINDS, SHORTCUTS
from .training import Run, RunError, Settings, read

# Options that are those of `Settings`.
SETTINGS = ("epochs", "width", "learning_rate", "batch", "seed", "evaluations")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a folder to this process.

    Raises:
        RunError: another one has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(f"another process writes to {folder}; wait for it or give another --output") from error
        yield


def train(arguments: argparse.Namespace) -> None:
    """Train all networks in turn, an evaluation each, so that their curves can be compared at any time."""
    with locked(arguments.output):
        settings = Settings(**{name: getattr(arguments, name) for name in SETTINGS})
        images = read_folder(arguments.folder, arguments.images)
        say(f"{len(images[0])} training and {len(images[1])} test images, {len(images[0].classes)} classes")
        runs = [Run(name, arguments.output, settings, *images, arguments.threads) for name in arguments.networks]
        draw(arguments.output)
        while unfinished := [run for run in runs if run.step < run.steps]:
            run = min(unfinished, key=lambda run: run.step)
            row = run.advance()
            say(
                f"{run.name:12} epoch {row['epoch']:6.2f} of {settings.epochs}  loss {row['loss']:.4f}  "
                f"training error {100 * row['train_error']:5.2f} %  test error {100 * row['test_error']:5.2f} %"
            )
            if len({run.step for run in runs}) == 1:
                draw(arguments.output)
        print(curves.summary([run.record for run in runs]))


def draw(folder: Path) -> None:
    """Write the table and the figures of all records in a folder.

    degradation.png has plain and residual networks side by side, shortcuts.png those of 56 layers by what is added.
    """
    records = {path.stem: read(path) for path in sorted(folder.glob("*.json")) if path.stem in KINDS}
    if not records:
        return
    ordered = [records[name] for name in KINDS if name in records]
    curves.write_table(ordered, folder / "degradation.csv")
    panels = {
        title: [records[name] for name in DEGRADATION if name in records and name.startswith(start)]
        for title, start in (("plain", "plain"), ("residual", "resnet"))
    }
    if any(panels.values()):
        curves.draw(panels, folder / "degradation.png", described(ordered))
    shortcuts = [records[name] for name in SHORTCUTS if name in records]
    if len(shortcuts) > 1:
        curves.draw({"56 layers, by shortcut": shortcuts}, folder / "shortcuts.png", described(shortcuts))


def described(records: list[dict[str, Any]]) -> str:
    """What was trained, for the line below a figure."""
    texts = []
    for record in records:
        settings, data = record["settings"], record["data"]
        text = (
            f"{data['train']} training and {data['test']} test images; a run of {settings['epochs']} epochs, "
            f"batch {settings['batch']}, width {settings['width']}, seed {settings['seed']}"
        )
        if text not in texts:
            texts.append(text)
    return "; ".join(texts) + "."
