# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone.optim` on NumPy alone. Values are compared with PyTorch's in test_parity_training.py."""

import copy
import math
import pickle

import numpy as np
import pytest

import backbone
from backbone import optim


def random_like(vector, seed=0):
    return np.random.default_rng(seed).standard_normal(vector.shape, dtype=np.float32)


# ---- Steps ----


def test_sgd_updates_what_is_trainable(new_net):
    net = new_net(frozen_stages=2)
    before, frozen = net.read_trainable(), net.get_entry("layer2.0.conv1.weight").data
    gradients = random_like(before)
    optimizer = optim.SGD(net, lr=0.5)
    optimizer.step(gradients)
    np.testing.assert_allclose(net.read_trainable(), before - 0.5 * gradients, rtol=1e-6, atol=1e-6)
    optimizer.lr = 0
    values = net.read_trainable()
    optimizer.step(gradients)
    np.testing.assert_array_equal(net.read_trainable(), values)
    np.testing.assert_array_equal(net.get_entry("layer2.0.conv1.weight").data, frozen)


def test_training_lowers_the_loss(images):
    with backbone.ResNet(18, base_channels=8, outputs=("logits",), num_classes=5) as net:
        net.init_weights(seed=2)
        net.train()
        for optimizer in (optim.SGD(net, 0.05, momentum=0.9, nesterov=True), optim.AdamW(net, 1e-3)):
            losses = []
            with net.tape() as tape:
                for _ in range(8):
                    (logits,) = net.forward_train(images, tape)
                    loss, gradient = optim.cross_entropy(logits, [3, 1])
                    optimizer.step(net.backward(tape, [gradient]))
                    losses.append(loss)
            assert losses[-1] < losses[0]
            net.init_weights(seed=3)


def test_groups_have_their_own_options(new_net):
    with backbone.ResNet("resnet18d", base_channels=8, outputs=("C5", "logits"), num_classes=3) as net:
        net.init_weights(seed=1)
        groups = [
            optim.Group("fc.", lr_factor=10),
            optim.Group(kinds=("norms", "biases"), weight_decay=0),
            optim.Group("layer9."),
        ]
        optimizer = optim.SGD(net, 0.1, weight_decay=0.5, groups=groups)
        listed = optimizer.param_groups
        assert [(group["lr"], group["weight_decay"]) for group in listed] == [(1.0, 0.5), (0.1, 0), (0.1, 0.5)]
        assert listed[0]["params"] == ["fc.weight", "fc.bias"]
        assert all("bn" in name or "downsample.2" in name or name.startswith("conv1.1") or name.startswith("conv1.4")
                   for name in listed[1]["params"])  # fmt: skip
        everything = [name for group in listed for name in group["params"]]
        assert sorted(everything) == sorted(name for name, _ in net.named_parameters())
        before = net.read_trainable()
        gradients = random_like(before)
        optimizer.step(gradients)
        after, old, slopes = (net.named_slices(vector) for vector in (net.read_trainable(), before, gradients))
        for group in listed:
            for name in group["params"]:
                expected = old[name] - group["lr"] * (slopes[name] + group["weight_decay"] * old[name])
                np.testing.assert_allclose(after[name], expected, rtol=1e-5, atol=1e-6, err_msg=name)


def test_groups_of_group_norms_and_gates():
    with backbone.ResNet("resnet50_gn", base_channels=32) as net:
        names = optim.SGD(net, 0.1, groups=[optim.Group(kinds=("norms",))]).param_groups[0]["params"]
        assert len(names) == 2 * 53
    with backbone.ResNet("seresnet18", base_channels=16) as net:
        names = optim.SGD(net, 0.1, groups=[optim.Group(kinds=("biases",))]).param_groups[0]["params"]
        assert len(names) == 16 and all(".se." in name for name in names)


def test_stale_optimisers_follow(new_net):
    net = new_net(frozen_stages=3)
    optimizer = optim.SGD(net, 0.1, momentum=0.9)
    gradients = random_like(net.read_trainable())
    optimizer.step(gradients)
    net.freeze(2)
    gradients = random_like(net.read_trainable(), 1)
    before = net.read_trainable()
    with pytest.raises(backbone.StaleError):
        optimizer.step(gradients)
    np.testing.assert_array_equal(net.read_trainable(), before)
    optimizer.follow()
    optimizer.step(gradients)
    other = new_net(frozen_stages=2)
    with pytest.raises(backbone.StaleError):
        optimizer.net, _ = other, optimizer.net
        optimizer.step(gradients)


