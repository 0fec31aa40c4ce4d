# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Against a live PyTorch: features and training mode.

PyTorch is imported by fixtures, so that without it this file can still be collected. The reference in float64 is
`torch_resnet` of Tests/Fixtures, which the first tests hold against torchvision's own model.
"""

import itertools

import numpy as np
import pytest
from accuracy import BOUNDS, DIRECT_BOUNDS, check_features, relative_error
from fixture_cases import MODELS, statistics
from parity import assert_same_state, calibrated, net_like
from weight_formula import DEPTHS, images, layout, pixels

pytestmark = pytest.mark.parity

SIZES = [(224, 224), (215, 215), (33, 65), (1, 1)]
LAYOUTS = ["NCHW", "NHWC", "uint8"]


@pytest.fixture(scope="module")
def narrow(reference):
    """A calibrated narrow ResNet-18, not to be changed."""
    return calibrated(reference, 18, 3, 8)


# ---- The reference, and the generator ----


@pytest.mark.parametrize("depth", DEPTHS)
def test_reference_is_torchvisions_model(torch, torchvision_resnet, reference, depth):
    model = getattr(torchvision_resnet, f"resnet{depth}")(weights=None).eval()
    ours = reference.with_formula(depth)
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items() if not name.startswith("fc.")}
    assert {name: tuple(value.shape) for name, value in ours.state_dict().items()} == expected == layout(depth)
    assert list(ours.state_dict()) == list(expected) == list(layout(depth))
    reference.calibrate(ours, images("calibration", (2, 3, 64, 64)))
    model.load_state_dict(ours.state_dict(), strict=False)
    x = torch.from_numpy(images("torchvision", (1, 3, 75, 64)))
    with torch.no_grad():
        y = model.maxpool(model.relu(model.bn1(model.conv1(x))))
        for stage, feature in enumerate(ours(x), 1):
            y = getattr(model, f"layer{stage}")(y)
            assert torch.equal(feature, y)


def test_generator_makes_the_stored_fixtures(torch):
    generator = pytest.importorskip("generate_models")
    stored, saved, rows, variants = generator.stored_arrays(18)
    for path, arrays in (("resnet18.npz", stored), ("variants18.npz", variants)):
        with np.load(MODELS / path) as file:
            assert set(file.files) == set(arrays)
            for name, expected in arrays.items():
                assert file[name].dtype == expected.dtype
                np.testing.assert_allclose(file[name], expected, rtol=1e-6, atol=1e-7, err_msg=name)
    on_disk = torch.load(MODELS / "resnet18.pth", weights_only=True)
    assert list(on_disk) == list(saved)
    for name, value in saved.items():
        torch.testing.assert_close(on_disk[name], value, rtol=1e-3, atol=1e-5)
    for title, errors in rows:
        assert all(error <= bound for error, bound in zip(errors, BOUNDS, strict=True)), title


# ---- Features ----


def prepared(form, shape, seed):
    """An input, and what a network of ImageNet's statistics (uint8 only) sees of it."""
    if form != "uint8":
        x = images(seed, shape)
        nhwc = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        return (nhwc if form == "NHWC" else x), x
    from torch_resnet import normalised

    x = pixels(seed, shape)
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2), normalised(x, *statistics(shape[1]))


# Every batch, size, number of channels and layout at every depth.
FULL_SIZE = {
    3: [(1, (224, 224), "NCHW"), (3, (224, 224), "uint8"), (3, (1, 1), "NHWC")],
    1: [(1, (215, 215), "uint8"), (3, (33, 65), "NHWC"), (1, (1, 1), "uint8")],
    5: [(3, (215, 215), "NHWC"), (1, (33, 65), "NCHW"), (3, (33, 65), "uint8")],
}


