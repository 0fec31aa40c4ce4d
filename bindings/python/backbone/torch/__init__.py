# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The network as a PyTorch module: a drop-in replacement for the feature extractors of torchvision and timm.

Example::

    from backbone.torch import Backbone

    body = Backbone("resnet50", weights="resnet50.pth", frozen_stages=1).eval()
    with torch.no_grad():
        features = body(images)  # {"layer1": C2, ..., "layer4": C5}

    body = Backbone("resnet50", out_indices=(1, 2, 3, 4))  # as timm.create_model("resnet50", features_only=True, ...)
    c2, c3, c4, c5 = body(images)
    loss(c2, c3, c4, c5).backward()  # fills parameter.grad of body.parameters()
"""

from ._features import FeatureInfo
from ._module import Backbone

__all__ = ["Backbone", "FeatureInfo"]
