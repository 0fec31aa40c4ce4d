# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Which tensors of a file are the backbone's: keys, prefixes, dialects, options of a load, and what the report says."""

import json

import dialects
import numpy as np
import pytest
from checkpoints import write_pth, write_safetensors

import backbone


@pytest.fixture
def state(states):
    """The state dict of a narrow ResNet-50 without the counts, which dialects do not have."""
    return {name: array for name, array in states[50].items() if not name.endswith("num_batches_tracked")}


@pytest.fixture
def net():
    with backbone.ResNet(50, base_channels=8) as net:
        yield net


def prefixed(state, prefix):
    return {prefix + name: array for name, array in state.items()}


def others(*names):
    return {name: np.ones((2, 3), np.float32) for name in names}


def other_values(state):
    return {name: array + np.float32(0.25) for name, array in state.items()}


def assert_loaded(net, state):
    loaded = net.state_dict()
    assert len(loaded) > len(state) > 200
    for name, array in state.items():
        np.testing.assert_array_equal(loaded[name], array, err_msg=name)


def nested(keys, value):
    for key in reversed(keys.split(".") if keys else []):
        value = {"epoch": 3, key: value, "meta": {"classes": ["a"], "CLASSES": None}}
    return value


# ---- Keys and prefixes ----

PREFIXES = [
    "", "module.", "_orig_mod.", "module._orig_mod.", "backbone.", "backbone.body.", "backbone.bottom_up.", "encoder.",
    "encoder_q.", "module.encoder_q.", "img_backbone.", "encoder_q.0.", "model.model.0.net.backbone.0.body.", "ä.",
]  # fmt: skip


@pytest.mark.parametrize("prefix", PREFIXES)
def test_prefixes_of_any_depth_are_found(net, state, tmp_path, prefix):
    mine = prefixed(state, prefix)
    neck = others("neck.fpn.conv1.weight", "bbox_head.bn1.weight", "rpn_head.layer1.0.conv1.bias", "queue")
    path = write_pth(tmp_path / "x.pth", neck | mine)
    report = net.load_weights(path, strict=bool(prefix))
    assert (report.prefix, report.dialect, report.wrapper) == (prefix, "torchvision", "")
    # Outside of a prefix are the other parts of the model; without one that is unknown.
    assert (report.ignorable if prefix else report.unexpected)[-4:] == tuple(neck)
    assert set(report.loaded) == set(state)
    assert_loaded(net, state)
    assert net.load_weights(path, key="", prefix=prefix).loaded == report.loaded


def test_names_behind_the_prefix_that_are_not_the_backbones_are_unexpected(net, state, tmp_path):
    extra = others("backbone.conv9.weight", "backbone.fc.weight", "backbone.layer9.0.conv1.weight", "neck.x")
    path = write_pth(tmp_path / "x.pth", prefixed(state, "backbone.") | extra)
    report = net.load_weights(path)
    assert report.unexpected == ("backbone.conv9.weight", "backbone.layer9.0.conv1.weight")
    assert {"backbone.fc.weight", "neck.x"} < set(report.ignorable)
    with pytest.raises(backbone.MismatchError, match=r"backbone\.conv9\.weight"):
        net.load_weights(path, strict=True)


@pytest.mark.parametrize(
    "key",
    ["", "state_dict", "model", "model_state_dict", "ema", "module", "student", "model.state_dict", "a.b.c", "net 1/é"],
)
def test_keys_are_found(net, state, tmp_path, key):
    path = write_pth(tmp_path / "x.pth", nested(key, state))
    report = net.load_weights(path)
    assert report.wrapper == key
    assert_loaded(net, state)
    assert net.load_weights(path, key=key).wrapper == key


def test_other_dicts_of_tensors_do_not_matter(net, state, tmp_path):
    momenta = {f"m{index}": np.ones(3, np.float32) for index in range(5)}
    file = {"optimizer": {"momenta": momenta}, "state_dict": state, "ema": {}, "x": np.ones(3, np.float32)}
    report = net.load_weights(write_pth(tmp_path / "x.pth", file), strict=False)
    assert report.wrapper == "state_dict" and not report.unexpected
    assert_loaded(net, state)


