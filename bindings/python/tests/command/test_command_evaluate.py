# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone evaluate`: its numbers against a computation by hand, which images it takes, and what it refuses."""

import csv
import os
import shutil

import numpy as np
import pytest
from command_runner import RESNET18, error_of, run, run_json
from PIL import Image
from striped_folders import write_folders

import backbone

NAMES = tuple(f"class {index}" for index in range(8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folders(tmp_path_factory.mktemp("data") / "all", dict.fromkeys(NAMES, 5), height=40, width=52)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A classifier of 8 classes that is right now and then."""
    path = tmp_path_factory.mktemp("weights") / "eight.pth"
    with backbone.ResNet("resnet20", outputs=("logits",), num_classes=8) as net:
        net.init_weights(seed=1)
        # Logits that are neither all alike nor certain.
        state = net.state_dict()
        state["fc.weight"] = state["fc.weight"] * 0.02
        net.load_state_dict(state)
        net.save_weights(path)
    return path


def by_hand(folder, weights, resize=37, crop=32, names=NAMES):
    """Logits and labels, of images that are prepared by Pillow alone."""
    logits, labels = [], []
    with backbone.ResNet.from_file(
        weights, outputs=("logits",), mean=backbone.IMAGENET_MEAN, std=backbone.IMAGENET_STD
    ) as net:
        for label, name in enumerate(names):
            for path in sorted((folder / name).glob("*.png")):
                image = Image.open(path)
                image = image.resize((resize * image.width // image.height, resize), Image.Resampling.BILINEAR)
                left, top = round((image.width - crop) / 2), round((image.height - crop) / 2)
                pixels = np.asarray(image.crop((left, top, left + crop, top + crop)))
                logits.append(net.logits(pixels.transpose(2, 0, 1)[None])[0].astype(np.float64))
                labels.append(label)
    return np.array(logits), np.array(labels)


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_numbers_are_those_of_numpy(tmp_path, folder, weights, batch):
    report = run_json(
        *("evaluate", folder, "-w", weights, "--size", 32, "--batch", batch, "--threads", 1, "-o", tmp_path / "out")
    )
    logits, labels = by_hand(folder, weights)
    ranked = np.argsort(-logits, axis=1)
    confusion = np.zeros((8, 8), int)
    np.add.at(confusion, (labels, ranked[:, 0]), 1)
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    losses = -np.log(shifted / shifted.sum(1, keepdims=True))[np.arange(40), labels]
    assert report["images"] == 40
    assert report["top1"] == (ranked[:, 0] == labels).mean() == np.trace(confusion) / 40
    assert report["top5"] == (ranked[:, :5] == labels[:, None]).any(1).mean()
    # The numbers tell something: neither nothing nor everything is right.
    assert 0 < report["top1"] < report["top5"] < 1
    assert report["loss"] == pytest.approx(losses.mean(), rel=1e-12)
    assert report["confusion"] == confusion.tolist()
    assert [row["accuracy"] for row in report["classes"]] == [confusion[i, i] / 5 for i in range(8)]
    with (tmp_path / "out/confusion.csv").open(newline="") as file:
        table = list(csv.reader(file))
    assert table[0] == ["class", *NAMES]
    assert [row[0] for row in table[1:]] == list(NAMES)
    assert [[int(cell) for cell in row[1:]] for row in table[1:]] == confusion.tolist()


def test_the_picture_shows_the_matrix(tmp_path, folder, weights):
    report = run_json("evaluate", folder, "-w", weights, "--size", 32, "--threads", 1, "-o", tmp_path)
    assert report["written"] == [f"{tmp_path}/confusion.csv", f"{tmp_path}/confusion.png"]
    pixels = np.asarray(Image.open(tmp_path / "confusion.png").convert("RGB")).astype(int)
    # Eight rows of which each has a share of 1 to distribute: cells of 0 are almost white, others are blue.
    is_blue = (pixels[..., 2] - pixels[..., 0]) > 40
    assert is_blue.mean() > 0.02
    shares = np.array(report["confusion"]) / 5
    lightest = tmp_path / "other"
    shutil.copytree(folder, tmp_path / "turned")
    (tmp_path / "turned/class 0").rename(tmp_path / "turned/spare")
    (tmp_path / "turned/class 1").rename(tmp_path / "turned/class 0")
    (tmp_path / "turned/spare").rename(tmp_path / "turned/class 1")
    run("evaluate", tmp_path / "turned", "-w", weights, "--size", 32, "--threads", 1, "-o", lightest)
    other = np.asarray(Image.open(lightest / "confusion.png").convert("RGB")).astype(int)
    assert np.array_equal(other, pixels) == np.array_equal(shares[0], shares[1])


def test_lines_for_people(folder, weights):
    result = run("evaluate", folder, "-w", weights, "--size", 32, "--threads", 1)
    lines = result.stdout.splitlines()
    logits, labels = by_hand(folder, weights)
    assert lines[0] == "resnet20, 40 images of 8 classes"
    assert lines[1].startswith(f"top-1 {100 * (logits.argmax(1) == labels).mean():6.2f} %   top-5 ")
    assert len(lines) == 2 + 2 + 5


def test_damaged_images_are_named_and_not_counted(tmp_path, folder, weights):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "class 2/001.png").write_bytes(b"no image")
    result = run("evaluate", copy, "-w", weights, "--size", 32, "--threads", 1)
    assert result.stdout.startswith("resnet20, 39 images of 8 classes")
    normalised, skipped = result.stderr.splitlines()
    assert "ImageNet" in normalised
    assert skipped.startswith(f"warning: skipped: {copy}/class 2/001.png: ")
    report = run_json("evaluate", copy, "-w", weights, "--size", 32, "--threads", 1)
    assert [row["image"] for row in report["skipped"]] == [f"{copy}/class 2/001.png"]
    for path in copy.glob("*/*.png"):
        path.write_bytes(b"")
    message = error_of("evaluate", copy, "-w", weights, "--size", 32, status=1)
    assert message.startswith("none of 40 images could be decoded; the first: ")


def test_classes_of_the_classifier(tmp_path, folder, weights):
    some = tmp_path / "some"
    for name in ("class 5", "class 2"):
        shutil.copytree(folder / name, some / name)
    arguments = ("evaluate", some, "-w", weights, "--size", 32, "--threads", 1)
    message = error_of(*arguments, status=1)
    assert message.startswith(f"{weights} has 8 classes, {some} 2; give --classes")
    (tmp_path / "names.txt").write_text("".join(f"{name}\n" for name in NAMES))
    report = run_json(*arguments, "--classes", tmp_path / "names.txt")
    whole = run_json("evaluate", folder, "-w", weights, "--size", 32, "--threads", 1)
    expected = np.array(whole["confusion"])
    expected[[0, 1, 3, 4, 6, 7]] = 0
    assert report["confusion"] == expected.tolist()
    assert {row["name"] for row in report["classes"] if row["accuracy"] is not None} == {"class 2", "class 5"}
    (some / "class 2").rename(some / "unknown")
    message = error_of(*arguments, "--classes", tmp_path / "names.txt", status=1)
    assert message.startswith(f"{some}/unknown: not a class") and "'class 0'" in message


def test_subsets(tmp_path):
    images = tmp_path / "images"
    write_folders(images / "train", {"a": 6, "b": 7}, height=16, width=16)
    write_folders(images / "test", {"b": 3}, seed=1, height=16, width=16)
    quick = ("--architecture", "resnet20", "--size", 16, "--epochs", 1, "--batch", 8, "--threads", 1)
    run("train", images, *quick, "-o", tmp_path / "out")

    def count(where, *options, weights=tmp_path / "out/last.pth"):
        return run_json("evaluate", where, "-w", weights, "--threads", 1, *options)["images"]

    assert [count(images, *options) for options in ((), ("--subset", "train"), ("--subset", "all"))] == [3, 13, 16]
    assert count(images / "train") == 13
    # Of the folder that a training has divided itself, the part that it has not seen.
    run("train", images / "train", *quick, "-o", tmp_path / "own", "--validation-fraction", 0.4)
    own = {"weights": tmp_path / "own/best.pth"}
    assert count(images / "train", **own) == 5
    assert count(images / "train", "--subset", "train", **own) == 8
    assert count(images / "train", "--subset", "all", **own) == 13
    other = write_folders(tmp_path / "other", {"a": 6, "b": 7}, seed=9, height=16, width=16)
    assert count(other, **own) == 13
    message = error_of("evaluate", other, "-w", own["weights"], "--subset", "validation", status=1)
    assert message.startswith(f"{other}: neither train and val") and "--subset validation" in message
    shutil.rmtree(images / "test")
    message = error_of("evaluate", images, "-w", own["weights"], "--subset", "validation", status=1)
    assert message.startswith(f"{images}: no folder") and "--subset train" in message


def test_a_checkpoint_of_a_training_knows_how_it_was_trained(tmp_path):
    images = write_folders(tmp_path / "images", {"a": 9, "b": 9}, height=30, width=20)
    options = ("--mean", "90,100,110", "--std", "50,60,70", "--channel-order", "reversed", "--resize", 20)
    quick = ("--architecture", "plain20", "--size", 16, "--epochs", 1, "--batch", 8, "--threads", 1)
    run("train", images, *quick, *options, "-o", tmp_path / "out", "--lr", 0.01)
    arguments = ("evaluate", images, "-w", tmp_path / "out/last.pth", "--threads", 1, "--subset", "all")
    told = run_json(*arguments)
    assert told == run_json(*arguments, *options, "--size", 16, "--architecture", "plain20")
    assert told["loss"] != run_json(*arguments, "--mean", "0,0,0")["loss"]
    assert told["loss"] != run_json(*arguments, "--resize", 16)["loss"]


def test_a_network_that_gives_no_numbers_is_refused(tmp_path, folder, weights):
    with backbone.ResNet.from_file(weights, outputs=("logits",)) as net:
        state = net.state_dict()
        state["fc.bias"] = np.full(8, np.nan, np.float32)
        with pytest.warns(backbone.BackboneWarning):
            net.load_state_dict(state)
        net.save_weights(tmp_path / "nan.pth")
    result = run("evaluate", folder, "-w", tmp_path / "nan.pth", "--size", 32, expect=1)
    assert result.stderr.splitlines()[-1] == (
        f"error: {folder}/class 0/000.png: the network's logits are NaN or infinite"
    )
    assert result.stdout == ""


def test_wrong_arguments_are_one_line(tmp_path, folder, weights):
    assert "--weights" in error_of("evaluate", folder, status=2)
    assert error_of("evaluate", tmp_path / "absent", "-w", weights, status=1) == (
        f"{tmp_path}/absent: No such file or directory"
    )
    assert "absent.pth" in error_of("evaluate", folder, "-w", tmp_path / "absent.pth", status=1)
    assert "absent.txt" in error_of("evaluate", folder, "-w", weights, "--classes", tmp_path / "absent.txt", status=1)
    message = error_of("evaluate", folder, "-w", RESNET18, status=1)
    assert "8" in message or "classifier" in message
    (tmp_path / "file").write_text("in the way")
    message = error_of("evaluate", folder, "-w", weights, "--size", 32, "-o", tmp_path / "file", status=1)
    assert message.startswith(f"{tmp_path}/file") and os.path.isfile(tmp_path / "file")
