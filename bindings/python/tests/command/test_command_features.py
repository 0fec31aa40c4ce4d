# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone features`: numbers against PyTorch's and the library's, names, formats, failures."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from accuracy import check_error
from command_runner import RESNET18, RESNET50, STAGES, error_of, network, noise, run, run_json, write_image
from fixture_cases import CHECKPOINTS, MODELS, NARROW, relative_errors
from PIL import Image
from safetensors.numpy import load_file, save_file

import backbone


@pytest.fixture
def photos(tmp_path):
    """A folder of images of two sizes, with equal names in its folders."""
    folder = tmp_path / "photos"
    for index, name in enumerate(("a/x.png", "a/y.jpg", "b/x.png", "b/deep/x.jpg", "x.png", "x.jpg")):
        write_image(folder / name, noise(*((50, 70), (64, 48))[index % 2], index))
    return folder


def names_in(folder, ending=".npz"):
    return {str(path.relative_to(folder)) for path in folder.rglob(f"*{ending}")}


def loaded(path):
    with np.load(path) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("case", [case for case in NARROW if case.uint8], ids=lambda case: case.name)
@pytest.mark.parametrize("depth", [18, 50])
def test_features_are_those_that_pytorch_computed(tmp_path, depth, case):
    assert CHECKPOINTS[depth].in_channels == 3
    pixels = case.input(3)
    for index, image in enumerate(pixels):
        write_image(tmp_path / f"{index}.png", image.transpose(1, 2, 0))
    order = "reversed" if case.reverse else "as_given"
    run("features", tmp_path, "-w", MODELS / f"resnet{depth}.pth", "-o", tmp_path / "out", "--channel-order", order)
    outputs = [loaded(tmp_path / f"out/{index}.png.npz") for index in range(len(pixels))]
    with np.load(MODELS / f"resnet{depth}.npz") as stored:
        for stage, name in enumerate(STAGES):
            feature = np.stack([output[name] for output in outputs])
            assert feature.dtype == np.float32
            errors = relative_errors(stored, f"narrow/{case.name}/{name}", feature)
            check_error(("the command, ResNet", depth), stage, max(errors), case.name)


@pytest.mark.parametrize("kind", ["npz", "safetensors"])
def test_features_are_the_librarys_for_any_batch(tmp_path, photos, kind):
    read = load_file if kind == "safetensors" else loaded
    names = sorted(str(path.relative_to(photos)) for path in photos.rglob("*.*"))
    for batch, decoders, threads in ((1, 1, 1), (4, 3, 2), (64, 2, 2)):
        out = tmp_path / f"out{batch}"
        options = ("--batch", batch, "--decoders", decoders, "--threads", threads, "--format", kind)
        run("features", photos, "-w", RESNET18, "-o", out, *options)
        assert names_in(out, f".{kind}") == {f"{name}.{kind}" for name in names}
        with network() as net:
            for name in names:
                image = np.asarray(Image.open(photos / name).convert("RGB"))
                arrays = read(out / f"{name}.{kind}")
                assert list(arrays) == list(STAGES)
                for stage, expected in zip(STAGES, net(image.transpose(2, 0, 1)[None]), strict=True):
                    np.testing.assert_array_equal(arrays[stage], expected[0])


def test_options_of_network_and_preparation_reach_them(tmp_path):
    image = noise(90, 130, 1)
    path = write_image(tmp_path / "x.png", image)
    options = ("--mean", "103.53,116.28,123.675", "--std", "1,2,3", "--channel-order", "reversed", "--style", "caffe")
    options += ("--arithmetic", "direct", "--stages", "c5,C3", "--resize", "64", "--crop", "48x60")
    run("features", path, "-w", RESNET50, "-o", tmp_path / "out", *options)
    # As torchvision: the shorter side becomes 64, the longer int(64 * 130 / 90); the crop is from the centre.
    resized = np.asarray(Image.fromarray(image).resize((92, 64), Image.Resampling.BILINEAR))[8:56, 16:76]
    statistics = {"mean": (103.53, 116.28, 123.675), "std": (1, 2, 3), "channel_order": "reversed"}
    arrays = loaded(tmp_path / "out/x.png.npz")
    assert list(arrays) == ["C3", "C5"]
    with network(RESNET50, **statistics, style="caffe", arithmetic="direct", out_indices=(1, 3)) as net:
        for name, expected in zip(("C3", "C5"), net(resized.transpose(2, 0, 1)[None]), strict=True):
            np.testing.assert_array_equal(arrays[name], expected[0])


