# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Options of `backbone train` that say how to train, each None where it is not given."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from ..training import AUGMENTS, OPTIMIZERS, SCHEDULES

_LR = "0.01 with --weights, 0.1 * BATCH / 128 without; AdamW 0.001"


def _epochs(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    """ "30,60", epochs."""
    if text is None:
        return None
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a list of epochs, as in 30,60") from None


def _number(name: str, default: str, text: str, low: float = 0, high: float = 1e6) -> Callable[..., Any]:
    return click.option(name, type=click.FloatRange(low, high), metavar="X", show_default=default, help=text)


def _count(name: str, default: str, text: str, low: int, high: int) -> Callable[..., Any]:
    return click.option(name, type=click.IntRange(low, high), metavar="N", show_default=default, help=text)


_OPTIONS = (
    _count("--epochs", "10", "Passes through all images.", 1, 1_000_000),
    _count("--batch", "32", "Images per step.", 1, 65536),
    _count(
        "--frozen-stages",
        "-1",
        "-1: train everything; 0: freeze the stem (first convolution); 1 to 4: also layer1 to layerN. With 4 the "
        "classifier alone is trained (linear probe).",
        -1,
        4,
    ),
    click.option("--norm-eval", is_flag=True, default=None, help="BatchNorms keep their running statistics."),
    click.option("--optimizer", type=click.Choice(OPTIMIZERS), show_default="sgd", help="What updates the weights."),
    _number("--lr", _LR, "The highest learning rate."),
    _number("--momentum", "0.9", "Of SGD.", 0, 1),
    click.option("--nesterov", is_flag=True, default=None, help="Nesterov momentum."),
    _number("--weight-decay", "1e-4; AdamW 0.01", "Of the weights of convolutions and classifier."),
    click.option("--decay-all", is_flag=True, default=None, help="Weight decay of norms and biases too."),
    _number("--head-factor", "1", "The classifier's learning rate is X times as high."),
    click.option(
        "--new-head",
        is_flag=True,
        default=None,
        help="Begin with a random classifier, even if that of --weights has as many classes as FOLDER.",
    ),
    click.option(
        "--schedule",
        type=click.Choice(SCHEDULES),
        show_default="cosine",
        help="How the learning rate changes from step to step.",
    ),
    click.option(
        "--milestones",
        callback=_epochs,
        metavar="LIST",
        help="Epochs after which multi-step multiplies the learning rate by --gamma, as in 30,60.",
    ),
    _count("--step-epochs", "30", "Epochs after which step does so, again and again.", 1, 1_000_000),
    _number("--gamma", "0.1", "The factor of step and multi-step."),
    _number("--warmup", "0", "Epochs in which the learning rate rises linearly from a hundredth."),
    _number("--label-smoothing", "0", "Part of the target that is spread over all classes.", 0, 1),
    _number("--clip", "none", "The highest norm of the gradients of a step.", 1e-12),
    _count("--size", "224", "Height and width of the network's input.", 1, 4096),
    _count(
        "--resize",
        "SIZE * 256 / 224 with resized-crop, else SIZE",
        "For the validation: length of the shorter side, of which the centre is cut out.",
        1,
        65535,
    ),
    click.option(
        "--augment",
        type=click.Choice(AUGMENTS),
        show_default="padded-crop for sizes up to 64, else resized-crop",
        help="Random changes of the images. resized-crop: a part of 0.08 to 1 of the image, as torchvision's "
        "RandomResizedCrop; padded-crop: a crop of the image with a border of SIZE / 8; both mirror half of the "
        "images, as flip does alone.",
    ),
    click.option("--flip/--no-flip", default=None, show_default="flip", help="Whether they do."),
    _count("--seed", "0", "Of new weights, the order of images, augmentation, and the split.", 0, (1 << 63) - 1),
)


def recipe_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options of the recipe, and of the network that is trained, as `given`: a dict of those that are given."""
    names = [parameter.name for parameter in click.command()(_with(lambda: None)).params]

    @functools.wraps(function)
    def wrapper(*args: Any, **rest: Any) -> Any:
        values = {name: rest.pop(name) for name in names if name}
        given = {name: value for name, value in values.items() if value is not None}
        return function(*args, given=given, **rest)

    return _with(wrapper)


def _with(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function
