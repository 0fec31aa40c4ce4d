# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Importing torchvision's models."""

import importlib

import torch


def models(name):
    """torchvision.models.`name`, also where torchvision is built for CUDA and PyTorch is not.

    There its compiled operators cannot be loaded, and it refuses to be imported for want of these two.
    """
    try:
        return importlib.import_module(f"torchvision.models.{name}")
    except RuntimeError:
        operators = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            operators.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return importlib.import_module(f"torchvision.models.{name}")