def test_two_state_dicts_are_an_error_that_lists_them_and_a_key_chooses(net, state, tmp_path):
    ema = other_values(state)
    path = write_pth(tmp_path / "x.pth", {"state_dict": prefixed(state, "module."), "state_dict_ema": ema})
    before = net.state_dict()
    with pytest.raises(backbone.CheckpointError) as caught:
        net.load_weights(path)
    assert "two state dicts, under 'state_dict' (prefix 'module.') and 'state_dict_ema'" in str(caught.value)
    np.testing.assert_equal(net.state_dict(), before)
    report = net.load_weights(path, key="state_dict_ema")
    assert (report.wrapper, report.prefix) == ("state_dict_ema", "")
    assert_loaded(net, ema)
    # A prefix is enough where it decides.
    assert net.load_weights(path, prefix="module.").wrapper == "state_dict"
    assert_loaded(net, state)


def test_two_prefixes_are_an_error_that_lists_them_and_a_prefix_chooses(net, state, tmp_path):
    key = other_values(state)
    path = write_pth(tmp_path / "x.pth", prefixed(state, "module.encoder_q.") | prefixed(key, "module.encoder_k."))
    with pytest.raises(backbone.CheckpointError, match=r"'module\.encoder_k\.'\) and .*'module\.encoder_q\.'"):
        net.load_weights(path)
    # The last dot may be left out.
    for prefix, expected in [("module.encoder_q.", state), ("module.encoder_k", key)]:
        report = net.load_weights(path, strict=True, prefix=prefix)
        assert report.prefix == prefix.rstrip(".") + "."
        assert_loaded(net, expected)


def test_keys_and_prefixes_that_are_not_there_are_errors_that_say_what_is(net, state, tmp_path):
    path = write_pth(tmp_path / "x.pth", {"model": prefixed(state, "backbone."), "ema": others("a", "b")})
    with pytest.raises(ValueError, match=r"key is 'state_dict', expected .*: 'model', 'ema'"):
        net.load_weights(path, key="state_dict")
    with pytest.raises(ValueError, match=r"prefix is 'encoder\.', .*'backbone\.' under 'model'"):
        net.load_weights(path, prefix="encoder.")
    with pytest.raises(ValueError, match=r"prefix is ''"):
        net.load_weights(path, prefix="")
    flat = write_safetensors(tmp_path / "x.safetensors", state)
    with pytest.raises(ValueError, match="key is 'model'"):
        net.load_weights(flat, key="model")
    for bad in ({"key": "a\0"}, {"prefix": "\0"}):
        with pytest.raises(ValueError, match="zero byte"):
            net.load_weights(path, **bad)
    for bad in ({"key": 1}, {"prefix": b"x"}):
        with pytest.raises(TypeError, match="must be a str"):
            net.load_weights(path, **bad)


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("dialect", [None, dialects.detectron2, dialects.caffe2])
def test_parts_of_a_network_load(net, state, tmp_path, prefix, dialect):
    before = net.state_dict()
    part = {name: array for name, array in state.items() if name.startswith("layer4.")}
    named = {dialect(name) if dialect else name: array for name, array in part.items()}
    path = write_pth(tmp_path / "x.pth", {"state_dict": prefixed(named, prefix), "other": others("a.b")})
    with pytest.raises(backbone.MismatchError, match="conv1.weight.*allow_missing"):
        net.load_weights(path)
    np.testing.assert_equal(net.state_dict(), before)
    report = net.load_weights(path, allow_missing=True)
    assert (report.wrapper, report.prefix, set(report.loaded)) == ("state_dict", prefix, set(part))
    assert report.depth is None and report.base_channels is None
    after = net.state_dict()
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], part.get(name, array), err_msg=name)
    # After any other prefix it must be given.
    path = write_pth(tmp_path / "y.pth", prefixed(named, "encoder."))
    with pytest.raises(backbone.MismatchError, match="none of its names belongs to the network"):
        net.load_weights(path, allow_missing=True)
    assert set(net.load_weights(path, prefix="encoder", allow_missing=True).loaded) == set(part)


# ---- Dialects ----

