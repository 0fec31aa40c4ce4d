# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The network that `backbone train` begins or continues with."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from .. import BackboneWarning, ResNet, inspect
from .network import CheckpointOptions, NetworkOptions
from .saved import settings_of, with_saved


def new_network(network: NetworkOptions, settings: Mapping[str, Any], classes: int) -> ResNet:
    """The network of --weights, with a classifier for so many classes; or a random one of --architecture.

    Raises: as `ResNet` and `ResNet.from_file` do.
    """
    checkpoint, options = network.checkpoint, _options(network, settings, classes)
    seed = settings["seed"]
    if not network.weights:
        net = ResNet(architecture=checkpoint.architecture, style=checkpoint.style, **options)
        net.init_weights(seed=seed)
        return net
    keeps_head = not settings["new_head"] and _classes_in(network) == classes
    net = checkpoint.create(network.weights, network.content, head="exact" if keeps_head else "new", **options)
    if not keeps_head and seed:
        with warnings.catch_warnings():
            # The first load has shown them.
            warnings.simplefilter("ignore", BackboneWarning)
            net.init_weights(seed=seed)
            load = checkpoint.load.copy()
            load["head"] = "new"
            net.load_weights(network.content, **load)
    return net


def saved_network(
    last: str, notes: Mapping[str, Any], network: NetworkOptions, settings: Mapping[str, Any], classes: int
) -> ResNet:
    """The network of a training that is resumed, with the weights of its last.pth."""
    network = with_saved(network, settings_of(notes))
    checkpoint = CheckpointOptions(style=network.checkpoint.style, architecture=network.checkpoint.architecture)
    return checkpoint.create(last, **_options(network, settings, classes))


def _options(network: NetworkOptions, settings: Mapping[str, Any], classes: int) -> dict[str, Any]:
    return {
        "in_channels": 3,
        "outputs": ("logits",),
        "num_classes": classes,
        "arithmetic": network.arithmetic,
        "channel_order": network.channel_order,
        "mean": network.mean,
        "std": network.std,
        "threads": network.threads,
        "frozen_stages": settings["frozen_stages"],
        "norm_eval": settings["norm_eval"],
    }


def _classes_in(network: NetworkOptions) -> int | None:
    """Classes of the checkpoint's own classifier; None if it has none."""
    return inspect(network.content, **network.checkpoint.load).num_classes
