# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Why a network sees what it sees: heat maps of a class or of a feature, by gradients.

Example::

    from backbone import explain

    with backbone.ResNet.from_file("resnet50.pth", outputs=("logits",)) as net:
        cam = explain.gradcam(net, images)  # of the most likely class of each image
        print(cam.targets, cam.heat.shape)  # (N, h, w)
        cam = explain.gradcam(net, images, target=281, layer="C4")
        dots = explain.saliency(net, images, target=281)
        print(dots.gradient.shape)  # that of images
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ._arrays import FloatArray, as_array
from ._probe import STAGES, Probe, block_counts
from ._resnet import ResNet

__all__ = ["STAGES", "Explanation", "Feature", "gradcam", "last_stage", "saliency"]


class Feature(NamedTuple):
    """A channel of a stage as a target. Its score is the mean over its positions.

    Attributes:
        stage: "C2" to "C5".
        channel: from 0.
    """

    stage: str
    channel: int


@dataclass(frozen=True)
class Explanation:
    """What speaks for a target in each of N images.

    Attributes:
        heat: how much, 0 or more, float32. Of `gradcam` of shape (N, h, w), the feature's size; of `saliency`
            (N, H, W), the image's.
        gradient: what it is made of, float32. Of `gradcam` of shape (N, C): the mean over all positions of the gradient
            of the score with respect to each channel of the feature. Of `saliency` (N, C, H, W): the gradient with
            respect to the values that the network computes with, of inputs that are normalised on the way the
            normalised values, with channels in the network's order.
        targets: the class, or the feature, of each image.
        scores: of shape (N,): the logit of the class, or the mean of the feature.
        logits: of shape (N, num_classes); None for features.
    """

    heat: FloatArray
    gradient: FloatArray
    targets: tuple[int | Feature, ...]
    scores: FloatArray
    logits: FloatArray | None


def last_stage(net: ResNet) -> str:
    """The deepest stage that a network has: "C5", of networks of three stages "C4"."""
    return STAGES[sum(count > 0 for count in block_counts(net)) - 1]


def gradcam(net: ResNet, x: Any, target: int | Feature | None = None, layer: str | None = None) -> Explanation:
    """Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391): where a stage has what speaks for a target.

    The heat is the sum over the channels of the stage, each weighted by the mean gradient of the target's score, where
    it is positive. It has the scale of the score. In pre-activation networks a stage is the sum before the next norm,
    C5 that before the last one, as `backbone` and timm have it.

    The pass runs on a copy of the network with one more block, in direct arithmetic: give several images at once.

    Args:
        net: in evaluation mode. For classes it must have "logits" among its outputs; for features it need not return
            the stages, only have them.
        x: images, as for `ResNet.forward`, of shape (N, C, H, W).
        target: a class from 0, or a `Feature`; None: the most likely class of each image.
        layer: "C2" to "C5"; None: the last stage, for a feature its own.

    Raises:
        TypeError: as `ResNet.forward`.
        ValueError: the network is in training mode, or does not have target or layer; a feature of a stage before
            `layer`; scores or gradients that are NaN or infinite; shortcuts that no block can be added to (plain
            networks of Bottlenecks, networks whose stages have blocks of different kinds).
    """
    images = as_array(x, "x")
    _check_images(images)
    if isinstance(target, Feature):
        _check_stage(net, target.stage, "target.stage")
    else:
        _check_class(net, target)
    default = target.stage if isinstance(target, Feature) else last_stage(net)
    layer = default if layer is None else layer
    _check_stage(net, layer, "layer")
    output = target.stage if isinstance(target, Feature) else "logits"
    if isinstance(target, Feature) and STAGES.index(target.stage) < STAGES.index(layer):
        raise ValueError(f"target is a feature of {target.stage}, which does not depend on {layer}, a later stage")
    rows = []
    with Probe(net, layer, output) as probe:
        for image in images:
            feature, given = probe.forward(image[None])
            scored = _Scored.of(given, target)
            sums = probe.backward(scored.gradient)
            height, width = feature.shape[2:]
            weights = sums / np.float32(height * width)
            heat = np.maximum(np.einsum("c,chw->hw", weights, feature[0], dtype=np.float64), 0).astype(np.float32)
            _check_finite(heat, scored, scored.targets[0])
            rows.append((heat, weights, scored))
    heats, gradients, scores = zip(*rows, strict=True)
    return _explanation(np.stack(heats), np.stack(gradients), scores)


