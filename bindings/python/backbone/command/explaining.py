# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The common parts of `backbone gradcam` and `backbone saliency`: targets, pictures and reports."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from .. import ResNet
from .._errors import MismatchError
from ..explain import STAGES, Explanation, Feature
from ..images import Pixels
from .classes import class_of, names_of, probabilities
from .heat import HeatMap
from .network import NetworkOptions, title
from .outputs import written
from .sheet import Panel, compose, input_label
from .terminal import print_json, printable

# A classifier by any name that the library gives it.
_HEAD = re.compile(r"(head\.)?fc\.(weight|bias)")


@dataclass(frozen=True)
class Asked:
    """The target of the options."""

    name: str | None
    names_file: str | None
    feature: Feature | None

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs that the target needs."""
        return ("logits",) if self.feature is None else (self.feature.stage,)

    def open(self, network: NetworkOptions, outputs: tuple[str, ...]) -> ResNet:
        """The network.

        Raises:
            click.ClickException: a class of a checkpoint without a classifier.
        """
        try:
            return network.open(outputs)
        except MismatchError as error:
            missing = error.report.missing if error.report else []
            if self.feature is not None or not missing or not all(_HEAD.fullmatch(name) for name in missing):
                raise
            raise click.ClickException(
                f"{network.weights} has no classifier, so no classes to explain; explain a channel of a stage "
                "with --feature, as in C4:17, or pass a checkpoint with the classifier"
            ) from None

    def target(self, net: ResNet, weights: str, known: list[str] | None) -> tuple[int | Feature | None, list[str]]:
        """The target, and the names of all classes.

        Args:
            net: the network.
            weights: the file that it is from.
            known: the names that this file holds.
        """
        if self.feature is not None:
            return self.feature, []
        names = names_of(self.names_file, net, known)
        file = weights if self.names_file is None and names == known else self.names_file
        return None if self.name is None else class_of(self.name, names, file), names


def target_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """--class, --classes and --feature as `asked`."""
    options = (
        click.option(
            "--class",
            "name",
            metavar="NAME|NUMBER",
            show_default="the most likely one",
            help="The class: a line of --classes, or its number from 0.",
        ),
        click.option(
            "--classes",
            "names_file",
            metavar="FILE",
            show_default="those of the training, else numbers",
            help="A text file with the name of a class in each line, in the classifier's order.",
        ),
        click.option(
            "--feature",
            callback=_feature,
            metavar="STAGE:CHANNEL",
            help="In place of a class, a channel of a stage: C4:123. No classifier is needed.",
        ),
    )

    @functools.wraps(function)
    def wrapper(*args: Any, name: str | None, names_file: str | None, feature: Feature | None, **rest: Any) -> Any:
        if feature is not None and (name is not None or names_file is not None):
            raise click.UsageError("--feature excludes --class and --classes; pass one of them")
        return function(*args, asked=Asked(name, names_file, feature), **rest)

    for option in reversed(options):
        wrapper = option(wrapper)
    return wrapper


def _feature(context: click.Context, parameter: click.Parameter, text: str | None) -> Feature | None:
    if text is None:
        return None
    match = re.fullmatch(r"([Cc][2-5]):(\d{1,9})", text.strip())
    if match is None:
        raise click.BadParameter(f"{text!r} is not a stage ({', '.join(STAGES)}) and a channel, as in C4:123")
    return Feature(match[1].upper(), int(match[2]))


def output_of(image: str, out: str | None, ending: str) -> str:
    """Where the picture is written.

    Raises:
        click.UsageError: not a PNG.
    """
    out = out or os.path.splitext(os.path.basename(image))[0] + f"-{ending}.png"
    if not out.lower().endswith(".png"):
        raise click.UsageError(f"--out is {out!r}; it must end in .png")
    return out


@dataclass(frozen=True)
class Report:
    """The result for one image, and how to draw it.

    Attributes:
        explanation: of the image alone.
        names: of all classes.
        stage: of the map; "" for the input.
        heat: of shape (h, w).
        stride: pixels for each position of it.
        picture: the network's input.
        strength: the heat of each pixel of the picture.
        high: values from this on have the brightest colour.
    """

    explanation: Explanation
    names: list[str]
    stage: str
    heat: npt.NDArray[np.float32]
    stride: int
    picture: Pixels
    strength: npt.NDArray[np.float64]
    high: float

    def save(self, out: str, opacity: float) -> None:
        """Write the picture, and beside it the map over it."""
        ends = 0.0, self.high
        panel = HeatMap(self.strength, *ends, 1).over(self.picture, opacity)
        caption = f"{self.label}: {printable(self.caption)}"
        sheet = compose([Panel(input_label(self.picture), self.picture), Panel(caption, panel, ends)])
        with written(out) as file:
            sheet.save(file, "PNG")

    @property
    def label(self) -> str:
        """The subject of the map."""
        return self.stage or "saliency"

    @property
    def caption(self) -> str:
        """The target in a few words."""
        target = self.explanation.targets[0]
        if isinstance(target, Feature):
            return f"{target.stage}, channel {target.channel}"
        return f"{self.names[target]} ({100 * self.probability:.1f} %)"

    @property
    def probability(self) -> float:
        """Of the class."""
        target, logits = self.explanation.targets[0], self.explanation.logits
        assert isinstance(target, int) and logits is not None
        return float(probabilities(logits[0])[target])

    @property
    def largest(self) -> tuple[float, tuple[int, int]]:
        """The largest value of the heat, and the pixel, (row, column), at the centre of its first position."""
        row, column = np.unravel_index(int(self.heat.argmax()), self.heat.shape)
        height, width = self.picture.shape[:2]
        at = min(int(row) * self.stride, height - 1), min(int(column) * self.stride, width - 1)
        return float(self.heat.max()), at

    def tell(self, net: ResNet, network: NetworkOptions, out: str, as_json: bool) -> None:
        """Write the numbers to the terminal."""
        target, score = self.explanation.targets[0], float(self.explanation.scores[0])
        largest, at = self.largest
        if as_json:
            described: dict[str, Any] = (
                {"feature": {"stage": target.stage, "channel": target.channel, "mean": score}}
                if isinstance(target, Feature)
                else {
                    "class": {
                        "index": target,
                        "name": self.names[target],
                        "probability": self.probability,
                        "logit": score,
                    }
                }
            )
            print_json(
                {
                    "out": out,
                    "network": {"architecture": net.architecture, "title": title(net)},
                    "size": self.picture.shape[:2],
                    "mean": list(network.mean),
                    "std": list(network.std),
                    **described,
                    **({"stage": self.stage} if self.stage else {}),
                    "shape": self.heat.shape,
                    "stride": self.stride,
                    "largest": largest,
                    "at": at,
                }
            )
            return
        network.print_normalization()
        click.echo(f"{'feature' if isinstance(target, Feature) else 'class'}: {printable(self.caption)}")
        if largest > 0:
            click.echo(f"strongest: row {at[0]}, column {at[1]}")
        else:
            click.echo("strongest: nowhere; the map is 0 everywhere")
        click.echo(f"written: {out}")
