# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Inputs that fool people: normalisation of float32, and the warnings of forward passes."""

import threading
import warnings

import numpy as np
import pytest

import backbone
from backbone import _library
from backbone._library import lib

IMAGENET = {"mean": backbone.IMAGENET_MEAN, "std": backbone.IMAGENET_STD}
UNIT = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
CAFFE = {"mean": backbone.IMAGENET_MEAN[::-1]}

rng = np.random.default_rng(31)
# A dark and a bright half, as photos have.
PIXELS = np.concatenate(
    [rng.integers(0, 90, (2, 3, 24, 40), dtype=np.uint8), rng.integers(150, 256, (2, 3, 24, 40), dtype=np.uint8)], 2
)


def normalised(pixels, mean, std=(1, 1, 1)):
    of_channels = np.float32([mean, std])[:, :, None, None]
    return (pixels.astype(np.float32) - of_channels[0]) / of_channels[1]


def said(net, *images):
    """The warnings of forward passes, as Python has them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for image in images:
            net(image)
    assert all(entry.category is backbone.BackboneWarning and entry.filename == __file__ for entry in caught)
    return [str(entry.message) for entry in caught]


@pytest.fixture
def checkpoint(states, tmp_path):
    """Make a file of weights whose stem expects inputs of deviation 1 or, divided, pixels."""

    def make(divisor=1):
        path = str(tmp_path / f"{divisor}.safetensors")
        with backbone.ResNet(18, base_channels=8) as net:
            state = dict(states[18])
            state["conv1.weight"] = state["conv1.weight"] / np.float32(divisor)
            net.load_state_dict(state)
            net.save_weights(path)
        return path

    return make


# ---- Normalisation ----


@pytest.mark.parametrize("layout", ["NCHW", "NHWC", "upside down"])
@pytest.mark.parametrize("options", [{}, IMAGENET, CAFFE, {"std": (2, 3, 4)}, {"channel_order": "reversed"}])
def test_floats_are_normalised_to_the_bits_of_uint8(states, options, layout):
    memory = {
        "NCHW": PIXELS,
        "NHWC": np.ascontiguousarray(PIXELS.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2),
        "upside down": PIXELS[:, :, ::-1],
    }[layout]
    with backbone.ResNet(18, base_channels=8, normalize="all", **options) as net:
        net.load_state_dict(states[18])
        assert net.normalize == "all"
        for a, b in zip(net(memory), net(memory.astype(np.float32)), strict=True):
            np.testing.assert_array_equal(a, b)


def test_floats_are_taken_as_they_are_unless_asked_for(states):
    with (
        backbone.ResNet(18, base_channels=8, channel_order="reversed", **IMAGENET) as net,
        backbone.ResNet(18, base_channels=8) as plain,
    ):
        for each in (net, plain):
            each.load_state_dict(states[18])
        assert net.normalize == "uint8"
        x = normalised(PIXELS, **IMAGENET)
        for a, b in zip(net(x), plain(x), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("value", ["float32", "", 1, None])
def test_other_normalizations_are_refused(value):
    with pytest.raises(ValueError, match="normalize is .*; it must be 'uint8' or 'all'"):
        backbone.ResNet(18, normalize=value)


# ---- Warnings without a checkpoint ----

FLOATS = PIXELS.astype(np.float32)
NOT_NORMALIZED = ["float32 input reaches 2", "mean and std_dev were not applied"]


@pytest.mark.parametrize(
    ("options", "image", "words"),
    [
        # As it should be, in either kind of element.
        (IMAGENET, PIXELS, None),
        (IMAGENET, normalised(PIXELS, **IMAGENET), None),
        (CAFFE | {"std": (1, 1, 1)}, PIXELS, None),
        (CAFFE, normalised(PIXELS, **CAFFE), None),
        (IMAGENET | {"normalize": "all"}, FLOATS, None),
        (UNIT | {"normalize": "all"}, FLOATS / 255, None),
        (UNIT, normalised(PIXELS / 255, **UNIT), None),
        # mean 0 and std 255 are what makes values from 0 to 1.
        ({"std": (255, 255, 255)}, FLOATS / 255, None),
        # Nothing is known.
        ({"mean": (0, 0, 0), "std": (1, 1, 1)}, PIXELS, None),
        ({"std": (1, 1, 1)}, PIXELS, None),
        ({}, FLOATS, None),
        ({}, FLOATS / 255, None),
        ({"mean": (0, 0, 0), "std": (1, 1, 1)}, FLOATS, None),
        # Nothing can be told.
        (IMAGENET, np.zeros_like(FLOATS), None),
        (IMAGENET, np.full_like(FLOATS, 255), None),
        (IMAGENET, np.full_like(FLOATS, 0.5), None),
        (IMAGENET | {"normalize": "all"}, np.zeros_like(FLOATS), None),
        (UNIT, np.full_like(PIXELS, 9), None),
        ({}, np.full_like(PIXELS, 255), None),
        ({}, PIXELS % 21, None),
        # A bright image less its mean has no negative values.
        (CAFFE, normalised(np.maximum(PIXELS, 130), **CAFFE), None),
        (IMAGENET, normalised(np.clip(PIXELS, 140, 170), **IMAGENET), None),
        # Mistakes.
        ({}, PIXELS, ["uint8 input is used as it is", "std_dev is not set", "std_dev to 1"]),
        (CAFFE, PIXELS, ["uint8 input is used as it is", "std_dev is not set"]),
        ({"channel_order": "reversed"}, PIXELS, ["std_dev is not set"]),
        (IMAGENET, FLOATS, [*NOT_NORMALIZED, "set normalization to 1", "pass uint8"]),
        (CAFFE, FLOATS, NOT_NORMALIZED),
        (UNIT, FLOATS, [*NOT_NORMALIZED, "pass values from 0 to 1 and set normalization to 1"]),
        (IMAGENET, FLOATS / 255, ["from 0 to 1", "were not applied", "pass values from 0 to 255 with normalization 1"]),
        (UNIT, FLOATS / 255, ["from 0 to 1", "were not applied", "set normalization to 1"]),
        (UNIT, PIXELS, ["uint8 input reaches 1", "after mean and std_dev were applied", "by 255"]),
        (UNIT | {"normalize": "all"}, FLOATS, ["float32 input reaches 1", "in the units of the input"]),
        (IMAGENET | {"normalize": "all"}, FLOATS / 255, ["normalised already, or to have values from 0 to 1"]),
        (IMAGENET | {"normalize": "all"}, normalised(PIXELS, **IMAGENET), ["normalised already"]),
    ],
)
def test_scale_of_the_input(options, image, words):
    with backbone.ResNet(18, base_channels=8, **options) as net:
        texts = said(net, image, image)
        assert len(texts) == (words is not None), texts
        assert all(word in texts[0] for word in words or ()), texts


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(value):
    x = normalised(PIXELS, **IMAGENET)
    x[1, 2] = value
    with backbone.ResNet(18, base_channels=8) as net:
        texts = said(net, x, x)
        assert "input has values that are not finite" in texts[0]
        assert all("outputs[" in text for text in texts[1:]) and len(texts) <= 2
    with backbone.ResNet(18, base_channels=8, std=(1, 1, 1)) as net:
        net.get_entry("layer4.1.bn2.weight").data = np.full(64, np.nan, np.float32)
        (text,) = said(net, PIXELS, PIXELS)
        assert "outputs[3] has values that are not finite" in text and "check the weights" in text


# ---- Warnings with one ----


@pytest.mark.parametrize(
    ("divisor", "options", "image", "words"),
    [
        (1, {}, FLOATS, ["float32 input reaches 2", "expect a deviation of 1", "normalization 1"]),
        (1, {}, normalised(PIXELS, **CAFFE), ["float32 input reaches 1", "expect a deviation of 1"]),
        (1, {}, PIXELS, ["uint8 input has no mean and std_dev", "BACKBONE_IMAGENET_MEAN"]),
        (1, CAFFE, PIXELS, ["uint8 input reaches 1", "set std_dev"]),
        (1, {}, normalised(PIXELS, **IMAGENET), None),
        (1, {}, np.zeros_like(PIXELS), None),
        (1, IMAGENET, PIXELS, None),
        (58, {}, normalised(PIXELS, **CAFFE), None),
        (58, CAFFE, PIXELS, None),
        (58, {"std": (1, 1, 1)}, PIXELS, None),
        (58, {}, PIXELS, ["mean is not set", "expect pixels minus their mean"]),
        (58, {}, normalised(PIXELS, **IMAGENET), ["expect pixels minus their mean", "do not divide"]),
        (58, {}, FLOATS / 255, ["expect pixels minus their mean"]),
        (58, CAFFE, normalised(PIXELS, **IMAGENET), ["expect pixels minus their mean"]),
    ],
)
@pytest.mark.filterwarnings("ignore::backbone.BackboneWarning")
def test_scale_that_the_loaded_stem_expects(checkpoint, divisor, options, image, words):
    path = checkpoint(divisor)
    with backbone.ResNet(18, base_channels=8, **options) as net:
        net.load_weights(path)
        texts = said(net, image, image)
        assert len(texts) == (words is not None), texts
        assert all(word in texts[0] for word in words or ()), texts
    with backbone.ResNet(18, base_channels=8, **options) as net:
        # Weights that were not loaded expect nothing.
        net.load_weights(path)
        net.init_weights()
        assert all("std_dev is not set" in text for text in said(net, image))


def test_a_load_issues_its_warnings_once_and_inspect_none(checkpoint):
    path = checkpoint(58)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        backbone.inspect(path)
        with backbone.ResNet.from_file(path, **IMAGENET) as net:
            assert [str(entry.message) for entry in caught] == list(net.report.warnings)
    assert all(entry.category is backbone.BackboneWarning and entry.filename == __file__ for entry in caught)
    assert any("std_dev of the network divides them" in str(entry.message) for entry in caught)


# ---- The channel ----


def test_each_kind_is_given_once_in_the_order_of_the_forwards():
    with backbone.ResNet(18, base_channels=8, **IMAGENET) as net:
        for _ in range(200):
            net(PIXELS)
        assert len(said(net, PIXELS, FLOATS, FLOATS / 255, FLOATS)) == 1
        # Only then, and also from a profile.
        x = normalised(PIXELS, **IMAGENET)
        x[:] = np.nan
        with pytest.warns(backbone.BackboneWarning, match="not finite"):
            net.profile(x)
        assert said(net, x, FLOATS) == []


def test_an_empty_batch_is_not_looked_at():
    with backbone.ResNet(18, base_channels=8, **IMAGENET) as net:
        assert said(net, FLOATS[:0]) == []


def test_every_image_of_a_batch_is_looked_at():
    x = np.zeros((64, 3, 8, 8), np.float32)
    for image in (0, 31, 63):
        with backbone.ResNet(18, base_channels=1) as net:
            batch = x.copy()
            batch[image] = np.nan
            assert "not finite" in said(net, batch)[0]


def test_only_the_image_itself_is_looked_at():
    # A region of a larger image, rows and columns backwards, and one that repeats itself without memory.
    large = np.full((1, 3, 40, 50), np.nan, np.float32)
    region = large[:, :, 7:31, 5:45][:, :, ::-1, ::-1]
    region[:] = normalised(PIXELS, **IMAGENET)[:1, :, :24]
    with backbone.ResNet(18, base_channels=8, **IMAGENET) as net:
        assert said(net, region) == []
        assert len(said(net, np.broadcast_to(FLOATS[:1, :, :, :1], (3, 3, 48, 40)))) == 1


def test_threads_give_a_warning_once():
    for _ in range(5):
        with backbone.ResNet(18, base_channels=1, **IMAGENET) as net, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            threads = [threading.Thread(target=lambda: [net(FLOATS) for _ in range(5)]) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(caught) == 1


def test_as_an_error_it_is_raised_once_and_the_network_goes_on():
    with backbone.ResNet(18, base_channels=1, **IMAGENET) as net, warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(backbone.BackboneWarning, match="were not applied"):
            net(FLOATS)
        assert len(net(FLOATS)) == 4


def test_the_text_stays_where_it_is():
    value, again, count = _library.c_char_p(), _library.c_char_p(), _library.c_size_t()
    by = _library.ctypes.byref
    with backbone.ResNet(18, base_channels=1, **IMAGENET) as net, net._handle as pointer:
        assert lib.backbone_get_warning(pointer, 0, by(value)) == _library.STATUS_INVALID_ARGUMENT
        assert lib.backbone_last_error_message() == b"index is 0, expected less than 0, the number of warnings"
        with pytest.warns(backbone.BackboneWarning):
            net(FLOATS)
        assert lib.backbone_get_warning(pointer, 0, by(value)) == _library.STATUS_OK
        address, text = _library.ctypes.cast(value, _library.c_void_p).value, value.value
        with pytest.warns(backbone.BackboneWarning):
            net(FLOATS * np.nan)
        assert lib.backbone_warning_count(pointer, by(count)) == _library.STATUS_OK and count.value >= 2
        assert lib.backbone_get_warning(pointer, 0, by(again)) == _library.STATUS_OK
        assert _library.ctypes.cast(again, _library.c_void_p).value == address and again.value == text
        assert lib.backbone_get_warning(pointer, 2**63, by(again)) == _library.STATUS_INVALID_ARGUMENT
