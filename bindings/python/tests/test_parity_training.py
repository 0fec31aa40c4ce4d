# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Optimisers, losses, schedules and whole trainings beside those of PyTorch."""

import math
import types

import numpy as np
import pytest
from parity import arrays
from weight_formula import images

import backbone
from backbone import optim

pytestmark = pytest.mark.parity

CLASSES = 5


@pytest.fixture(scope="module")
def classifier(torch, reference):
    """Make a narrow model with a head, by depth."""
    import gradients

    class Classifier(torch.nn.Module):
        """With the names of torchvision."""

        def __init__(self, body):
            super().__init__()
            for name, child in body.named_children():
                self.add_module(name, child)
            # Not a child of its own: its parameters exist.
            self._body = [body]
            self.fc = torch.nn.Linear(64, CLASSES)

        def forward(self, x):
            return self.fc(self._body[0](x)[-1].mean((2, 3)))

    def make(seed=0):
        torch.manual_seed(seed)
        body = reference.with_formula(18, 3, 8)
        gradients.keep_away_from_zero(body, [images("margins", (4, 3, 64, 64))])
        return Classifier(body)

    return make


def net_like(model, **options):
    net = backbone.ResNet(18, base_channels=8, outputs=("logits",), num_classes=CLASSES, **options)
    net.load_state_dict(arrays(model.state_dict()))
    return net


def batches(count, size=4):
    labels = np.random.default_rng(0).integers(0, CLASSES, (7, size))
    for step in range(count):
        yield images(f"step {step % 7}", (size, 3, 48, 48)), labels[step % 7]


def set_gradients(torch, model, net, vector):
    parameters = dict(model.named_parameters())
    for name, gradient in net.named_slices(vector).items():
        parameters[name].grad = torch.from_numpy(gradient.copy())


def random_gradients(net, step):
    return np.random.default_rng(step).standard_normal(net.trainable_count, dtype=np.float32)


def assert_same_parameters(net, model, ulps=0):
    for name, parameter in model.named_parameters():
        mine, theirs = net.get_entry(name).data, parameter.detach().numpy()
        if ulps == 0:
            np.testing.assert_array_equal(mine, theirs, err_msg=name)
        else:
            np.testing.assert_array_max_ulp(mine, theirs, ulps)


# ---- Whole trainings ----


@pytest.mark.parametrize("norm_eval", [False, True])
@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_losses_of_a_hundred_steps(torch, classifier, kind, norm_eval):
    model = classifier().train()
    net = net_like(model, norm_eval=norm_eval).train()
    if kind == "sgd":
        theirs = torch.optim.SGD(model.parameters(), 5e-4, momentum=0.9, weight_decay=1e-4)
        ours = optim.SGD(net, 5e-4, momentum=0.9, weight_decay=1e-4)
    else:
        theirs = torch.optim.AdamW(model.parameters(), 1e-4)
        ours = optim.AdamW(net, 1e-4)
    if norm_eval:
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()
    losses = []
    with net.tape() as tape:
        for x, labels in batches(100):
            theirs.zero_grad()
            expected = torch.nn.functional.cross_entropy(model(torch.from_numpy(x)), torch.from_numpy(labels))
            expected.backward()
            theirs.step()
            (logits,) = net.forward_train(x, tape)
            loss, gradient = optim.cross_entropy(logits, labels)
            ours.step(net.backward(tape, [gradient]))
            losses.append((loss, expected.item()))
    ours, theirs = np.array(losses).T
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)
    assert theirs[-10:].mean() < theirs[:10].mean() - 0.1


# ---- Optimisers ----


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": 0.9},
        {"momentum": 0.9, "weight_decay": 1e-2},
        {"momentum": 0.8, "dampening": 0.3, "weight_decay": 0.1},
        {"momentum": 0.9, "nesterov": True, "weight_decay": 1e-3},
    ],
    ids=str,
)
def test_steps_of_sgd_are_the_same_bits(torch, classifier, options):
    model = classifier()
    net = net_like(model)
    theirs, ours = torch.optim.SGD(model.parameters(), 0.1, **options), optim.SGD(net, 0.1, **options)
    for step in range(4):
        vector = random_gradients(net, step)
        set_gradients(torch, model, net, vector)
        lr = 0.1 / (1 + step)
        theirs.param_groups[0]["lr"] = ours.lr = lr
        theirs.step()
        ours.step(vector)
        assert_same_parameters(net, model)


