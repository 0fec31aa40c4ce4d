# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The table of docs/freezing.md: our column against what is frozen here, torchvision's against torchvision."""

import numpy as np
import pytest
from markdown import ROOT, elements

import backbone

PARTS = ("stem", "layer1", "layer2", "layer3", "layer4")


def part(name):
    return name.split(".")[0] if name.startswith("layer") else "stem"


def table():
    """Rows of the parts that are frozen, and the numbers of the frameworks as texts."""
    page = elements(ROOT / "docs/freezing.md")
    (cells,) = [element.cells for element in page if element.kind == "table" and "torchvision" in element.text]
    ours, torchvision = (
        next(i for i, title in enumerate(cells[0]) if word in title) for word in ("libbackbone", "torchvision")
    )
    return [(frozen_parts(row[0]), int(row[ours]), int(row[torchvision])) for row in cells[1:]]


def frozen_parts(text):
    if text == "nothing":
        return set()
    last = "stem" if text == "stem" else f"layer{text[-1]}"
    return set(PARTS[: PARTS.index(last) + 1])


def test_table_has_all_states():
    assert [len(frozen) for frozen, _, _ in table()] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(("frozen", "ours", "_"), table())
def test_our_numbers(frozen, ours, _):
    with backbone.ResNet(18, base_channels=8, frozen_stages=ours) as net:
        net.train()
        before = net.state_dict()
        net(np.random.default_rng(1).standard_normal((2, 3, 64, 64), dtype=np.float32))
        changed = {part(name) for name, value in net.state_dict().items() if not np.array_equal(value, before[name])}
        assert changed == set(PARTS) - frozen
        assert {part(p.name) for p in net.parameters() if not p.requires_grad} == frozen
        assert {part(p.name) for p in net.parameters() if p.requires_grad} == set(PARTS) - frozen


@pytest.mark.parity
@pytest.mark.parametrize(("frozen", "_", "trainable"), table())
def test_torchvisions_numbers(torch, frozen, _, trainable):
    # Importable only where PyTorch is.
    from torchvision_import import models

    utils = models("detection.backbone_utils")
    resnet = models("resnet")
    body = utils._resnet_fpn_extractor(resnet.resnet18(weights=None), trainable).body
    state = {name: parameter.requires_grad for name, parameter in body.named_parameters()}
    for name, trained in state.items():
        assert trained == (part(name) not in frozen), name