DIALECTS = {"detectron2": dialects.detectron2, "caffe2": dialects.caffe2, "caffe2, long": dialects.caffe2_long}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("prefix", ["", "backbone.bottom_up."])
@pytest.mark.parametrize("depth", [18, 50])
def test_names_of_other_projects(states, tmp_path, depth, dialect, prefix):
    state = {name: array for name, array in states[depth].items() if not name.endswith("num_batches_tracked")}
    classifier = {"fc.weight": np.ones((3, 2), np.float32), "fc.bias": np.ones(3, np.float32)}
    named = {prefix + DIALECTS[dialect](name): array for name, array in (state | classifier).items()}
    assert len(named) == len(state) + 2
    with backbone.ResNet(depth, base_channels=8, style="pytorch" if dialect == "detectron2" else "caffe") as net:
        report = net.load_weights(write_safetensors(tmp_path / "x.safetensors", named), strict=True)
        assert (report.dialect, report.prefix, report.depth) == (dialect.split(",")[0], prefix, depth)
        assert set(report.loaded) == set(state) and report.warnings == ()
        assert [name for name in report.ignorable if "fc" in name] == list(named)[-2:]
        assert_state(net, state)


def assert_state(net, state):
    loaded = net.state_dict()
    for name, array in state.items():
        np.testing.assert_array_equal(loaded[name], array, err_msg=name)


def test_detectron2_names_as_they_are_written():
    assert dialects.detectron2("layer3.22.bn2.running_var") == "res4.22.conv2.norm.running_var"
    assert dialects.detectron2("bn1.bias") == "stem.conv1.norm.bias"
    assert dialects.detectron2("layer1.0.downsample.1.weight") == "res2.0.shortcut.norm.weight"
    assert dialects.caffe2("layer4.2.conv3.weight") == "res5_2_branch2c_w"
    assert dialects.caffe2("bn1.weight") == "res_conv1_bn_s"
    assert dialects.caffe2("layer2.0.downsample.1.bias") == "res3_0_branch1_bn_b"


@pytest.mark.parametrize("dialect", ["detectron2", "caffe2"])
@pytest.mark.parametrize("norm_eps", [1e-5, 1e-3])
def test_norms_without_statistics_are_affine(state, tmp_path, images, dialect, norm_eps):
    affine = {name: array for name, array in state.items() if "running" not in name}
    # As small as statistics folded into weights make them.
    affine = {name: array * np.float32(0.3) if "bn" in name else array for name, array in affine.items()}
    named = {DIALECTS[dialect](name): a for name, a in affine.items()}
    # detectron2's own norms always have statistics: its names tell nothing without Caffe2's mark.
    path = write_pth(tmp_path / "x.pth", {"model": named, "__author__": "Caffe2"})
    if dialect == "caffe2":
        path = write_safetensors(tmp_path / "x.safetensors", named)
    with backbone.ResNet(50, base_channels=8, norm_eps=norm_eps, arithmetic="direct", style="caffe") as net:
        report = net.load_weights(path, strict=True)
        assert {name for name in state if "running" in name} <= set(report.ignorable) and not report.missing
        assert any("no running statistics" in warning for warning in report.warnings)
        features = net(images)
        loaded = net.state_dict()
        assert np.all(loaded["layer2.0.bn1.running_mean"] == 0)
        np.testing.assert_allclose(loaded["layer2.0.bn1.running_var"], 1 - norm_eps, rtol=1e-7)
        # The same with an epsilon that is nothing beside a variance of 1 is weight * x + bias.
        exact = {name: np.ones_like(a) if "running_var" in name else a for name, a in loaded.items()}
        with backbone.ResNet(50, base_channels=8, norm_eps=1e-30, arithmetic="direct", style="caffe") as other:
            other.load_state_dict(exact)
            for left, right in zip(features, other(images), strict=True):
                np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-5 * np.abs(right).max())


