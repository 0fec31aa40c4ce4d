# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""All that the result of `backbone train` depends on: from the command line, or from the run that is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click

from ..training import Dataset, Recipe, StateError
from ..training._settings import check_settings
from .network import NetworkOptions
from .saved import classes_of, is_given, settings_of

# Settings outside of the recipe, with their defaults.
_BESIDE: dict[str, Any] = {"frozen_stages": -1, "norm_eval": False, "new_head": False, "validation_fraction": 0.1}


def chosen_settings(
    network: NetworkOptions,
    given: Mapping[str, Any],
    fraction: float | None,
    last: str,
    notes: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Each as it is given, else as in the run to be resumed, else its default.

    Args:
        network: options of the network.
        given: options of the recipe that are given.
        fraction: of the images for validation, if it is given.
        last: the path of last.pth.
        notes: what it holds; None to begin.

    Raises:
        click.UsageError: no option names the network to begin with.
        StateError: last.pth has no settings.
    """
    chosen = {**given} if fraction is None else {**given, "validation_fraction": fraction}
    of_network = network.settings()
    if notes is not None:
        saved = {name: value for name, value in settings_of(notes).items() if name != "images"}
        if not saved:
            raise StateError(f"{last}: not the last.pth of a training; resuming needs one that `train` wrote")
        # `check_same` names what the file lacks.
        return {**_BESIDE, **saved, **{name: value for name, value in of_network.items() if is_given(name)}, **chosen}
    if not network.weights and network.checkpoint.architecture is None:
        raise click.UsageError("give --weights, or --architecture for a network with random weights")
    defaults: dict[str, Any] = {name: field.default for name, field in Recipe.__dataclass_fields__.items()}
    if chosen.get("optimizer") == "adamw":
        defaults |= {"lr": 0.001, "weight_decay": 0.01}
    elif not network.weights:
        # 0.1 for a batch of 128, as for CIFAR; much more makes small batches diverge.
        defaults["lr"] = 0.1 * chosen.get("batch", defaults["batch"]) / 128
    return {**of_network, **_BESIDE, **defaults, **chosen}


def recipe_of(settings: Mapping[str, Any]) -> Recipe:
    """The recipe among the settings.

    Raises:
        ValueError: a value is out of range.
    """
    try:
        return Recipe(**{name: settings[name] for name in Recipe.__dataclass_fields__})
    except KeyError as error:
        raise StateError(f"the training to resume lacks the setting {error}") from None
    except TypeError as error:
        raise StateError(f"a setting of the training to resume is damaged ({error})") from None


def beside_recipe(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The other settings."""
    return {name: value for name, value in settings.items() if name not in Recipe.__dataclass_fields__}


def check_same(last: str, notes: Mapping[str, Any], settings: Mapping[str, Any], recipe: Recipe) -> None:
    """Refuse to resume with other settings, before anything is made with them.

    Raises:
        StateError: they differ.
    """
    before = {name: value for name, value in settings_of(notes).items() if name != "images"}
    check_settings(last, before, {**beside_recipe(settings), **asdict(recipe)})


def check_classes(last: str, notes: Mapping[str, Any], data: Dataset) -> None:
    """Refuse to resume with other classes.

    Raises:
        StateError: they differ.
    """
    before = classes_of(notes) or []
    if before != list(data.classes):
        names = ", ".join(before[:5])
        raise StateError(
            f"{last}: the training has {len(before)} classes ({names}), {data.folder} has {len(data.classes)} "
            f"({', '.join(data.classes[:5])}); resume it with the same folder"
        )
