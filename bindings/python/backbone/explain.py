# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Heat maps that explain a class or a feature, by gradients.

Example::

    from backbone import explain

    with backbone.ResNet.from_file("resnet50.pth", outputs=("C4", "C5", "logits")) as net:
        cam = explain.gradcam(net, images)  # of the most likely class of each image
        print(cam.targets, cam.heat.shape)  # (N, h, w)
        cam = explain.gradcam(net, images, target=281, layer="C4")
        dots = explain.saliency(net, images, target=281)
        print(dots.gradient.shape)  # that of images
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ._arrays import FloatArray, as_array
from ._resnet import ResNet

__all__ = ["STAGES", "Explanation", "Feature", "gradcam", "last_stage", "saliency"]

STAGES = ("C2", "C3", "C4", "C5")

# The stage of a parameter, from 1 in torchvision's names and from 0 in timm's for pre-activation networks.
_STAGE = re.compile(r"layer(\d+)\.|stages\.(\d+)\.")


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
    """The evidence for a target in each of N images.

    Attributes:
        heat: the evidence, 0 or more, float32. From `gradcam` of shape (N, h, w), the feature's size; from `saliency`
            (N, H, W), the image's.
        gradient: its source, float32. From `gradcam` of shape (N, C): the mean over all positions of the gradient of
            the score with respect to each channel of the feature. From `saliency` (N, C, H, W): the gradient with
            respect to the values that the network computes with: for inputs that the library normalises, the normalised
            values, with channels in the network's order.
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
    """The deepest stage of a network: "C5", or "C4" with three stages.

    Raises:
        ValueError: the network was built without stages, for C1 alone.
    """
    if not (stages := _stages(net)):
        raise ValueError("the network has its stem alone; create it with other outputs than C1")
    return stages[-1]


def gradcam(net: ResNet, x: Any, target: int | Feature | None = None, layer: str | None = None) -> Explanation:
    """Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391): where a stage has evidence for a target.

    The heat is the sum over the channels of the stage, each weighted by the mean gradient of the target's score, where
    it is positive. It has the scale of the score. In pre-activation networks a stage is the sum before the next norm,
    and C5 that before the last one, as in timm.

    Args:
        net: in evaluation mode. Its outputs must include the layer, and "logits" or the stage of the feature.
        x: images, as for `ResNet.forward`, of shape (N, C, H, W).
        target: a class from 0, or a `Feature`; None: the most likely class of each image.
        layer: "C2" to "C5"; None: the last stage, for a feature its own.

    Raises:
        TypeError: as `ResNet.forward`.
        ValueError: the network is in training mode, or does not give the layer or the target's output; no such class
            or channel; a feature of a stage before `layer`; scores or gradients that are NaN or infinite.
    """
    images = _checked(net, x, target)
    if layer is None:
        layer = target.stage if isinstance(target, Feature) else last_stage(net)
    _check_stage(net, layer, "layer")
    if isinstance(target, Feature) and STAGES.index(target.stage) < STAGES.index(layer):
        raise ValueError(f"target is a feature of {target.stage}, which does not depend on {layer}, a later stage")
    # On such a tape frozen stages have gradients of features too.
    with net.tape(input_gradient=True) as tape:
        outputs = dict(zip(net.outputs, net.forward_train(images, tape), strict=True))
        scored = _Scored.of(outputs, target)
        (gradient,) = net.feature_gradients(tape, scored.output_gradients(net), [layer])
    weights = gradient.mean(axis=(2, 3), dtype=np.float64)
    heat = np.maximum(np.einsum("nc,nchw->nhw", weights, outputs[layer], dtype=np.float64), 0).astype(np.float32)
    return _explanation(heat, weights.astype(np.float32), scored)


def saliency(net: ResNet, x: Any, target: int | Feature | None = None) -> Explanation:
    """The gradient of a target's score with respect to the pixels (Simonyan et al. 2013, arXiv:1312.6034).

    The heat is the largest absolute value of a pixel's channels.

    Args:
        net: in evaluation mode. Its outputs must include "logits", for a feature its stage.
        x: images, as for `gradcam`.
        target: as for `gradcam`.

    Raises: as `gradcam`.
    """
    images = _checked(net, x, target)
    with net.tape(input_gradient=True) as tape:
        outputs = dict(zip(net.outputs, net.forward_train(images, tape), strict=True))
        scored = _Scored.of(outputs, target)
        gradient = net.input_gradient(tape, scored.output_gradients(net))
    return _explanation(np.abs(gradient).max(axis=1), gradient, scored)


class _Scored(NamedTuple):
    """Targets of images, and the gradient of the sum of their scores with respect to the output of the scores."""

    output: str
    targets: tuple[int | Feature, ...]
    scores: FloatArray
    gradient: FloatArray
    logits: FloatArray | None

    @classmethod
    def of(cls, outputs: dict[str, FloatArray], target: int | Feature | None) -> _Scored:
        name = _output_of(target)
        output = outputs[name]
        count, channels, height, width = output.shape
        if isinstance(target, Feature):
            # NumPy would read another channel for an index below 0.
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
            return cls(name, (target,) * count, scores, gradient, None)
        return cls(name, tuple(map(int, numbers)), scores, gradient, output[:, :, 0, 0])

    def output_gradients(self, net: ResNet) -> list[FloatArray | None]:
        """The gradients of all outputs of the network, for a backward pass."""
        return [self.gradient if name == self.output else None for name in net.outputs]


def _explanation(heat: FloatArray, gradient: FloatArray, scored: _Scored) -> Explanation:
    for index, target in enumerate(scored.targets):
        parts = ("the score", scored.scores), ("the gradient", gradient), ("the map", heat)
        for what, values in parts:
            if not np.isfinite(values[index]).all():
                raise ValueError(
                    f"{what} of {_name(target)} is NaN or infinite; check the weights and the image for such values"
                )
    return Explanation(heat, gradient, scored.targets, scored.scores, scored.logits)


def _output_of(target: int | Feature | None) -> str:
    return target.stage if isinstance(target, Feature) else "logits"


def _checked(net: ResNet, x: Any, target: int | Feature | None) -> Any:
    """The images, if they and the target fit a network in evaluation mode."""
    images = as_array(x, "x")
    if images.ndim != 4 or not len(images):
        raise ValueError(f"x has shape {images.shape}; it must be (N, C, H, W) with at least one image")
    if net.training:
        raise ValueError("the network is in training mode; call eval() first")
    if isinstance(target, Feature):
        _check_stage(net, target.stage, "target.stage")
        return images
    _check_output(net, "logits")
    if target is None:
        return images
    if isinstance(target, bool) or not isinstance(target, (int, np.integer)):
        raise TypeError(f"target is {target!r}; it must be a class, a Feature or None")
    if not 0 <= target < net.num_classes:
        raise ValueError(f"target is {target}; the network has classes 0 to {net.num_classes - 1}")
    return images


def _check_output(net: ResNet, name: str) -> None:
    if name not in net.outputs:
        raise ValueError(f"the network gives {', '.join(net.outputs)}; create it with {name!r} among its outputs")


def _check_stage(net: ResNet, stage: str, label: str) -> None:
    stages = _stages(net)
    if stage in stages:
        return _check_output(net, stage)
    given = ", ".join(net.outputs)
    # Without a classifier stages after the last output are not built, so it is unknown whether any would exist.
    if stage in STAGES and not {"pooled", "logits"} & set(net.outputs):
        raise ValueError(
            f"{label} is {stage!r}; the network gives {given}; if it has {stage}, create it with that among its outputs"
        )
    raise ValueError(f"{label} is {stage!r}; the network has {', '.join(stages)}")


def _stages(net: ResNet) -> tuple[str, ...]:
    """The built stages."""
    matches = filter(None, (_STAGE.match(entry.name) for entry in net._entries()))
    return STAGES[: max((int(match[1] or int(match[2]) + 1) for match in matches), default=0)]


def _name(target: int | Feature) -> str:
    return f"channel {target.channel} of {target.stage}" if isinstance(target, Feature) else f"class {target}"