def saliency(net: ResNet, x: Any, target: int | Feature | None = None) -> Explanation:
    """The gradient of a target's score with respect to the pixels (Simonyan et al. 2013, arXiv:1312.6034).

    The heat is the largest absolute value of a pixel's channels.

    Args:
        net: in evaluation mode. Its outputs must include "logits", for a feature its stage.
        x: images, as for `gradcam`.
        target: as for `gradcam`.

    Raises: as `gradcam`.
    """
    images = as_array(x, "x")
    _check_images(images)
    if net.training:
        raise ValueError("the network is in training mode; call eval() first")
    if isinstance(target, Feature):
        _check_output(net, target.stage)
    else:
        _check_class(net, target)
    output = target.stage if isinstance(target, Feature) else "logits"
    with net.tape(input_gradient=True) as tape:
        outputs = dict(zip(net.outputs, net.forward_train(images, tape), strict=True))
        scored = _Scored.of(outputs[output], target)
        gradient = net.input_gradient(tape, [scored.gradient if name == output else None for name in net.outputs])
    heat = np.abs(gradient).max(axis=1)
    _check_finite(gradient, scored, scored.targets[0])
    return _explanation(heat, gradient, (scored,))


class _Scored(NamedTuple):
    """Targets of images, and the gradient of the sum of their scores with respect to an output."""

    targets: tuple[int | Feature, ...]
    scores: FloatArray
    gradient: FloatArray
    logits: FloatArray | None

    @classmethod
    def of(cls, output: FloatArray, target: int | Feature | None) -> _Scored:
        count, channels, height, width = output.shape
        if isinstance(target, Feature):
            # Of an index below 0 NumPy would take another channel.
            if not 0 <= target.channel < channels:
                raise ValueError(
                    f"target is channel {target.channel} of {target.stage}, which has channels 0 to {channels - 1}"
                )
            numbers = np.full(count, target.channel)
        elif target is None:
            if not np.isfinite(output).all():
                raise ValueError("logits are NaN or infinite; check the weights and the image for such values")
            numbers = output[:, :, 0, 0].argmax(axis=1)
        else:
            numbers = np.full(count, target)
        gradient = np.zeros_like(output)
        rows = np.arange(count)
        gradient[rows, numbers] = 1 / (height * width)
        scores = output[rows, numbers].mean(axis=(1, 2), dtype=np.float64).astype(np.float32)
        if isinstance(target, Feature):
            return cls((target,) * count, scores, gradient, None)
        return cls(tuple(map(int, numbers)), scores, gradient, output[:, :, 0, 0])


def _explanation(heat: FloatArray, gradient: FloatArray, scored: tuple[_Scored, ...]) -> Explanation:
    logits = [row.logits for row in scored if row.logits is not None]
    return Explanation(
        heat,
        gradient,
        tuple(target for row in scored for target in row.targets),
        np.concatenate([row.scores for row in scored]),
        np.concatenate(logits) if logits else None,
    )


def _check_images(images: Any) -> None:
    if images.ndim != 4 or not len(images):
        raise ValueError(f"x has shape {images.shape}; it must be (N, C, H, W) with at least one image")


def _check_output(net: ResNet, name: str) -> None:
    if name not in net.outputs:
        raise ValueError(f"the network gives {', '.join(net.outputs)}; create it with {name!r} among its outputs")


def _check_class(net: ResNet, target: int | None) -> None:
    _check_output(net, "logits")
    if target is None:
        return
    if isinstance(target, bool) or not isinstance(target, (int, np.integer)):
        raise TypeError(f"target is {target!r}; it must be a class, a Feature or None")
    if not 0 <= target < net.num_classes:
        raise ValueError(f"target is {target}; the network has classes 0 to {net.num_classes - 1}")


def _check_stage(net: ResNet, stage: str, label: str) -> None:
    known = STAGES[: STAGES.index(last_stage(net)) + 1]
    if stage not in known:
        raise ValueError(f"{label} is {stage!r}; the network has {', '.join(known)}")


def _check_finite(values: FloatArray, scored: _Scored, target: int | Feature) -> None:
    for what, numbers in (("the score", scored.scores), ("the gradient", values)):
        if not np.isfinite(numbers).all():
            raise ValueError(
                f"{what} of {_name(target)} is NaN or infinite; check the weights and the image for such values"
            )


def _name(target: int | Feature) -> str:
    return f"channel {target.channel} of {target.stage}" if isinstance(target, Feature) else f"class {target}"
