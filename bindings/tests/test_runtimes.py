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
        "ok",
        "closed",
    ]


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
