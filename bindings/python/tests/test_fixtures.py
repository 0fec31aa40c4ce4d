# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Features and statistics against what PyTorch computed in float64, stored in Tests/Fixtures."""

import functools

import numpy as np
import pytest
import weight_formula
from accuracy import BOUNDS, check_error, relative_error
from fixture_cases import (
    CHECKPOINTS,
    FULL_SIZE,
    MODELS,
    NARROW,
    TRACKED,
    TRAINING,
    TRAINING_FORWARDS,
    VARIANTS,
    relative_errors,
    statistics,
    training_input,
    training_name,
)

import backbone

DEPTHS = tuple(weight_formula.DEPTHS)


@functools.cache
def stored(depth):
    with np.load(MODELS / f"resnet{depth}.npz") as arrays:
        return dict(arrays)


def narrow_net(depth, reverse=False, **options):
    """A network with the weights of the stored checkpoint."""
    checkpoint = CHECKPOINTS[depth]
    mean, std = statistics(checkpoint.in_channels)
    net = backbone.ResNet(
        depth,
        checkpoint.in_channels,
        base_channels=checkpoint.base_channels,
        mean=mean,
        std=std,
        channel_order="reversed" if reverse else "as_given",
        **options,
    )
    net.load_weights(MODELS / f"resnet{depth}.pth", strict=True)
    return net


def layouts(x):
    return {"NCHW": x, "NHWC": np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)}


def compare(net, case, row, prefix):
    """The features of a case in both layouts of input and output with the stored ones."""
    for layout, x in layouts(case.input(net.in_channels)).items():
        features = net(x, channels_last=layout == "NHWC")
        for stage, feature in enumerate(features):
            assert np.isfinite(feature).all()
            errors = relative_errors(stored(net.depth), f"{prefix}/{case.name}/C{stage + 2}", feature)
            check_error(row, stage, max(errors), f"{case.name} {layout}")


@pytest.mark.parametrize("depth", DEPTHS)
def test_names_shapes_and_order_of_the_state_dict_are_pytorchs(depth):
    # The counts are torchvision's less fc.*; the listing in weight_formula is held against it in test_parity.
    expected = weight_formula.layout(depth)
    assert len(expected) == {18: 120, 34: 216, 50: 318, 101: 624, 152: 930}[depth]
    with backbone.ResNet(depth) as net:
        entries = [*net.parameters(), *net.buffers()]
        assert {entry.name: entry.shape for entry in entries} == expected
        assert list(net.state_dict()) == list(expected)


@pytest.mark.parametrize("depth", DEPTHS)
def test_stored_checkpoint_loads_whole(depth):
    checkpoint = CHECKPOINTS[depth]
    with narrow_net(depth) as net:
        report = net.load_weights(MODELS / f"resnet{depth}.pth")
        names = list(net.state_dict())
        tracked = [name for name in names if name.endswith("num_batches_tracked")]
        absent = [] if checkpoint.tracked else tracked
        assert list(report.loaded) == [name for name in names if name not in absent]
        assert list(report.ignorable) == absent
        assert not report.missing and not report.unexpected and not report.mismatched
        assert (report.container, report.wrapper, report.prefix) == ("zip", checkpoint.wrapper, checkpoint.prefix)
        state = net.state_dict()
        assert {int(state[name]) for name in tracked} == {TRACKED if checkpoint.tracked else 0}
        if checkpoint.dtype == "float32":
            shapes = weight_formula.layout(depth, checkpoint.in_channels, checkpoint.base_channels)
            for name in (name for name in names if name.endswith(("weight", "bias"))):
                np.testing.assert_array_equal(state[name], weight_formula.weight(name, shapes[name]), err_msg=name)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("case", NARROW, ids=lambda case: case.name)
def test_features_of_a_stored_checkpoint(depth, case):
    with narrow_net(depth, case.reverse) as net:
        compare(net, case, ("stored, narrow, ResNet", depth), "narrow")


@pytest.mark.parametrize(
    ("depth", "name", "options"), [(depth, *variant) for depth, variants in VARIANTS.items() for variant in variants]
)
def test_other_options(depth, name, options):
    row = ("stored, other options, ResNet", depth)
    with np.load(MODELS / f"variants{depth}.npz") as file:
        arrays = dict(file)

    def check(net, x, key):
        for stage, feature in enumerate(net(x)):
            check_error(row, stage, max(relative_errors(arrays, f"{depth}/{name}/{key}/C{stage + 2}", feature)), key)

    for case in NARROW:
        with narrow_net(depth, case.reverse, **options) as net:
            check(net, case.input(net.in_channels), case.name)
    with narrow_net(depth, **options) as net:
        assert net.style == options.get("style", "pytorch")
        assert net.norm_eps == pytest.approx(options.get("norm_eps", 1e-5), rel=1e-7)
        if net.in_channels == 3:
            check(net.train(), training_input(0), "training")


@pytest.mark.parametrize("depth", DEPTHS)
def test_features_at_full_size(depth):
    arrays = stored(depth)
    state = weight_formula.state_dict(depth, arrays["full/running_mean"], arrays["full/running_var"])
    mean, std = statistics(3)
    for reverse in (False, True):
        order = "reversed" if reverse else "as_given"
        with backbone.ResNet(depth, mean=mean, std=std, channel_order=order) as net:
            net.load_state_dict(state)
            for case in FULL_SIZE:
                if case.reverse == reverse:
                    compare(net, case, ("stored, full size, ResNet", depth), "full")


@pytest.mark.parametrize(
    ("depth", "frozen_stages", "norm_eval"), [(depth, *mode) for depth, modes in TRAINING.items() for mode in modes]
)
def test_training_forwards(depth, frozen_stages, norm_eval):
    arrays, prefix = stored(depth), f"training/{training_name(frozen_stages, norm_eval)}"
    with narrow_net(depth, frozen_stages=frozen_stages, norm_eval=norm_eval) as net:
        net.train()
        for step in range(TRAINING_FORWARDS):
            features = net(training_input(step))
            if f"{prefix}/{step}/C2/values" not in arrays:
                continue
            for stage, feature in enumerate(features):
                errors = relative_errors(arrays, f"{prefix}/{step}/C{stage + 2}", feature)
                check_error(("stored, training, ResNet", depth), stage, max(errors), f"{prefix}/{step}")
            compare_buffers(net, arrays, f"{prefix}/{step}")
        assert f"{prefix}/{TRAINING_FORWARDS - 1}/C5/values" in arrays


def compare_buffers(net, arrays, prefix):
    """All statistics with the stored ones: those of a norm are contiguous, in the order of the state dict."""
    state, position = net.state_dict(), 0
    norms = [name.removesuffix(".num_batches_tracked") for name in state if name.endswith(".num_batches_tracked")]
    for index, norm in enumerate(norms):
        assert state[f"{norm}.num_batches_tracked"] == arrays[f"{prefix}/num_batches_tracked"][index], norm
        stage = int(norm[5]) - 1 if norm.startswith("layer") else 0
        channels = state[f"{norm}.running_mean"].size
        for buffer in ("running_mean", "running_var"):
            expected = arrays[f"{prefix}/{buffer}"][position : position + channels]
            error = relative_error(state[f"{norm}.{buffer}"], expected)
            assert error <= BOUNDS[stage], f"{prefix} {norm}.{buffer}: relative error {error:.3e}"
        position += channels
    assert position == arrays[f"{prefix}/running_mean"].size
