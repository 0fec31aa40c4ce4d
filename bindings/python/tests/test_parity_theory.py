# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Norms of gradients beside PyTorch in float64, and fine-tuning beside PyTorch."""

import numpy as np
import pytest
from parity import arrays
from test_degradation import images_of
from theory import gradients, transfer
from theory.networks import KINDS
from theory.transfer import WAYS, Plan

import backbone

pytestmark = pytest.mark.parity

WIDTHS = (4, 8, 16)


def reference(torch, name):
    """The network in PyTorch, and how its names become ours."""
    from families.cifar import CifarResNet

    options = {"plain20": "none", "resnet20": "a", "resnet20-b": "b", "resnet20-c": "c"}
    if name in options:
        names = (("shortcut", "downsample"), ("linear", "fc"))
        return CifarResNet(20, options[name], WIDTHS, 3), names
    return preactivated(torch), ()


def preactivated(torch):
    """Pre-activation as figure 1 of arXiv:1603.05027 has it, with the names of timm."""
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.norm1, self.norm2 = nn.BatchNorm2d(inputs), nn.BatchNorm2d(outputs)
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.downsample = None
            if inputs != outputs:
                self.downsample = nn.Module()
                self.downsample.conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

        def forward(self, x):
            start = torch.relu(self.norm1(x))
            shortcut = x if self.downsample is None else self.downsample.conv(start)
            return shortcut + self.conv2(torch.relu(self.norm2(self.conv1(start))))

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Module()
            self.stem.conv = nn.Conv2d(3, WIDTHS[0], 3, 1, 1, bias=False)
            self.stages = nn.ModuleList()
            inputs = WIDTHS[0]
            for stage, outputs in enumerate(WIDTHS):
                blocks = [Block(inputs if n == 0 else outputs, outputs, 2 if stage and n == 0 else 1) for n in range(3)]
                self.stages.append(nn.Module())
                self.stages[-1].blocks = nn.Sequential(*blocks)
                inputs = outputs
            self.norm = nn.BatchNorm2d(inputs)
            self.head = nn.Module()
            self.head.fc = nn.Conv2d(inputs, 3, 1)

        def forward(self, x):
            x = self.stem.conv(x)
            for stage in self.stages:
                x = stage.blocks(x)
            return self.head.fc(torch.relu(self.norm(x)).mean((2, 3), keepdim=True)).flatten(1)

    return Network()


@pytest.mark.parametrize("name", ["plain20", "resnet20", "resnet20-b", "resnet20-c", "preact20"])
def test_norms_of_gradients(torch, name):
    torch.manual_seed(0)
    model, names = reference(torch, name)
    state = arrays(model.state_dict())
    for theirs, ours in names:
        state = {key.replace(theirs, ours): value for key, value in state.items()}
    net = KINDS[name].network(3, WIDTHS[0], threads=1)
    net.load_state_dict(state)
    images = np.random.default_rng(1).standard_normal((16, 3, 16, 16), dtype=np.float32)
    labels = np.arange(16) % 3
    measured = gradients.norms(net, images, labels)
    model.double().train()
    torch.nn.functional.cross_entropy(model(torch.from_numpy(images).double()), torch.from_numpy(labels)).backward()
    convolutions = [p for p in model.parameters() if p.ndim == 4 and p.shape[2] == 3]
    assert len(measured) == len(convolutions) == 19
    for norm, parameter in zip(measured, convolutions, strict=True):
        # A ReLU near 0 may pass a gradient in one arithmetic and not in the other.
        assert norm.gradient == pytest.approx(parameter.grad.norm().item(), rel=2e-3), norm
        assert norm.weight == pytest.approx(parameter.norm().item(), rel=1e-5)


@pytest.mark.parametrize("way", WAYS)
def test_the_same_curves_as_pytorch(torch, way, tmp_path):
    from theory import transfer_torch

    with backbone.ResNet(architecture="resnet20", base_channels=32, outputs=("logits",)) as net:
        net.init_weights(seed=3)
        net.train()
        for _ in range(20):
            net(np.random.default_rng(1).standard_normal((16, 3, 8, 8), dtype=np.float32))
        net.save_weights(tmp_path / "resnet20.pth")
    plan = Plan(epochs=4, learning_rate=0.01, batch=12)
    data = images_of(96), images_of(60, seed=1)
    curves = []
    for fit in (transfer.fit, lambda *rest: transfer_torch.fit(*rest, threads=1)):
        with transfer.new_network(tmp_path / "resnet20.pth", WAYS[way], 3, seed=1, threads=1) as net:
            curves.append(fit(net, plan, *data, 1))
    ours, theirs = ([[row[key] for row in curve] for key in ("loss", "accuracy")] for curve in curves)
    # Rounding grows with the steps: 1e-6 in the first epoch, and what follows from it.
    np.testing.assert_allclose(ours[0], theirs[0], rtol=5e-3)
    np.testing.assert_allclose(ours[0][0], theirs[0][0], rtol=2e-4)
    np.testing.assert_allclose(ours[1], theirs[1], atol=0.05)
    # It is learning that is compared.
    assert ours[0][-1] < 0.9 * ours[0][0]
