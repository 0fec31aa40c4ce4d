# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""C1, the pooled vector and the logits, against what NumPy makes of weights and features, in networks of all kinds."""

import numpy as np
import pytest
from conftest import calibrate

import backbone

EVERYTHING = ("C1", "C2", "C3", "C4", "C5", "pooled", "logits")

# One of each kind: block, stem, shortcut, gate, norm, anti-aliasing, no shortcuts.
KINDS = [
    "resnet18", "resnet50", "resnet26d", "resnet26t", "seresnet18", "ecaresnet26t", "resnetrs50", "resnetblur18",
    "resnetaa34d", "resnetv2_18", "resnetv2_50d", "plain18", "resnet20", "test_resnet",
]  # fmt: skip
GROUP_NORMED = [("resnet50_gn", 32), ("resnetv2_50d_gn", 64)]
ALL_KINDS = [*((name, 8) for name in KINDS), *GROUP_NORMED]


def batch(shape=(2, 3, 49, 66), seed=4, name=""):
    if "aa" in name:
        # Poolings of 2x2 in the place of strides want even sizes.
        shape = (*shape[:2], 64, 96)
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def outputs_of(name):
    return tuple(output for output in EVERYTHING if output != "C5" or name != "resnet20")


def opened(name, channels, **options):
    options.setdefault("outputs", outputs_of(name))
    net = backbone.ResNet(name, base_channels=channels, **options)
    return net if "_gn" in name else calibrate(net, forwards=4)


