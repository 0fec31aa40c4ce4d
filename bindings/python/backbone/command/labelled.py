# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Images with known classes, for `backbone evaluate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from ..training import Example, parts_of, read_classes, read_dataset
from .saved import classes_of


def known_classes(path: str | None, notes: Mapping[str, Any] | None) -> list[str] | None:
    """The classifier's classes, if a file or the notes of its training have them.

    Raises:
        OSError: the file cannot be read.
    """
    if path is None:
        return classes_of(notes)
    with open(path, encoding="utf-8", errors="backslashreplace") as file:
        return [line.strip() for line in file.read().rstrip().splitlines()]


def labelled_examples(
    folder: str, subset: str | None, known: Sequence[str] | None, settings: Mapping[str, Any]
) -> tuple[tuple[str, ...], list[Example]]:
    """The classes, and the images to classify.

    Args:
        folder: of classes, or with such folders below train and val.
        subset: "all", "train", "validation", or None for the validation if it can be told.
        known: the classifier's classes; None for those of the folder.
        settings: of the training of the classifier; empty if nothing is known of it.

    Raises:
        click.ClickException: the subset is missing.
        FolderError: the classes are not those of the classifier.
        OSError: a folder cannot be read.
    """
    parts = parts_of(folder)
    if parts is None:
        classes, examples = read_classes(folder, known)
        own = _own_split(folder, settings, examples) if subset != "all" else None
        if subset in ("train", "validation") and own is None:
            raise click.ClickException(
                f"{folder}: neither train and val, nor the folder that these weights were trained with; "
                f"--subset {subset} needs one of them"
            )
        return classes, examples if own is None else list(own[subset or "validation"])
    names = {"train": parts[0], "validation": parts[1]}
    wanted = ("train", "validation") if subset == "all" else (subset or ("validation" if parts[1] else "train"),)
    # Labels are those of the images to train with: the validation may lack a class.
    classes = tuple(known) if known is not None else read_classes(parts[0])[0]
    found: list[Example] = []
    for name in wanted:
        path = names[name]
        if path is None:
            raise click.ClickException(
                f"{folder}: no folder val, valid, validation or test; add one, or pass --subset train"
            )
        found += read_classes(path, classes)[1]
    return classes, found


def _own_split(
    folder: str, settings: Mapping[str, Any], examples: Sequence[Example]
) -> dict[str, tuple[Example, ...]] | None:
    """The parts of the folder that these weights were trained and validated with; None if it is another folder."""
    try:
        data = read_dataset(folder, fraction=settings["validation_fraction"], seed=settings["seed"])
    except (KeyError, ValueError, TypeError):
        return None
    if not data.validation or data.digest not in str(settings.get("images")):
        return None
    return {"train": data.train, "validation": data.validation}
