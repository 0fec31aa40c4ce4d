# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Classifiers: those of files, new ones for other classes, and files without one."""

import numpy as np
import pytest
from checkpoints import write_pth, write_safetensors

import backbone

HEADS = {"resnet18": "fc", "resnet26d": "fc", "seresnet18": "fc", "resnetv2_18": "head.fc", "resnet20": "fc"}


@pytest.fixture(params=sorted(HEADS))
def name(request):
    return request.param


@pytest.fixture
def state(name):
    """Of a narrow network of eleven classes."""
    with backbone.ResNet(name, base_channels=8, outputs=("logits",), num_classes=11) as net:
        net.init_weights(seed=5)
        values = net.state_dict()
    random = np.random.default_rng(6)
    bias = f"{HEADS[name]}.bias"
    values[bias] = random.standard_normal(values[bias].shape).astype(np.float32)
    return values


@pytest.fixture
def path(tmp_path, state):
    return write_pth(tmp_path / "x.pth", state)


def headless(state, name):
    return {key: value for key, value in state.items() if not key.startswith(HEADS[name])}


def head_of(net, name):
    return {key: value for key, value in net.state_dict().items() if key.startswith(HEADS[name])}


def image():
    return np.random.default_rng(7).standard_normal((2, 3, 64, 64), dtype=np.float32)


def test_a_file_brings_its_classes(name, path, state):
    assert backbone.inspect(path).num_classes == 11
    with backbone.ResNet.from_file(path, outputs=("pooled", "logits"), strict=True) as net:
        assert net.num_classes == net.report.num_classes == 11
        pooled, logits = net.pooled(image()), net.logits(image())
        weight = state[f"{HEADS[name]}.weight"].reshape(11, -1).astype(np.float64)
        expected = pooled @ weight.T + state[f"{HEADS[name]}.bias"]
        assert np.abs(logits - expected).max() <= 1e-5 * np.abs(expected).max()
        assert not net.report.ignorable or all("tracked" in key for key in net.report.ignorable)


def test_without_logits_the_head_is_ignorable(name, path):
    head = {f"{HEADS[name]}.weight", f"{HEADS[name]}.bias"}
    for outputs in (None, ("pooled",), ("C1", "C3")):
        with backbone.ResNet.from_file(path, outputs=outputs, strict=True) as net:
            assert head <= set(net.report.ignorable) and not head_of(net, name)


def test_other_classes_are_a_mismatch_with_both_shapes(name, path, state):
    weight = state[f"{HEADS[name]}.weight"].shape
    ours = (5, *weight[1:])
    with backbone.ResNet(name, base_channels=8, outputs=("logits",), num_classes=5) as net:
        before = net.state_dict()
        for load in (net.load_weights, lambda path: net.load_state_dict(state)):
            with pytest.raises(backbone.MismatchError) as caught:
                load(path)
            text = str(caught.value)
            assert f"{HEADS[name]}.weight" in text, text
            for shape in (weight, ours):
                assert any(separator.join(map(str, shape)) in text for separator in (", ", "x", " x ")), text
            assert backbone.Mismatch(f"{HEADS[name]}.weight", ours, weight) in caught.value.report.mismatched
        assert all(np.array_equal(value, before[key]) for key, value in net.state_dict().items())
    with pytest.raises(backbone.MismatchError, match=rf"{HEADS[name]}\.weight"):
        backbone.ResNet.from_file(path, outputs=("logits",), num_classes=5)