def test_arithmetic_is_the_one_that_was_asked_for(tmp_path):
    """The narrow networks of the fixtures have no layer that gains by Winograd's filtering; this one has."""
    weights, image = tmp_path / "x.safetensors", noise(64, 64, 3)
    path = write_image(tmp_path / "x.png", image)
    with backbone.ResNet(18, base_channels=16, out_indices=(0,)) as net:
        net.save_weights(weights)
    features = {}
    for arithmetic in ("fast", "direct"):
        out = tmp_path / arithmetic
        run("features", path, "-w", weights, "-o", out, "--stages", "C2", "--arithmetic", arithmetic)
        features[arithmetic] = loaded(out / "x.png.npz")["C2"]
        with network(weights, arithmetic=arithmetic, out_indices=(0,)) as net:
            np.testing.assert_array_equal(features[arithmetic], net(image.transpose(2, 0, 1)[None])[0][0])
    assert (features["fast"] != features["direct"]).any()


def test_pooled_features_are_means(tmp_path, photos):
    for batch in (1, 8):
        out = tmp_path / f"out{batch}"
        run("features", photos, "-w", RESNET18, "-o", out, "--pool", "avg", "--stages", "C2,C5", "--batch", batch)
    run("features", photos, "-w", RESNET18, "-o", tmp_path / "whole")
    for name in names_in(tmp_path / "whole"):
        whole, pooled = loaded(tmp_path / "whole" / name), loaded(tmp_path / "out1" / name)
        assert list(pooled) == ["C2", "C5"]
        for stage, values in pooled.items():
            assert values.shape == whole[stage].shape[:1] and values.dtype == np.float32
            np.testing.assert_allclose(values, whole[stage].astype(np.float64).mean((1, 2)), rtol=1e-7)
            np.testing.assert_array_equal(values, loaded(tmp_path / "out8" / name)[stage])


def test_stems_are_converted_if_asked(tmp_path):
    gray = MODELS / "resnet34.pth"
    path = write_image(tmp_path / "x.png", noise(40, 40, 2))
    assert "[4, 1, 7, 7], expected [4, 3, 7, 7]" in error_of("features", path, "-w", gray, "-o", tmp_path, status=1)
    run("features", path, "-w", gray, "-o", tmp_path / "out", "--input-channels", "repeat", "--stages", "C2")
    with network(gray, in_channels=3, input_channels="repeat") as net:
        expected = net(noise(40, 40, 2).transpose(2, 0, 1)[None])[0][0]
    np.testing.assert_array_equal(loaded(tmp_path / "out/x.png.npz")["C2"], expected)


# ---- Which images, and how their outputs are called ----


