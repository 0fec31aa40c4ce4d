# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Options of several subcommands; most decorators pass theirs to the function in one object."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from .. import IMAGENET_MEAN, IMAGENET_STD
from .._decoding import decoded
from .._loading import LoadOptions
from ..images import MAX_PIXELS, Pixels, Rounding, Size, prepare_picture, resized_shape, rounding_of
from . import parameters
from .network import CheckpointOptions, NetworkOptions
from .timing import Setup

if TYPE_CHECKING:
    from PIL.Image import Image

_MAX_PIXELS = "--max-pixels"

# Up to five panels are side by side.
_LONGEST_PANEL = 640

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")

stages_option = click.option(
    "--stages",
    callback=parameters.stages,
    default="C2,C3,C4,C5",
    metavar="LIST",
    help="Which features; later stages are not computed.",
)

def opacity_option(default: float) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """--opacity."""
    return click.option(
        "--opacity",
        callback=parameters.opacity,
        type=float,
        metavar="X",
        default=default,
        help="Opacity of the colours over the image, 0 to 1.",
    )


arithmetic_option = click.option(
    "--arithmetic",
    type=click.Choice(["fast", "direct"]),
    default="fast",
    help="fast: 3x3 convolutions by Winograd's minimal filtering where it is faster; direct: as they are defined.",
)

threads_option = click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    show_default="the CPUs of this process",
    metavar="N",
    help="Threads that compute.",
)

style_option = click.option(
    "--style",
    type=click.Choice(["pytorch", "caffe"]),
    default="pytorch",
    help="Which convolution of a Bottleneck has the stride: the 3x3 convolution, or (weights of MSRA, Caffe2, "
    "Detectron) the first 1x1 convolution. The weights do not record it.",
)


architecture_option = click.option(
    "--architecture",
    metavar="NAME",
    callback=parameters.architecture,
    show_default="from the file",
    help="Name of the network, if the file cannot record it: resnetblur50, resnetaa50, plain20, ...",
)


def key_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """--key, --prefix and what `allowing_options` adds as `load`, options of a load."""
    options = (
        click.option(
            "--key",
            metavar="KEYS",
            show_default="found by the names in it",
            help="Keys that lead to the tensors, as in 'model.state_dict'.",
        ),
        click.option(
            "--prefix",
            metavar="TEXT",
            show_default="found by the names",
            help="Prefix of the backbone's names, as in 'backbone.'.",
        ),
    )
    names = ("key", "prefix")

    @functools.wraps(function)
    def wrapper(*args: Any, load: LoadOptions, **rest: Any) -> Any:
        given: Any = {name: rest.pop(name) for name in names}
        return function(*args, load={**given, **load}, **rest)

    return _with(wrapper, (*options, allowing_options))


def allowing_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """--allow-missing and --ignore-modules as `load`, options of a load."""
    options = (
        click.option(
            "--allow-missing",
            is_flag=True,
            help="Weights that the checkpoint lacks are random. Otherwise they are an error.",
        ),
        click.option(
            "--ignore-modules",
            is_flag=True,
            help="Leave out modules in the stem or the blocks of the checkpoint's network that libbackbone does not "
            "compute (SE, deformable convolutions, ...). Otherwise they are an error.",
        ),
    )

    @functools.wraps(function)
    def wrapper(*args: Any, allow_missing: bool, ignore_modules: bool, **rest: Any) -> Any:
        load = LoadOptions(allow_missing=allow_missing, ignore_modules=ignore_modules)
        return function(*args, load=load, **rest)

    return _with(wrapper, options)


@dataclass(frozen=True)
class Preparation:
    """The preparation of images for the network: the arguments of `backbone.images.prepare`."""

    resize: Size | None = None
    crop: Size | None = None
    max_size: int | None = None
    max_pixels: int = MAX_PIXELS
    rounding: Rounding | None = None

    def __post_init__(self) -> None:
        try:
            resized_shape((1, 1), self.resize, self.max_size, self.rounding)
        except ValueError as error:
            raise click.UsageError(str(error).replace("max_size", "--max-size")) from None

    @property
    def is_empty(self) -> bool:
        """Whether images keep their size."""
        return self.resize is None and self.crop is None and self.max_size is None

    def decoded(self, path: str) -> Image:
        """The picture in a file."""
        return decoded(path, self.max_pixels, _MAX_PIXELS)

    def apply(self, picture: Image) -> Pixels:
        """The picture as the network is to see it."""
        return prepare_picture(
            picture,
            self.resize,
            self.crop,
            self.max_size,
            max_pixels=self.max_pixels,
            option=_MAX_PIXELS,
            rounding=self.rounding,
        )

    def settings(self) -> dict[str, Any]:
        """What features depend on, for JSON."""
        given = {"resize": self.resize, "crop": self.crop, "max_size": self.max_size}
        rounding = rounding_of(self.resize, self.max_size, self.rounding)
        # Only where it is not what it always was, so that older outputs have the same settings.
        return given | ({"rounding": rounding} if rounding != "down" else {})

    def load(self, path: str) -> Pixels:
        """The image in a file, as the network is to see it."""
        return self.apply(self.decoded(path))

    def shown(self, path: str) -> Pixels:
        """The image in a file for a picture of panels: without options no longer than they need it."""
        picture = self.decoded(path)
        chosen = dataclasses.replace(self, max_size=min(_LONGEST_PANEL, max(picture.size))) if self.is_empty else self
        return chosen.apply(picture)


