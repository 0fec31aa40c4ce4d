# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone inspect` and `backbone convert`: against the library's report, safetensors and PyTorch."""

import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from command_runner import RESNET18, RESNET50, error_of, run, run_json
from fixture_cases import CHECKPOINTS, MODELS
from PIL import Image
from safetensors.numpy import load_file, save_file

import backbone

FILES = [str(MODELS / f"resnet{depth}.pth") for depth in CHECKPOINTS]


def state_of(path, **options):
    with backbone.ResNet.from_file(path, **options) as net:
        return net.state_dict()


def check_same(actual, expected):
    assert actual.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(actual[name], array, err_msg=name)


# ---- inspect ----


@pytest.mark.parametrize("path", FILES)
def test_inspect_in_json_is_the_librarys_report(path):
    assert run_json("inspect", path) == json.loads(backbone.inspect(path).json)


@pytest.mark.parametrize("depth", CHECKPOINTS)
def test_inspect_in_tables(depth):
    checkpoint = CHECKPOINTS[depth]
    lines = [line.split() for line in run("inspect", MODELS / f"resnet{depth}.pth").stdout.splitlines()]
    for row in (
        ["network", f"ResNet-{depth}"],
        ["container", "zip"],
        ["under", "the", "keys", checkpoint.wrapper or "-"],
        ["prefix", checkpoint.prefix or "-"],
        ["numbers", checkpoint.dtype],
        ["input", "channels", str(checkpoint.in_channels)],
        ["missing", "0"],
    ):
        assert row in lines, row
    assert ["conv1.weight"] not in [line[:1] for line in lines]
    names = run("inspect", "--names", MODELS / f"resnet{depth}.pth").stdout.splitlines()
    shape = f"{checkpoint.base_channels} x {checkpoint.in_channels} x 7 x 7"
    assert [line for line in names if line.split()[:1] == ["conv1.weight"] and line.count(shape) == 2]
    report = backbone.inspect(MODELS / f"resnet{depth}.pth")
    listed = {line.split()[0] for line in names if "." in line}
    assert set(report.loaded) | set(report.ignorable) <= listed


def test_inspect_chooses_by_key_and_prefix(tmp_path):
    state = state_of(RESNET18)
    both = {f"student.{name}": array for name, array in state.items()}
    both |= {f"teacher.{name}": array for name, array in state_of(RESNET50).items()}
    path = tmp_path / "both.safetensors"
    save_file(both, path)
    message = error_of("inspect", path, status=1)
    assert "student." in message and "teacher." in message
    assert run_json("inspect", path, "--prefix", "teacher.")["depth"] == "50"
    assert run_json("inspect", path, "--prefix", "student")["depth"] == "18"
    assert "key" in error_of("inspect", path, "--key", "model", status=1)


def test_inspect_shows_the_report_of_a_file_that_contradicts_itself(tmp_path):
    state = state_of(RESNET18)
    state["layer2.0.conv2.weight"] = np.zeros((8, 8, 5, 5), np.float32)
    path = tmp_path / "wrong.safetensors"
    save_file(state, path)
    result = run("inspect", path, expect=1)
    assert "layer2.0.conv2.weight" in result.stdout and "8 x 8 x 5 x 5" in result.stdout
    assert result.stderr.startswith("error: ") and "layer2.0.conv2.weight" in result.stderr
    report = json.loads(run("inspect", path, "--json", expect=1).stdout)
    assert report["names"]["mismatched"] == [
        {"name": "layer2.0.conv2.weight", "expected": [8, 8, 3, 3], "actual": [8, 8, 5, 5]}
    ]


def test_names_from_files_cannot_steer_the_terminal(tmp_path):
    state = state_of(RESNET18) | {"\x1b]0;title\x07": np.zeros(1, np.float32)}
    save_file(state, tmp_path / "x.safetensors")
    result = run("inspect", tmp_path / "x.safetensors")
    assert "\x1b" not in result.stdout and "\x07" not in result.stdout
    assert "\\x1b]0;title\\x07" in result.stdout


def test_inspect_of_what_is_no_checkpoint(tmp_path):
    (tmp_path / "text.pth").write_text("hello")
    for path in (tmp_path / "absent.pth", tmp_path / "text.pth", tmp_path):
        assert str(path) in error_of("inspect", path, status=1)


# ---- convert ----


@pytest.mark.parametrize("path", FILES)
def test_conversion_keeps_every_weight(tmp_path, path):
    expected = state_of(path)
    out = tmp_path / "out.safetensors"
    report = run_json("convert", path, out)
    check_same(load_file(out), expected)
    assert report["bytes"] == out.stat().st_size and report["missing"] == []
    back = tmp_path / "back.pth"
    run("convert", out, back)
    check_same(state_of(back), expected)
    assert f"ResNet-{report['depth']}" in run("convert", path, back, "--force").stdout


@pytest.mark.parity
@pytest.mark.parametrize("path", FILES)
def test_pytorch_reads_what_was_converted(tmp_path, torch, path):
    out = tmp_path / "out.pth"
    run("convert", path, out)
    state = torch.load(out, weights_only=True)
    check_same({name: tensor.numpy() for name, tensor in state.items()}, state_of(path))


def test_other_names_and_forms_become_torchvisions(tmp_path):
    state = {f"backbone.{name}": array for name, array in state_of(RESNET50).items()}
    state["head.weight"] = np.zeros((3, 3), np.float32)
    with open(tmp_path / "model.pkl", "wb") as file:
        pickle.dump({"model": state}, file)
    result = run("convert", tmp_path / "model.pkl", tmp_path / "out.safetensors")
    assert "tensors under 'model', prefix 'backbone.' removed" in result.stdout
    check_same(state_of(tmp_path / "out.safetensors"), state_of(RESNET50))


