# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone saliency`: which pixels change the score of a class, as a picture."""

from __future__ import annotations

import click
import numpy as np

from ..explain import saliency
from .explaining import Asked, Report, output_of, target_options
from .network import NetworkOptions
from .options import Preparation, json_option, network_options, opacity_option, preparation_options
from .saved import as_trained


@click.command(short_help="Draw the pixels that change a class's score.")
@click.argument("image")
@network_options
@target_options
@click.option("--out", "-o", metavar="FILE", help="A PNG.  [default: cat-saliency.png here, for cat.jpg]")
@opacity_option(1.0)
@preparation_options
@json_option
def command(
    image: str,
    network: NetworkOptions,
    asked: Asked,
    out: str | None,
    opacity: float,
    preparation: Preparation,
    as_json: bool,
) -> None:
    """Draw how much each pixel of IMAGE changes the score of a class: a PNG with the image and the map beside it.

    The map is the gradient of the class's logit, of a pixel's channels the largest absolute value: from 0 (dark violet)
    to percentile 99.5 (pale yellow). Images longer than 640 pixels are scaled down to that, unless --resize, --crop or
    --max-size say otherwise.

    \b
    backbone saliency cat.jpg -w resnet50.pth --resize 256 --crop 224 --class 281
    """
    out = output_of(image, out, "saliency")
    picture = preparation.shown(image)
    network, known = as_trained(network)
    with asked.open(network, asked.outputs) as net:
        target, names = asked.target(net, network.weights, known)
        found = saliency(net, picture.transpose(2, 0, 1)[None], target)
        heat = found.heat[0]
        # Of a map with few values above 0 the percentile may be 0.
        high = float(np.percentile(heat, 99.5) or heat.max())
        report = Report(found, names, "", heat, 1, picture, heat.astype(np.float64), high)
        report.save(out, opacity)
        report.tell(net, network, out, as_json)
