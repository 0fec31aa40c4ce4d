# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Options in a checkpoint of `backbone train`, for those not given on the command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, cast

import click
from click.core import ParameterSource

from ..training import StateError, read_notes
from .network import NetworkOptions

# Options that a saved network must be created with again.
_OF_NETWORK = ("arithmetic", "channel_order", "mean", "std")
_OF_CHECKPOINT = ("style", "architecture")


def is_given(name: str) -> bool:
    """Whether the command line has the option of this parameter."""
    source = click.get_current_context().get_parameter_source(name)
    return source not in (None, ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP)


def with_saved(network: NetworkOptions, settings: Mapping[str, Any]) -> NetworkOptions:
    """The options, with the settings of a training in place of those that are not given."""

    def chosen(names: tuple[str, ...]) -> dict[str, Any]:
        return {name: settings[name] for name in names if name in settings and not is_given(name)}

    checkpoint = dataclasses.replace(network.checkpoint, **chosen(_OF_CHECKPOINT))
    return dataclasses.replace(network, checkpoint=checkpoint, **chosen(_OF_NETWORK))


def as_trained(network: NetworkOptions) -> tuple[NetworkOptions, list[str] | None]:
    """The options, with the settings of the training that wrote the checkpoint, and the names of its classes.

    None in place of the names, and the options as they are, for a checkpoint that `backbone train` did not write.

    Raises:
        OSError: the file cannot be read.
        StateError: its notes of the training are damaged.
    """
    notes = read_notes(network.weights) if isinstance(network.content, str) else None
    return with_saved(network, settings_of(notes)), classes_of(notes)


def settings_of(notes: Mapping[str, Any] | None) -> dict[str, Any]:
    """The settings in the notes of a checkpoint; empty where it has none.

    Raises:
        StateError: a value is not of its kind. Notes come from a file, which anybody may have written.
    """
    settings = (notes or {}).get("settings")
    if not isinstance(settings, dict):
        return {}
    for name, fits in _KINDS.items():
        if name in settings and not fits(settings[name]):
            raise StateError(f"the checkpoint's notes of its training are damaged: {name} is {settings[name]!r:.60}")
    return settings


def classes_of(notes: Mapping[str, Any] | None) -> list[str] | None:
    """The names of the classes in the notes of a checkpoint; None where it has none."""
    network = (notes or {}).get("network")
    names = network.get("classes") if isinstance(network, dict) else None
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_text_or_none(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_three_numbers(value: object) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(map(_is_number, value))


def _is_length(value: object) -> bool:
    return _is_integer(value) and 1 <= cast(int, value) <= 65535


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


# Those that are used before `Recipe`, which checks its own.
_KINDS: dict[str, Callable[[object], bool]] = {
    "arithmetic": _is_text,
    "channel_order": _is_text,
    "style": _is_text,
    "architecture": _is_text_or_none,
    "mean": _is_three_numbers,
    "std": _is_three_numbers,
    "size": _is_length,
    "resize": _is_length,
    "seed": _is_integer,
    "validation_fraction": _is_number,
    "frozen_stages": _is_integer,
    "norm_eval": _is_flag,
}
