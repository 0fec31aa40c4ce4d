# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone train`: a classifier from a folder of images."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import click

from ..images import MAX_PIXELS
from ..training import Stopped, Trainer, read_dataset, read_notes
from .group import Interrupted
from .network import NetworkOptions, print_normalization, title
from .options import initial_network_options, json_option
from .recipe import recipe_options
from .terminal import counted_images, print_json, printable
from .training_display import Display
from .training_network import new_network, saved_network
from .training_settings import beside_recipe, check_classes, check_same, chosen_settings, recipe_of


class _Terminated(Interrupted):
    """SIGTERM has stopped the work."""

    exit_code = 128 + signal.SIGTERM


@click.command(short_help="Train a classifier on a folder of images.")
@click.argument("folder", metavar="FOLDER")
@initial_network_options
@click.option(
    "--output",
    "-o",
    metavar="DIR",
    required=True,
    help="Where to write last.pth, best.pth, classes.txt, curves.csv and curves.png; created if it is missing.",
)
@click.option("--resume", is_flag=True, help="Go on from DIR/last.pth; begin if it is missing.")
@click.option(
    "--validation", metavar="FOLDER", help="Folders of classes for validation, in place of those below FOLDER."
)
@click.option(
    "--validation-fraction",
    type=click.FloatRange(0, 1, max_open=True),
    metavar="X",
    show_default="0.1",
    help="The fraction of each class for validation, if it has no folder; 0 for none.",
)
@recipe_options
@click.option("--save-every", type=click.IntRange(0), metavar="N", default=500, help="Steps between saves; 0: epochs.")
@click.option("--decoders", type=click.IntRange(1, 64), metavar="N", default=2, help="Threads that decode ahead.")
@click.option(
    "--max-pixels", type=click.IntRange(1), metavar="N", default=MAX_PIXELS, help="Skip larger images, with a warning."
)
@json_option
def command(
    folder: str,
    network: NetworkOptions,
    output: str,
    resume: bool,
    validation: str | None,
    validation_fraction: float | None,
    given: dict[str, Any],
    save_every: int,
    decoders: int,
    max_pixels: int,
    as_json: bool,
) -> int:
    """Train a classifier on FOLDER, which has one folder of images per class, or such folders below train and val.

    The network is that of --weights, or with random weights that of --architecture. A classifier of another number of
    classes is replaced by a new one. Without a folder val (or valid, validation, test), a tenth of each class is held
    out for validation.

    Ctrl-C and SIGTERM save the state. --resume continues from there, or after a crash from the last save, and ends with
    the same bits as an uninterrupted run; options that are not given are those of the first run. Damaged images are
    named once and skipped.

    \b
    Fine-tuning:     backbone train flowers -w resnet18.pth -o trained --frozen-stages 1
    Linear probe:    backbone train flowers -w resnet18.pth -o trained --frozen-stages 4 --lr 0.1
    Small images:    backbone train digits --architecture resnet20 -o trained --size 32 --epochs 30
    After a crash:   backbone train flowers -o trained --resume
    """
    started = time.perf_counter()
    last = os.path.join(output, "last.pth")
    notes = (read_notes(last) or {}) if resume and os.path.exists(last) else None
    settings = chosen_settings(network, given, validation_fraction, last, notes)
    recipe = recipe_of(settings)
    if notes is not None:
        check_same(last, notes, settings, recipe)
    data = read_dataset(folder, validation=validation, fraction=settings["validation_fraction"], seed=recipe.seed)
    if notes is None:
        net = new_network(network, settings, len(data.classes))
    else:
        check_classes(last, notes, data)
        net = saved_network(last, notes, network, settings, len(data.classes))
    with net:
        counts = f"{counted_images(len(data.train))} to train with, {len(data.validation)} for validation"
        heading = f"{title(net)}, {len(data.classes)} classes: {counts}"
        display = Display(recipe.epochs, len(data.train), len(data.validation), None if as_json else heading)
        trainer = Trainer(
            net,
            data,
            recipe,
            output,
            settings=beside_recipe(settings),
            decoders=decoders,
            save_every=save_every,
            max_pixels=max_pixels,
            observer=display,
        )
        rows = _run(trainer, display, resume, last)
        if rows and not as_json:
            print_normalization(settings["mean"], settings["std"])
        best = trainer.progress.best
        if as_json:
            print_json(
                {
                    "output": output,
                    "classes": list(data.classes),
                    "train": len(data.train),
                    "validation": len(data.validation),
                    "network": {
                        "architecture": net.architecture,
                        "title": title(net),
                        "trainable": net.trainable_count,
                        "frozen_stages": net.frozen_stages,
                    },
                    "settings": trainer.settings,
                    "epochs": rows,
                    "best": best,
                    "skipped": trainer.progress.damaged,
                    "seconds": round(time.perf_counter() - started, 3),
                }
            )
        elif best:
            name = printable(os.path.join(output, "best.pth"))
            click.echo(f"best: epoch {best['epoch']}, accuracy {100 * best['validation_accuracy']:.2f} %: {name}")
    return 0


def _run(trainer: Trainer, display: Display, resume: bool, last: str) -> list[dict[str, Any]]:
    try:
        with display.shown():
            return trainer.run(resume=resume)
    except Stopped as stop:
        kind = _Terminated if display.signal == signal.SIGTERM else Interrupted
        raise kind(f"{stop}; the same command with --resume goes on from {last}") from None
    except FloatingPointError as error:
        raise click.ClickException(f"{error}; {last} is from before") from None