def test_statistics_that_are_missing_in_part_or_from_norms_that_are_not_folded_are_missing(net, state, tmp_path):
    part = {name: array for name, array in state.items() if name != "layer1.0.bn1.running_mean"}
    none = {name: array for name, array in state.items() if "running" not in name}
    named = {dialects.detectron2(name): array for name, array in part.items()}
    report = net.load_weights(write_pth(tmp_path / "x.pth", named), allow_missing=True)
    assert report.missing == ("layer1.0.bn1.running_mean",) and report.warnings == ()
    # As GroupNorms of torchvision, detectron2 and others are saved.
    for file in (none, {dialects.detectron2(name): array for name, array in none.items()}):
        path = write_pth(tmp_path / "y.pth", file)
        with pytest.raises(backbone.MismatchError, match="running_mean.*GroupNorm") as caught:
            net.load_weights(path)
        report = net.load_weights(path, allow_missing=True)
        for missing in (report.missing, caught.value.report.missing):
            assert set(missing) == {name for name in state if "running" in name}


def test_blobs_that_detectron_leaves_alone_are_ignorable(net, state, tmp_path):
    named = {dialects.caffe2(name): array for name, array in state.items()}
    extra = others("conv1_b", "res2_0_branch2a_w_momentum", "lr") | {"res2_0_branch2b_b": np.zeros(8, np.float32)}
    report = net.load_weights(write_pth(tmp_path / "x.pth", {"blobs": named | extra}))
    assert report.wrapper == "blobs"
    assert {"conv1_b", "res2_0_branch2a_w_momentum", "res2_0_branch2b_b"} <= set(report.ignorable)
    assert report.unexpected == ("lr",)
    for name in ("res2_0_branch2b_b", "res2_0_branch2d_w"):
        with pytest.raises(backbone.MismatchError, match=name):
            net.load_weights(write_pth(tmp_path / "x.pth", {"blobs": named | others(name)}))


def test_two_names_for_one_tensor_are_an_error(net, state, tmp_path):
    named = {dialects.caffe2(name): array for name, array in state.items()}
    named["conv1_bn_s"] = named["res_conv1_bn_s"]
    with pytest.raises(backbone.CheckpointError, match=r"two tensors 'bn1\.weight': '\w+' and '\w+'"):
        net.load_weights(write_pth(tmp_path / "x.pth", named))


@pytest.mark.parametrize(
    ("stem", "block"),
    [
        ("stem.0.weight", "layer1.0.conv1.weight"),
        ("conv1.0.weight", "layer1.0.conv1.weight"),
        ("conv1.conv1_1.conv.weight", "res2.res2a.branch2a.conv.weight"),
    ],
)
def test_deep_stems_are_refused_by_name(net, state, tmp_path, stem, block):
    file = {name: array for name, array in state.items() if not name.startswith(("conv1.", "layer1.0.conv1"))}
    file |= {stem: np.ones((4, 3, 3, 3), np.float32), block: state["layer1.0.conv1.weight"]}
    path = write_pth(tmp_path / "x.pth", prefixed(file, "backbone."))
    for prefix in (None, "backbone."):
        with pytest.raises(backbone.MismatchError, match=rf"'backbone\.{stem}'.* deep stem"):
            net.load_weights(path, prefix=prefix)


# ---- Input channels ----


def stem_of(net):
    return net.state_dict()["conv1.weight"]


def test_other_input_channels_are_a_mismatch_unless_a_conversion_is_asked_for(state, tmp_path):
    path = write_pth(tmp_path / "x.pth", state)
    with backbone.ResNet(50, 1, base_channels=8) as net:
        before = net.state_dict()
        with pytest.raises(backbone.MismatchError) as caught:
            net.load_weights(path)
        assert caught.value.report.mismatched == (("conv1.weight", (8, 1, 7, 7), (8, 3, 7, 7)),)
        np.testing.assert_equal(net.state_dict(), before)
        report = net.load_weights(path, strict=True, input_channels="sum")
        assert (report.input_conversion, report.input_channels) == ("sum", 3)
        assert "conv1.weight" in report.loaded
        expected = state["conv1.weight"].astype(np.float64).sum(1, keepdims=True)
        np.testing.assert_allclose(stem_of(net), expected, rtol=1e-6, atol=1e-9)
        assert_state(net, {name: array for name, array in state.items() if name != "conv1.weight"})


