# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""ResNet backbones for detectors, on a CPU, from PyTorch checkpoints.

Example::

    import backbone

    with backbone.ResNet(50, mean=backbone.IMAGENET_MEAN, std=backbone.IMAGENET_STD) as net:
        print(net.load_weights("resnet50.pth"))
        c2, c3, c4, c5 = net(image.transpose(2, 0, 1)[None])  # image: uint8, (H, W, 3), RGB
"""

from ._choices import Choices
from ._entries import Buffer, Entry, Parameter
from ._errors import CancelledError, CheckpointError, MismatchError, StaleError
from ._library import IMAGENET_MEAN, lib
from ._library import IMAGENET_STD_DEV as IMAGENET_STD
from ._loading import inspect
from ._options import architectures
from ._profile import Layer
from ._report import LoadReport, Mismatch
from ._resnet import ResNet
from ._tape import Tape
from ._warnings import BackboneWarning

__version__ = "0.1.0"

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "BackboneWarning",
    "Buffer",
    "Choices",
    "CancelledError",
    "CheckpointError",
    "Entry",
    "Layer",
    "LoadReport",
    "Mismatch",
    "MismatchError",
    "Parameter",
    "ResNet",
    "StaleError",
    "Tape",
    "architectures",
    "inspect",
    "library_version",
]


def library_version() -> str:
    """The version of the loaded libbackbone, "major.minor.patch"."""
    return str(lib.backbone_version_string().decode())
