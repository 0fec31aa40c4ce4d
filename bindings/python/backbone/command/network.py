# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The network of a checkpoint, with its options."""

from __future__ import annotations

import functools
import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .. import IMAGENET_MEAN, IMAGENET_STD, BackboneWarning, LoadReport, ResNet
from .._arguments import Checkpoint
from .._loading import ALLOWING, LoadOptions, stream_content
from .._report import listed
from .terminal import note, warn


@dataclass(frozen=True)
class CheckpointOptions:
    """Options of a checkpoint: arguments of `ResNet.from_file`.

    Attributes:
        load: options of the load: where the tensors are in a file, what to do with its stem, ...
        style: which convolution of a Bottleneck has the stride.
        architecture: the name of the network, for properties that files do not record; None: the file decides.
    """

    load: LoadOptions = field(default_factory=LoadOptions)
    style: Literal["pytorch", "caffe"] = "pytorch"
    architecture: str | None = None

    def create(self, weights: str, content: Checkpoint | None = None, **options: Any) -> ResNet:
        """The network that a checkpoint describes, with its weights; the report's warnings are shown.

        Args:
            weights: the path.
            content: its content, if it was read before.
            options: of the network.

        Raises: as `ResNet.from_file` does.
        """
        with warnings.catch_warnings():
            # They are shown below, with the name of the file.
            warnings.simplefilter("ignore", BackboneWarning)
            net = ResNet.from_file(
                content or weights, style=self.style, architecture=self.architecture, **self.load, **options
            )
        report = report_of(net)
        for warning in report.warnings:
            warn(f"{weights}: {warning}")
        if report.missing:
            warn(f"{weights}: {len(report.missing)} weights are missing and random: {listed(report.missing)}")
        return net


@dataclass(frozen=True)
class NetworkOptions:
    """The options that features depend on, other than the image, and the number of threads.

    Attributes:
        weights: the path of the checkpoint; "" for none, where a network may begin with random weights.
    """

    weights: str
    checkpoint: CheckpointOptions
    arithmetic: Literal["fast", "direct"] = "fast"
    channel_order: Literal["as_given", "reversed"] = "as_given"
    mean: Sequence[float] = IMAGENET_MEAN
    std: Sequence[float] = IMAGENET_STD
    threads: int | None = None

    @functools.cached_property
    def content(self) -> Checkpoint:
        """The path of the weights, or their bytes if they come from a pipe, which can be read only once."""
        return stream_content(self.weights)

    def open(self, outputs: Sequence[str]) -> ResNet:
        """The network for images of three channels, as far as the last of these outputs."""
        return self.checkpoint.create(
            self.weights,
            self.content,
            in_channels=3,
            outputs=outputs,
            arithmetic=self.arithmetic,
            channel_order=self.channel_order,
            mean=self.mean,
            std=self.std,
            threads=self.threads,
        )

    def print_normalization(self) -> None:
        """Write the mean and std of pixels to the standard error."""
        print_normalization(self.mean, self.std)

    def settings(self) -> dict[str, Any]:
        """The settings that the features depend on, for JSON. The weights appear by their content, wherever the file
        is."""
        # Permissions of a load do not change the features of a checkpoint that loads without them.
        load = {name: value for name, value in self.checkpoint.load.items() if name not in ALLOWING}
        return {
            "weights": _sha256(self.content) if self.weights else None,
            **load,
            "style": self.checkpoint.style,
            # Only where it is given, so that older outputs have the same settings.
            **({"architecture": self.checkpoint.architecture} if self.checkpoint.architecture else {}),
            "arithmetic": self.arithmetic,
            "channel_order": self.channel_order,
            "mean": list(self.mean),
            "std": list(self.std),
        }


def print_normalization(mean: Sequence[float], std: Sequence[float]) -> None:
    """Write the mean and std of pixels, as options, to the standard error. C and Python have no such default."""
    given = (",".join(f"{value:g}" for value in values) for values in (mean, std))
    is_imagenet = (*mean,) == (*IMAGENET_MEAN,) and (*std,) == (*IMAGENET_STD,)
    note("pixels normalised with --mean {} --std {}".format(*given) + " (ImageNet)" * is_imagenet)


def title(network: ResNet | LoadReport) -> str:
    """The title of a network."""
    return f"ResNet-{network.depth}" if network.depth else network.architecture


def report_of(net: ResNet) -> LoadReport:
    """The report of the load that `ResNet.from_file` has made."""
    assert net.report is not None
    return net.report


def loading_of(net: ResNet) -> dict[str, Any]:
    """A network that `ResNet.from_file` has made, and its load, for JSON."""
    report = report_of(net)
    return {
        "depth": net.depth,
        "architecture": net.architecture,
        "loaded": len(report.loaded),
        "warnings": list(report.warnings),
    }


def _sha256(content: Checkpoint) -> str:
    if not isinstance(content, str):
        return hashlib.sha256(content).hexdigest()  # type: ignore[arg-type]
    digest = hashlib.sha256()
    with open(content, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
