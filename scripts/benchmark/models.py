# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The networks and their inputs, made with PyTorch: what every engine is given.

Imported where models are made, never where they are timed.
"""

from __future__ import annotations

import re
import statistics
import warnings
from pathlib import Path

import numpy as np
import torch

from .columns import STAGES, Column
from .engines import ZEROS

SEED = 20
CALIBRATION_BATCHES = 4
# Shares of activations that ReLUs in the branches of trained networks leave, in their first and their last block.
FIRST_NONZERO, LAST_NONZERO = 0.5, 0.16
# So many standard deviations above zero are practically all values.
NEVER_ZERO = 6.0


def torchvision_resnet():
    """torchvision.models.resnet, also where torchvision is built for CUDA and PyTorch is not.

    There its compiled operators cannot be loaded, and it refuses to be imported for want of these two.
    """
    try:
        from torchvision.models import resnet
    except RuntimeError:
        operators = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        from torchvision.models import resnet
    return resnet


def train_but_the_first(model: torch.nn.Module, norm_eval: bool) -> None:
    """Put a ResNet into training mode, but for its stem and layer1.

    Args:
        norm_eval: BatchNorms keep their running statistics.
    """
    model.train()
    for frozen in (model.conv1, model.bn1, model.layer1):
        frozen.eval().requires_grad_(False)
    if norm_eval:
        for norm in model.modules():
            if isinstance(norm, torch.nn.BatchNorm2d):
                norm.eval()


def _new(network: str) -> torch.nn.Module:
    """A network of torchvision, or else of timm, as it is made."""
    resnet = torchvision_resnet()
    if hasattr(resnet, network):
        return getattr(resnet, network)(weights=None)
    import timm

    return timm.create_model(network, pretrained=False, zero_init_last=False)


class Features(torch.nn.Module):
    """A ResNet that returns C2 to C5."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        net = self.model
        if hasattr(net, "forward_intermediates"):
            return tuple(net.forward_intermediates(x, indices=[1, 2, 3, 4], intermediates_only=True))
        x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
        c2 = net.layer1(x)
        c3 = net.layer2(c2)
        c4 = net.layer3(c3)
        return c2, c3, c4, net.layer4(c4)


def images(shape: tuple[int, int, int, int], seed: int) -> np.ndarray:
    """Random images with structure at several scales, normalised as photographs are before a network."""
    random = np.random.default_rng(seed)
    n, c, height, width = shape
    total = np.zeros(shape, np.float32)
    for scale in (1, 8, 64):
        coarse = random.standard_normal((n, c, -(-height // scale), -(-width // scale)), np.float32)
        total += coarse.repeat(scale, axis=2).repeat(scale, axis=3)[:, :, :height, :width]
    return total / np.float32(np.sqrt(3))


def new_weights(network: str, path: Path, zeros: str = ZEROS[0]) -> None:
    """Save random weights with BatchNorm statistics measured on random images.

    With the statistics of a new network, activations would grow from block to block without bound.

    Args:
        zeros: How many activations ReLUs shall make zero. Of "random" weights, about half within the branch of a block.
            Of "trained" ones, from half in the first block to five sixths in the last. With "none", none.
    """
    torch.manual_seed(SEED)
    features = Features(_new(network)).train()
    last = "bn2" if network in ("resnet18", "resnet34") else "bn3"
    for name, module in features.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            # As trained ones are: other than 1 and 0, and small where a block adds to its input. With 1 there, a random
            # network magnifies rounding errors from block to block as no trained one does.
            low, high = (0.1, 0.5) if name.endswith(last) else (0.5, 1.5)
            torch.nn.init.uniform_(module.weight, low, high)
            torch.nn.init.normal_(module.bias, 0, 0.1)
            # The plain mean of all batches.
            module.momentum = None
    if zeros != ZEROS[0]:
        _shift(features, last, zeros)
    with torch.inference_mode():
        for batch in range(CALIBRATION_BATCHES):
            features(torch.from_numpy(images((4, 3, 224, 224), SEED + batch)))
    torch.save(features.model.state_dict(), path)


def _shift(features: Features, last: str, zeros: str) -> None:
    """Set the biases of BatchNorms so that the ReLUs after them make as many activations zero as wanted."""
    norms = [(name, norm) for name, norm in features.named_modules() if isinstance(norm, torch.nn.BatchNorm2d)]
    normal = statistics.NormalDist()
    branches = [norm for name, norm in norms if re.search(r"\.(bn|norm)\d$", name) and not name.endswith(last)]
    # The stem's is not in a branch.
    branches = [norm for norm in branches if norm is not getattr(features.model, "bn1", None)]
    with torch.no_grad():
        if zeros == "none":
            for _, norm in norms:
                norm.bias.copy_(NEVER_ZERO * norm.weight)
            return
        for index, norm in enumerate(branches):
            share = FIRST_NONZERO + (LAST_NONZERO - FIRST_NONZERO) * index / (len(branches) - 1)
            norm.bias.copy_(normal.inv_cdf(share) * norm.weight)


def new_classifier(network: str, path: Path, classes: int) -> None:
    """Save such weights with a random classifier for so many classes."""
    new_weights(network, path)
    state = torch.load(path, weights_only=True)
    features = state["fc.weight"].shape[1]
    state["fc.weight"] = torch.nn.init.normal_(torch.empty(classes, features), 0, 0.01)
    state["fc.bias"] = torch.zeros(classes)
    torch.save(state, path)


def load(network: str, path: Path) -> Features:
    """The network with saved weights, in evaluation mode."""
    model = _new(network)
    model.load_state_dict(torch.load(path, weights_only=True))
    return Features(model).eval()


def new_case(column: Column, weights: Path, folder: Path) -> None:
    """Save the input of a column, and the features that PyTorch computes from it in float64."""
    x = images(column.shape, SEED + 1000)
    np.save(folder / "input.npy", x)
    model = load(column.network, weights).double()
    features: list[list[np.ndarray]] = [[] for _ in STAGES]
    with torch.inference_mode():
        # Image by image: float64 at detector size takes gigabytes.
        for image in x:
            for stage, value in zip(features, model(torch.from_numpy(image[None]).double()), strict=True):
                # Rounding to float32 is an error of 6e-8, far below what is looked at.
                stage.append(value.float().numpy())
    for name, parts in zip(STAGES, features, strict=True):
        np.save(folder / f"{name}.npy", np.concatenate(parts))


def new_onnx(column: Column, weights: Path, folder: Path) -> None:
    """Export a column's network at its input shape to model.onnx."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            load(column.network, weights),
            (torch.zeros(column.shape),),
            folder / "model.onnx",
            input_names=["image"],
            output_names=[stage.lower() for stage in STAGES],
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def new_torchscript(column: Column, weights: Path, path: Path, *, freeze: bool) -> None:
    """Trace a column's network to a TorchScript file."""
    with torch.no_grad():
        traced = torch.jit.trace(load(column.network, weights), torch.zeros(1, 3, 224, 224))
        torch.jit.save(torch.jit.freeze(traced) if freeze else traced, path)
