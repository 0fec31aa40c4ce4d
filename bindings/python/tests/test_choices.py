# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""A caller's choices in place of an architecture's own, and the messages for invalid ones."""

import numpy as np
import pytest

import backbone

EVERYTHING = ("C1", "C2", "C3", "C4", "C5", "pooled", "logits")


def image(height=64, width=96, seed=1, count=1):
    return np.random.default_rng(seed).standard_normal((count, 3, height, width), dtype=np.float32)


# ---- Names of what is chosen ----


@pytest.mark.parametrize(
    ("base", "choices", "name"),
    [
        ("resnet50", {"groups": 32, "width_per_group": 4}, "resnext50_32x4d"),
        ("resnet50", {"width_per_group": 128}, "wide_resnet50_2"),
        ("resnet50", {"attention": "se"}, "seresnet50"),
        ("resnet50d", {"attention": "eca"}, "ecaresnet50d"),
        ("resnet50", {"stem": "deep"}, "resnet50c"),
        ("resnet50", {"stem": "deep", "shortcut": "average"}, "resnet50d"),
        ("resnet50", {"stem": "tiered", "shortcut": "average"}, "resnet50t"),
        ("resnet50", {"anti_aliasing": "blur"}, "resnetblur50"),
        ("resnet50", {"anti_aliasing": "average"}, "resnetaa50"),
        ("resnet18", {"preactivation": True}, "resnetv2_18"),
        ("resnetv2_18", {"preactivation": False}, "resnet18"),
        ("resnet18", {"shortcut": "none"}, "plain18"),
        ("resnet18", {"block_counts": (3, 4, 6, 3)}, "resnet34"),
        ("resnet18", {"block_counts": (3, 4, 6, 3), "block": "bottleneck"}, "resnet50"),
        ("custom", {"block_counts": (2, 2, 2, 2), "block": "basic"}, "resnet18"),
        ("custom", {"block_counts": (1, 2), "block": "basic"}, "custom"),
        ("resnet18", {"shortcut": "everywhere"}, "custom"),
        ("resnet50", {"norm": None, "groups": None, "output_stride": None, "block_widths": None}, "resnet50"),
    ],
)
def test_what_is_chosen_has_its_name_and_computes_the_same(base, choices, name):
    x = image()
    with backbone.ResNet(base, base_channels=16, outputs=EVERYTHING[:4], **choices) as net:
        assert net.architecture == name
        if name == "custom":
            return
        features = net(x)
        with backbone.ResNet(name, base_channels=16, outputs=EVERYTHING[:4]) as other:
            assert list(net.state_dict()) == list(other.state_dict())
            for left, right in zip(features, other(x), strict=True):
                np.testing.assert_array_equal(left, right)


def test_group_norm_is_chosen():
    with backbone.ResNet("resnet50", base_channels=32, norm="group") as net:
        assert net.architecture == "resnet50_gn"
        assert not any("running" in name or "tracked" in name for name in net.state_dict())


def test_projections_everywhere_are_shortcuts_of_every_block():
    with backbone.ResNet("resnet18", base_channels=8, shortcut="everywhere") as net:
        names = {name for name in net.state_dict() if name.endswith("downsample.0.weight")}
    assert names == {f"layer{stage}.{block}.downsample.0.weight" for stage in (1, 2, 3, 4) for block in (0, 1)}


def test_widths_of_the_stem():
    with backbone.ResNet("resnet18", base_channels=8, stem_channels=12) as net:
        state = net.state_dict()
        assert state["conv1.weight"].shape == (12, 3, 7, 7)
        assert state["layer1.0.conv1.weight"].shape == (8, 12, 3, 3)
        assert state["layer1.0.downsample.0.weight"].shape == (8, 12, 1, 1)
    with backbone.ResNet("resnet18", base_channels=8, stem="small", stem_pooling="none") as net:
        assert net.state_dict()["conv1.weight"].shape == (8, 3, 3, 3)
        assert net.out_strides == (1, 2, 4, 8)


# ---- Dilation ----


