# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Recipes: learning rates, groups of parameters, values out of range."""

import math

import pytest

import backbone
from backbone.training import Recipe


def rates(steps, **fields):
    recipe = Recipe(**fields)
    schedule = recipe.learning_rates(steps)
    return [schedule(step) for step in range(recipe.epochs * steps)]


def test_learning_rates_by_their_formulas():
    cosine = rates(5, epochs=4, lr=0.2)
    assert cosine == pytest.approx([0.1 * (1 + math.cos(math.pi * step / 20)) for step in range(20)])
    assert rates(3, epochs=6, lr=0.2, schedule="step", step_epochs=2, gamma=0.5) == pytest.approx(
        [0.2] * 6 + [0.1] * 6 + [0.05] * 6
    )
    assert rates(2, epochs=5, lr=1, schedule="multi-step", milestones=[1, 4]) == pytest.approx(
        [1] * 2 + [0.1] * 6 + [0.01] * 2
    )
    assert rates(2, epochs=2, lr=0.3, schedule="constant") == [0.3] * 4
    cycle = rates(10, epochs=4, lr=0.5, schedule="one-cycle")
    assert cycle[0] == pytest.approx(0.02) and max(cycle) == pytest.approx(0.5) and cycle[-1] < 1e-5
    # Half an epoch of 8 steps rises linearly from a hundredth.
    warm = rates(8, epochs=2, lr=1, schedule="constant", warmup=0.5)
    assert warm == pytest.approx([0.01 + 0.99 * step / 4 for step in range(4)] + [1] * 12)


@pytest.mark.parametrize(("architecture", "head"), [("resnet20", "fc."), ("resnetv2_18", "head.fc.")])
@pytest.mark.parametrize("decay_all", [False, True])
@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_groups_without_decay_and_the_factor_of_the_head(architecture, head, decay_all, kind):
    recipe = Recipe(optimizer=kind, lr=0.1, weight_decay=0.01, head_factor=10, decay_all=decay_all)
    with backbone.ResNet(architecture, base_channels=8, outputs=("logits",), num_classes=3) as net:
        shapes = {name: parameter.shape for name, parameter in net.named_parameters()}
        groups = recipe.new_optimizer(net).param_groups
    seen = {}
    for group in groups:
        for name in group["params"]:
            seen[name] = group["lr"], group["weight_decay"]
    assert set(seen) == set(shapes)
    for name, shape in shapes.items():
        is_plain = len(shape) == 1 and not decay_all
        expected = (1.0 if name.startswith(head) else 0.1), (0 if is_plain else 0.01)
        assert seen[name] == pytest.approx(expected), name


def test_sizes_decide_augmentation_and_resizing():
    assert (Recipe().augment, Recipe().resize) == ("resized-crop", 256)
    assert (Recipe(size=32).augment, Recipe(size=32).resize) == ("padded-crop", 32)
    assert Recipe(size=32, augment="resized-crop").resize == 37
    assert Recipe(size=32, resize=40).resize == 40


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"lr": -0.1}, "lr is -0.1"),
        ({"lr": math.nan}, "lr is nan"),
        ({"lr": math.inf}, "lr is inf"),
        ({"momentum": 1.5}, "momentum is 1.5"),
        ({"label_smoothing": 2}, "label_smoothing is 2"),
        ({"clip": 0}, "clip is 0"),
        ({"clip": math.nan}, "clip is nan"),
        ({"warmup": -1}, "warmup is -1"),
        ({"optimizer": "adam"}, "optimizer is 'adam'"),
        ({"schedule": "linear"}, "schedule is 'linear'"),
        ({"augment": "mixup"}, "augment is 'mixup'"),
        ({"schedule": "multi-step"}, "milestones is ()"),
        ({"milestones": [3]}, "milestones is (3,)"),
        ({"schedule": "multi-step", "milestones": [5, 3]}, "ascending"),
        ({"size": 64, "resize": 60}, "resize is 60"),
        ({"optimizer": "adamw", "nesterov": True}, "nesterov"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_values_out_of_range_are_named(fields, text):
    with pytest.raises(ValueError) as caught:
        Recipe(**fields)
    assert text in str(caught.value)