@pytest.mark.parametrize("in_channels", FULL_SIZE)
@pytest.mark.parametrize("depth", DEPTHS)
def test_features_at_full_size(reference, depth, in_channels):
    model = calibrated(reference, depth, in_channels, 64)
    mean, std = statistics(in_channels)
    with (
        net_like(model, depth, mean=mean, std=std) as net,
        net_like(model, depth, mean=mean, std=std, arithmetic="direct") as direct,
    ):
        model.double()
        for batch, size, form in FULL_SIZE[in_channels]:
            x, seen = prepared(form, (batch, in_channels, *size), f"parity/{size}")
            expected = reference.features(model, seen)
            check_features(("live, full size, ResNet", depth), net(x), expected, f"{x.shape} {form}")
            row = ("live, direct, ResNet", depth)
            check_features(row, direct(x), expected, f"{x.shape} {form}, direct", DIRECT_BOUNDS)


@pytest.mark.parametrize("depth", [18, 50])
def test_features_at_the_size_of_detectors(reference, depth):
    # Large enough for bands of rows.
    model = calibrated(reference, depth, 3, 64)
    with net_like(model, depth) as net:
        x = images("parity/detector", (1, 3, 470, 641))
        expected = reference.features(model.double(), x)
        check_features(("live, full size, ResNet", depth), net(x), expected, f"{x.shape}")


@pytest.mark.parametrize("in_channels", [1, 3, 5])
@pytest.mark.parametrize("depth", DEPTHS)
def test_features_of_narrow_networks(reference, depth, in_channels):
    # Every combination, and the reversed order of channels.
    model = calibrated(reference, depth, in_channels, 8)
    mean, std = statistics(in_channels)
    row = ("live, narrow, ResNet", depth)
    with (
        net_like(model, depth, mean=mean, std=std) as net,
        net_like(model, depth, mean=mean, std=std, channel_order="reversed") as reversing,
    ):
        model.double()
        for size in SIZES:
            for form in LAYOUTS:
                x, seen = prepared(form, (3, in_channels, *size), f"narrow/{size}")
                # NCHW and NHWC are the same images.
                if form != "NHWC":
                    expected = reference.features(model, seen)
                for batch, channels_last in itertools.product((1, 3), (False, True)):
                    features = net(x[:batch], channels_last=channels_last)
                    what = f"{x[:batch].shape} {form}, output channels last: {channels_last}"
                    check_features(row, features, [feature[:batch] for feature in expected], what)
            x = pixels("reversed", (2, in_channels, *size))
            seen = reference.normalised(x, mean, std, reverse=True)
            check_features(row, reversing(x), reference.features(model, seen), f"{x.shape} uint8 reversed")


@pytest.mark.parametrize("size", [(1, 2), (2, 1), (7, 300), (64, 31), (129, 5), (1, 97), (96, 96)])
@pytest.mark.parametrize("depth", [18, 50])
def test_features_of_odd_sizes(reference, depth, size):
    model = calibrated(reference, depth, 3, 8)
    with net_like(model, depth) as net:
        x = images("odd", (2, 3, *size))
        check_features(("live, narrow, ResNet", depth), net(x), reference.features(model, x), f"{x.shape}")


@pytest.mark.parametrize("base_channels", [1, 3, 12, 17])
@pytest.mark.parametrize("depth", [18, 50])
def test_features_of_odd_widths(reference, depth, base_channels):
    model = calibrated(reference, depth, 2, base_channels)
    with net_like(model, depth) as net:
        x = images("width", (2, 2, 61, 44))
        expected = reference.features(model, x)
        check_features(("live, odd widths, ResNet", depth), net(x), expected, f"{x.shape}")


def test_empty_batch_has_the_shapes_of_pytorch(torch, narrow):
    with net_like(narrow, 18) as net, torch.no_grad():
        for size in SIZES:
            expected = [tuple(feature.shape) for feature in narrow(torch.empty(0, 3, *size))]
            assert [feature.shape for feature in net(np.empty((0, 3, *size), np.float32))] == expected


# ---- Training mode ----


