# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The same training in PyTorch, written by its own means: model, autograd, optimiser, schedule."""

from __future__ import annotations

import backbone
import numpy as np
import torch
from families.cifar import CifarResNet
from torch.nn import functional

from .data import Images
from .training import RunError
from .transfer import Plan, accuracy

_NAMES = {"resnet20": 20, "resnet32": 32, "resnet44": 44, "resnet56": 56, "resnet110": 110}


def model_of(net: backbone.ResNet) -> CifarResNet:
    """PyTorch's network with the weights and frozen stages of `net`.

    Raises:
        RunError: the network is not supported here.
    """
    if net.architecture not in _NAMES:
        raise RunError(f"--pytorch has no {net.architecture}; its weights must be of {', '.join(_NAMES)}")
    widths = tuple(net.state_dict()[f"layer{number}.0.conv1.weight"].shape[0] for number in (1, 2, 3))
    model = CifarResNet(_NAMES[net.architecture], "a", widths, net.num_classes)
    state = {name.replace("fc.", "linear."): torch.from_numpy(v.copy()) for name, v in net.state_dict().items()}
    model.load_state_dict(state)
    for module in frozen(model, net.frozen_stages):
        module.requires_grad_(False)
    return model


def frozen(model: CifarResNet, stages: int) -> list[torch.nn.Module]:
    """The modules that `frozen_stages` freezes."""
    if stages < 0:
        return []
    return [model.conv1, model.bn1, *(getattr(model, f"layer{number}") for number in range(1, stages + 1))]


def fit(
    net: backbone.ResNet, plan: Plan, train: Images, test: Images, seed: int, threads: int | None
) -> list[dict[str, float]]:
    """What `transfer.fit` computes, from the weights of `net`, which stay as they are."""
    if threads is not None:
        torch.set_num_threads(threads)
    mean, std = (torch.tensor(values)[:, None, None] for values in (backbone.IMAGENET_MEAN, backbone.IMAGENET_STD))
    model = model_of(net).to(memory_format=torch.channels_last)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(parameters, plan.learning_rate, plan.momentum, weight_decay=plan.weight_decay)
    steps = plan.epochs * (len(train) // plan.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    def images_of(pixels: np.ndarray) -> torch.Tensor:
        return (torch.from_numpy(pixels) - mean) / std

    @torch.no_grad()
    def logits(pixels: np.ndarray) -> np.ndarray:
        return model(images_of(pixels)).numpy()

    rows = []
    for epoch in plan.batches(train, seed):
        model.train()
        for module in frozen(model, net.frozen_stages):
            module.eval()
        losses = []
        for chosen in epoch:
            outputs = model(images_of(train.pixels[chosen]))
            loss = functional.cross_entropy(outputs, torch.from_numpy(train.labels[chosen]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        model.eval()
        rows.append({"loss": float(np.mean(losses)), "accuracy": accuracy(logits, test)})
    return rows
