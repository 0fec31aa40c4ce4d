# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone features`: the features of many images as files."""

from __future__ import annotations

import errno
import functools
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from click.core import ParameterSource

from .. import ResNet
from .._arrays import global_average
from .batches import Batch, Batches, Failure
from .group import Interrupted, message_of
from .inputs import Source, sources_of
from .journal import Journal, JournalError
from .network import NetworkOptions, loading_of
from .options import Preparation, json_option, network_options, preparation_options, stages_option
from .outputs import Arrays, remove_abandoned, write_features
from .parameters import STAGES
from .terminal import counted_images, print_json, printable, progress
from .vectors import ENDING, Vectors

# Errors that the next output would have as well.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclass
class _Run:
    """One call of the command."""

    out: str
    ending: str
    outputs: tuple[str, ...]
    pool: str
    journal: Journal
    computed: int = 0
    failures: list[Failure] = field(default_factory=list)

    def output(self, source: Source) -> str:
        """The name of an output below `out`: with the image's own ending, so that a.jpg and a.png differ."""
        return source.name + self.ending

    def features(self, net: ResNet, batch: Batch) -> list[Arrays]:
        """The arrays of each image of a batch."""
        computed = net(batch.images.transpose(0, 3, 1, 2))
        return [
            {name: self._kept(name, feature[index]) for name, feature in zip(net.outputs, computed, strict=True)}
            for index in range(len(batch.sources))
        ]

    def _kept(self, name: str, feature: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if name == "pooled":
            return feature[:, 0, 0]
        return feature if self.pool == "none" else global_average(feature)

    def write(self, source: Source, arrays: Arrays) -> Failure | None:
        """Write one output, and note it; or return why it cannot be written.

        Raises:
            OSError: no output can be written: the disk is full, or the journal cannot be written.
        """
        output = self.output(source)
        placing = functools.partial(self.journal.recorded, output, source.path)
        try:
            write_features(os.path.join(self.out, output), arrays, placing)
        except JournalError:
            raise
        except (OSError, ValueError, MemoryError) as error:
            if isinstance(error, OSError) and error.errno in _NO_ROOM:
                raise
            return Failure(source, error)
        self.computed += 1
        return None


@click.command(short_help="Write C2 to C5 of many images.")
@click.argument("images", nargs=-1, required=True, metavar="IMAGES...")
@network_options
@click.option(
    "--out",
    "-o",
    required=True,
    metavar="DIR|FILE.npy",
    help="A folder, created if absent, for one file per image; or one array for all images.",
)
@stages_option
@click.option(
    "--pooled",
    is_flag=True,
    help="The vector that the network's classifier reads, as the array 'pooled': alone, or after those of --stages.",
)
@click.option(
    "--pool",
    type=click.Choice(["none", "avg"]),
    default="none",
    help="avg: the mean over all positions, one value per channel.",
)
@click.option(
    "--format", "kind", type=click.Choice(["npz", "safetensors"]), default="npz", help="Format of the outputs."
)
@preparation_options
@click.option(
    "--batch",
    type=click.IntRange(1, 1024),
    metavar="N",
    default=8,
    help="Images computed together if they have the same size; fewer where they are large.",
)
@click.option("--decoders", type=click.IntRange(1, 64), metavar="N", default=2, help="Threads that decode ahead.")
@click.option(
    "--root",
    metavar="DIR",
    help="The folder that outputs are named relative to.  [default: the deepest that has all that IMAGES names]",
)
@click.option("--overwrite", is_flag=True, help="Compute all, and replace existing outputs.")
@json_option
def command(
    images: tuple[str, ...],
    network: NetworkOptions,
    preparation: Preparation,
    out: str,
    stages: tuple[int, ...],
    pooled: bool,
    pool: str,
    kind: str,
    batch: int,
    decoders: int,
    root: str | None,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Compute the features of images, one file for each with arrays C2 to C5 of shape (C, H, W).

    With --out FILE.npy, one array of shape (images, channels) for all: see the last example. FILE.json then names the
    image of each row. Such a run cannot be resumed.

    IMAGES are files, folders (with all below), patterns, @LIST for a file with one of these in each line, or - for such
    lines from the standard input. The features of photos/a/b.jpg go to DIR/a/b.jpg.npz if IMAGES is photos.

    Existing outputs of the same image, weights and settings are skipped: an interrupted run continues if started again.
    DIR/features.jsonl records the settings of each. Images that fail, or whose outputs cannot be written, are reported
    at the end, with exit status 1.

    \b
    As torchvision evaluates:  backbone features photos -w resnet50.pth -o out --resize 256 --crop 224
    For retrieval:             backbone features photos -w resnet50.pth -o out --pooled
                               backbone features photos -w resnet50.pth -o vectors.npy --pooled
    """
    started = time.perf_counter()
    outputs = tuple(STAGES[stage] for stage in stages)
    if pooled:
        is_given = click.get_current_context().get_parameter_source("stages") is not ParameterSource.DEFAULT
        outputs = (*(outputs if is_given else ()), "pooled")
    sources = sources_of(images, root)
    settings = network.settings() | preparation.settings() | {"stages": list(outputs), "pool": pool}
    loaded: dict[str, Any] | None
    if out.endswith(ENDING):
        if len(outputs) != 1 or (pool == "none" and not pooled):
            raise click.UsageError(
                f"--out is {out!r}, which holds one vector per image; pass --pooled, or one stage of --stages and "
                "--pool avg, or a folder as --out"
            )
        vectors = Vectors(out, settings)
        if not overwrite:
            vectors.refuse_existing()
        loaded = vectors.compute(sources, network, outputs[0], preparation, batch, decoders)
        computed, there, failures = len(vectors.images), 0, vectors.failures
    else:
        run = _Run(out, f".{kind}", outputs, pool, Journal(out, settings))
        left = [source for source in sources if overwrite or not run.journal.is_done(run.output(source), source.path)]
        if not overwrite:
            _refuse_other_settings(run, left)
        loaded = _compute(run, left, network, preparation, batch, decoders) if left else None
        computed, there, failures = run.computed, len(sources) - len(left), run.failures
    seconds = time.perf_counter() - started
    failed = [{"image": failure.source.path, "reason": _reason(failure)} for failure in failures]
    if as_json:
        print_json(
            {
                "out": out,
                "images": len(sources),
                "computed": computed,
                "skipped": there,
                "failed": failed,
                "seconds": round(seconds, 3),
                "network": loaded,
                "settings": settings,
            }
        )
    else:
        rate = f" in {seconds:.1f} s ({computed / seconds:.1f} images/s)" if computed else ""
        if computed:
            network.print_normalization()
        done = f"{computed} computed{rate}, {there} skipped, {len(failed)} failed"
        click.echo(f"{counted_images(len(sources))}: {done}")
    for failure in failed:
        click.echo(f"error: {printable(failure['reason'])}", err=True)
    return 1 if failed else 0


def _refuse_other_settings(run: _Run, sources: list[Source]) -> None:
    others = [(run.output(source), text) for source in sources if (text := run.journal.difference(run.output(source)))]
    if others:
        output, difference = others[0]
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise click.ClickException(
            f"{os.path.join(run.out, output)}{more} came of other settings ({difference}); pass --overwrite to "
            "replace them, or another --out to keep them"
        )


def _compute(
    run: _Run, sources: list[Source], network: NetworkOptions, preparation: Preparation, size: int, decoders: int
) -> dict[str, Any]:
    """Compute and write the outputs of these images. Returns a description of the network."""
    with network.open(run.outputs) as net:
        loaded = loading_of(net)
        try:
            with (
                run.journal,
                ThreadPoolExecutor(1, thread_name_prefix="write") as writer,
                progress("features", len(sources)) as advance,
                closing(Batches(sources, preparation.load, size, decoders).run()) as items,
            ):
                for folder in {os.path.dirname(os.path.join(run.out, source.name)) for source in sources}:
                    remove_abandoned(folder)
                writes: list[Future[Failure | None]] = []
                for item in items:
                    failures = [item] if isinstance(item, Failure) else []
                    if isinstance(item, Batch):
                        try:
                            features = run.features(net, item)
                        except MemoryError as error:
                            failures = [Failure(source, error) for source in item.sources]
                        else:
                            # One batch is written while the next is computed, and no more.
                            run.failures += _finished(writes)
                            pairs = zip(item.sources, features, strict=True)
                            writes = [writer.submit(run.write, source, arrays) for source, arrays in pairs]
                    run.failures += failures
                    advance(len(failures) or len(writes))
                run.failures += _finished(writes)
        except KeyboardInterrupt:
            raise Interrupted(
                f"interrupted: {run.computed} of {len(sources)} computed; the same command goes on from there"
            ) from None
        return loaded


def _reason(failure: Failure) -> str:
    message = message_of(failure.error)
    return message if failure.source.path in message else f"{failure.source.path}: {message}"


def _finished(writes: list[Future[Failure | None]]) -> list[Failure]:
    """Wait for writes; those that failed."""
    return [failure for write in writes if (failure := write.result()) is not None]
