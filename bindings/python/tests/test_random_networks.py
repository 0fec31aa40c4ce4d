# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Networks of random choices, and of files with random mistakes: built and computed, or an error with a text.

A trap in the library ends this process, which is what these tests are for.
"""

import ctypes
import json
import random

import numpy as np
import pytest

import backbone
from backbone import _library
from backbone._choices import OUTPUTS
from backbone._entries import entries_of
from backbone._handle import Handle

SIZES = [(1, 1), (2, 3), (7, 5), (32, 32), (33, 65)]
NUMBERS = [0, 1, 2, 3, 4, 5, 7, 8, 16, 31, 32, 33, 64, 65, 128, 256, 257, 1000, 32768, 1 << 20]
PARTS = [
    "conv1", "conv2", "conv3", "bn1", "se.fc1", "se.fc2", "se.conv", "downsample.0", "downsample.1", "downsample.conv",
    "norm1", "0", "3", "6", "fc", "head.fc", "stem.conv", "stem.conv1", "maxpool.0", "norm",
]  # fmt: skip
PLACES = ["", "layer1.0.", "layer2.0.", "layer4.1.", "stages.1.blocks.0."]
CHOICES = {
    "block": ["basic", "bottleneck"],
    "stem": ["single", "deep", "tiered", "small"],
    "stem_pooling": ["max", "convolution", "none"],
    "shortcut": ["projection", "average", "subsample", "everywhere", "3x3", "none"],
    "norm": ["batch", "group"],
    "attention": ["none", "se", "se_quarter", "eca"],
    "anti_aliasing": ["none", "blur", "average"],
    "preactivation": [True, False],
    "groups": [1, 2, 4, 32],
    "width_per_group": [1, 4, 64],
    "stem_channels": [1, 7, 64, 4096],
    "block_counts": [(1,), (1, 1, 1), (2, 1, 1, 1), (1, 1, 0, 1), (0, 1, 1, 1)],
    "output_stride": [8, 16, 32, 5],
    "dilation_rule": ["previous", "whole"],
}
# The deepest ones take long.
DEEPEST = ("152", "154", "2", "350", "420")
NAMES = [name for name in backbone.architectures() if not any(size in name for size in DEEPEST)]


def entries(handle):
    return [(entry.name, entry.shape) for entry in entries_of(handle)]


def check(net, rng):
    """A network computes, or says why not; its options give the same network, or an error."""
    height, width = rng.choice(SIZES)
    try:
        features = net(np.random.default_rng(1).random((1, net.in_channels, height, width), np.float32))
        assert all(array.size for array in features)
    except ValueError as error:
        assert "too small" in str(error) or "cannot be added" in str(error) or "blurred" in str(error)
    with net._handle as pointer:
        options = _library.Options(struct_size=ctypes.sizeof(_library.Options))
        assert _library.lib.backbone_get_options(pointer, ctypes.byref(options)) == _library.STATUS_OK
        again = ctypes.c_void_p()
        if _library.lib.backbone_create(ctypes.byref(options), ctypes.byref(again)) != _library.STATUS_OK:
            # A network of different blocks, which only its name or its file describes.
            assert b"block is -1" in _library.lib.backbone_last_error_message()
            return
    other = Handle(again.value)
    assert entries(other) == entries(net._handle)
    other.close()


@pytest.mark.parametrize("seed", range(4))
def test_random_choices(seed):
    rng = random.Random(seed)
    built = 0
    for _ in range(150):
        choices = {name: rng.choice(values) for name, values in CHOICES.items() if rng.random() < 0.35}
        name = rng.choice(["custom", rng.choice(NAMES)])
        outputs = rng.choice([("C1",), ("C2",), ("pooled",), tuple(OUTPUTS)])
        try:
            net = backbone.ResNet(architecture=name, base_channels=rng.choice([1, 2, 8]), outputs=outputs, **choices)
        except ValueError as error:
            assert str(error)
            continue
        with net:
            if sum(np.prod(entry.shape, dtype=object) for entry in net._entries()) < 1 << 25:
                check(net, rng)
                built += 1
    assert built > 20


def mistaken(shapes, rng):
    """Shapes of a file with a few mistakes: another number, a tensor too few or too many, a stage that is gone."""
    shapes = {name: list(shape) for name, shape in shapes.items()}
    names = list(shapes)
    for _ in range(rng.choice([0, 1, 1, 2, 3, 6])):
        name, kind = rng.choice(names), rng.random()
        if kind < 0.5 and shapes.get(name):
            shapes[name][rng.randrange(len(shapes[name]))] = rng.choice(NUMBERS)
        elif kind < 0.7:
            shapes.pop(name, None)
        elif kind < 0.9:
            added = f"{rng.choice(PLACES)}{rng.choice(PARTS)}.weight"
            shapes[added] = [rng.choice(NUMBERS[:14]) for _ in range(rng.choice([1, 2, 3, 4, 4, 4]))]
        else:
            stage = rng.choice(["layer1.", "layer2.", "layer3.", "layer4."])
            shapes = {other: shape for other, shape in shapes.items() if not other.startswith(stage)}
    return shapes


def file_of(shapes):
    """A safetensors file of zeros; None if it would be large."""
    end, header = 0, {}
    for name, shape in shapes.items():
        start, end = end, end + 4 * int(np.prod(shape, dtype=object))
        if end > 1 << 25:
            return None
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(end)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.filterwarnings("ignore::backbone.BackboneWarning")
def test_files_with_mistakes(seed):
    rng = random.Random(seed)
    built = 0
    for _ in range(150):
        try:
            with backbone.ResNet(
                architecture=rng.choice(NAMES), base_channels=rng.choice([1, 2, 4]), outputs=("logits",)
            ) as net:
                shapes = {entry.name: entry.shape for entry in net._entries()}
        except ValueError:
            # GroupNorm and SENet want more channels.
            continue
        data = file_of(mistaken(shapes, rng))
        if data is None:
            continue
        options = {"outputs": rng.choice([("C1",), ("C2", "C5"), ("logits",), tuple(OUTPUTS)])}
        if rng.random() < 0.3:
            options["architecture"] = rng.choice(NAMES)
        for flag in ("allow_missing", "ignore_modules"):
            options[flag] = rng.random() < 0.3
        options["head"] = rng.choice(["exact", "new"])
        if rng.random() < 0.2:
            options["input_channels"] = rng.choice(["sum", "repeat", (0, 1), (2, 1, 0)])
        try:
            backbone.inspect(data)
        except (backbone.CheckpointError, backbone.MismatchError) as error:
            assert str(error)
        try:
            net = backbone.ResNet.from_file(data, **options)
        except (backbone.CheckpointError, backbone.MismatchError, ValueError) as error:
            assert str(error)
            continue
        with net:
            check(net, rng)
            built += 1
    assert built > 20
