# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone classify`: the most likely classes of images."""

from __future__ import annotations

from contextlib import closing
from typing import Any, NamedTuple

import click
import numpy as np
import numpy.typing as npt

from .batches import Batches, Failure
from .classes import names_of, probabilities
from .group import message_of
from .inputs import Source, sources_of
from .network import NetworkOptions, title
from .options import Preparation, json_option, network_options, preparation_options
from .saved import as_trained
from .terminal import print_json, printable, progress


class _Class(NamedTuple):
    """A class that an image may be of."""

    number: int
    name: str
    probability: float


@click.command(short_help="Name the most likely classes of images.")
@click.argument("images", nargs=-1, required=True, metavar="IMAGES...")
@network_options
@click.option(
    "--classes",
    "names_file",
    metavar="FILE",
    show_default="those of the training, else numbers",
    help="A text file with the name of a class in each line, in the classifier's order.",
)
@click.option("--top", type=click.IntRange(1), metavar="N", default=5, help="Classes that are listed for each image.")
@preparation_options
@click.option("--batch", type=click.IntRange(1, 1024), metavar="N", default=8, help="Images computed together.")
@click.option("--decoders", type=click.IntRange(1, 64), metavar="N", default=2, help="Threads that decode ahead.")
@json_option
def command(
    images: tuple[str, ...],
    network: NetworkOptions,
    preparation: Preparation,
    names_file: str | None,
    top: int,
    batch: int,
    decoders: int,
    as_json: bool,
) -> int:
    """Print the most likely classes of images, with their probabilities: the softmax of the classifier's result.

    IMAGES are files, folders (with all below), patterns, @LIST for a file with one of these in each line, or - for such
    lines from the standard input. The checkpoint must have the classifier. Images that fail are reported at the end,
    with exit status 1.

    \b
    As torchvision evaluates:
      backbone classify cat.jpg -w resnet50.pth --resize 256 --crop 224 --classes imagenet.txt
    """
    sources = sources_of(images, None)
    found: dict[str, list[_Class]] = {}
    failures: list[Failure] = []
    network, known = as_trained(network)
    with network.open(("logits",)) as net:
        names = names_of(names_file, net, known)
        with (
            progress("classify", len(sources)) as advance,
            closing(Batches(sources, preparation.load, batch, decoders).run()) as items,
        ):
            for item in items:
                if isinstance(item, Failure):
                    failures.append(item)
                    advance(1)
                    continue
                try:
                    logits = net.logits(item.images.transpose(0, 3, 1, 2))
                except (MemoryError, ValueError) as error:
                    failures += [Failure(source, error) for source in item.sources]
                else:
                    for source, row in zip(item.sources, logits, strict=True):
                        found[source.path] = _best(row, names, top)
                advance(len(item.sources))
        described: dict[str, Any] = {
            "architecture": net.architecture,
            "title": title(net),
            "num_classes": net.num_classes,
            "mean": list(network.mean),
            "std": list(network.std),
        }
    failed = [{"image": failure.source.path, "reason": _reason(failure)} for failure in failures]
    results = [(source, found[source.path]) for source in sources if source.path in found]
    if as_json:
        rows = [{"image": source.path, "classes": list(map(_described, classes))} for source, classes in results]
        print_json({"network": described, "images": rows, "failed": failed})
    else:
        network.print_normalization()
        for source, classes in results:
            _print(source, classes)
    for failure in failed:
        click.echo(f"error: {printable(failure['reason'])}", err=True)
    return 1 if failed else 0


def _best(logits: npt.NDArray[np.float32], names: list[str], count: int) -> list[_Class]:
    likely = probabilities(logits)
    # Of equal ones the first.
    order = np.argsort(-likely, kind="stable")[:count]
    return [_Class(int(index), names[index], float(likely[index])) for index in order]


def _described(best: _Class) -> dict[str, Any]:
    return {"index": best.number, "name": best.name, "probability": best.probability}


def _print(source: Source, classes: list[_Class]) -> None:
    click.echo(printable(source.path))
    for best in classes:
        click.echo(f"  {100 * best.probability:6.2f} %  {printable(best.name)}")


def _reason(failure: Failure) -> str:
    message = message_of(failure.error)
    return message if failure.source.path in message else f"{failure.source.path}: {message}"
