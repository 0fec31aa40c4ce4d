# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The ResNets for CIFAR-10 of He et al. 2015 (arXiv:1512.03385, section 4.2), with the names that their files have."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

WIDTHS = (16, 32, 64)


class PaddedShortcut(nn.Module):
    """Option A: every second row and column, and zeros for half of the new channels before and after the old ones.

    The paper does not say where the zeros are. This is where the published weights for PyTorch have them
    (akamaster/pytorch_resnet_cifar10).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.before = (outputs - inputs) // 2
        self.after = outputs - inputs - self.before

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.before, self.after))


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, option: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        if option == "none":
            self.shortcut: nn.Module | None = None
        elif stride == 1 and inputs == outputs and option != "c":
            self.shortcut = nn.Sequential()
        elif option == "a":
            self.shortcut = PaddedShortcut(inputs, outputs)
        else:
            projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return torch.relu(y if self.shortcut is None else y + self.shortcut(x))


class CifarResNet(nn.Module):
    """ResNet-20 to 110, with shortcuts of option "a", "b" or "c" of the paper, or "none": a plain network."""

    def __init__(self, depth: int, option: str, widths: tuple[int, int, int] = WIDTHS, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        inputs = widths[0]
        for stage, outputs in enumerate(widths):
            blocks = []
            for number in range((depth - 2) // 6):
                blocks.append(Block(inputs, outputs, 2 if stage and not number else 1, option))
                inputs = outputs
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.linear = nn.Linear(widths[-1], classes)

    def outputs(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Stem, stages, pooled features and logits."""
        result = {"C1": torch.relu(self.bn1(self.conv1(x)))}
        for number in (1, 2, 3):
            result[f"C{number + 1}"] = getattr(self, f"layer{number}")(result[f"C{number}"])
        result["pooled"] = result["C4"].mean((2, 3))
        result["logits"] = self.linear(result["pooled"])
        return result

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.outputs(x)["logits"]
