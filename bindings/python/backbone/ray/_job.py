# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""A data set in, Parquet out."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
import ray.data

from .._arguments import Checkpoint, int32
from .._report import LoadReport
from ._extractor import Extractor, check_columns
from ._source import Source, found_in, rows_of
from ._writer import LISTED, Writer, identities_in


@dataclass(frozen=True)
class Summary:
    """The result of a job. `print(summary)` shows it in a few lines.

    Attributes:
        rows: images that this job wrote rows for, with or without features.
        failed: the number of these with an error instead of features.
        skipped: rows that an earlier job had done.
        errors: (id, message) of the first 100 that failed.
        actors: images by actor, "host:process".
        seconds: from the start of the actors to the end.
        report: the report of loading the weights.
        mean: what was subtracted from the pixels of each channel; ImageNet's by default.
        std: what the differences were divided by; ImageNet's by default.
    """

    rows: int
    failed: int
    skipped: int
    errors: tuple[tuple[Any, str], ...]
    actors: Mapping[str, int]
    seconds: float
    report: LoadReport | None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def __str__(self) -> str:
        speed = self.rows / self.seconds if self.seconds else 0
        lines = [f"{self.rows} images in {self.seconds:.1f} s ({speed:.1f}/s) by {len(self.actors)} actors"]
        if self.skipped:
            lines.append(f"{self.skipped} were done before")
        if self.failed:
            lines.append(f"{self.failed} failed:")
            lines += [f"  {text if str(name) in text else f'{name}: {text}'}" for name, text in self.errors]
            if self.failed > len(self.errors):
                lines.append(f"  and {self.failed - len(self.errors)} more")
        lines.append(normalization_text(self.mean, self.std))
        return "\n".join(lines)


def extract(
    source: Source,
    out: str | os.PathLike[str],
    weights: Checkpoint,
    *,
    actors: int | None = None,
    threads: int = 1,
    image_column: str = "image",
    id_column: str = "path",
    keep: Sequence[str] = (),
    rows_per_file: int = 256,
    resume: bool = False,
    **settings: Any,
) -> Summary:
    """Write the features of all images of a data set to Parquet files.

    The columns are described at `Extractor`: one row for each image, with `error` for those without features, so that
    the result can be counted and joined with the source. A file appears when it is complete. The actors write
    them: features do not pass through Ray's object store; only a `Summary` is returned.

    Args:
        source: a folder (all images in it, or all Parquet files if it has any, in folders below too), a pattern
            (`photos/**/*.jpg`), a file, a sequence of files; the address of Parquet files elsewhere ("s3://..."); or a
            `ray.data.Dataset`. Images elsewhere: `ray.data.read_binary_files(address, include_paths=True)` with
            `image_column="bytes"`. Actors on other machines must see files under the same paths.
        out: a folder that all machines see, or an address.
        weights: a checkpoint file on this machine, or its bytes.
        actors: processes with one network each; None: as many as the CPUs of the cluster allow.
        threads: CPUs that each has. One is best for a data set, if memory allows: networks do not scale perfectly.
        image_column: the column of images, if the source is not image files; see `Extractor`.
        id_column: the column that tells rows apart. For image files it is made, and has their paths.
        keep: further columns of the source to carry over.
        rows_per_file: the most rows of a file, and of what is lost where an actor dies.
        resume: leave out rows whose id is in `out` already, with or without an error. Otherwise `out` must be empty.
        settings: further arguments of `Extractor`: stages, pool, size, crop, max_size, max_pixels, mean, std, key, ...

    Ray is started here unless it is running.

    Raises:
        FileNotFoundError: `source` or `weights` does not exist.
        FileExistsError: `out` has Parquet files, and `resume` is not set.
        ValueError: a column is missing, or the cluster has too few CPUs.
        What `Extractor` raises, before an actor starts.
    """
    check_positive(actors=1 if actors is None else actors, threads=threads, rows_per_file=rows_per_file)
    if isinstance(out, os.PathLike) or "://" not in out:
        out = os.path.abspath(out)
    columns = {"image_column": image_column, "id_column": id_column, "keep": keep}
    settings |= columns | {"threads": threads, "root": os.getcwd()}
    # Reports errors of source, weights and settings before anything is started.
    found = found_in(source)
    extractor = Extractor(weights, **settings)
    done = identities_in(out, id_column)
    if done is not None and not resume:
        raise FileExistsError(f"{out} has Parquet files: give resume=True to go on with them, or another folder")
    if not ray.is_initialized():
        ray.init()
    room = slots(threads)
    rows = rows_of(found, image_column, id_column, rows_per_file, actors or max(room, 1))
    if rows.units is None:
        check_columns(rows.dataset.columns() or [], image_column, id_column, *keep)
    elif keep:
        raise ValueError(f"keep is {keep!r}; image files have no columns")
    actors = _checked_actors(actors, threads, room, reads=rows.units is None)
    settings["image_column"] = rows.image_column
    checkpoint = np.fromfile(weights, np.uint8) if isinstance(weights, (str, os.PathLike)) else weights
    shared = ray.put(np.frombuffer(checkpoint, np.uint8)), ray.put(done or frozenset())
    started = time.monotonic()
    dataset = rows.dataset.select_columns(list(dict.fromkeys([rows.image_column, id_column, *keep])))
    if rows.units is None:
        # An actor processes a block at a time, and those of Parquet files are large.
        dataset = dataset.repartition(target_num_rows_per_block=rows_per_file)
    results = dataset.map_batches(
        Writer,
        fn_constructor_args=(*shared, out, settings),
        batch_size=None,
        batch_format="pyarrow",
        num_cpus=threads,
        compute=ray.data.ActorPoolStrategy(size=min(actors, rows.units or actors), max_tasks_in_flight_per_actor=2),
    )
    return _summary(results.iter_rows(), started, extractor)


