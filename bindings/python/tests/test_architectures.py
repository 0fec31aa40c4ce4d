# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Networks by name, and those that only a file describes."""

import numpy as np
import pytest
from checkpoints import write_pth, write_safetensors

import backbone


def described(blocks, block="bottleneck", width=64, groups=1, stem=None, averages=False, channels=4):
    """Names and shapes of a narrow network, as in torchvision and timm: written down here a second time."""
    if stem is None:
        shapes, norms = {"conv1.weight": (channels, 3, 7, 7)}, {"bn1": channels}
        inputs = channels
    else:
        first, second, inputs = (max(1, size * channels // 64) for size in stem)
        shapes = {
            "conv1.0.weight": (first, 3, 3, 3),
            "conv1.3.weight": (second, first, 3, 3),
            "conv1.6.weight": (inputs, second, 3, 3),
        }
        norms = {"conv1.1": first, "conv1.4": second, "bn1": inputs}
    for stage, count in enumerate(blocks):
        planes = channels << stage
        inner = planes * width // 64 * groups if block == "bottleneck" else planes
        outputs = 4 * planes if block == "bottleneck" else planes
        for index in range(count):
            name = f"layer{stage + 1}.{index}"
            sides = ((1, inputs, inner), (3, inner // groups, inner), (1, inner, outputs))
            if block == "basic":
                sides = ((3, inputs, planes), (3, planes, planes))
            for number, (side, read, written) in enumerate(sides, 1):
                shapes[f"{name}.conv{number}.weight"] = (written, read, side, side)
                norms[f"{name}.bn{number}"] = written
            if index == 0 and (stage > 0 or inputs != outputs):
                # After the pooling, if any.
                shapes[f"{name}.downsample.{int(averages)}.weight"] = (outputs, inputs, 1, 1)
                norms[f"{name}.downsample.{1 + averages}"] = outputs
            inputs = outputs
    for name, size in norms.items():
        shapes |= {f"{name}.{part}": (size,) for part in ("weight", "bias", "running_mean", "running_var")}
    return shapes


def state(seed=1, **options):
    """Values for these names: small weights, norms about 1."""
    random = np.random.default_rng(seed)
    values = {}
    for name, shape in described(**options).items():
        if len(shape) == 4:
            values[name] = (random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
        else:
            values[name] = random.uniform(0.5, 1.5, shape).astype(np.float32)
    return values


ONES, TWOS, FIFTY, HUNDRED, DEEPEST = (1, 1, 1, 1), (2, 2, 2, 2), (3, 4, 6, 3), (3, 4, 23, 3), (3, 8, 36, 3)
BASIC = {"block": "basic"}
# Narrow ones of these have whole numbers of channels.
C = {"stem": (32, 32, 64), "channels": 8}
D = C | {"averages": True}
S = {"stem": (64, 64, 128), "channels": 4}
T = {"stem": (24, 32, 64), "averages": True, "channels": 8}

KNOWN = [
    ("resnet10t", {"blocks": ONES, **BASIC, **T}),
    ("resnet14t", {"blocks": ONES, **T}),
    ("resnet18", {"blocks": TWOS, **BASIC}),
    ("resnet18d", {"blocks": TWOS, **BASIC, **D}),
    ("resnet26", {"blocks": TWOS}),
    ("resnet26d", {"blocks": TWOS, **D}),
    ("resnet26t", {"blocks": TWOS, **T}),
    ("resnet34", {"blocks": FIFTY, **BASIC}),
    ("resnet34d", {"blocks": FIFTY, **BASIC, **D}),
    ("resnet50", {"blocks": FIFTY}),
    ("resnet50c", {"blocks": FIFTY, **C}),
    ("resnet50d", {"blocks": FIFTY, **D}),
    ("resnet50s", {"blocks": FIFTY, **S}),
    ("resnet50t", {"blocks": FIFTY, **T}),
    ("resnet101", {"blocks": HUNDRED}),
    ("resnet101c", {"blocks": HUNDRED, **C}),
    ("resnet101d", {"blocks": HUNDRED, **D}),
    ("resnet101s", {"blocks": HUNDRED, **S}),
    ("resnet152", {"blocks": DEEPEST}),
    ("resnet152c", {"blocks": DEEPEST, **C}),
    ("resnet152d", {"blocks": DEEPEST, **D}),
    ("resnet152s", {"blocks": DEEPEST, **S}),
    ("resnet200", {"blocks": (3, 24, 36, 3)}),
    ("resnet200d", {"blocks": (3, 24, 36, 3), **D}),
    ("wide_resnet50_2", {"blocks": FIFTY, "width": 128}),
    ("wide_resnet101_2", {"blocks": HUNDRED, "width": 128}),
    ("resnext50_32x4d", {"blocks": FIFTY, "width": 4, "groups": 32, "channels": 16}),
    ("resnext50d_32x4d", {"blocks": FIFTY, "width": 4, "groups": 32, **D, "channels": 16}),
    ("resnext101_32x4d", {"blocks": HUNDRED, "width": 4, "groups": 32, "channels": 16}),
    ("resnext101_32x8d", {"blocks": HUNDRED, "width": 8, "groups": 32, "channels": 8}),
    ("resnext101_32x16d", {"blocks": HUNDRED, "width": 16, "groups": 32, "channels": 4}),
    ("resnext101_32x32d", {"blocks": HUNDRED, "width": 32, "groups": 32, "channels": 4}),
    ("resnext101_64x4d", {"blocks": HUNDRED, "width": 4, "groups": 64, "channels": 16}),
]
OTHERS = [
    ("custom", {"blocks": (1, 1, 1, 1), "block": "basic"}),
    ("custom", {"blocks": (1, 2, 1, 3)}),
    ("custom", {"blocks": (3, 4, 6, 3), "width": 96}),
    ("custom", {"blocks": (1, 1, 1, 1), "width": 8, "groups": 8, "channels": 16}),
    ("custom", {"blocks": FIFTY, "averages": True}),
    ("custom", {"blocks": TWOS, "stem": (16, 48, 64), "channels": 8}),
    ("custom", {"blocks": (4, 5, 7, 4), "block": "basic"}),
]


# All others are described by timm's own state dicts in the parity tests. Here are the names that files tell where they
# tell another one, and base channels that groups divide.
TOLD = {
    "resnetblur18": "resnet18", "resnetblur50": "resnet50", "resnetblur50d": "resnet50d",
    "resnetblur101d": "resnet101d", "resnetaa34d": "resnet34d", "resnetaa50": "resnet50", "resnetaa50d": "resnet50d",
    "resnetaa101d": "resnet101d", "seresnextaa101d_32x8d": "seresnext101d_32x8d", "plain20": "resnet20",
    "plain32": "resnet32", "plain44": "resnet44", "plain56": "resnet56",
}  # fmt: skip
WIDE = {"senet154": 32, "resnet50_gn": 32, "resnetv2_50d_gn": 64}


def test_every_name_is_there_once():
    names = backbone.architectures()
    assert len(set(names)) == len(names) == 103
    assert {name for name, _ in KNOWN} | set(TOLD) | set(WIDE) <= set(names)


@pytest.mark.parametrize("name", backbone.architectures())
def test_every_network_computes_and_its_file_tells_it(tmp_path, name):
    # If poolings of 2x2 replace strides, all sizes must be even.
    size = (32, 64) if "aa" in name else (40, 49)
    x = np.random.default_rng(3).standard_normal((1, 3, *size), dtype=np.float32)
    outputs = ("C1", "C2", "C3", "C4", "C5", "pooled", "logits")
    base = WIDE.get(name, 4)
    with backbone.ResNet(name, base_channels=base, outputs=outputs, num_classes=3, zero_init_residual=True) as net:
        assert net.architecture == name
        features = net(x)
        assert [feature.shape for feature in features] == list(net.output_shapes(x.shape))
        assert all(np.isfinite(feature).all() for feature in features)
        assert features[-1].shape == (1, 3, 1, 1)
        if base > 4:
            return
        net.save_weights(tmp_path / "x.pth")
    if name in ("plain18", "plain34"):
        # Without the name the projections of a residual network are missing.
        with pytest.raises(backbone.MismatchError, match="'layer2.0.downsample.0.weight' and"):
            backbone.inspect(tmp_path / "x.pth")
    else:
        report = backbone.inspect(tmp_path / "x.pth")
        assert (report.architecture, report.num_classes) == (TOLD.get(name, name), 3)
    with backbone.ResNet.from_file(tmp_path / "x.pth", architecture=name, outputs=outputs) as net:
        for left, right in zip(net(x), features, strict=True):
            np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(("name", "options"), KNOWN)
def test_a_name_stands_for_its_network(name, options):
    channels = options.get("channels", 4)
    with (
        backbone.ResNet(name, base_channels=channels) as net,
        backbone.ResNet(architecture=name, base_channels=channels) as other,
    ):
        shapes = {name: value.shape for name, value in net.state_dict().items() if value.ndim}
        assert shapes == described(**options)
        assert net.architecture == other.architecture == name
        digits = name.removeprefix("resnet")
        assert net.depth == other.depth == (int(digits) if digits in ("18", "34", "50", "101", "152") else 0)
        x = np.random.default_rng(2).standard_normal((1, 3, 40, 33), dtype=np.float32)
        for left, right in zip(net(x), other(x), strict=True):
            np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(("name", "options"), KNOWN + OTHERS)
def test_a_file_stands_for_its_network(tmp_path, name, options):
    path = write_pth(tmp_path / "x.pth", state(**options))
    report = backbone.inspect(path)
    assert report.architecture == name
    with backbone.ResNet.from_file(path) as net:
        assert net.architecture == name and net.report.architecture == name
        assert net.depth == (report.depth or 0)
        values = net.state_dict()
        assert {key for key in values if values[key].ndim} == set(described(**options))
        for key, value in state(**options).items():
            np.testing.assert_array_equal(values[key], value)
        x = np.random.default_rng(2).standard_normal((2, 3, 32, 40), dtype=np.float32)
        features = net(x)
        assert all(np.isfinite(feature).all() for feature in features)
    if name == "custom":
        return
    with backbone.ResNet(name, base_channels=options.get("channels", 4)) as net:
        net.load_weights(path)
        for left, right in zip(net(x), features, strict=True):
            np.testing.assert_array_equal(left, right)


def test_a_depth_beside_a_name():
    with backbone.ResNet(50, architecture="resnet50", base_channels=2) as net:
        assert net.depth == 50
    with pytest.raises(ValueError, match=r"depth is 50, but architecture is 'resnet26'.*depth to 0"):
        backbone.ResNet(50, architecture="resnet26", base_channels=2)
    with pytest.raises(ValueError, match="depth is 'resnet18', but architecture is 'resnet34'"):
        backbone.ResNet("resnet18", architecture="resnet34")
    with backbone.ResNet("resnet18", architecture="resnet18", base_channels=2) as net:
        assert repr(net).startswith("ResNet(18, ")
    with backbone.ResNet("resnet26", base_channels=2) as net:
        assert repr(net).startswith("ResNet('resnet26', ")


@pytest.mark.parametrize("name", ["resnet51", "", "RESNET50", "resnet50 ", "resnet50\0", "r\u00e9snet"])
def test_unknown_names(name):
    with pytest.raises(ValueError, match="architecture is|zero byte"):
        backbone.ResNet(name)


def test_custom_is_no_name():
    with pytest.raises(ValueError, match="architecture is 'custom'"):
        backbone.ResNet("custom")
    with pytest.raises(TypeError):
        backbone.ResNet(architecture=50)


def test_training_and_freezing_of_a_wide_network():
    """Frozen parts keep their statistics, the others take them, as those of the five."""
    with backbone.ResNet("wide_resnet50_2", base_channels=4) as net:
        x = np.random.default_rng(3).standard_normal((2, 3, 64, 64), dtype=np.float32)
        net.freeze(2).train()
        before = net.state_dict()
        net(x)
        after = net.state_dict()
        changed = {name for name in before if not np.array_equal(before[name], after[name])}
        expected = {
            name
            for name in before
            if name.split(".")[-1] in ("running_mean", "running_var", "num_batches_tracked")
            and name.startswith(("layer3.", "layer4."))
        }
        assert changed == expected


def test_files_of_other_stems_and_shortcuts_are_refused_with_the_reason(tmp_path):
    plain = write_pth(tmp_path / "plain.pth", state(blocks=TWOS, **BASIC, channels=8))
    deep = write_pth(tmp_path / "deep.pth", state(blocks=TWOS, **BASIC, **D))
    with backbone.ResNet("resnet18d", base_channels=8) as net:
        with pytest.raises(backbone.MismatchError, match=r"'conv1\.weight' is not part.*a stem of one convolution"):
            net.load_weights(plain)
        assert net.load_weights(deep).missing == ()
    with (
        backbone.ResNet(18, base_channels=8) as net,
        pytest.raises(backbone.MismatchError, match=r"'conv1\.0\.weight'.*a deep stem"),
    ):
        net.load_weights(deep)


def test_plain_shortcuts_are_refused_by_a_network_with_pooled_ones(tmp_path):
    plain = write_pth(tmp_path / "plain.pth", state(blocks=TWOS, **BASIC, **C))
    with (
        backbone.ResNet("resnet18d", base_channels=8) as net,
        pytest.raises(backbone.MismatchError, match=r"'layer\d\.0\.downsample\.0\.weight'.*shortcuts without pooling"),
    ):
        net.load_weights(plain)


@pytest.mark.parametrize("name", ["conv1.0.bias", "conv1.6.bias", "layer2.0.downsample.1.bias", "layer3.1.conv2.bias"])
def test_biases_of_convolutions_count_if_they_are_not_zero(tmp_path, name):
    values = state(blocks=TWOS, **BASIC, **D)
    size = values[name.replace("bias", "weight")].shape[0]
    zero = write_pth(tmp_path / "zero.pth", values | {name: np.zeros(size, np.float32)})
    other = write_pth(tmp_path / "other.pth", values | {name: np.ones(size, np.float32)})
    with backbone.ResNet("resnet18d", base_channels=8) as net:
        assert name in net.load_weights(zero, strict=True).ignorable
        for call in (net.load_weights, backbone.ResNet.from_file, backbone.inspect):
            with pytest.raises(backbone.MismatchError, match=rf"'{name}' is not part.*biases of convolutions"):
                call(other)


@pytest.mark.parametrize(("name", "channels"), [("resnext50_32x4d", 8), ("resnet50t", 3), ("resnext101_64x4d", 20)])
def test_narrow_networks_open_by_their_own_file(tmp_path, name, channels):
    path = tmp_path / "narrow.safetensors"
    x = np.random.default_rng(6).standard_normal((1, 3, 33, 40), dtype=np.float32)
    with backbone.ResNet(name, base_channels=channels) as net:
        net.save_weights(path)
        with backbone.ResNet.from_file(path) as other:
            for left, right in zip(net(x), other(x), strict=True):
                np.testing.assert_array_equal(left, right)


def test_a_short_file_of_an_endless_network_is_refused(tmp_path):
    blocks = [f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 999)]
    names = [f"{block}.conv{conv}.weight" for block in blocks for conv in (1, 2, 3)]
    values = dict.fromkeys(["conv1.weight", *names], np.ones((1, 1, 1, 1), np.float32))
    values["conv1.weight"] = np.ones((64, 3, 7, 7), np.float32)
    write_safetensors(tmp_path / "short.safetensors", values)
    with pytest.raises(backbone.CheckpointError, match="expected the blocks of a whole ResNet"):
        backbone.ResNet.from_file(tmp_path / "short.safetensors", allow_missing=True, ignore_modules=True)


def test_deep_stems_under_the_names_of_mmdetection(tmp_path):
    values = state(blocks=FIFTY, **D)
    numbers = {"conv1.0.": "stem.0.", "conv1.1.": "stem.1.", "conv1.3.": "stem.3.", "conv1.4.": "stem.4."}
    numbers |= {"conv1.6.": "stem.6.", "bn1.": "stem.7."}
    foreign = {}
    for name, value in values.items():
        prefix = next((old for old in numbers if name.startswith(old)), None)
        foreign[name if prefix is None else numbers[prefix] + name.removeprefix(prefix)] = value
    x = np.random.default_rng(4).standard_normal((1, 3, 40, 48), dtype=np.float32)
    with (
        backbone.ResNet.from_file(write_pth(tmp_path / "mm.pth", {"state_dict": foreign})) as net,
        backbone.ResNet.from_file(write_pth(tmp_path / "ours.pth", values)) as other,
    ):
        assert net.architecture == other.architecture == "resnet50d"
        for left, right in zip(net(x), other(x), strict=True):
            np.testing.assert_array_equal(left, right)
