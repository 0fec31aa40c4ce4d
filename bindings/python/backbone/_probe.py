# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The gradient of a score with respect to each channel of a stage, summed over its positions.

The library gives gradients of parameters and of the input, not those of features. So a probe is the same network with
one more block at the end of the stage, which adds 1e-30 to every channel: it changes no value but zeros, and passes the
gradient even where the feature is 0. The gradient of what it adds, a bias, is the gradient of the feature summed over
all positions, as that of every bias.
"""

from __future__ import annotations

import ctypes
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _library
from ._arrays import FloatArray
from ._choices import OUTPUTS
from ._entries import Entry
from ._errors import check
from ._library import lib
from ._resnet import ResNet

if TYPE_CHECKING:
    from typing_extensions import Self

STAGES = ("C2", "C3", "C4", "C5")

# Added to features: positive, so that ReLU passes the gradient, and lost in the rounding of every other value.
_TINY = 1e-30

_BLOCK = re.compile(r"(?:layer(?P<torchvision>\d+)|stages\.(?P<timm>\d+)\.blocks)\.(?P<block>\d+)\.")


class Probe:
    """A network with one more block at the end of a stage. Use it in a `with` block.

    Args:
        net: the network; its weights are copied.
        layer: "C2" to "C5", the stage.
        output: what the score is made of: "logits", or a stage that is not before `layer`.

    Raises:
        ValueError: such a block cannot be added to the network.
    """

    def __init__(self, net: ResNet, layer: str, output: str) -> None:
        stage = STAGES.index(layer)
        options = net._options()
        counts = block_counts(net)
        _refuse_unknown(net, options)
        options.depth = 0 if options.architecture else options.depth
        options.out_stages = OUTPUTS[layer] | OUTPUTS[output]
        _add_block(options, counts, stage)
        options.block_counts[:] = [count + (index == stage) for index, count in enumerate(counts)]
        # Nothing before the stage needs a gradient.
        options.frozen_stages = stage
        options.arithmetic = _library.ARITHMETIC_DIRECT
        self._layer, self._output = layer, output
        self._net = _created(options)
        try:
            self._write(net, stage, counts[stage])
            self._tape = self._net.tape()
        except BaseException:
            self._net.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._tape.close()
        self._net.close()

    def forward(self, image: Any) -> tuple[FloatArray, FloatArray]:
        """The features of one image, of shape (1, C, h, w), and the output that the score is made of."""
        outputs = dict(zip(self._net.outputs, self._net.forward_train(image, self._tape), strict=True))
        return outputs[self._layer], outputs[self._output]

    def backward(self, output_gradient: FloatArray) -> FloatArray:
        """The sum over all positions of the gradient of each channel, of shape (C,), for the last `forward`."""
        given = [output_gradient if name == self._output else None for name in self._net.outputs]
        gradients = self._net.named_slices(self._net.backward(self._tape, given))
        sums = gradients[self._sensor]
        if sums.ndim == 4:
            # Of a convolution of ones: what its centre gets from any of its channels.
            sums = sums[:, 0, sums.shape[2] // 2, sums.shape[3] // 2]
        return sums * np.float32(self._factor)

    def _write(self, net: ResNet, stage: int, block: int) -> None:
        """Copy the weights of a network, and make the added block add nothing."""
        values = {entry.name: entry for entry in net._entries()}
        added: dict[str, Entry] = {}
        for entry in self._net._entries():
            match = _BLOCK.match(entry.name)
            if match and _place(match) == (stage, block):
                added[entry.name[match.end() :]] = entry
            else:
                entry.data = values[entry.name].data
        is_plain, is_preactivated = _kind(added, self._net)
        norms = sorted(name for name in added if re.fullmatch(r"(bn|norm)\d\.bias", name))
        convolutions = sorted(name for name in added if re.fullmatch(r"conv\d\.weight", name))
        for name, entry in added.items():
            is_identity = is_plain or name.startswith("downsample")
            entry.data = _identity(entry, name, net.norm_eps) if is_identity else _nothing(entry, name)
        if is_preactivated:
            # The last convolution sees ones, and its weights are 0.
            added[norms[-1]].data = np.ones(added[norms[-1]].shape, np.float32)
            self._sensor = added[convolutions[-1]].name
        else:
            added[norms[-1]].data = np.full(added[norms[-1]].shape, _TINY, np.float32)
            self._sensor = added[norms[-1]].name
            self._net.set_trainable("norms")
        # A gate without weights halves.
        self._factor = 2 if any(name.startswith("se.") for name in added) else 1


def block_counts(net: ResNet) -> list[int]:
    """Blocks of each stage that the network has, four numbers."""
    counts = [0, 0, 0, 0]
    for entry in net._entries():
        if match := _BLOCK.match(entry.name):
            stage, block = _place(match)
            counts[stage] = max(counts[stage], block + 1)
    return counts


def _place(match: re.Match[str]) -> tuple[int, int]:
    stage = int(match["torchvision"]) - 1 if match["torchvision"] else int(match["timm"])
    return stage, int(match["block"])


def _kind(added: dict[str, Entry], net: ResNet) -> tuple[bool, bool]:
    """Whether a block has no shortcut, and whether its norms come before its convolutions."""
    # Of a network with a name the options do not tell.
    is_plain = net._options().shortcut == _library.SHORTCUT_NONE or net.architecture.startswith("plain")
    is_preactivated = any(name.startswith("norm1.") for name in added)
    is_normalised = any(name.endswith("running_var") for name in added)
    needs_identity = is_plain or any(name.startswith("downsample") for name in added)
    if needs_identity and not is_normalised:
        raise ValueError("gradcam cannot add a block to a network of GroupNorms without plain shortcuts; use saliency")
    if is_plain and (is_preactivated or "conv3.weight" in added):
        raise ValueError(
            "gradcam cannot add a block to a network of Bottlenecks or of pre-activation blocks without shortcuts; "
            "use saliency"
        )
    return is_plain, is_preactivated


def _nothing(entry: Entry, name: str) -> np.ndarray[Any, Any]:
    """Of a branch that gives 0."""
    values = np.zeros(entry.shape, entry.dtype)
    return values + np.float32(1) if name.endswith("running_var") else values


def _identity(entry: Entry, name: str, norm_eps: float) -> np.ndarray[Any, Any]:
    """Of a branch that gives its input."""
    values = np.zeros(entry.shape, entry.dtype)
    if len(entry.shape) == 4:
        channels = np.arange(entry.shape[0])
        values[channels, channels, entry.shape[2] // 2, entry.shape[3] // 2] = 1
    elif name.endswith("running_var"):
        values[:] = np.float32(1) - np.float32(norm_eps)
    elif name.endswith("weight"):
        values[:] = 1
    return values


def _refuse_unknown(net: ResNet, options: _library.Options) -> None:
    if options.block == -1:
        raise ValueError(
            "gradcam cannot add a block to this network, whose stages have blocks of different kinds; use saliency"
        )
    if net.training:
        raise ValueError("the network is in training mode; call eval() first")


def _add_block(options: _library.Options, counts: list[int], stage: int) -> None:
    """Repeat the widths of the last block of a stage, where widths follow no rule."""
    if not options.block_width_count:
        return
    widths = list(options.block_widths[: options.block_width_count])
    end = 2 + 4 * sum(counts[: stage + 1])
    widths[end:end] = widths[end - 4 : end]
    # The options keep the array alive.
    options.block_widths = (ctypes.c_int32 * len(widths))(*widths)
    options.block_width_count = len(widths)


def _created(options: _library.Options) -> ResNet:
    pointer = ctypes.c_void_p()
    check(lib.backbone_create(ctypes.byref(options), ctypes.byref(pointer)))
    net = ResNet.__new__(ResNet)
    net._own(pointer)
    return net
