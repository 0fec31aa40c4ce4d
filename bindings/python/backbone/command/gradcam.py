# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone gradcam`: where a stage has evidence for a class, as a picture."""

from __future__ import annotations

import click

from ..explain import STAGES, gradcam, last_stage
from .explaining import Asked, Report, output_of, target_options
from .heat import smoothed
from .network import NetworkOptions
from .options import Preparation, json_option, network_options, opacity_option, preparation_options
from .saved import as_trained


@click.command(short_help="Draw which parts of an image raise a class's score.")
@click.argument("image")
@network_options
@target_options
@click.option(
    "--stage",
    type=click.Choice(STAGES, case_sensitive=False),
    show_default="the last one, or that of --feature",
    help="Whose features are weighted: earlier ones are finer.",
)
@click.option("--out", "-o", metavar="FILE", help="A PNG.  [default: cat-gradcam.png here, for cat.jpg]")
@opacity_option(0.6)
@preparation_options
@json_option
def command(
    image: str,
    network: NetworkOptions,
    asked: Asked,
    stage: str | None,
    out: str | None,
    opacity: float,
    preparation: Preparation,
    as_json: bool,
) -> None:
    """Draw which parts of IMAGE raise the score of a class: a PNG with the image, and the map of Grad-CAM over it.

    Each channel of a stage is weighted by the mean gradient of the class's logit, and their sum is drawn where it is
    positive: from 0 (dark violet) to the largest value (pale yellow), bilinear between positions. Images longer than
    640 pixels are scaled down to that, unless --resize, --crop or --max-size say otherwise.

    \b
    backbone gradcam cat.jpg -w resnet50.pth --resize 256 --crop 224 --class "tabby" --classes imagenet.txt
    """
    out = output_of(image, out, "gradcam")
    picture = preparation.shown(image)
    network, known = as_trained(network)
    outputs = STAGES[: 1 + max(STAGES.index(asked.feature.stage), STAGES.index(stage or "C2"))] if asked.feature else ()
    with asked.open(network, outputs or (*STAGES, "logits")) as net:
        target, names = asked.target(net, network.weights, known)
        layer = stage or (asked.feature.stage if asked.feature else last_stage(net))
        found = gradcam(net, picture.transpose(2, 0, 1)[None], target, layer)
        stride = net.out_strides[net.outputs.index(layer)]
        heat = found.heat[0]
        strength = smoothed(heat, stride, picture.shape[:2])
        report = Report(found, names, layer, heat, stride, picture, strength, float(heat.max()))
        report.save(out, opacity)
        report.tell(net, network, out, as_json)
