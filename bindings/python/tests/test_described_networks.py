# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What a file is taken for where its names and shapes leave room for mistakes."""

import numpy as np
import pytest
from checkpoints import Repeated, write_pth, write_safetensors

import backbone


def state_of(name, base_channels=16, **options):
    with backbone.ResNet(architecture=name, base_channels=base_channels, outputs=("logits",), **options) as net:
        return {key: array for key, array in net.state_dict().items() if "num_batches" not in key}


def test_more_values_than_any_memory():
    widths = [0, 0] + [1 << 24, 1 << 24, 1 << 24, 0] * 4000
    with pytest.raises(ValueError, match="more values than any memory"):
        backbone.ResNet(architecture="custom", block_counts=[1000] * 4, block="bottleneck", block_widths=widths)


def test_a_small_file_of_a_large_network(tmp_path):
    """A tensor of strides 0 has any shape, of a single number. Without a row of the table all widths are the file's."""
    state = state_of("resnet18", block_counts=(2, 2, 2, 3))
    large = Repeated((65536, 65536, 3, 3))
    path = write_pth(tmp_path / "x.pth", state | {"layer1.1.conv2.weight": large, "layer1.1.conv1.weight": large})
    for call in (backbone.inspect, backbone.ResNet.from_file):
        with pytest.raises(backbone.CheckpointError, match=r"a network of \d{11} values, expected at most 1073741824"):
            call(path)


def test_parameters_alone_are_taken_for_group_norms_with_a_warning(tmp_path):
    """As `dict(model.named_parameters())` has them: no statistics."""
    state = {key: array for key, array in state_of("resnet18", 64).items() if "running" not in key}
    path = write_safetensors(tmp_path / "x.safetensors", state)
    with (
        pytest.warns(backbone.BackboneWarning, match="no running statistics and were loaded as GroupNorms"),
        backbone.ResNet.from_file(path) as net,
    ):
        assert "GroupNorm" in net.report.assumed
    with pytest.raises(backbone.MismatchError, match=r"'bn1\.running_mean'"):
        backbone.ResNet.from_file(path, architecture="resnet18")


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_lost_projections_are_missing(tmp_path, name):
    state = {key: array for key, array in state_of(name).items() if "downsample" not in key}
    path = write_safetensors(tmp_path / "x.safetensors", state)
    with pytest.raises(backbone.MismatchError, match=r"downsample\.0\.weight"):
        backbone.ResNet.from_file(path)


@pytest.mark.parametrize(("base", "stem"), [(160, 16), (128, 33), (256, 3), (7, 100)])
def test_the_stem_has_the_channels_that_were_asked_for(tmp_path, base, stem):
    with backbone.ResNet("resnet10t", base_channels=base, stem="single", stem_channels=stem) as net:
        assert net.state_dict()["conv1.weight"].shape[0] == stem
        net.save_weights(tmp_path / "x.safetensors")
    with backbone.ResNet.from_file(tmp_path / "x.safetensors") as other:
        assert other.state_dict()["conv1.weight"].shape[0] == stem


@pytest.mark.parametrize("first", ["fc", "head.fc"])
def test_of_two_heads_the_network_has_its_own(tmp_path, first):
    state = state_of("resnet18", num_classes=9)
    head = {"fc": ("fc.weight", "fc.bias"), "head.fc": ("head.fc.weight", "head.fc.bias")}
    other = dict(zip(head["head.fc"], (np.zeros((4, 128), np.float32), np.zeros(4, np.float32)), strict=True))
    own = {key: state.pop(key) for key in head["fc"]}
    ordered = own | state | other if first == "fc" else other | state | own
    with backbone.ResNet.from_file(write_pth(tmp_path / "x.pth", ordered), outputs=("logits",)) as net:
        assert net.num_classes == 9
        np.testing.assert_array_equal(net.state_dict()["fc.weight"], own["fc.weight"])


def test_a_head_that_nobody_wants_may_have_any_size(tmp_path):
    state = state_of("resnet18") | {"fc.weight": np.zeros(((1 << 20) + 1, 1), np.float32)}
    with backbone.ResNet.from_file(write_safetensors(tmp_path / "x.safetensors", state)) as net:
        assert "fc.weight" in net.report.ignorable


@pytest.mark.parametrize("head", ["fc", "linear"])
def test_heads_of_networks_for_cifar(tmp_path, head):
    state = state_of("resnet20", 64, shortcut="projection")
    renamed = {key.replace("downsample", "shortcut").replace("fc.", f"{head}."): array for key, array in state.items()}
    with backbone.ResNet.from_file(write_pth(tmp_path / "x.pth", renamed), outputs=("logits",)) as net:
        assert net.report.dialect == "cifar" and net.num_classes == 10
        np.testing.assert_array_equal(net.state_dict()["fc.weight"], state["fc.weight"])


@pytest.mark.parametrize("name", ["resnet18", "seresnet18", "resnet20"])
def test_a_network_that_is_pruned_in_its_later_blocks_alone(tmp_path, name):
    """Its first blocks are those of a network of the table. Options keep its widths, and so does its file."""
    outputs = ("C2", "pooled", "logits")
    with backbone.ResNet(architecture=name, base_channels=16, outputs=outputs) as net:
        shapes = {key: array.shape for key, array in net.state_dict().items()}
    widths = [0, 0]
    for key in [key for key in shapes if key.startswith("layer") and key.endswith("conv1.weight")]:
        place = key.removesuffix("conv1.weight")
        first, output = shapes[f"{place}conv1.weight"][0], shapes[f"{place}conv2.weight"][0]
        gate = shapes.get(f"{place}se.fc1.weight", (0,))[0]
        widths += [first if ".0." in place else 3, output, output, gate]
    with backbone.ResNet(architecture=name, base_channels=16, outputs=outputs, block_widths=widths) as net:
        assert net.architecture == "custom"
        assert net.state_dict()["layer1.1.conv1.weight"].shape[0] == 3
        path = tmp_path / "x.safetensors"
        net.save_weights(path)
        assert backbone.inspect(path).architecture == "custom"
        x = np.random.default_rng(4).standard_normal((1, 3, 32, 32), dtype=np.float32)
        with backbone.ResNet.from_file(path, outputs=outputs) as other:
            assert other.architecture == other.report.architecture == "custom" and other.report.depth is None
            for left, right in zip(net(x), other(x), strict=True):
                np.testing.assert_array_equal(left, right)
    # A tensor that its norm does not fit is a mistake, not a pruned network.
    wrong = {key: array for key, array in state_of(name).items() if key != "layer1.1.conv1.weight"}
    kept = state_of(name)["layer1.1.conv1.weight"][:3]
    with pytest.raises(backbone.MismatchError, match=r"'layer1\.1\.conv1\.weight' has shape \[3, "):
        backbone.inspect(write_safetensors(tmp_path / "y.safetensors", wrong | {"layer1.1.conv1.weight": kept}))