def test_arguments_of_every_kind(tmp_path, photos, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (photos / ".hidden.png").write_text("no image")
    (photos / "notes.txt").write_text("no image")
    (tmp_path / "list.txt").write_text("photos/a/x.png\n\nphotos/b\n")
    every = {"a/x.png", "a/y.jpg", "b/x.png", "b/deep/x.jpg", "x.png", "x.jpg"}
    cases = [
        (["photos"], every),
        (["photos/"], every),
        (["photos", "photos/a/x.png", f"{photos}/a/../a/x.png"], every),
        (["photos/**/x.*"], every - {"a/y.jpg"}),
        (["photos/*.png"], {"x.png"}),
        (["photos/a", "photos/b"], {"a/x.png", "a/y.jpg", "b/x.png", "b/deep/x.jpg"}),
        (["photos/a/x.png", "photos/b/x.png"], {"a/x.png", "b/x.png"}),
        (["photos/a/x.png"], {"x.png"}),
        (["photos/a/x.png", "--root", "."], {"photos/a/x.png"}),
        (["@list.txt"], {"a/x.png", "b/x.png", "b/deep/x.jpg"}),
    ]
    for index, (arguments, expected) in enumerate(cases):
        run("features", *arguments, "-w", RESNET18, "-o", f"out{index}", "--stages", "C2")
        assert names_in(tmp_path / f"out{index}") == {f"{name}.npz" for name in expected}, arguments
    run("features", "-", "-w", RESNET18, "-o", "stdin", "--stages", "C2", stdin="photos/b/x.png\nphotos/a\n")
    assert names_in(tmp_path / "stdin") == {"b/x.png.npz", "a/x.png.npz", "a/y.jpg.npz"}


def test_an_image_that_is_named_twice_is_computed_once(tmp_path, photos, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(photos)
    arguments = ("photos/a/x.png", f"{photos}/a/../a/x.png", "./photos/a", "photos/a/x.*")
    report = run_json("features", *arguments, "-w", RESNET18, "-o", "out", "--stages", "C2")
    assert (report["images"], report["computed"]) == (2, 2)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["nowhere/*.jpg"], 1, "nowhere/*.jpg: no file"),
        (["empty"], 1, "empty: the folder holds no images"),
        (["@absent.txt"], 1, "absent.txt: No such file or directory"),
        (["-"], 1, "no image is named in -"),
        ([], 2, "Missing argument 'IMAGES...'"),
        (["photos", "--root", "empty"], 2, "is outside of the folder"),
        (["photos", "--resize", "2x3x4"], 2, "Invalid value for '--resize': '2x3x4' is neither a length nor HxW"),
        (["photos", "--crop", "0"], 2, "Invalid value for '--crop'"),
        (["photos", "--resize", "100", "--max-size", "90"], 2, "--max-size is 90 and size 100"),
        (["photos", "--stages", "C6"], 2, "'C6' is not a list of C2, C3, C4, C5"),
        (["photos", "--mean", "1,2"], 2, "'1,2' is not three numbers"),
        (["photos", "--std", "0,1,1"], 1, "std_dev[0] is 0, expected"),
        (["photos", "--batch", "0"], 2, "Invalid value for '--batch'"),
        (["photos", "--input-channels", "all"], 2, "neither 'exact', 'sum' nor 'repeat'"),
        (["photos", "--key", "model"], 1, "model"),
    ],
)
def test_wrong_usage_is_one_line(tmp_path, photos, monkeypatch, arguments, status, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert message in error_of("features", *arguments, "-w", RESNET18, "-o", "out", status=status)
    assert not (tmp_path / "out").exists()


def test_weights_that_cannot_be_used(tmp_path, photos):
    out = tmp_path / "out"
    assert "'--weights'" in error_of("features", photos, "-o", out, status=2)
    absent = tmp_path / "absent.pth"
    assert str(absent) in error_of("features", photos, "-w", absent, "-o", out, status=1)
    damaged = tmp_path / "damaged.pth"
    damaged.write_bytes(b"PK\3\4 nothing")
    assert str(damaged) in error_of("features", photos, "-w", damaged, "-o", out, status=1)
    with backbone.ResNet.from_file(RESNET18) as net:
        state = net.state_dict()
    del state["layer1.0.conv2.weight"], state["layer4.1.bn2.bias"]
    partial = tmp_path / "partial.safetensors"
    save_file(state, partial)
    message = error_of("features", photos, "-w", partial, "-o", out, status=1)
    assert message.startswith(f"{partial}: ") and "'layer1.0.conv2.weight' and 1 more" in message
    assert "pass --allow-missing" in message
    assert not out.exists()
    for command in ("bench", "layers"):
        arguments = (command, "-w", partial, "--size", "32", "--repeat", "1")
        assert error_of(*arguments, status=1) == message
        assert run_json(*arguments, "--allow-missing")["weights"] == str(partial)
    run("features", photos, "-w", partial, "-o", out, "--allow-missing")
    state["layer2.0.se.fc1.weight"] = np.ones((1, 8, 1, 1), np.float32)
    save_file(state, partial)
    allowed = ("features", photos, "-w", partial, "-o", tmp_path / "attended", "--allow-missing")
    assert error_of(*allowed, status=1).endswith("pass --ignore-modules")
    run(*allowed, "--ignore-modules")
    before, after = (loaded(folder / "x.png.npz") for folder in (out, tmp_path / "attended"))
    assert tuple(before) == STAGES and all(np.array_equal(before[name], after[name]) for name in STAGES)
    (tmp_path / "file").touch()
    assert "file" in error_of("features", photos, "-w", RESNET18, "-o", tmp_path / "file", status=1)


def test_images_that_fail_are_reported_and_the_others_done(tmp_path, photos):
    (photos / "a/text.png").write_text("no image")
    (photos / "cut.jpg").write_bytes((photos / "x.jpg").read_bytes()[:300])
    absent = photos / "absent.png"
    arguments = ("features", photos, absent, "-w", RESNET18, "-o", tmp_path / "out")
    result = run(*arguments, expect=1)
    assert len(names_in(tmp_path / "out")) == 6
    assert "9 images: 6 computed" in result.stdout and "3 failed" in result.stdout
    normalised, *lines = result.stderr.splitlines()
    assert "ImageNet" in normalised
    assert [line.split(": ")[:2] for line in lines] == [
        ["error", str(photos / "cut.jpg")],
        ["error", str(photos / "a/text.png")],
        ["error", str(absent)],
    ]
    report = run_json(*arguments, expect=1)
    assert (report["images"], report["computed"], report["skipped"]) == (9, 0, 6)
    failed = {failure["image"]: failure["reason"] for failure in report["failed"]}
    assert failed[str(absent)] == f"{absent}: No such file or directory"
    assert set(failed) == {str(photos / "cut.jpg"), str(photos / "a/text.png"), str(absent)}


def test_an_image_of_too_many_pixels_fails_alone_and_names_the_option(tmp_path, photos):
    arguments = ("features", photos, "-w", RESNET18, "-o", tmp_path / "out", "--stages", "C5")
    result = run(*arguments, "--max-pixels", 3200, expect=1)
    # Those of 64 x 48 pixels are within it, those of 50 x 70 are not.
    assert "6 images: 3 computed" in result.stdout
    assert result.stderr.splitlines()[1] == (
        f"error: {photos}/x.png: the image has 50 x 70 pixels, 3500; --max-pixels is 3200: raise it if the file can be "
        "trusted"
    )
    assert run_json(*arguments, "--max-pixels", 3500)["computed"] == 3
    # So does one that would become that large.
    report = run_json(*arguments, "--max-pixels", 3500, "--resize", 100, "--overwrite", expect=1)
    assert all("pixels, 1" in row["reason"] and "--max-pixels is 3500" in row["reason"] for row in report["failed"])
    assert len(report["failed"]) == 6
    options = ("-w", RESNET18, "-o", tmp_path / "heat.png")
    message = error_of("heatmap", photos / "x.png", *options, "--max-pixels", 3499, status=1)
    assert message.startswith(f"{photos}/x.png: the image has 50 x 70 pixels, 3500; --max-pixels is 3499")
    run("heatmap", photos / "x.png", *options, "--max-pixels", 3500)


def test_a_large_scan_is_resized_in_little_memory(tmp_path):
    """200 megapixels, more than Pillow decodes; as an array of three channels they would have 600 MB."""
    Image.new("1", (20000, 10000), 1).save(tmp_path / "scan.png")
    # What was most at any time since the program was started, which what wait4 tells is not: it has the parent's.
    program = "import atexit, backbone.command as c; atexit.register(lambda: print(open('/proc/self/status').read()))"
    arguments = ("scan.png", "-w", RESNET18, "-o", "out", "--stages", "C5", "--resize", "64")
    text = subprocess.run(
        [sys.executable, "-c", f"{program}; c.main()", "features", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    assert int(text.split("VmHWM:")[1].split()[0]) < 700 << 10
    with network(out_indices=(3,)) as net:
        expected = net(np.full((1, 3, 64, 128), 255, np.uint8))[0][0]
    np.testing.assert_array_equal(loaded(tmp_path / "out/scan.png.npz")["C5"], expected)


def test_json_is_one_object_and_text_says_the_same(tmp_path, photos):
    report = run_json("features", photos, "-w", RESNET18, "-o", tmp_path / "out", "--resize", "40x50")
    assert (report["images"], report["computed"], report["skipped"], report["failed"]) == (6, 6, 0, [])
    assert report["network"] == {"depth": 18, "architecture": "resnet18", "loaded": 120, "warnings": []}
    assert report["settings"]["resize"] == [40, 50] and report["settings"]["stages"] == list(STAGES)
    text = run("features", photos, "-w", RESNET18, "-o", tmp_path / "other").stdout
    assert text.startswith("6 images: 6 computed in ") and text.count("\n") == 1


def test_a_full_disk_is_an_error_that_names_the_file(tmp_path, photos, monkeypatch):
    def full(file, **arrays):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    message = error_of("features", photos / "x.png", "-w", RESNET18, "-o", tmp_path / "out", status=1)
    assert message == f"{tmp_path}/out/x.png.npz: No space left on device"
    assert os.listdir(tmp_path / "out") == ["features.jsonl"]


def test_names_that_could_steer_a_terminal_are_shown_harmless(tmp_path):
    path = tmp_path / "a\x1b[31m\nb.png"
    path.write_text("no image")
    result = run("features", path, "-w", RESNET18, "-o", tmp_path / "out", expect=1)
    assert "\x1b" not in result.stderr and result.stderr.count("\n") == 1 and "a\\x1b[31m\\nb.png" in result.stderr
    assert json.loads(run("features", path, "-w", RESNET18, "-o", tmp_path, "--json", expect=1).stdout)["failed"]
