# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The bindings in other languages: what their programs print and compute is what C does, bit for bit."""

import collections
import re

import backbone
import commands
import fixture_cases
import languages
import numpy as np
import pytest
from accuracy import BOUNDS
from commands import result
from fixture_cases import MODELS, NARROW
from languages import LANGUAGES


def check(expected, name, command, folder):
    """One script through a binding: every line and every byte is C's."""
    script, of_c = expected[name]
    of_binding = result(command, script, folder)
    for command_line, here, there in zip(script.lines, of_binding.lines, of_c.lines, strict=True):
        assert here == there, command_line
    for key, output in script.outputs.items():
        here, there = ((which.folder / output).read_bytes() for which in (of_binding, of_c))
        assert len(there) > 0 and here == there, key
    return of_binding


def test_numbers_of_c_are_those_that_pytorch_computed(expected):
    script, of_c = expected["numbers"]
    assert not [line for line in of_c.lines if line.startswith("error")]
    compared = 0
    for depth in fixture_cases.CHECKPOINTS:
        with np.load(MODELS / f"resnet{depth}.npz") as stored:
            for case in NARROW:
                for layout in ("nchw", "nhwc"):
                    values = np.fromfile(of_c.folder / script.outputs[depth, case.name, layout], np.float32)
                    for stage in range(4):
                        key = f"narrow/{case.name}/C{stage + 2}"
                        shape = stored[f"{key}/shape"]
                        feature, values = np.split(values, [np.prod(shape)])
                        errors = fixture_cases.relative_errors(stored, key, feature.reshape(shape))
                        assert max(errors) <= BOUNDS[stage], (depth, key, layout)
                        compared += 1
                    assert values.size == 0
    assert compared == 5 * 5 * 2 * 4


@pytest.mark.parametrize("language", LANGUAGES)
def test_features_are_the_bits_of_c(language, expected, probe, tmp_path):
    check(expected, "numbers", probe(language), tmp_path)


@pytest.mark.parametrize("language", LANGUAGES)
def test_states_and_reports_are_those_of_c(language, expected, probe, tmp_path):
    of_binding = check(expected, "states", probe(language), tmp_path)
    of_c = expected["states"][1]
    for name in ("saved.pth", "saved.safetensors"):
        assert (of_binding.folder / name).read_bytes() == (of_c.folder / name).read_bytes()


def test_c_creates_and_refuses_networks_by_name(expected):
    script, of_c = expected["architectures"]
    lines = dict(zip(script.lines, of_c.lines, strict=True))
    assert {"resnet26", "resnet50", "wide_resnet50_2"} <= set(lines["architectures"].split())
    options = [line.split() for line in of_c.lines if line.startswith("options")]
    assert [(words[1], words[-1]) for words in options] == [
        ("0", "wide_resnet50_2"),
        ("0", "resnet26"),
        ("50", "resnet50"),
        ("34", "resnet34"),
        ("34", "resnet34"),
        ("0", "custom"),
        ("0", "custom"),
    ]
    assert [words[19] for words in options[-2:]] == ["1", "-1"]  # block
    refused = {command: line for command, line in lines.items() if line.startswith("error")}
    assert all(line.startswith("error 1 ") for line in refused.values())
    for command, words in {
        "named resnet27 -": "architecture is 'resnet27', expected",
        "named resnet26 50": "depth is 50, but architecture is 'resnet26'",
        "named resnet50 101": "depth is 101, but architecture is 'resnet50'",
        "named custom -": "architecture is 'custom'",
        "named - 51": "depth is 51",
    }.items():
        assert words in refused.pop(command), command
    assert not refused


@pytest.mark.parametrize("language", LANGUAGES)
def test_architectures_are_those_of_c(language, expected, probe, tmp_path):
    check(expected, "architectures", probe(language), tmp_path)


@pytest.mark.parametrize("name", commands.NETWORKS)
def test_outputs_of_c_are_those_of_python(name, expected):
    script, of_c = expected["outputs"]
    x = fixture_cases.images("outputs", (2, 3, 65, 70))
    weights = commands.random_weights(name)
    with commands.python_network(name) as net:
        net.load_state_dict(weights)
        wanted = net(x)
        assert len(wanted) == len(net.outputs) >= 4
        classes = net.num_classes
    for key in (name, (name, "into")):
        values = np.fromfile(of_c.folder / script.outputs[key], np.float32)
        assert np.array_equal(values, np.concatenate([feature.ravel() for feature in wanted])), key
    # The head once more, from what the network computed before it.
    logits = wanted[-1].reshape(2, classes)
    last = wanted[-2].mean(axis=(2, 3), dtype=np.float64)
    product = last @ weights["fc.weight"].T.astype(np.float64) + weights["fc.bias"]
    assert np.abs(logits - product).max() < 1e-5 * np.abs(product).max()