@pytest.mark.parametrize(
    ("choices", "strides"),
    [
        ({}, (2, 4, 8, 16, 32)),
        ({"output_stride": 32}, (2, 4, 8, 16, 32)),
        ({"output_stride": 16}, (2, 4, 8, 16, 16)),
        ({"output_stride": 8}, (2, 4, 8, 8, 8)),
        ({"replace_stride_with_dilation": (False, False, True)}, (2, 4, 8, 16, 16)),
        ({"replace_stride_with_dilation": [False, True, True]}, (2, 4, 8, 8, 8)),
        ({"replace_stride_with_dilation": (True, True, True)}, (2, 4, 4, 4, 4)),
        ({"replace_stride_with_dilation": np.array([True, False, False])}, (2, 4, 4, 8, 16)),
    ],
)
@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnetv2_18", "resnetblur18", "seresnet18"])
def test_strides_of_dilated_networks(name, choices, strides):
    with backbone.ResNet(name, base_channels=4, outputs=EVERYTHING, **choices) as net:
        assert net.out_strides == (*strides, 0, 0)
        shapes = [feature.shape[2:] for feature in net(image(64, 96))]
        assert shapes == [(64 // stride, 96 // stride) for stride in strides] + [(1, 1), (1, 1)]


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_the_two_rules_differ_and_dilation_is_not_a_weight(block, tmp_path):
    """A convolution of 3x3 with dilation d is one of (2d+1)x(2d+1) with zeros between its weights."""
    name = {"basic": "resnet18", "bottleneck": "resnet50"}[block]
    x = image(33, 49)
    results = []
    path = tmp_path / "x.safetensors"
    for rule in ("previous", "whole"):
        with backbone.ResNet(name, base_channels=4, output_stride=16, dilation_rule=rule) as net:
            net.save_weights(path)
            features = net(x)
        with backbone.ResNet.from_file(path, output_stride=16, dilation_rule=rule) as other:
            for left, right in zip(other(x), features, strict=True):
                np.testing.assert_array_equal(left, right)
        with backbone.ResNet.from_file(path) as plain:
            assert plain.out_strides == (4, 8, 16, 32)
            np.testing.assert_array_equal(plain(x)[2], features[2])
        results.append(features)
    for left, right in zip(results[0][:3], results[1][:3], strict=True):
        np.testing.assert_array_equal(left, right)
    assert not np.array_equal(results[0][3], results[1][3])


# ---- What is refused, by its name and with what to do ----


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"num_classes": -1}, "num_classes is -1, expected 0 to 1048576"),
        ({"num_classes": 1 << 21}, "num_classes is 2097152, expected 0 to 1048576"),
        ({"num_classes": 1 << 31}, "num_classes is 2147483648; it must be from"),
        ({"output_stride": 12}, "output_stride is 12, expected 0, 8, 16 or 32"),
        ({"output_stride": -8}, "output_stride is -8, expected 0, 8, 16 or 32"),
        ({"replace_stride_with_dilation": (False, True)}, "replace_stride_with_dilation has 2 values; it must have 3"),
        ({"replace_stride_with_dilation": ()}, "replace_stride_with_dilation has 0 values; it must have 3"),
        (
            {"replace_stride_with_dilation": (False, False, True), "output_stride": 8},
            r"output_stride is 8 and replace_stride_with_dilation is \(False, False, True\); give one of them",
        ),
        ({"dilation_rule": "next"}, "dilation_rule is 'next'; it must be one of 'previous', 'whole'"),
        ({"block": "BasicBlock"}, "block is 'BasicBlock'; it must be one of 'basic', 'bottleneck'"),
        ({"stem": ""}, "stem is ''; it must be one of 'single', 'deep', 'tiered', 'small'"),
        ({"stem_pooling": "avg"}, "stem_pooling is 'avg'; it must be one of 'max', 'convolution', 'none'"),
        ({"shortcut": "A"}, "shortcut is 'A'; it must be one of 'projection', 'average', 'subsample'"),
        ({"norm": "layer"}, "norm is 'layer'; it must be one of 'batch', 'group'"),
        ({"attention": "cbam"}, "attention is 'cbam'; it must be one of 'none', 'se', 'se_quarter', 'eca'"),
        ({"anti_aliasing": "max"}, "anti_aliasing is 'max'; it must be one of 'none', 'blur', 'average'"),
        ({"block_counts": ()}, "block_counts has 0 numbers; it must have 1 to 4"),
        ({"block_counts": (1, 2, 3, 4, 5)}, "block_counts has 5 numbers; it must have 1 to 4"),
        ({"block_counts": (1, 0, 3)}, r"block_counts\[2\] is 3, expected 1 to 1000, or 0"),
        ({"block_counts": (0, 1)}, r"block_counts\[0\] is 0, but later ones are not"),
        ({"block_counts": (1, 1001)}, r"block_counts\[1\] is 1001, expected 1 to 1000"),
        ({"block_counts": (-1,)}, r"block_counts\[0\] is -1"),
        ({"groups": 4097}, "groups is 4097, expected 1 to 4096"),
        ({"groups": -2}, "groups is -2, expected 1 to 4096"),
        ({"width_per_group": 1 << 20}, "width_per_group is 1048576, expected 1 to 4096"),
        ({"block": "basic", "groups": 2}, "groups is 2 and width_per_group is 64"),
        ({"stem_channels": 5000}, "stem_channels is 5000, expected 1 to 4096"),
        ({"norm": "group", "base_channels": 8}, r"norm is 2 \(GroupNorm\), but .* 8 channels, .* 32"),
        ({"block_widths": ()}, "block_widths has 0 numbers; it must have 4 for each block"),
        ({"block_widths": (1, 2)}, "the length of block_widths is 2, expected .*4 for each block"),
        ({"preactivation": True, "shortcut": "subsample"}, "shortcut: expected projection"),
        ({"preactivation": True, "anti_aliasing": "blur"}, "anti_aliasing and stem_pooling: expected none"),
        ({"shortcut": "subsample", "stem_channels": 4096, "base_channels": 8}, "shortcut is 3 .* 4096"),
    ],
)
def test_refused_values(choices, message):
    with pytest.raises(ValueError, match=message):
        backbone.ResNet(50, **choices)


