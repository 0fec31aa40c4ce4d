# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Weights saved under the names of other writers."""

import re

import dialects
import numpy as np
import pytest

import backbone

# The same names by the converters that tests of loading write their files with.
SPELLED = {
    "torchvision": lambda name: name,
    "convmodule": dialects.convmodule,
    "huggingface": dialects.huggingface,
    "detectron2": dialects.detectron2,
    "maskrcnn_benchmark": dialects.maskrcnn_benchmark,
    "layer0": dialects.layer0_named,
    "sequential": dialects.sequential,
    "cifar": dialects.cifar,
}


def saved_names(path):
    """The names in a safetensors file."""
    data = path.read_bytes()
    header = data[8 : 8 + int.from_bytes(data[:8], "little")].decode()
    return set(re.findall(r'"([^"]+)":\{"dtype"', header))


@pytest.mark.parametrize(
    ("architecture", "names"),
    [(name, names) for name in ("resnet18", "resnet50", "wide_resnet50_2") for names in SPELLED]
    + [(name, "torchvision") for name in ("seresnet18", "ecaresnet26t", "resnetrs50", "resnet50d")],
)
def test_names_are_those_of_their_writers(tmp_path, architecture, names):
    path = tmp_path / "x.safetensors"
    with backbone.ResNet(architecture=architecture, base_channels=8) as net:
        net.init_weights(seed=3)
        net.save_weights(path, names=names)
        state = net.state_dict()
        assert saved_names(path) == {SPELLED[names](name) for name in state}
        with backbone.ResNet.from_file(path) as other:
            assert other.report.dialect == names and other.architecture == architecture
            np.testing.assert_equal(other.state_dict(), state)


def test_counters_are_left_out_where_writers_have_none(tmp_path):
    path = tmp_path / "x.safetensors"
    with backbone.ResNet(50, base_channels=4) as net:
        net.save_weights(path, names="caffe2")
        kept = [name for name in net.state_dict() if not name.endswith("num_batches_tracked")]
    written = saved_names(path)
    assert len(written) == len(kept)
    assert {"conv1_w", "res_conv1_bn_s", "res2_0_branch2a_w", "res5_2_branch2c_bn_riv", "res2_0_branch1_w"} <= written


@pytest.mark.parametrize(
    ("architecture", "names", "tensor"),
    [
        ("seresnet18", "detectron2", "layer1.0.se.fc1.weight"),
        ("seresnet18", "huggingface", "layer1.0.se.fc1.weight"),
        ("resnet50d", "caffe2", "conv1.0.weight"),
        ("resnetrs50", "sequential", "maxpool.0.weight"),
        ("resnetv2_18", "torchvision", "stages.0.blocks.0.norm1.weight"),
        ("resnet18", "timm", "conv1.weight"),
        ("resnet18", "paddledetection", "bn1.weight"),
    ],
)
def test_what_writers_have_no_name_for(tmp_path, architecture, names, tensor):
    path = tmp_path / "x.safetensors"
    with backbone.ResNet(architecture=architecture, base_channels=16) as net:
        message = f"names is '{names}', which has no name for '{tensor}'"
        with pytest.raises(ValueError, match=re.escape(message)):
            net.save_weights(path, names=names)
        assert not path.exists()


def test_names_that_would_not_be_found_again(tmp_path):
    with (
        backbone.ResNet(architecture="resnet18d", base_channels=16) as net,
        pytest.raises(ValueError, match="does not fit this network"),
    ):
        net.save_weights(tmp_path / "x.safetensors", names="cifar")


@pytest.mark.parametrize("names", ["", "Detectron2", "\N{SNOWMAN}", "torch vision"])
def test_unknown_writers(tmp_path, names):
    message = "expected one of torchvision timm convmodule"
    with backbone.ResNet(18, base_channels=4) as net, pytest.raises(ValueError, match=message):
        net.save_weights(tmp_path / "x.safetensors", names=names)


def test_own_names_are_the_default(tmp_path):
    with backbone.ResNet(architecture="resnetv2_18", base_channels=8) as net:
        net.save_weights(tmp_path / "a.pth")
        net.save_weights(tmp_path / "b.pth", names="timm")
    assert (tmp_path / "a.pth").read_bytes() == (tmp_path / "b.pth").read_bytes()