def test_heads_of_c_are_loaded_or_kept(expected):
    script, of_c = expected["outputs"]
    weights = commands.random_weights("seresnet18")

    def outputs(key, *shapes):
        values = np.fromfile(of_c.folder / script.outputs[key], np.float32)
        return [part.reshape(2, -1) for part in np.split(values, np.cumsum([2 * count for count in shapes])[:-1])]

    pooled, logits = outputs("from_file", 64, 7)
    assert np.allclose(logits, pooled @ weights["fc.weight"].T + weights["fc.bias"], atol=1e-4)
    kept, other = outputs("new head", 64, 7)
    assert np.array_equal(kept, pooled)
    # A file without the head's values leaves those that were drawn.
    for logits, classes, seed in ((other, 7, 1), (*outputs("other head", 5), 5, 0)):
        with backbone.ResNet(
            architecture="seresnet18", base_channels=8, num_classes=classes, outputs=("logits",)
        ) as net:
            net.init_weights(seed=seed)
            drawn = net.state_dict()["fc.weight"]
        assert abs(drawn).max() > 0.1 and np.allclose(logits, pooled @ drawn.T, atol=1e-4)
    refused = [line for line in of_c.lines if line.startswith("error")]
    assert [line[:8] for line in refused] == ["error 6 "] + 7 * ["error 1 "]
    for line, words in zip(
        refused,
        (
            "num_classes",
            "out_stages is 128",
            "num_classes is -1",
            "output_stride is 4",
            "block_counts[0] is 0",
            "block is 3",
            "block is -1",
            "block_width_count is 3, expected 66",
        ),
        strict=True,
    ):
        assert words in line


@pytest.mark.parametrize("language", LANGUAGES)
def test_outputs_are_the_bits_of_c(language, expected, probe, tmp_path):
    check(expected, "outputs", probe(language), tmp_path)


def test_training_in_c_does_what_the_script_says(expected):
    script, of_c = expected["training"]
    lines = list(zip(script.lines, of_c.lines, strict=True))
    losses = [line for command, line in lines if command.startswith("loss 4,1")]
    assert len(set(losses)) == len(losses) == 9 and all(line.startswith("loss ") for line in losses)
    errors = [(command.split()[0], line.split()[1]) for command, line in lines if line.startswith("error")]
    assert errors == [
        ("slot", "1"),
        ("backward", "9"),
        ("backward", "9"),
        ("feature_gradients", "9"),
        ("step", "9"),
        ("step", "10"),
        ("load_training", "6"),
        ("trainable", "1"),
        ("optimizer", "1"),
        ("optimizer", "1"),
        ("loss", "1"),
        ("loss", "1"),
        ("clip", "1"),
        ("save_training", "3"),
        ("load_training", "3"),
        ("optimizer", "1"),
        ("save_as", "1"),
    ]

    def values(key):
        return np.fromfile(of_c.folder / script.outputs[key], np.float32)

    assert np.array_equal(values("SGD"), values("loaded")) and not np.array_equal(values("SGD"), values("before"))
    assert np.isfinite(values("SGD")).all() and not np.isfinite(values("spoiled")).all()
    # C3 and logits, each from what is given for both or for the logits alone.
    c3, logits = np.split(values("retained"), [2 * 16 * 4 * 4])
    for which in ("loss", "features"):
        both = values(("feature gradients", which, "11"))
        parts = [values(("feature gradients", which, wanted)) for wanted in ("10", "01")]
        assert np.array_equal(both, np.concatenate(parts)) and parts[0].size == c3.size and parts[0].any()
    assert np.array_equal(parts[1], logits) and not np.allclose(parts[0], c3)


@pytest.mark.parametrize("language", LANGUAGES)
def test_training_gives_the_bits_of_c(language, expected, probe, tmp_path):
    of_binding = check(expected, "training", probe(language), tmp_path)
    of_c = expected["training"][1]
    for name in ("training.pth", "detectron2.pth"):
        assert (of_binding.folder / name).read_bytes() == (of_c.folder / name).read_bytes()


