# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone evaluate`: the accuracy of a classifier on images with known classes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import click
import numpy as np

from ..images import MAX_PIXELS
from ..training import Evaluation, PlotError, View, evaluate, plot_confusion, read_notes, write_confusion
from .group import message_of
from .labelled import known_classes, labelled_examples
from .network import NetworkOptions, title
from .options import json_option, network_options
from .saved import settings_of, with_saved
from .terminal import counted_images, print_json, print_table, printable, progress, warn

# Number of listed classes: those that are recognised least.
_LISTED = 5


@click.command(short_help="Measure the accuracy of a classifier on a folder of images.")
@click.argument("folder", metavar="FOLDER")
@network_options
@click.option("--output", "-o", metavar="DIR", help="Where to write confusion.csv and confusion.png.")
@click.option(
    "--classes",
    "names_file",
    metavar="FILE",
    show_default="those of the training, else the folders",
    help="A text file with the name of a class in each line, in the classifier's order.",
)
@click.option(
    "--subset",
    type=click.Choice(["all", "train", "validation"]),
    show_default="validation if FOLDER has val, or is the folder of the training; else all",
    help="Which images.",
)
@click.option(
    "--size",
    type=click.IntRange(1, 4096),
    metavar="N",
    show_default="that of the training, else 224",
    help="Height and width that are cut from the centre.",
)
@click.option(
    "--resize",
    type=click.IntRange(1, 65535),
    metavar="N",
    show_default="that of the training, else SIZE * 256 / 224",
    help="Length of the shorter side before that.",
)
@click.option("--batch", type=click.IntRange(1, 65536), metavar="N", default=32, help="Images computed together.")
@click.option("--decoders", type=click.IntRange(1, 64), metavar="N", default=2, help="Threads that decode ahead.")
@click.option(
    "--max-pixels", type=click.IntRange(1), metavar="N", default=MAX_PIXELS, help="Skip larger images, with a warning."
)
@json_option
def command(
    folder: str,
    network: NetworkOptions,
    output: str | None,
    names_file: str | None,
    subset: str | None,
    size: int | None,
    resize: int | None,
    batch: int,
    decoders: int,
    max_pixels: int,
    as_json: bool,
) -> int:
    """Classify the images of FOLDER, which has one folder per class, or such folders below train and val.

    Prints the share of images whose class is the most likely one (top-1) or among the five most likely ones (top-5),
    and the mean cross entropy (loss). With --output also writes the confusion matrix: row i, column j counts the images
    of class i that were taken for class j. Damaged images are named and skipped.

    A checkpoint of `backbone train` knows the size, normalisation and classes it was trained with; for others they are
    ImageNet's and those of FOLDER.
    """
    notes = read_notes(network.weights) if isinstance(network.content, str) else None
    settings = settings_of(notes)
    known = known_classes(names_file, notes)
    classes, examples = labelled_examples(folder, subset, known, settings)
    size = size or settings.get("size", 224)
    scaled = round(size * 256 / 224)
    if settings.get("size") == size:
        # The training's own rule for validation.
        scaled = settings.get("resize", scaled)
    view = View(size, max(resize or scaled, size), max_pixels=max_pixels)
    network = with_saved(network, settings)
    with network.open(("logits",)) as net:
        if net.num_classes != len(classes):
            raise click.ClickException(
                f"{network.weights} has {net.num_classes} classes, {names_file or folder} {len(classes)}; give "
                "--classes, a file with the classifier's classes, of which the folders are some"
            )
        with progress("evaluate", len(examples)) as advance:
            try:
                result = evaluate(
                    net,
                    examples,
                    view,
                    batch=batch,
                    decoders=decoders,
                    on_batch=lambda item: advance(len(item.indices) + len(item.failed)),
                )
            except FloatingPointError as unfit:
                raise click.ClickException(str(unfit)) from None
        name = title(net)
    written = _write(output, result, classes) if output is not None else []
    if as_json:
        print_json(
            {
                "folder": folder,
                "images": result.count,
                "mean": list(network.mean),
                "std": list(network.std),
                "top1": result.top1,
                "top5": result.top5,
                "loss": result.loss,
                "classes": _described(result, classes),
                "confusion": result.confusion.tolist(),
                "skipped": [{"image": example.path, "reason": message_of(damage)} for example, damage in result.failed],
                "written": written,
            }
        )
    else:
        network.print_normalization()
        click.echo(f"{name}, {counted_images(result.count)} of {len(classes)} classes")
        click.echo(f"top-1 {100 * result.top1:6.2f} %   top-5 {100 * result.top5:6.2f} %   loss {result.loss:.4f}")
        _print_least(result, classes)
        if written:
            click.echo(f"written: {', '.join(map(printable, written))}")
    for example, damage in result.failed:
        reason = message_of(damage)
        warn(f"skipped: {reason if example.path in reason else f'{example.path}: {reason}'}")
    return 0


def _write(folder: str, result: Evaluation, classes: Sequence[str]) -> list[str]:
    """Write the confusion matrix. Returns the paths of what was written."""
    table, picture = os.path.join(folder, "confusion.csv"), os.path.join(folder, "confusion.png")
    write_confusion(table, result.confusion, classes)
    try:
        plot_confusion(picture, result.confusion, classes)
    except PlotError as error:
        warn(f"{picture} is not drawn: {error}")
        return [table]
    return [table, picture]


def _described(result: Evaluation, classes: Sequence[str]) -> list[dict[str, Any]]:
    counts = result.confusion.sum(1).tolist()
    recalls = [None if np.isnan(recall) else float(recall) for recall in result.recalls]
    return [
        {"name": name, "images": count, "accuracy": recall}
        for name, count, recall in zip(classes, counts, recalls, strict=True)
    ]


def _print_least(result: Evaluation, classes: Sequence[str]) -> None:
    """The classes that are recognised least."""
    recalls = result.recalls
    order = [label for label in np.argsort(recalls, kind="stable") if not np.isnan(recalls[label])][:_LISTED]
    rows = [(classes[label], result.confusion[label].sum(), f"{100 * recalls[label]:.2f}") for label in order]
    print_table(("recognised least", ">images", ">top-1 %"), rows)
