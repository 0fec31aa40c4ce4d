# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The two collections of models, imported in the order that works."""

import torchvision_import

torchvision_resnet = torchvision_import.models("resnet")

# It imports torchvision, which may have to be told that PyTorch lacks its operators.
import timm  # noqa: E402

__all__ = ["timm", "torchvision_resnet"]
