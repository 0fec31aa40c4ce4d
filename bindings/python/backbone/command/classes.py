# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Names and probabilities of classes."""

from __future__ import annotations

import difflib

import click
import numpy as np
import numpy.typing as npt

from .. import ResNet


def names_of(path: str | None, net: ResNet, known: list[str] | None = None) -> list[str]:
    """A name for each class.

    Args:
        path: a text file with a name in each line; None: `known`, else numbers are the names.
        net: the network with the classifier.
        known: the names that the checkpoint holds.

    Raises:
        click.ClickException: the file has another number of names.
        OSError: it cannot be read.
    """
    if path is None:
        if known is not None and len(known) == net.num_classes:
            return known
        return [str(index) for index in range(net.num_classes)]
    with open(path, encoding="utf-8", errors="backslashreplace") as file:
        names = [line.strip() for line in file.read().rstrip().splitlines()]
    if len(names) != net.num_classes:
        raise click.ClickException(
            f"{path} has {len(names)} names, but the network has {net.num_classes} classes; it must have a line "
            "for each"
        )
    return names


def class_of(text: str, names: list[str], path: str | None) -> int:
    """The number of the class with a name, or else with a number.

    Args:
        text: what --class says.
        names: of all classes.
        path: the file of the names; None: they are numbers.

    Raises:
        click.UsageError: it means none of the classes, or several.
    """
    found = [index for index, name in enumerate(names) if name == text.strip()]
    if len(found) == 1:
        return found[0]
    if found:
        numbers = ", ".join(map(str, found))
        raise click.UsageError(f"--class {text!r} names the classes {numbers} of {path}; pass one of the numbers")
    try:
        number = int(text)
    except ValueError:
        if path is None:
            raise click.UsageError(f"--class is {text!r}; names need --classes FILE, a number does not") from None
        near = difflib.get_close_matches(text, names, 3) or [name for name in names if text.lower() in name.lower()][:3]
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "pass one of them or a number"
        raise click.UsageError(f"--class {text!r} is not a class of {path}; {hint}") from None
    if not 0 <= number < len(names):
        raise click.UsageError(f"--class is {number}; the network has classes 0 to {len(names) - 1}")
    return number


def probabilities(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The softmax of the logits of one image."""
    values = logits.astype(np.float64)
    powers = np.exp(values - values.max())
    result: npt.NDArray[np.float64] = powers / powers.sum()
    return result