def convolved(x, weight, stride, padding):
    """Of one image by definition, in float64."""
    side = weight.shape[2]
    x = np.pad(x.astype(np.float64), ((0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), (1, 2))[:, ::stride, ::stride]
    return np.einsum("oikl,ihwkl->ohw", weight.astype(np.float64), windows)


def normed(x, state, name):
    weight, bias, mean, variance = (
        state[f"{name}.{part}"].astype(np.float64)[:, None, None]
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    return (x - mean) / np.sqrt(variance + 1e-5) * weight + bias


def near(actual, expected, bound=1e-4):
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= bound * np.abs(expected).max()


# ---- Numbers ----


@pytest.mark.parametrize(("name", "channels"), ALL_KINDS)
def test_logits_and_pooled_follow_from_the_last_stage(name, channels):
    x = batch(name=name)
    with opened(name, channels, num_classes=7) as net:
        named = dict(zip(net.outputs, net(x), strict=True))
        state = net.state_dict()
    pooled, logits = named["pooled"], named["logits"]
    last = named["C4" if name == "resnet20" else "C5"].astype(np.float64)
    if "v2" in name:
        # The last norm comes after C5: of GroupNorm and BatchNorm.
        if "gn" in name:
            groups = last.reshape(len(x), 32, -1)
            groups = (groups - groups.mean(2, keepdims=True)) / np.sqrt(groups.var(2, keepdims=True) + 1e-5)
            weight, bias = (state[f"norm.{part}"].astype(np.float64)[:, None, None] for part in ("weight", "bias"))
            last = groups.reshape(last.shape) * weight + bias
        else:
            last = np.stack([normed(image, state, "norm") for image in last])
        last = np.maximum(last, 0)
    near(pooled, last.mean((2, 3), keepdims=True))
    names = [key for key in state if state[key].shape[:1] == (7,)]
    assert len(names) == 2 and names[0].endswith(".weight") and names[1].endswith(".bias")
    weight, bias = state[names[0]].reshape(7, -1).astype(np.float64), state[names[1]].astype(np.float64)
    near(logits, (pooled[:, :, 0, 0] @ weight.T + bias)[:, :, None, None])


@pytest.mark.parametrize(
    ("name", "stride"), [("resnet18", 2), ("resnet50", 2), ("seresnet18", 2), ("resnetblur18", 2), ("resnet20", 1)]
)
def test_c1_is_the_first_convolution_normed_and_clipped(name, stride):
    x = batch()
    with opened(name, 16, outputs=("C1",)) as net:
        state = net.state_dict()
        assert {key.split(".")[0] for key in state} == {"conv1", "bn1"}
        (c1,) = net(x)
    weight = state["conv1.weight"]
    for image, feature in zip(x, c1, strict=True):
        expected = np.maximum(normed(convolved(image, weight, stride, weight.shape[2] // 2), state, "bn1"), 0)
        near(feature, expected, 1e-5)


def test_c1_of_a_deep_stem():
    x = batch()
    with opened("resnet26d", 16, outputs=("C1",)) as net:
        state = net.state_dict()
        (c1,) = net(x)
    for image, feature in zip(x, c1, strict=True):
        for convolution, norm, stride in (("conv1.0", "conv1.1", 2), ("conv1.3", "conv1.4", 1), ("conv1.6", "bn1", 1)):
            image = np.maximum(normed(convolved(image, state[f"{convolution}.weight"], stride, 1), state, norm), 0)
        near(feature, image, 1e-5)


def test_c1_of_a_preactivation_network_is_its_convolution():
    x = batch()
    with opened("resnetv2_18", 16, outputs=("C1",)) as net:
        state = net.state_dict()
        (c1,) = net(x)
    assert [key for key in state if key.endswith("weight")] == ["stem.conv.weight"]
    for image, feature in zip(x, c1, strict=True):
        near(feature, convolved(image, state["stem.conv.weight"], 2, 3), 1e-5)


# ---- Which outputs, in which shapes ----


@pytest.mark.parametrize(("name", "channels"), ALL_KINDS)
def test_any_part_of_the_outputs_has_the_same_bits(name, channels):
    x = batch(name=name)
    with opened(name, channels, num_classes=5) as net:
        state = net.state_dict()
        everything = dict(zip(net.outputs, net(x), strict=True))
    for outputs in (("C1",), ("C2",), ("C1", "C3"), ("pooled",), ("logits",), ("C4", "logits"), ("C2", "pooled")):
        with backbone.ResNet(name, base_channels=channels, num_classes=5, outputs=outputs) as net:
            net.load_state_dict(state)
            assert net.outputs == outputs
            features = net(x)
            assert [feature.shape for feature in features] == list(net.output_shapes(x.shape))
            assert [feature.shape[1] for feature in features] == list(net.out_channels)
            for output, feature in zip(outputs, features, strict=True):
                np.testing.assert_array_equal(feature, everything[output], err_msg=output)
            # Nothing that no output needs is built.
            assert ("logits" in outputs) == any(value.shape[:1] == (5,) for value in net.state_dict().values())


def test_shorthands_for_vectors():
    x = batch()
    with opened("resnet18", 8, num_classes=7) as net:
        features = net(x)
        np.testing.assert_array_equal(net.pooled(x), features[5][:, :, 0, 0])
        np.testing.assert_array_equal(net.logits(x), features[6][:, :, 0, 0])
        assert net.pooled(x).shape == (2, 64) and net.logits(x).shape == (2, 7)
        assert net.logits(x[:0]).shape == (0, 7)
    with backbone.ResNet(18, base_channels=8) as net:
        for call in (net.pooled, net.logits):
            with pytest.raises(ValueError, match="gives C2, C3, C4, C5; create it with '.*' among its outputs"):
                call(x)


def test_three_stages_give_no_c5():
    with backbone.ResNet("resnet20") as net:
        assert (net.outputs, net.out_indices, net.out_strides) == (("C2", "C3", "C4"), (0, 1, 2), (1, 2, 4))
        assert net.out_channels == (16, 32, 64) and net.num_classes == 10
    with backbone.ResNet("resnet20", outputs=("C4", "C5", "logits")) as net:
        assert net.outputs == ("C4", "logits")
    for options in ({"outputs": ("C5",)}, {"out_indices": (3,)}):
        with pytest.raises(ValueError, match=r"^outputs \(out_stages\) is 8, .* at least one output that"):
            backbone.ResNet("resnet20", **options)


@pytest.mark.parametrize(
    ("outputs", "error"),
    [
        ((), ValueError), (("C6",), ValueError), (("C5", "C1"), ValueError), (("C5", "C5"), ValueError),
        (("c5",), ValueError), ((5,), ValueError), ((["C5"],), ValueError), ("C5", TypeError), (5, TypeError),
        (float("nan"), TypeError), (b"C5", TypeError),
    ],
)  # fmt: skip
def test_outputs_that_are_none(outputs, error):
    with pytest.raises(error, match=r"^outputs is .* must be (a sequence|one or more of C1, C2, )"):
        backbone.ResNet(18, base_channels=1, outputs=outputs)


def test_arrays_of_the_caller_are_written_to():
    x = batch()
    with opened("seresnet18", 8, num_classes=7) as net:
        expected = net(x)
        out = [np.full(shape, np.nan, np.float32) for shape in net.output_shapes(x.shape)]
        assert net(x, out)[6] is out[6]
        for left, right in zip(out, expected, strict=True):
            np.testing.assert_array_equal(left, right)
        with pytest.raises(ValueError, match=r"out has 6 arrays; outputs \('C1', .*\) need 7"):
            net(x, out[:6])
        with pytest.raises(ValueError, match=r"out\[6\]"):
            net(x, [*out[:6], np.empty((2, 7), np.float32)])
        for left, right in zip(net(x, channels_last=True), expected, strict=True):
            np.testing.assert_array_equal(left, right)


# ---- The same bits ----


@pytest.mark.parametrize(("name", "channels"), ALL_KINDS)
def test_threads_and_batch_do_not_matter(name, channels):
    x = batch((5, 3, 65, 50), name=name)
    with opened(name, channels, threads=1, num_classes=5) as net:
        state = net.state_dict()
        expected = net(x)
        for index in range(len(x)):
            for output, left, right in zip(net.outputs, net(x[index : index + 1]), expected, strict=True):
                np.testing.assert_array_equal(left[0], right[index], err_msg=output)
    for threads in (2, 5):
        with backbone.ResNet(
            name, base_channels=channels, threads=threads, num_classes=5, outputs=outputs_of(name)
        ) as net:
            net.load_state_dict(state)
            for output, left, right in zip(net.outputs, net(x), expected, strict=True):
                np.testing.assert_array_equal(left, right, err_msg=output)


@pytest.mark.parametrize("name", ["resnet18", "resnet20"])
def test_a_long_batch_on_busy_threads(name):
    """The last of many images are fewer than those before them, and had too little memory once."""
    x = batch((120 if name == "resnet18" else 250, 3, 32, 32))
    with backbone.ResNet(name, threads=1, outputs=("C2", "logits")) as net:
        parts = [net(x[start : start + 10]) for start in range(0, len(x), 10)]
        expected = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
    with backbone.ResNet(name, threads=3, outputs=("C2", "logits")) as net:
        for _ in range(6):
            for left, right in zip(net(x), expected, strict=True):
                np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(("name", "channels"), ALL_KINDS)
def test_pixels_are_normalised(name, channels):
    pixels = np.random.default_rng(5).integers(0, 256, (2, 64, 96, 3), np.uint8).transpose(0, 3, 1, 2)
    options = {"mean": backbone.IMAGENET_MEAN, "std": backbone.IMAGENET_STD, "num_classes": 5}
    with opened(name, channels, **options, channel_order="reversed") as net:
        state, features = net.state_dict(), net(pixels)
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (options["mean"], options["std"]))
    x = (pixels[:, ::-1].astype(np.float32) - mean) / std
    with backbone.ResNet(name, base_channels=channels, num_classes=5, outputs=outputs_of(name)) as net:
        net.load_state_dict(state)
        for left, right in zip(features, net(x), strict=True):
            near(left, right, 1e-5)


# ---- Sizes ----


@pytest.mark.parametrize(("name", "channels"), ALL_KINDS)
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (2, 3), (7, 1)])
def test_small_images(name, channels, size):
    """Poolings of 2x2 need two pixels, and so do blurs, which mirror."""
    x = batch((1, 3, *size))
    with backbone.ResNet(name, base_channels=channels, outputs=outputs_of(name), num_classes=3) as net:
        if name in ("resnetaa34d", "resnetblur18"):
            for call in (net, net.profile, lambda x: net.output_shapes(x.shape)):
                with pytest.raises(ValueError, match=rf"\[1, 3, {size[0]}, {size[1]}\]: H and W are too small"):
                    call(x)
        else:
            assert [feature.shape for feature in net(x)] == list(net.output_shapes(x.shape))


@pytest.mark.parametrize(("name", "least"), [("resnetaa50", 31), ("resnetblur18", 17), ("resnetblur50", 17)])
def test_the_smallest_image(name, least):
    with backbone.ResNet(name, base_channels=8) as net:
        assert [feature.shape[2:] for feature in net(batch((1, 3, least, least)))][-1] == (1, 1)
        for size in ((1, 1), (least - 1, 64), (64, least - 1)):
            with pytest.raises(ValueError, match=rf"\[1, 3, {size[0]}, {size[1]}\]: H and W are too small"):
                net(batch((1, 3, *size)))


def test_sizes_that_do_not_halve():
    """As PyTorch, which has no sum of them."""
    with backbone.ResNet("resnetaa50", base_channels=8) as net:
        for call in (net, net.profile, lambda x: net.output_shapes(x.shape)):
            with pytest.raises(ValueError, match="a branch of 2 x 3 and a shortcut of 3 x 3 pixels.* multiples of 32"):
                call(batch((1, 3, 40, 49)))


def test_empty_batches():
    with backbone.ResNet("seresnet18", base_channels=8, outputs=EVERYTHING, num_classes=3) as net:
        assert [len(feature) for feature in net(batch((0, 3, 64, 64)))] == [0] * 7


# ---- Modes ----


def training_changes(net, x):
    before = net.state_dict()
    net.train()
    net(x)
    after = net.state_dict()
    return {key for key in before if not np.array_equal(before[key], after[key])}


@pytest.mark.parametrize("name", KINDS)
def test_training_updates_the_statistics_of_what_is_not_frozen(name):
    x = batch((2, 3, 64, 64))
    with backbone.ResNet(name, base_channels=8, outputs=outputs_of(name), num_classes=3) as net:
        statistics = {key for key in net.state_dict() if key.split(".")[-1].startswith(("running_", "num_batches"))}
        assert training_changes(net, x) == statistics
        for frozen in range(5):
            net.freeze(frozen)
            first = [f"layer{stage}." for stage in range(1, frozen + 1)]
            first += ["stages." + f"{stage - 1}." for stage in range(1, frozen + 1)]
            stem = ("conv1.", "bn1.", "maxpool.", "stem.")
            last = ("norm.",) if frozen == 4 else ()
            kept = {key for key in statistics if key.startswith((*stem, *first, *last))}
            assert training_changes(net, x) == statistics - kept, frozen
            trainable = {key for key, parameter in net.named_parameters() if parameter.requires_grad}
            assert not any(key.startswith((*stem, *first)) for key in trainable)
            # The head is never frozen; the last norm of ResNet v2 is a part of the last stage.
            assert any(key.startswith(("fc.", "head.")) for key in trainable)


@pytest.mark.parametrize("name", KINDS)
def test_training_normalises_with_the_batch(name):
    x = batch((3, 3, 64, 64))
    outputs = outputs_of(name)
    with opened(name, 8, outputs=outputs, num_classes=3) as net:
        still = net(x)
        moving = net.train()(x)
        assert all(not np.array_equal(left, right) for left, right in zip(still[1:], moving[1:], strict=True))
        # C1 has no norm before it.
        assert np.array_equal(still[0], moving[0]) == (name == "resnetv2_18")
    with opened(name, 8, outputs=outputs, num_classes=3, norm_eval=True) as net:
        for left, right in zip(net(x), net.train()(x), strict=True):
            np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(("name", "channels"), GROUP_NORMED)
def test_group_norms_are_the_same_in_training(name, channels):
    x = batch()
    with backbone.ResNet(name, base_channels=channels, outputs=EVERYTHING, num_classes=3) as net:
        expected = net(x)
        state = net.state_dict()
        for frozen in (-1, 2):
            for left, right in zip(net.freeze(frozen).train()(x), expected, strict=True):
                np.testing.assert_array_equal(left, right)
        assert not any(parameter.requires_grad for key, parameter in net.named_parameters() if "layer1" in key)
        assert all(np.array_equal(state[key], value) for key, value in net.state_dict().items())


# ---- Files ----


@pytest.mark.parametrize(("name", "channels"), ALL_KINDS)
@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_files_come_back(tmp_path, name, channels, ending):
    path, x = tmp_path / f"x.{ending}", batch(name=name)
    with opened(name, channels, num_classes=5) as net:
        net.save_weights(path)
        state, features = net.state_dict(), net(x)
    with backbone.ResNet(name, base_channels=channels, num_classes=5, outputs=outputs_of(name)) as net:
        report = net.load_weights(path, strict=True)
        assert set(report.loaded) == set(state) and not report.missing
        for left, right in zip(net(x), features, strict=True):
            np.testing.assert_array_equal(left, right)
    with backbone.ResNet.from_file(path, architecture=name, outputs=outputs_of(name), strict=True) as net:
        assert (net.architecture, net.num_classes) == (name, 5)
        assert all(np.array_equal(value, state[key]) for key, value in net.state_dict().items())
        for left, right in zip(net(x), features, strict=True):
            np.testing.assert_array_equal(left, right)