@pytest.mark.parametrize("name", sorted(backbone.Choices.__annotations__))
@pytest.mark.parametrize("value", [float("nan"), object(), b"basic", 1j, {"a": 1}, [float("nan")], ["basic"], [[]]])
def test_garbage_is_refused_by_its_name(name, value):
    with pytest.raises(TypeError, match=rf"^{name}(\[0\])? is "):
        backbone.ResNet(18, base_channels=1, **{name: value})


@pytest.mark.parametrize("value", ["no", 0, 1, "", float("nan")])
def test_a_flag_is_a_bool(value):
    with pytest.raises(TypeError, match="preactivation is .*; it must be a bool"):
        backbone.ResNet(18, base_channels=1, preactivation=value)


def test_there_is_no_other_choice():
    with pytest.raises(TypeError, match="ResNet has no argument 'cardinality'"):
        backbone.ResNet(50, cardinality=32)
    with pytest.raises(ValueError, match="architecture is 'custom'.*set block_counts and block"):
        backbone.ResNet("custom", block="basic")


# ---- Choices beside a file ----


@pytest.mark.parametrize("name", ["resnetblur18", "resnetaa34d", "plain20", "resnetblur50"])
def test_a_name_beside_a_file_says_what_no_weight_tells(tmp_path, name):
    with backbone.ResNet(name, base_channels=8) as net:
        net.save_weights(tmp_path / "x.pth")
        x = image()
        features = net(x)
    with backbone.ResNet.from_file(tmp_path / "x.pth", architecture=name) as other:
        assert other.architecture == name
        for left, right in zip(other(x), features, strict=True):
            np.testing.assert_array_equal(left, right)
    with backbone.ResNet.from_file(tmp_path / "x.pth") as plain:
        assert plain.architecture != name
        assert not np.array_equal(plain(x)[-1], features[-1])


def test_choices_beside_a_file(tmp_path):
    with backbone.ResNet("resnetblur18", base_channels=8) as net:
        net.save_weights(tmp_path / "x.pth")
        x = image()
        with backbone.ResNet.from_file(tmp_path / "x.pth", anti_aliasing="blur") as other:
            assert other.architecture == "resnetblur18"
            np.testing.assert_array_equal(net(x)[-1], other(x)[-1])
    # A name that the file cannot be of.
    with pytest.raises((backbone.MismatchError, backbone.CheckpointError, ValueError), match="x.pth"):
        backbone.ResNet.from_file(tmp_path / "x.pth", architecture="resnet50")


@pytest.mark.parametrize(
    ("name", "options", "assumed"),
    [
        ("resnet18", {}, "no dilation, no anti-aliasing, activation relu"),
        ("resnet50", {}, "style pytorch, no dilation, no anti-aliasing, activation relu"),
        ("resnet50", {"style": "caffe", "output_stride": 8}, "style caffe, dilation as requested, no anti-aliasing"),
        ("resnet50", {"architecture": "resnetblur50"}, "anti-aliasing by blurring"),
        ("resnet50", {"architecture": "resnetaa50"}, "anti-aliasing by averaging"),
        ("resnet20", {}, "shortcuts that subsample"),
        ("plain20", {"architecture": "plain20"}, "no shortcuts"),
        ("resnetv2_18d", {}, "shortcuts that average"),
    ],
)
def test_reports_say_what_was_assumed(tmp_path, name, options, assumed):
    path = tmp_path / "x.pth"
    with backbone.ResNet(name, base_channels=8) as net:
        net.save_weights(path)
    with backbone.ResNet.from_file(path, **options) as net:
        assert assumed in net.report.assumed
        # Loading into an existing network assumes nothing.
        assert net.load_weights(path).assumed == ""
    if not options:
        assert assumed in backbone.inspect(path).assumed