@pytest.mark.parametrize("how", ["file", "mapping", "from_file"])
def test_a_new_head_keeps_its_values(name, path, state, how):
    head = {f"{HEADS[name]}.weight", f"{HEADS[name]}.bias"}
    options = {"outputs": ("C4", "logits"), "num_classes": 5}
    with pytest.warns(backbone.BackboneWarning, match="head of the file, of 11 classes, is ignored.* of 5"):
        if how == "from_file":
            net = backbone.ResNet.from_file(path, head="new", **options)
        else:
            net = backbone.ResNet(name, base_channels=8, **options)
            before = head_of(net, name)
            if how == "file":
                net.load_weights(path, head="new", strict=True)
            else:
                net.load_state_dict(state, head="new")
    with net:
        report = net.report
        assert head <= set(report.ignorable) and not head & {*report.loaded, *report.missing, *report.unexpected}
        assert report.num_classes == 11 and net.num_classes == 5
        assert len(report.warnings) == 1 and "11 classes" in report.warnings[0]
        if how != "from_file":
            for key, value in head_of(net, name).items():
                np.testing.assert_array_equal(value, before[key])
        for key, value in headless(net.state_dict(), name).items():
            np.testing.assert_array_equal(value, state[key], err_msg=key)
        # As many random classes as the network has.
        assert net.logits(image()).shape == (2, 5) and len(set(net.logits(image())[0])) == 5


def test_a_missing_head_is_named(name, tmp_path, state):
    path = write_safetensors(tmp_path / "x.safetensors", headless(state, name))
    assert backbone.inspect(path).num_classes is None
    calls = [lambda: backbone.ResNet.from_file(path, outputs=("logits",))]
    with backbone.ResNet(name, base_channels=8, outputs=("logits",), num_classes=11) as net:
        calls += [lambda: net.load_weights(path), lambda: net.load_state_dict(headless(state, name))]
        for call in calls:
            with pytest.raises(backbone.MismatchError, match=rf"'{HEADS[name]}\.weight'.*allow_missing") as caught:
                call()
            assert f"{HEADS[name]}.bias" in caught.value.report.missing
        before = head_of(net, name)
        report = net.load_weights(path, allow_missing=True)
        assert set(report.missing) == set(before)
        assert all(np.array_equal(value, before[key]) for key, value in head_of(net, name).items())
        # A new one needs no permission and gives no warning.
        assert net.load_weights(path, head="new", strict=True).missing == ()
        assert net.report.warnings == ()


def test_half_a_head(name, tmp_path, state):
    values = dict(state)
    del values[f"{HEADS[name]}.bias"]
    path = write_safetensors(tmp_path / "x.safetensors", values)
    with pytest.raises(backbone.MismatchError, match=rf"'{HEADS[name]}\.bias'"):
        backbone.ResNet.from_file(path, outputs=("logits",))


@pytest.mark.parametrize("head", ["", "old", "NEW", 0, None, ["new"], float("nan"), b"new"])
def test_garbage_in_the_place_of_head(path, head):
    with backbone.ResNet(18, base_channels=8) as net:
        for call in (net.load_weights, backbone.ResNet.from_file, backbone.inspect):
            with pytest.raises((TypeError, ValueError), match="^head is .*; it must be 'exact' or 'new'"):
                call(path, head=head)


def test_the_head_of_a_dense_layer_with_a_space_around(tmp_path):
    """timm's ResNet v2 saves its classifier as a convolution of 1x1, torchvision's as a matrix."""
    with backbone.ResNet("resnetv2_18", base_channels=8, outputs=("logits",), num_classes=3) as net:
        assert net.state_dict()["head.fc.weight"].shape == (3, 64, 1, 1)
    with backbone.ResNet(18, base_channels=8, outputs=("logits",), num_classes=3) as net:
        assert net.state_dict()["fc.weight"].shape == (3, 64)


def test_classes_of_new_networks():
    for name, classes in (("resnet18", 1000), ("resnet20", 10)):
        with backbone.ResNet(name, base_channels=4, outputs=("logits",)) as net:
            assert net.num_classes == classes and net.out_channels == (classes,)
        with backbone.ResNet(name, base_channels=4, outputs=("logits",), num_classes=1) as net:
            assert net.logits(image()).shape == (2, 1)


def test_new_heads_are_drawn_alike():
    states = []
    for seed in (3, 3, 4):
        with backbone.ResNet(18, base_channels=4, outputs=("logits",), num_classes=9) as net:
            net.init_weights(seed=seed)
            states.append(net.state_dict())
    assert np.array_equal(states[0]["fc.weight"], states[1]["fc.weight"])
    assert not np.array_equal(states[0]["fc.weight"], states[2]["fc.weight"])
    assert np.abs(states[0]["fc.weight"]).max() > 0