def assert_same_modes(net, model):
    """Which parameters are trainable, and which norms use the statistics of the batch."""
    trainable = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    assert {name: parameter.requires_grad for name, parameter in net.named_parameters()} == trainable
    for name, buffer in net.named_buffers():
        assert buffer.batch_statistics == model.get_submodule(name.rpartition(".")[0]).training, name


@pytest.mark.parametrize("norm_eval", [False, True])
@pytest.mark.parametrize("frozen_stages", range(-1, 5))
@pytest.mark.parametrize("depth", [18, 50])
def test_training_mode(reference, depth, frozen_stages, norm_eval):
    model = calibrated(reference, depth, 3, 8, frozen_stages=frozen_stages, norm_eval=norm_eval)
    with net_like(model, depth, frozen_stages=frozen_stages, norm_eval=norm_eval) as net:
        model.double().train()
        net.train()
        assert_same_modes(net, model)
        for step in range(3):
            x = images(f"step/{step}", (2, 3, 49, 66))
            expected = reference.features(model, x)
            check_features(("live, training, ResNet", depth), net(x), expected, f"forward {step}")
            state = net.state_dict()
            for name, buffer in model.named_buffers():
                if name.endswith("num_batches_tracked"):
                    assert state[name] == buffer.item(), name
                else:
                    stage = int(name[5]) - 1 if name.startswith("layer") else 0
                    error = relative_error(state[name], buffer.numpy())
                    assert error <= BOUNDS[stage], f"{name} after {step + 1} forward passes: relative error {error:.3e}"
        # And what it has learnt is used.
        model.eval()
        x = images("after", (1, 3, 49, 66))
        check_features(
            ("live, training, ResNet", depth), net.eval()(x), reference.features(model, x), "evaluation after training"
        )


def test_training_on_a_large_batch(reference):
    # 8 images that have no room together where evaluation computes them in shares.
    model = calibrated(reference, 50, 3, 64).train()
    x = images("large batch", (8, 3, 256, 256)) * np.linspace(0.5, 2, 8, dtype=np.float32)[:, None, None, None]
    with net_like(model, 50) as net:
        net.train()
        features = net(x)
        check_features(("live, training, ResNet", 50), features, reference.features(model, x), "8 images")
        state = net.state_dict()
    for name, buffer in model.named_buffers():
        if name.endswith("num_batches_tracked"):
            assert state[name] == buffer.item(), name
        else:
            stage = int(name[5]) - 1 if name.startswith("layer") else 0
            error = relative_error(state[name], buffer.numpy())
            assert error <= BOUNDS[stage], f"{name}: relative error {error:.3e}"


@pytest.mark.parametrize("frozen_stages", range(-1, 5))
@pytest.mark.parametrize("batch, side", [(1, 1), (2, 1), (1, 4), (1, 16), (1, 32), (1, 33)])
def test_one_value_per_channel_is_an_error_where_it_is_one_in_pytorch(reference, narrow, batch, side, frozen_stages):
    model = reference.ResNet(18, 3, 8, frozen_stages)
    model.load_state_dict(narrow.state_dict())
    model.train()
    x = images("one", (batch, 3, side, side))
    try:
        expected = reference.features(model, x)
    except ValueError as error:
        assert "more than 1 value per channel" in str(error)
        expected = None
    with net_like(narrow, 18, frozen_stages=frozen_stages) as net:
        before = net.state_dict()
        net.train()
        if expected is None:
            with pytest.raises(ValueError):
                net(x)
            assert_same_state(net, before)
            assert [feature.shape for feature in net.eval()(x)] == list(net.output_shapes(x.shape))
        else:
            for stage, (left, right) in enumerate(zip(net(x), expected, strict=True)):
                # Two values per channel become -1 and 1 however near they are, so rounding errors are magnified.
                if stage < frozen_stages or side > 1:
                    assert relative_error(left, right) <= BOUNDS[stage]
