# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Checkpoints that timm's own code writes of its ResNets, compared with the features it takes from them."""

import argparse

import numpy as np
import pytest
from weight_formula import images

import backbone

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def timm(torch):
    # timm imports torchvision, which may have to be told that PyTorch lacks its operators.
    torchvision_import = pytest.importorskip("torchvision_import")
    torchvision_import.models("resnet")
    return pytest.importorskip("timm")


@pytest.fixture(scope="module")
def calibrated(torch, timm, reference):
    """Make a ResNet of timm, with statistics of its own."""

    def calibrated(name):
        torch.manual_seed(11)
        model = reference.calibrate(timm.create_model(name, pretrained=False), images("timm", (2, 3, 96, 96)))
        return model.eval()

    return calibrated


@pytest.fixture
def compare(torch):
    """Compare features with those of timm's model with the same state dict."""

    def compare(net, model):
        x = images("timm features", (1, 3, 97, 65))
        with torch.no_grad():
            theirs = model.forward_intermediates(torch.from_numpy(x), intermediates_only=True)[1:]
        ours = net(x)
        assert len(ours) == len(theirs) == 4
        for mine, expected in zip(ours, theirs, strict=True):
            assert np.abs(mine - expected.numpy()).max() <= 3e-4 * np.abs(expected.numpy()).max()

    return compare


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
@pytest.mark.parametrize("half", [False, True])
def test_state_dicts(torch, timm, calibrated, compare, tmp_path, name, half):
    model = calibrated(name)
    state = (model.half() if half else model).state_dict()
    torch.save(state, tmp_path / "x.pth")
    with backbone.ResNet.from_file(tmp_path / "x.pth", strict=True) as net:
        report = net.report
        assert (report.depth, report.base_channels, report.prefix) == (int(name[6:]), 64, "")
        assert sorted(report.ignorable) == ["fc.bias", "fc.weight"]
        assert sorted(report.loaded) == sorted(key for key in state if not key.startswith("fc."))
        compare(net, model.float())


def test_the_saver_of_its_training_script(torch, timm, calibrated, compare, tmp_path):
    model = calibrated("resnet18")
    averaged = timm.utils.ModelEmaV3(model, decay=0.5)
    with torch.no_grad():
        for value in averaged.module.parameters():
            value.mul_(1.5)
    saver = timm.utils.CheckpointSaver(
        model,
        torch.optim.AdamW(model.parameters()),
        args=argparse.Namespace(model="resnet18", lr=0.1),
        model_ema=averaged,
        checkpoint_dir=str(tmp_path),
    )
    saver.save_checkpoint(3, metric=71.5)
    path = tmp_path / "last.pth.tar"
    with pytest.raises(backbone.CheckpointError, match="'state_dict' and 'state_dict_ema'"):
        backbone.ResNet.from_file(path)
    for key, expected in (("state_dict", model), ("state_dict_ema", averaged.module)):
        with backbone.ResNet.from_file(path, key=key, strict=True) as net:
            assert net.report.wrapper == key
            compare(net, expected)
