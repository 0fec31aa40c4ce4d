# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Options that a checkpoint of `backbone train` holds, for what the command line does not say."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import click
from click.core import ParameterSource

from .network import NetworkOptions

# What a network that was saved has to be created with again.
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


def settings_of(notes: Mapping[str, Any] | None) -> dict[str, Any]:
    """The settings in the notes of a checkpoint; empty where it has none."""
    settings = (notes or {}).get("settings")
    return settings if isinstance(settings, dict) else {}