# In the others the type has room for four.
@pytest.mark.parametrize("language", ("java", "luajit", "ruby", "node"))
def test_more_than_four_stages_are_refused(language, probe, tmp_path):
    script = commands.Script(tmp_path)
    script.add("build block_counts=1,1,1,1,1")
    wanted = ["error 1 block_counts has 5 numbers; it must have at most 4"]
    assert result(probe(language), script, tmp_path).lines == wanted


def test_commands_of_errors_are_refused_by_c(expected):
    lines = expected["errors"][1].lines
    statuses = collections.Counter(re.match(r"error (\d)", line)[1] for line in lines if line.startswith("error"))
    assert set(statuses) == {"1", "3", "4", "5", "6"} and sum(statuses.values()) >= 20, lines


@pytest.mark.parametrize("language", LANGUAGES)
def test_errors_are_those_of_c(language, expected, probe, tmp_path):
    check(expected, "errors", probe(language), tmp_path)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_c_could_not_notice_is_refused(language, probe, tmp_path):
    script = commands.Script(tmp_path)
    image = script.image("image", np.zeros((1, 3, 8, 8), np.float32), "nchw")
    short = image.replace("1 3 8 8", "1 3 8 9")
    script.add(
        "create 18 3 4 15 -1 0 0 2 0 0 0 1e-5 1,2 -",
        "create 18 3 4 15 -1 0 0 2 0 0 0 1e-5 - 1,2,3,4",
        f"create {commands.SMALL}",
        f"forward {short} {{out}}/x",
        f"forward_into {image.replace('8 8', '8 7')} {{out}}/x",
        f"forward_short {image} {{out}}/x",
        f"forward_fewer {image} {{out}}/x",
        commands.load("/a\0b"),
        "save /a\0b.pth",
        "named resnet\0 0",
        f"forward {image} {{out}}/x",
        "close",
    )
    assert result(probe(language), script, tmp_path).lines == [
        "error 1 mean has 2 values; it must have one for each of in_channels, 3",
        "error 1 std_dev has 4 values; it must have one for each of in_channels, 3",
        "created",
        "error 1 the input has 192 elements; shape (1, 3, 8, 9) needs 216",
        "error 1 the input has 192 elements; shape (1, 3, 8, 7) needs 168",
        "error 1 out[0] has 15 elements; shape (1, 4, 2, 2) needs 16",
        "error 1 out has 1 buffers; this network gives 4",
        "error 1 path contains a zero byte",
        "error 1 path contains a zero byte",
        "error 1 architecture contains a zero byte",
        "ok",
        "closed",
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_feature_gradients_that_c_could_not_check_are_refused(language, probe, tmp_path):
    script = commands.Script(tmp_path)
    image = script.image("image", np.ones((1, 3, 32, 32), np.float32), "nchw")
    script.add("build depth=18 base_channels=4", "tape 1 1", f"forward_train {image} {{out}}/x")
    script.add("feature_gradients features 0110 {out}/y")
    refused = []
    if language != "ruby":
        script.add("feature_gradients_short features 0110 {out}/x", "feature_gradients_fewer features 0110 {out}/x")
        refused = [
            "error 1 feature_gradients[1] has 127 elements; shape (1, 8, 4, 4) needs 128",
            "error 1 1 feature_gradients for 4 output_gradients; pass one for each",
        ]
    script.add("feature_gradients features 0110 {out}/z", "close")
    run = result(probe(language), script, tmp_path)
    assert run.lines == ["created", *["ok"] * 3, *refused, "ok", "closed"]
    assert (tmp_path / "z").read_bytes() == (tmp_path / "y").read_bytes()


@pytest.mark.parametrize("language", LANGUAGES)
def test_example_runs_as_printed(language, tmp_path):
    pixels = np.random.default_rng(5).integers(0, 256, (224, 224, 3), np.uint8)
    pixels.tofile(tmp_path / "image.rgb")
    printed = languages.run_example(language, tmp_path, MODELS / "resnet50.pth", tmp_path / "image.rgb")
    with backbone.ResNet.from_file(
        MODELS / "resnet50.pth", mean=backbone.IMAGENET_MEAN, std=backbone.IMAGENET_STD
    ) as net:
        features = net(pixels.transpose(2, 0, 1)[None])
    for line, stage, feature in zip(printed.splitlines(), (2, 3, 4, 5), features, strict=True):
        name, *sizes, mean = re.findall(r"C\d|-?\d+\.\d+|\d+", line)
        assert (name, [int(size) for size in sizes]) == (f"C{stage}", list(feature.shape))
        assert float(mean) == pytest.approx(feature.mean(dtype=np.float64), abs=1e-6)
