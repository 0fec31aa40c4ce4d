# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""A process of `training`: `python -m benchmark.training_worker ENGINE DEPTH NORMS`.

It makes a network, does two steps and says so. After that it does a step for each line it reads and answers with its
milliseconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from .channel import Channel

SHAPE = (8, 3, 224, 224)
RATE = 1e-4
MOMENTUM = 0.9
# Networks with random weights magnify: small enough that many steps change next to nothing.
GRADIENT = 1e-8


def gradient(shape: tuple[int, ...]) -> np.ndarray:
    """The gradient of a feature, the same for each engine."""
    return np.random.default_rng(2).standard_normal(shape, np.float32) * np.float32(GRADIENT)


def ours(depth: int, norm_eval: bool) -> Callable[[], None]:
    """Through NumPy alone."""
    import backbone
    from backbone import optim

    net = backbone.ResNet(depth, frozen_stages=1, norm_eval=norm_eval, threads=2).train()
    net.init_weights(seed=1)
    x = np.random.default_rng(1).standard_normal(SHAPE, np.float32)
    tape = net.tape()
    optimizer = optim.SGD(net, lr=RATE, momentum=MOMENTUM)
    upstream = [None, *map(gradient, net.output_shapes(SHAPE)[1:])]
    gradients = None

    def step() -> None:
        nonlocal gradients
        net.forward_train(x, tape, channels_last=True)
        gradients = net.backward(tape, upstream, gradients)
        optimizer.step(gradients)

    return step


def module(depth: int, norm_eval: bool) -> Callable[[], None]:
    """Through `backbone.torch`, with PyTorch's optimiser."""
    import torch
    from backbone.torch import Backbone

    torch.set_num_threads(2)
    net = Backbone(f"resnet{depth}", frozen_stages=1, norm_eval=norm_eval, threads=2).train()
    trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
    return _with_torch(lambda x: list(net(x).values()), trained)


def pytorch(depth: int, norm_eval: bool) -> Callable[[], None]:
    """The module of torchvision, in its fastest layout."""
    import torch
    from torch import nn

    from .models import torchvision_resnet, train_but_the_first

    torch.set_num_threads(2)
    model = getattr(torchvision_resnet(), f"resnet{depth}")().to(memory_format=torch.channels_last)
    train_but_the_first(model, norm_eval)

    def features(x: torch.Tensor) -> list[torch.Tensor]:
        y = model.maxpool(model.relu(model.bn1(model.conv1(x))))
        results = []
        for layer in (model.layer1, model.layer2, model.layer3, model.layer4):
            y = layer(y)
            results.append(y)
        return results

    stages = nn.ModuleList([model.layer2, model.layer3, model.layer4])
    return _with_torch(features, list(stages.parameters()))


def _with_torch(features: Callable, parameters: list) -> Callable[[], None]:
    import torch

    optimizer = torch.optim.SGD(parameters, lr=RATE, momentum=MOMENTUM)
    x = torch.from_numpy(np.random.default_rng(1).standard_normal(SHAPE, np.float32))
    x = x.to(memory_format=torch.channels_last)

    with torch.no_grad():
        shapes = [tuple(result.shape) for result in features(x)][1:]
    upstream = [torch.from_numpy(gradient(shape)).to(memory_format=torch.channels_last) for shape in shapes]

    def step() -> None:
        results = features(x)[1:]
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(results, upstream)
        optimizer.step()

    return step


def main() -> int:
    channel = Channel()

    def work() -> None:
        engine, depth, norms = sys.argv[1:]
        step = {"ours": ours, "module": module, "pytorch": pytorch}[engine](int(depth), norms == "norm_eval")
        for _ in range(2):
            step()
        channel.send(ready=True)
        for _ in sys.stdin:
            started = time.perf_counter_ns()
            step()
            channel.send(ms=(time.perf_counter_ns() - started) / 1e6)

    return channel.guarded(work)


if __name__ == "__main__":
    sys.exit(main())