@pytest.mark.parametrize("options", [{}, {"betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.2}], ids=str)
def test_steps_of_adamw_are_nearly_the_same_bits(torch, classifier, options):
    model = classifier()
    net = net_like(model)
    theirs, ours = torch.optim.AdamW(model.parameters(), 1e-2, **options), optim.AdamW(net, 1e-2, **options)
    for step in range(4):
        vector = random_gradients(net, step)
        set_gradients(torch, model, net, vector)
        theirs.step()
        ours.step(vector)
    for name, parameter in model.named_parameters():
        mine, expected = net.get_entry(name).data, parameter.detach().numpy()
        # Where a step takes a parameter to almost 0 the rounding of the step is what counts.
        np.testing.assert_allclose(mine, expected, rtol=3e-7, atol=1e-8, err_msg=name)


def test_groups_are_those_of_pytorch(torch, classifier):
    model = classifier()
    net = net_like(model, frozen_stages=1)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(net.get_entry(name).requires_grad)
    groups = [optim.Group("fc.", lr_factor=10, weight_decay=0.0), optim.Group(kinds=("norms",), weight_decay=0.0)]
    ours = optim.SGD(net, 0.01, momentum=0.9, weight_decay=0.1, groups=groups)
    parameters = dict(model.named_parameters())
    theirs = torch.optim.SGD(
        [{**group, "params": [parameters[name] for name in group["params"]]} for group in ours.param_groups],
        0.01,
        momentum=0.9,
    )
    for step in range(3):
        vector = random_gradients(net, step)
        set_gradients(torch, model, net, vector)
        theirs.step()
        ours.step(vector)
    assert_same_parameters(net, model)


def test_stages_that_are_unfrozen_later_begin_then(torch, classifier):
    model = classifier()
    net = net_like(model, frozen_stages=2)
    theirs, ours = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9), optim.SGD(net, 0.1, momentum=0.9)
    for step in range(4):
        if step == 2:
            net.freeze(0)
            ours.follow()
        vector = random_gradients(net, step)
        set_gradients(torch, model, net, vector)
        theirs.step()
        ours.step(vector)
    assert_same_parameters(net, model)


@pytest.mark.parametrize("scope", ["all", "trainable"])
@pytest.mark.parametrize("frozen", [-1, 1])
@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_training_goes_from_pytorch_to_the_library_and_back(torch, classifier, tmp_path, kind, frozen, scope):
    path = tmp_path / "training.pth"

    def optimizer_of(model):
        chosen = [p for n, p in model.named_parameters() if scope == "all" or net.get_entry(n).requires_grad]
        if kind == "sgd":
            return torch.optim.SGD(chosen, 0.1, momentum=0.9, weight_decay=1e-2)
        return torch.optim.AdamW(chosen, 1e-2)

    def steps_there(model, optimizer, numbers):
        for step in numbers:
            set_gradients(torch, model, net, random_gradients(net, step))
            optimizer.step()

    def save(model, optimizer):
        torch.save({"state_dict": model.state_dict(), "optimizer": optimizer.state_dict()}, path)

    expected = classifier()
    net = net_like(expected, frozen_stages=frozen)
    steps_there(expected, optimizer_of(expected), range(9))

    model = classifier()
    optimizer = optimizer_of(model)
    steps_there(model, optimizer, range(3))
    save(model, optimizer)
    ours = optim.SGD(net, 0.1, momentum=0.9, weight_decay=1e-2) if kind == "sgd" else optim.AdamW(net, 1e-2)
    report = ours.load(path)
    assert "trainable" in report.optimizer or "all" in report.optimizer
    for step in range(3, 6):
        ours.step(random_gradients(net, step))
    ours.save(path)

    model = classifier(seed=1)
    content = torch.load(path, weights_only=True)
    model.load_state_dict(content["state_dict"])
    # The library's file has the trainable parameters.
    scope = "trainable"
    optimizer = optimizer_of(model)
    optimizer.load_state_dict(content["optimizer"])
    steps_there(model, optimizer, range(6, 9))
    for (name, actual), wanted in zip(model.named_parameters(), expected.parameters(), strict=True):
        if kind == "sgd":
            assert torch.equal(actual, wanted), name
        else:
            torch.testing.assert_close(actual, wanted, rtol=1e-6, atol=1e-8, msg=name)


# ---- Losses and clipping ----


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("shape", [(1, 2), (8, 10), (33, 1000)])
def test_cross_entropy(torch, shape, smoothing):
    generator = np.random.default_rng(1)
    logits = 5 * generator.standard_normal(shape, dtype=np.float32)
    labels = generator.integers(0, shape[1], shape[0])
    labels[1::4] = optim.IGNORED_LABEL
    values = torch.from_numpy(logits).double().requires_grad_()
    expected = torch.nn.functional.cross_entropy(values, torch.from_numpy(labels), label_smoothing=smoothing)
    expected.backward()
    loss, gradient = optim.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels), smoothing)
    assert loss == pytest.approx(expected.item(), rel=1e-9)
    np.testing.assert_allclose(gradient, values.grad.numpy(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("max_norm", [0.0, 0.5, 1e3, math.inf])
def test_clipping(torch, new_net, max_norm):
    net = new_net()
    vector = random_gradients(net, 0)
    parameter = torch.nn.Parameter(torch.zeros(vector.size))
    parameter.grad = torch.from_numpy(vector.copy())
    expected = torch.nn.utils.clip_grad_norm_([parameter], max_norm)
    # PyTorch adds up in float32.
    assert optim.clip_gradients(net, vector, max_norm) == pytest.approx(expected.item(), rel=5e-6)
    np.testing.assert_allclose(vector, parameter.grad.numpy(), rtol=5e-6)


# ---- Schedules ----


@pytest.mark.parametrize(
    ("ours", "make"),
    [
        (optim.Step(0.1, every=7, gamma=0.3), lambda s, o: s.StepLR(o, 7, 0.3)),
        (optim.MultiStep(0.1, (5, 20, 20, 41)), lambda s, o: s.MultiStepLR(o, [5, 20, 20, 41])),
        (optim.Cosine(0.1, steps=50), lambda s, o: s.CosineAnnealingLR(o, 50)),
        (optim.Cosine(0.1, steps=60, minimum=0.01), lambda s, o: s.CosineAnnealingLR(o, 60, 0.01)),
        (optim.OneCycle(0.1, steps=50), lambda s, o: s.OneCycleLR(o, 0.1, 50)),
        (
            optim.OneCycle(0.1, steps=53, rise=0.25, div_factor=10, final_div_factor=100),
            lambda s, o: s.OneCycleLR(o, 0.1, 53, pct_start=0.25, div_factor=10, final_div_factor=100),
        ),
        (optim.WarmUp(0.1, steps=12), lambda s, o: s.LinearLR(o, 1 / 3, total_iters=12)),
        (optim.WarmUp(0.1, steps=7, start=0.001), lambda s, o: s.LinearLR(o, 0.001, total_iters=7)),
        (
            optim.WarmUp(optim.MultiStep(0.1, (20, 30)), steps=10, start=0.1),
            lambda s, o: s.ChainedScheduler([s.LinearLR(o, 0.1, total_iters=10), s.MultiStepLR(o, [20, 30])]),
        ),
    ],
    ids=lambda value: "" if isinstance(value, types.FunctionType) else str(value),
)
def test_schedules(torch, ours, make):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.1)
    schedule = make(torch.optim.lr_scheduler, optimizer)
    for step in range(50):
        assert ours(step) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9), step
        optimizer.step()
        schedule.step()