def test_gradients_that_are_refused(new_net):
    net = new_net()
    optimizer = optim.AdamW(net)
    before = net.read_trainable()
    gradients = random_like(before)
    net.named_slices(gradients)["layer2.0.bn1.bias"][3] = math.nan
    with pytest.raises(FloatingPointError, match=r"layer2\.0\.bn1\.bias"):
        optimizer.step(gradients)
    for kind, message, wrong in [
        (ValueError, "count", gradients[1:]),
        (TypeError, "gradients has dtype float64", gradients.astype(float)),
        (ValueError, "one contiguous vector", gradients[None]),
        (TypeError, "gradients is a list", [1.0]),
    ]:
        with pytest.raises(kind, match=message):
            optimizer.step(wrong)
    optimizer.lr = -1
    with pytest.raises(ValueError, match="learning_rate"):
        optimizer.step(random_like(before))
    np.testing.assert_array_equal(net.read_trainable(), before)
    optimizer.lr = 1e-3
    optimizer.step(gradients, allow_not_finite=True)
    assert np.isnan(net.get_entry("layer2.0.bn1.bias").data[3])


def test_options_that_are_refused(new_net):
    net = new_net()
    for make in (
        lambda: optim.SGD(net, 0.1, momentum=-1),
        lambda: optim.SGD(net, 0.1, nesterov=True),
        lambda: optim.AdamW(net, betas=(1.0, 0.9)),
        lambda: optim.AdamW(net, eps=-1),
        lambda: optim.SGD(net, 0.1, weight_decay=-1),
        lambda: optim.SGD(net, 0.1, groups=[optim.Group(lr_factor=-1)]),
        lambda: optim.SGD(net.freeze(4), 0.1),
        lambda: optim.Group(kinds=("bias",)),
        lambda: optim.Group(kinds="norms"),
        lambda: optim.SGD(net.freeze(-1), 0.1, groups=[optim.Group("layer\0")]),
    ):
        with pytest.raises(ValueError):
            make()
    optimizer = optim.SGD(net, 0.1)
    for action in (copy.copy, pickle.dumps):
        with pytest.raises(TypeError, match="a SGD cannot be copied"):
            action(optimizer)
    optimizer.close()
    with pytest.raises(ValueError, match="this SGD is closed"):
        optimizer.step(net.read_trainable())


# ---- Clipping and losses ----


def test_clipping(new_net):
    net = new_net()
    gradients = random_like(net.read_trainable())
    before = gradients.copy()
    norm = float(np.linalg.norm(before.astype(float)))
    assert optim.clip_gradients(net, gradients, math.inf) == pytest.approx(norm, rel=1e-12)
    np.testing.assert_array_equal(gradients, before)
    assert optim.clip_gradients(net, gradients, 2.0) == pytest.approx(norm, rel=1e-12)
    np.testing.assert_allclose(gradients, before * (2 / norm), rtol=1e-6)
    assert optim.clip_gradients(net, np.empty(0, np.float32), 1.0) == 0
    with pytest.raises(ValueError, match="max_norm"):
        optim.clip_gradients(net, gradients, -1)
    with pytest.raises(ValueError, match="read-only"):
        optim.clip_gradients(net, np.frombuffer(bytes(8), np.float32), 1)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_its_definition(smoothing):
    logits = random_like(np.empty((5, 7)))
    labels = np.array([0, 6, -100, 3, 3], np.int32)
    loss, gradient = optim.cross_entropy(logits, labels, smoothing)
    counted = labels >= 0
    shifted = logits.astype(float) - logits.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    wanted = np.where(counted[:, None], (1 - smoothing) * (np.arange(7) == labels[:, None]) + smoothing / 7, 0)
    assert loss == pytest.approx(-(wanted * logs).sum() / 4, rel=1e-6)
    np.testing.assert_allclose(gradient, np.where(counted[:, None], np.exp(logs) - wanted, 0) / 4, rtol=1e-5, atol=1e-7)
    for shape in ((5, 7, 1, 1), (5, 7)):
        again, slope = optim.cross_entropy(np.asfortranarray(logits.reshape(shape)), labels.tolist(), smoothing)
        assert again == loss and slope.shape == shape
        np.testing.assert_array_equal(slope.reshape(5, 7), gradient)


def test_losses_that_are_refused():
    logits = np.zeros((2, 3), np.float32)
    for kind, message, action in [
        (ValueError, "label", lambda: optim.cross_entropy(logits, [0, 3])),
        (ValueError, "label", lambda: optim.cross_entropy(logits, [0, -1])),
        (ValueError, "ignored", lambda: optim.cross_entropy(logits, [-100, -100])),
        (ValueError, "", lambda: optim.cross_entropy(logits, [0])),
        (ValueError, "label_smoothing", lambda: optim.cross_entropy(logits, [0, 1], 1.5)),
        (ValueError, "labels has shape", lambda: optim.cross_entropy(logits, [[0], [1]])),
        (TypeError, "labels has dtype float64", lambda: optim.cross_entropy(logits, [0.0, 1.0])),
        (TypeError, "logits has dtype float64", lambda: optim.cross_entropy(logits.astype(float), [0, 1])),
        (ValueError, "logits has shape", lambda: optim.cross_entropy(logits[0], [0, 1])),
    ]:
        with pytest.raises(kind, match=message or None):
            action()