def test_stems_become_those_of_other_inputs(tmp_path):
    stem = state_of(RESNET18)["conv1.weight"]
    for options, expected in (
        (["--input-channels", "sum"], stem.astype(np.float64).sum(1, keepdims=True)),
        (["--input-channels", "2,1,0"], stem[:, ::-1]),
        (["--input-channels", "0,1,2,-1"], np.concatenate([stem, np.zeros_like(stem[:, :1])], 1)),
        (["--input-channels", "repeat", "--in-channels", "6"], np.concatenate([stem, stem], 1) / 2),
    ):
        out = tmp_path / "out.pth"
        report = run_json("convert", RESNET18, out, "--force", *options)
        state = state_of(out)
        assert report["in_channels"] == state["conv1.weight"].shape[1]
        np.testing.assert_allclose(state["conv1.weight"], expected, rtol=1e-6, atol=1e-7)
        np.testing.assert_array_equal(state["layer4.0.conv1.weight"], state_of(RESNET18)["layer4.0.conv1.weight"])


def test_random_weights_are_written_only_if_asked(tmp_path):
    state = state_of(RESNET18)
    del state["layer3.1.bn1.running_var"]
    partial, out = tmp_path / "partial.safetensors", tmp_path / "out.pth"
    save_file(state, partial)
    for command in (("convert", partial, out), ("inspect", partial)):
        message = run(*command, expect=1).stderr
        assert message.startswith(f"error: {partial}: ") and "pass --allow-missing" in message
        assert "'layer3.1.bn1.running_var'" in message
    assert not out.exists()
    assert run_json("convert", partial, out, "--allow-missing")["missing"] == ["layer3.1.bn1.running_var"]
    np.testing.assert_array_equal(state_of(out)["layer3.1.bn1.running_var"], 1)
    assert len(run_json("inspect", partial, "--allow-missing")["names"]["missing"]) == 1


def test_modules_that_are_not_computed_are_left_out_only_if_asked(tmp_path):
    attended, out = tmp_path / "attended.safetensors", tmp_path / "out.pth"
    save_file({**state_of(RESNET18), "layer2.0.se.fc1.weight": np.ones((1, 8, 1, 1), np.float32)}, attended)
    for command in (("convert", attended, out), ("inspect", attended)):
        message = run(*command, expect=1).stderr
        assert message.startswith(f"error: {attended}: 'layer2.0.se.fc1.weight' ")
        assert "squeeze-and-excitation" in message and message.endswith("pass --ignore-modules\n")
    assert not out.exists()
    report = run_json("convert", attended, out, "--ignore-modules")
    assert report["unexpected"] == ["layer2.0.se.fc1.weight"] and "layer2.0.se.fc1.weight" in report["warnings"][0]
    np.testing.assert_array_equal(state_of(out)["layer2.0.conv1.weight"], state_of(RESNET18)["layer2.0.conv1.weight"])
    inspected = run_json("inspect", attended, "--ignore-modules")
    assert [entry["name"] for entry in inspected["names"]["unexpected"]] == ["layer2.0.se.fc1.weight"]


def test_a_file_is_replaced_only_if_asked(tmp_path):
    out = tmp_path / "out.pth"
    out.write_text("precious")
    assert error_of("convert", RESNET18, out, status=1) == f"{out} exists; pass --force to replace it"
    assert "absent" in error_of("convert", tmp_path / "absent.pth", out, "--force", status=1)
    assert out.read_text() == "precious"
    run("convert", RESNET18, out, "--force")
    run("convert", out, out, "--force")
    check_same(state_of(out), state_of(RESNET18))


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["out.onnx"], 2, "it must end in .pth, .pt, .bin, .pth.tar, .safetensors"),
        (["nowhere/out.pth"], 1, "nowhere/out.pth"),
        (["out.pth", "--input-channels", "repeat"], 2, "needs --in-channels"),
        (["out.pth", "--in-channels", "4"], 2, "is for --input-channels repeat"),
        (["out.pth", "--input-channels", "0,9"], 1, "9"),
        (["out.pth", "--style", "tensorflow"], 2, "--style"),
        ([], 2, "Missing argument 'OUT'"),
    ],
)
def test_conversions_that_cannot_be(tmp_path, monkeypatch, arguments, status, message):
    monkeypatch.chdir(tmp_path)
    assert message in error_of("convert", RESNET18, *arguments, status=status)
    assert list(tmp_path.iterdir()) == []


def test_weights_from_a_pipe_are_read_once(tmp_path):
    with backbone.ResNet(18, base_channels=4) as net:
        net.save_weights(tmp_path / "w.pth")
    Image.new("RGB", (40, 30), (200, 90, 10)).save(tmp_path / "a.png")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    outputs = []
    for name, weights in (("file", "w.pth"), ("pipe", "/dev/stdin")):
        command = [sys.executable, "-m", "backbone", "features", "a.png", "-w", weights, "-o", name]
        with open(tmp_path / "w.pth", "rb") as file:
            feeder = subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE)
            options = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True}
            result = subprocess.run(command, stdin=feeder.stdout, **options)
            feeder.stdout.close()
            feeder.wait()
        assert result.returncode == 0, result.stderr
        outputs.append(np.load(tmp_path / name / "a.png.npz"))
    for stage in outputs[0].files:
        np.testing.assert_array_equal(outputs[0][stage], outputs[1][stage])