@pytest.mark.parametrize("in_channels", [1, 2, 4, 6, 7])
def test_channels_are_repeated_by_timms_rule(state, tmp_path, in_channels):
    path = write_safetensors(tmp_path / "x.safetensors", state)
    weight = state["conv1.weight"]
    repeated = np.tile(weight, (1, -(-in_channels // 3), 1, 1))[:, :in_channels] * (3 / in_channels)
    with backbone.ResNet(50, in_channels, base_channels=8) as net:
        assert net.load_weights(path, strict=True, input_channels="repeat").input_conversion == "repeat"
        np.testing.assert_allclose(stem_of(net), repeated, rtol=1e-6)


@pytest.mark.parametrize("channels", [(2, 1, 0), (0, -1, 2, 2, 1), (1,)])
def test_channels_are_mapped(state, tmp_path, channels):
    path = write_pth(tmp_path / "x.pth", {"model": prefixed(state, "backbone.")})
    with_zeros = np.concatenate([state["conv1.weight"], np.zeros((8, 1, 7, 7), np.float32)], 1)
    with backbone.ResNet(50, len(channels), base_channels=8) as net:
        report = net.load_weights(path, strict=True, input_channels=channels)
        assert report.input_conversion == "map"
        np.testing.assert_array_equal(stem_of(net), with_zeros[:, list(channels)])


def test_bgr_weights_for_rgb_images(new_net, state, images, tmp_path):
    path = write_pth(tmp_path / "x.pth", state)
    net = new_net(50)
    expected = net(images[:, ::-1])
    net.load_weights(path, input_channels=(2, 1, 0))
    for left, right in zip(net(images), expected, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-4 * np.abs(right).max())


def test_conversions_that_make_no_sense_change_nothing(net, state, tmp_path):
    path = write_pth(tmp_path / "x.pth", state)
    before = net.state_dict()
    for channels, text in [
        ("sum", "in_channels of the network is 3"),
        ((0, 1), "channel_map_length is 2"),
        ((), "channel_map_length is 0"),
        ((0, 1, 3), r"channel_map\[2\] is 3"),
        ((0, -2, 1), r"channel_map\[1\] is -2"),
        ("mean", "'mean'"),
    ]:
        with pytest.raises(ValueError, match=text):
            net.load_weights(path, input_channels=channels)
    for channels in (3, None, (0.5, 1, 2)):
        with pytest.raises(TypeError, match="input_channels"):
            net.load_weights(path, input_channels=channels)
    np.testing.assert_equal(net.state_dict(), before)
    # Nothing to do: as if it had not been asked for.
    assert net.load_weights(path, input_channels="repeat").input_conversion == ""
    assert_loaded(net, state)
    # A stem that differs in more is no matter of input channels.
    other = state | {"conv1.weight": np.ones((8, 1, 3, 7), np.float32)}
    with pytest.raises(backbone.MismatchError, match="conv1"):
        net.load_weights(write_pth(tmp_path / "y.pth", other), input_channels="repeat")


# ---- What the report tells ----


def test_report_describes_the_files_network(states, tmp_path):
    half = {n: a if a.dtype == np.int64 else a.astype(np.float16) for n, a in states[50].items()}
    mixed = half | {"layer3.0.conv2.weight": states[50]["layer3.0.conv2.weight"]}
    with backbone.ResNet(50, base_channels=8) as net:
        for file, dtype in [(states[50], "float32"), (half, "float16"), (mixed, "mixed")]:
            report = net.load_weights(write_pth(tmp_path / "x.pth", file))
            assert (report.depth, report.base_channels, report.input_channels) == (50, 8, 3)
            assert report.dtype == dtype
            assert report is net.report


def scaled(state, factor):
    return state | {"conv1.weight": state["conv1.weight"] * np.float32(factor)}


def with_unit_statistics(state):
    ones = {n: np.ones_like(a) if n.endswith("running_var") else np.zeros_like(a) for n, a in state.items()}
    return state | {name: array for name, array in ones.items() if "running" in name}


def test_style_is_told_from_the_scale_of_the_stem_and_from_marks(states, state, tmp_path):
    pixels = with_unit_statistics(scaled(states[50], 1 / 58))
    d2 = {dialects.detectron2(name): array for name, array in state.items()}
    files = [
        (states[50], "pytorch"),
        (pixels, "caffe"),
        # FrozenBatchNorms: nobody knows.
        (state, ""),
        (d2, ""),
        ({dialects.caffe2(name): array for name, array in state.items()}, "caffe"),
        ({"model": d2, "__author__": "torchvision", "matching_heuristics": True}, "pytorch"),
        ({"model": d2, "__author__": "MSRA"}, "caffe"),
        ({"model": d2, "__author__": "Caffe2"}, "caffe"),
        ({"model": d2, "__author__": "somebody"}, ""),
    ]
    for file, style in files:
        path = write_pth(tmp_path / "x.pth", file)
        assert backbone.inspect(path).style == style
        for own in ("pytorch", "caffe"):
            with backbone.ResNet(50, base_channels=8, style=own) as net:
                report = net.load_weights(path)
                assert report.style == style
                contradicts = [text for text in report.warnings if f"the network's style is {own}" in text]
                assert len(contradicts) == (style not in ("", own)), report.warnings
                assert len(report.warnings) == len(contradicts)


def test_style_does_not_matter_to_basic_blocks(states, tmp_path):
    path = write_pth(tmp_path / "x.pth", with_unit_statistics(scaled(states[18], 1 / 58)))
    with backbone.ResNet(18, base_channels=8) as net:
        report = net.load_weights(path)
        assert report.style == "caffe" and report.warnings == ()


RGB = {"mean": backbone.IMAGENET_MEAN, "std": backbone.IMAGENET_STD}
BGR = {"mean": backbone.IMAGENET_MEAN[::-1], "style": "caffe"}


@pytest.mark.parametrize(
    ("factor", "options", "texts"),
    [
        (1, RGB, []),
        (1 / 58, BGR, []),
        (1, {}, []),
        (1 / 58, {"style": "caffe"}, []),
        (1 / 58, RGB | {"style": "caffe"}, ["std_dev of the network divides", "expect BGR"]),
        (1, {"mean": backbone.IMAGENET_MEAN}, ["does not divide pixels"]),
        (1, RGB | {"mean": backbone.IMAGENET_MEAN[::-1]}, ["expect RGB"]),
        (1 / 58, {"mean": backbone.IMAGENET_MEAN, "style": "caffe"}, ["expect BGR"]),
    ],
)
def test_inputs_that_contradict_the_stem_are_warned_of(states, tmp_path, factor, options, texts):
    file = states[50] if factor == 1 else with_unit_statistics(scaled(states[50], factor))
    path = write_pth(tmp_path / "x.pth", file)
    with backbone.ResNet(50, base_channels=8, **options) as net:
        report = net.load_weights(path)
        assert len(report.warnings) == len(texts), report.warnings
        for warning, text in zip(report.warnings, texts, strict=True):
            assert text in warning and "\n" not in warning
            assert warning in str(report)


def test_json_is_the_whole_report(net, state, tmp_path):
    odd = 'neck."\\\t\u00e9\U0001f600/'
    file = prefixed(state, "backbone.") | others(odd, "backbone.x", "backbone.layer1.0.conv2.bias")
    del file["backbone.bn1.bias"]
    path = write_pth(tmp_path / "x.pth", {"model": file})
    report = net.load_weights(path, allow_missing=True, ignore_modules=True)
    whole = json.loads(report.json)
    for name in ("container", "wrapper", "prefix", "dialect", "dtype", "style", "input_conversion"):
        assert whole[name] == getattr(report, name), name
    assert report.tensors == len(file)
    for name in ("depth", "base_channels", "input_channels", "tensors"):
        assert whole[name] == str(getattr(report, name)), name
    assert whole["warnings"] == list(report.warnings) and len(report.warnings) == 1
    for title in ("loaded", "missing", "unexpected", "ignorable", "mismatched"):
        assert [entry["name"] for entry in whole["names"][title]] == list(getattr(report, title)), title
    assert whole["names"]["missing"] == [{"name": "bn1.bias", "expected": [8], "actual": None}]
    assert whole["names"]["loaded"][0] == {"name": "conv1.weight", "expected": [8, 3, 7, 7], "actual": [8, 3, 7, 7]}
    assert {"name": odd, "expected": None, "actual": [2, 3]} in whole["names"]["ignorable"]
    file["backbone.bn1.bias"] = np.ones((), np.float32)
    with pytest.raises(backbone.MismatchError) as caught:
        net.load_weights(write_pth(tmp_path / "y.pth", file), ignore_modules=True)
    whole = json.loads(caught.value.report.json)
    assert whole["names"]["mismatched"] == [{"name": "bn1.bias", "expected": [8], "actual": []}]


# ---- Without a network ----


@pytest.mark.parametrize("depth", [18, 50])
def test_inspect_compares_with_the_network_that_the_file_describes(states, tmp_path, depth):
    file = {"state_dict": prefixed(states[depth], "backbone.") | others("neck.x", "backbone.fc.weight")}
    report = backbone.inspect(write_pth(tmp_path / "x.pth", file))
    assert (report.container, report.wrapper, report.prefix) == ("zip", "state_dict", "backbone.")
    assert (report.depth, report.base_channels, report.input_channels, report.dtype) == (depth, 8, 3, "float32")
    assert set(report.loaded) == set(states[depth]) and report.succeeded
    assert set(report.ignorable) == {"neck.x", "backbone.fc.weight"}
    assert not report.missing and not report.unexpected and not report.mismatched
    assert json.loads(report.json)["depth"] == str(depth)


def test_inspect_of_what_is_no_whole_resnet(states, tmp_path):
    state = {name: array for name, array in states[18].items() if not name.startswith(("layer3.", "layer4."))}
    assert backbone.inspect(write_pth(tmp_path / "x.pth", state)).missing == ()
    deeper = states[18] | {"layer1.2.conv1.weight": states[18]["layer1.1.conv1.weight"]}
    with pytest.raises(backbone.MismatchError, match=r"layer1\.2\.bn1\.weight"):
        backbone.inspect(write_pth(tmp_path / "x.pth", deeper))
    shallow = {name: array for name, array in deeper.items() if not name.startswith("layer4.")}
    for file, text in [
        (shallow, "3, 2, 2 and 0 BasicBlocks"),
        (state | {"conv1.weight": np.ones((1000, 3, 7, 7), np.float32)}, "base_channels is 1000"),
    ]:
        with pytest.raises(backbone.CheckpointError, match=text):
            backbone.inspect(write_pth(tmp_path / "x.pth", file))
    with pytest.raises(backbone.MismatchError, match="the first is 'a', expected 'conv1.weight'"):
        backbone.inspect(write_pth(tmp_path / "x.pth", others("a", "b")))
    with pytest.raises(backbone.CheckpointError, match="no blocks"):
        backbone.inspect(write_pth(tmp_path / "x.pth", {"conv1.weight": states[18]["conv1.weight"]}))
    with pytest.raises(backbone.MismatchError, match="conv1.weight") as caught:
        backbone.inspect(write_pth(tmp_path / "x.pth", {n: a for n, a in state.items() if n != "conv1.weight"}))
    assert caught.value.report.missing == ("conv1.weight",) and caught.value.report.base_channels is None
    with pytest.raises(backbone.MismatchError) as caught:
        backbone.inspect(write_pth(tmp_path / "x.pth", state | {"bn1.bias": np.ones(1, np.float32)}))
    assert caught.value.report.mismatched == (("bn1.bias", (8,), (1,)),)
    with pytest.raises(FileNotFoundError, match="absent"):
        backbone.inspect(tmp_path / "absent")


@pytest.mark.parametrize("depth", [18, 50])
def test_from_file_creates_and_loads(new_net, states, images, tmp_path, depth):
    path = write_pth(tmp_path / "x.pth", {"model": prefixed(states[depth], "backbone.")})
    expected = new_net(depth)(images)
    with backbone.ResNet.from_file(path, strict=True, frozen_stages=1) as net:
        assert (net.depth, net.in_channels, net.frozen_stages) == (depth, 3, 1)
        assert net.report.prefix == "backbone."
        for left, right in zip(net(images), expected, strict=True):
            np.testing.assert_array_equal(left, right)
    with backbone.ResNet.from_file(path, in_channels=1, input_channels="sum", out_indices=(1,)) as net:
        assert net.report.input_conversion == "sum"
        assert [feature.shape for feature in net(images[:, :1])] == [expected[1].shape]
    with pytest.raises(backbone.MismatchError):
        backbone.ResNet.from_file(path, in_channels=1)
    with pytest.raises(ValueError, match="key"):
        backbone.ResNet.from_file(path, key="ema")