def normalization_text(mean: Sequence[float] | None, std: Sequence[float] | None) -> str:
    """The mean and std of pixels, in a line."""
    given = ("none" if values is None else ", ".join(f"{value:g}" for value in values) for values in (mean, std))
    return "pixels normalised with mean {} and std {}".format(*given)


def _summary(parts: Iterable[Mapping[str, Any]], started: float, extractor: Extractor) -> Summary:
    """The sum of the actors' reports on their files."""
    total = dict.fromkeys(("rows", "failed", "skipped"), 0)
    errors: list[tuple[Any, str]] = []
    actors: dict[str, int] = {}
    for part in parts:
        for key in total:
            total[key] += part[key]
        actors[part["actor"]] = actors.get(part["actor"], 0) + part["rows"]
        errors += [(failure["id"], failure["error"]) for failure in part["failures"][: LISTED - len(errors)]]
    return Summary(
        **total,
        errors=tuple(errors),
        actors=actors,
        seconds=time.monotonic() - started,
        report=extractor.report,
        mean=extractor.mean,
        std=extractor.std,
    )


def check_positive(**numbers: Any) -> None:
    """Raise ValueError with the name of a number that is less than 1."""
    for label, number in numbers.items():
        if int32(label, number) < 1:
            raise ValueError(f"{label} is {number}; it must be at least 1")


def slots(threads: int) -> int:
    """The number of actors of so many threads for which the machines have CPUs; an actor is on one machine."""
    return sum(int(node["Resources"].get("CPU", 0)) // threads for node in ray.nodes() if node["Alive"])


def _checked_actors(actors: int | None, threads: int, slots: int, reads: bool) -> int:
    """The number of actors, which leave a CPU for Ray Data to read with, if it must: else it would wait for ever."""
    cpus = int(ray.cluster_resources().get("CPU", 0))
    most = max(min(slots, (cpus - reads) // threads), 0)
    if actors is None and most > 0:
        return most
    if actors is None or actors > most:
        raise ValueError(
            f"actors is {actors} and threads {threads}, but {most} such actors are what the {cpus} CPUs of the cluster "
            f"have room for{', with one left for Ray Data to read the source' if reads else ''}"
        )
    return actors