def preparation_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """--resize, --crop, --max-size, --rounding and --max-pixels as `preparation`."""
    options = (
        click.option(
            "--resize",
            callback=parameters.size,
            metavar="N|HxW",
            help="Length of the shorter side, or both sides: bilinear with antialias, as torchvision's Resize.",
        ),
        click.option(
            "--crop",
            callback=parameters.size,
            metavar="N|HxW",
            help="Size to cut from the centre afterwards, as torchvision's CenterCrop.",
        ),
        click.option(
            "--max-size",
            type=click.IntRange(1, 65535),
            metavar="N",
            help="Limit of the longer side, at which --resize stops; without --resize, the length of the longer side.",
        ),
        click.option(
            "--rounding",
            type=click.Choice(["down", "nearest"]),
            show_default="nearest with both --resize N and --max-size, else down",
            help="How to round the other side. nearest: as mmcv and detectron2; down: as torchvision's Resize.",
        ),
        click.option(
            _MAX_PIXELS,
            type=click.IntRange(1),
            metavar="N",
            default=MAX_PIXELS,
            help="Refuse larger images, which a damaged or hostile file may declare. Each thread that decodes "
            "needs up to 10 bytes for each pixel.",
        ),
    )
    names = ("resize", "crop", "max_size", "rounding", "max_pixels")

    @functools.wraps(function)
    def wrapper(*args: Any, **rest: Any) -> Any:
        preparation = Preparation(**{name: rest.pop(name) for name in names})
        return function(*args, preparation=preparation, **rest)

    return _with(wrapper, options)


def network_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """--weights and what belongs to it as `network`."""
    return _network_options(function, required=True)


def initial_network_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same where a network may also begin without a checkpoint: `network.weights` is then ""."""
    return _network_options(function, required=False)


def _network_options(function: Callable[..., Any], required: bool) -> Callable[..., Any]:
    options = (
        click.option(
            "--weights",
            "-w",
            required=required,
            metavar="FILE",
            help="A checkpoint (.pth, .pkl, .safetensors). Its content determines the network.",
        ),
        click.option(
            "--input-channels",
            callback=parameters.input_channels,
            default="exact",
            metavar="HOW",
            help="How to convert a stem of other channels to 3: 'repeat', or channels of the file as in 2,1,0.",
        ),
        click.option(
            "--mean",
            callback=parameters.numbers,
            show_default="ImageNet's",
            metavar="R,G,B",
            help="Subtracted from pixels of 0 to 255, in the network's order of channels. "
            "The C and Python interfaces subtract nothing by default.",
        ),
        click.option(
            "--std",
            callback=parameters.numbers,
            show_default="ImageNet's",
            metavar="R,G,B",
            help="Divisors of the differences.",
        ),
        click.option(
            "--channel-order",
            type=click.Choice(["as_given", "reversed"]),
            default="as_given",
            help="reversed: the network was trained on BGR.",
        ),
    )
    names = ("weights", "arithmetic", "channel_order", "mean", "std", "threads")

    @functools.wraps(function)
    def wrapper(
        *args: Any, load: LoadOptions, input_channels: Any, style: Any, architecture: str | None, **rest: Any
    ) -> Any:
        load["input_channels"] = input_channels
        checkpoint = CheckpointOptions(load, style, architecture)
        given = {name: rest.pop(name) for name in names}
        given["weights"] = given["weights"] or ""
        given["mean"], given["std"] = given["mean"] or IMAGENET_MEAN, given["std"] or IMAGENET_STD
        return function(*args, network=NetworkOptions(checkpoint=checkpoint, **given), **rest)

    rest = (architecture_option, key_options, style_option, arithmetic_option, threads_option)
    return _with(wrapper, (*options, *rest))


def timing_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Which network, and which input, as `setup`."""
    options = (
        click.option(
            "--depth",
            type=click.Choice(["18", "34", "50", "101", "152"]),
            default="50",
            help="The network, with random weights. Times depend on the weights, since kernels skip zeros: give "
            "--weights for those of a trained network.",
        ),
        click.option(
            "--architecture",
            metavar="NAME",
            callback=parameters.architecture,
            help="Name of the network, in place of --depth, or if the file of --weights cannot record it.",
        ),
        click.option("--weights", "-w", metavar="FILE", help="A checkpoint, in place of --depth."),
        click.option(
            "--size",
            callback=parameters.size,
            default="224",
            metavar="N|HxW",
            help="Height and width of the input.",
        ),
        click.option("--batch", type=click.IntRange(1), default=1, metavar="N", help="Images in the input."),
        allowing_options,
        stages_option,
        arithmetic_option,
        threads_option,
    )
    names = ("weights", "load", "architecture", "size", "batch", "stages", "arithmetic", "threads")

    @functools.wraps(function)
    def wrapper(*args: Any, depth: str, **rest: Any) -> Any:
        return function(*args, setup=Setup(depth=int(depth), **{name: rest.pop(name) for name in names}), **rest)

    return _with(wrapper, options)


def _with(function: Callable[..., Any], options: Sequence[Callable[..., Any]]) -> Callable[..., Any]:
    # Decorators apply from the last to the first, and help lists them in the other order.
    for option in reversed(options):
        function = option(function)
    return function