# ---- Files ----


def test_options_of_a_file_that_differ_are_told_of(new_net, tmp_path):
    net = new_net(frozen_stages=1)
    groups = [optim.Group(kinds=["norms"], weight_decay=0)]
    first = optim.SGD(net, 0.1, momentum=0.9, weight_decay=1e-4, groups=groups)
    first.step(random_like(net.read_trainable()))
    first.save(tmp_path / "training.pth")
    # The learning rate is the caller's.
    same = optim.SGD(net, 0.3, momentum=0.9, weight_decay=1e-4, groups=groups)
    before = same.load(tmp_path / "training.pth").warnings
    other = optim.SGD(net, 0.1, momentum=0.8, weight_decay=1e-4, groups=[optim.Group(kinds=["norms"])])
    with pytest.warns(backbone.BackboneWarning, match="continues with 0.8"):
        told = [text for text in other.load(tmp_path / "training.pth").warnings if text not in before]
    assert told == [
        f"the optimizer state was saved with {key} for '{name}', and continues with {own}: options in files are ignored"
        for key, name, own in (
            ("momentum 0.9", "layer2.0.bn1.weight", 0.8),
            ("weight_decay 0", "layer2.0.bn1.weight", 0.0001),
        )
    ]
    assert not any("optimizer" in text for text in before)


def test_learning_rates_are_numbers(new_net):
    optimizer = optim.SGD(new_net(), 0.1)
    for wrong in ("x", None, [1]):
        with pytest.raises((TypeError, ValueError)):
            optimizer.lr = wrong
        assert optimizer.lr == 0.1
    optimizer.lr = np.float32(0.5)
    assert type(optimizer.lr) is float


@pytest.mark.parametrize("kind", [lambda net: optim.SGD(net, 0.1, momentum=0.9), lambda net: optim.AdamW(net, 1e-2)])
def test_training_goes_on_from_a_file(new_net, tmp_path, kind):
    net = new_net(frozen_stages=1)
    optimizer = kind(net)
    for step in range(3):
        optimizer.step(random_like(net.read_trainable(), step))
    optimizer.save(tmp_path / "training.pth")
    other = new_net(frozen_stages=1)
    resumed = kind(other)
    report = resumed.load(tmp_path / "training.pth")
    assert report.optimizer and report is other.report and not report.missing
    for step in range(3, 6):
        gradients = random_like(net.read_trainable(), step)
        optimizer.step(gradients)
        resumed.step(gradients)
    np.testing.assert_array_equal(other.read_trainable(), net.read_trainable())
    wrong = optim.AdamW(other) if isinstance(resumed, optim.SGD) else optim.SGD(other, 0.1)
    with pytest.raises((backbone.MismatchError, ValueError, backbone.CheckpointError)):
        wrong.load(tmp_path / "training.pth")
    with pytest.raises(FileNotFoundError):
        resumed.load(tmp_path / "missing.pth")
    with pytest.raises(ValueError):
        resumed.save(tmp_path / "training.safetensors")
    net.save_weights(tmp_path / "weights.pth")
    with pytest.raises((backbone.MismatchError, backbone.CheckpointError, ValueError)):
        resumed.load(tmp_path / "weights.pth")
    np.testing.assert_array_equal(other.read_trainable(), net.read_trainable())


# ---- Schedules ----


def test_schedules_are_functions_of_the_step():
    step = optim.Step(1.0, every=3, gamma=0.5)
    assert [step(n) for n in range(7)] == [1, 1, 1, 0.5, 0.5, 0.5, 0.25]
    steps = optim.MultiStep(1.0, [2, 2, 4])
    assert [steps(n) for n in range(5)] == pytest.approx([1, 1, 0.01, 0.01, 0.001])
    cosine = optim.Cosine(1.0, steps=4, minimum=0.5)
    assert [cosine(n) for n in (0, 2, 4, 9)] == pytest.approx([1, 0.75, 0.5, 0.5])
    cycle = optim.OneCycle(1.0, steps=10)
    assert cycle(0) == pytest.approx(1 / 25) and cycle(2) == pytest.approx(1) and cycle(99) == cycle(9)
    assert cycle(9) == pytest.approx(1 / 25 / 1e4)
    warm = optim.WarmUp(step, steps=4, start=0)
    assert [warm(n) for n in range(6)] == pytest.approx([0, 0.25, 0.5, 0.375, 0.5, 0.5])
    assert optim.WarmUp(0.5, steps=0)(0) == 0.5
    with pytest.raises(ValueError, match="ascending"):
        optim.MultiStep(1.0, [4, 2])
