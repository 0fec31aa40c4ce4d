# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone train`: what it reaches, what it begins with, and what it says of wrong options and folders."""

import json
import os
import resource
import shutil
import sys

import numpy as np
import pytest
from command_runner import RESNET18, RESNET50, error_of, run, run_json
from striped_folders import write_folders

import backbone
from backbone.training import read_notes

SMALL = ("--size", 32, "--batch", 16, "--threads", 1)
QUICK = ("--architecture", "resnet20", "--size", 16, "--epochs", 1, "--batch", 8, "--threads", 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folders(tmp_path_factory.mktemp("data") / "all", {"a": 8, "b": 9}, height=16, width=16)


def state_dict(path, classes, **options):
    with backbone.ResNet.from_file(path, outputs=("logits",), num_classes=classes, **options) as net:
        return net.state_dict()


def test_one_command_trains_a_network(tmp_path):
    names = ("north", "north east", "east", "south east")
    folder = tmp_path / "stripes"
    write_folders(folder / "train", dict.fromkeys(names, 50), seed=1)
    write_folders(folder / "val", dict.fromkeys(names, 25), seed=2)
    # Mirrored, a stripe to the north east is one to the south east.
    arguments = ("train", folder, "--architecture", "resnet20", "-o", tmp_path / "out", *SMALL, "--no-flip")
    result = run(*arguments, "--epochs", 6)
    lines = result.stdout.splitlines()
    assert lines[0] == "resnet20, 4 classes: 200 images to train with, 100 for validation"
    assert [line.split()[1] for line in lines[1:-1]] == list("123456") and lines[-1].startswith("best: epoch ")
    assert "ImageNet" in result.stderr and result.stderr.count("\n") == 1
    # Chance is 25 %.
    report = run_json("evaluate", folder, "-w", tmp_path / "out/best.pth", "--threads", 1)
    assert report["images"] == 100 and report["top1"] >= 0.95
    best = read_notes(tmp_path / "out/best.pth")["progress"]["best"]
    assert (report["top1"], report["loss"]) == (best["validation_accuracy"], best["validation_loss"])
    # The files serve the other commands.
    image = folder / "val/south east/000.png"
    classified = run_json("classify", image, "-w", tmp_path / "out/best.pth", "--classes", tmp_path / "out/classes.txt")
    assert [row["name"] for row in classified["images"][0]["classes"]] != names
    assert {row["name"] for row in classified["images"][0]["classes"]} == set(names)
    # The weights know the names.
    assert run_json("classify", image, "-w", tmp_path / "out/best.pth") == classified
    for method in ("gradcam", "saliency"):
        target = ("--class", "south east", "-w", tmp_path / "out/best.pth", "-o", tmp_path / "heat.png")
        found = run_json(method, image, *target)["class"]
        # In the order of the names.
        assert (found["name"], found["index"]) == ("south east", 3)
    assert "--class 'south' is not a class of " in error_of("gradcam", image, *target[2:], "--class", "south", status=2)
    assert sorted(os.listdir(tmp_path / "out")) == ["best.pth", "classes.txt", "curves.csv", "curves.png", "last.pth"]


def test_json_tells_what_was_done(tmp_path, folder):
    report = run_json("train", folder, *QUICK, "-o", tmp_path / "out", "--epochs", 2, "--seed", 7)
    assert (report["train"], report["validation"], report["classes"]) == (15, 2, ["a", "b"])
    assert [row["epoch"] for row in report["epochs"]] == [1, 2] and report["best"] in report["epochs"]
    assert report["settings"]["lr"] == 0.1 * 8 / 128 and report["settings"]["seed"] == 7
    assert report["settings"]["augment"] == "padded-crop" and report["settings"]["architecture"] == "resnet20"
    assert report["network"]["trainable"] == sum(
        value.size
        for name, value in state_dict(tmp_path / "out/last.pth", 2).items()
        if name.endswith(("weight", "bias"))
    )
    assert report["skipped"] == []


def test_other_commands_normalise_as_the_training_did(tmp_path, folder):
    """Weights and classes are the same, mean and std are not those of ImageNet."""
    scale = ("--mean", "90,100,110", "--std", "40,50,60")
    run("train", folder, *QUICK, *scale, "-o", tmp_path / "out")
    image = folder / "a/000.png"
    weights = ("-w", tmp_path / "out/last.pth")
    told = run_json("classify", image, *weights, *scale)
    assert run_json("classify", image, *weights) == told
    imagenet = ("--mean", "123.675,116.28,103.53", "--std", "58.395,57.12,57.375")
    assert run_json("classify", image, *weights, *imagenet) != told
    out = ("-o", tmp_path / "heat.png")
    assert run_json("saliency", image, *weights, *out) == run_json("saliency", image, *weights, *out, *scale)


def test_another_folder_for_validation_and_a_limit_of_pixels(tmp_path, folder):
    held = write_folders(tmp_path / "held", {"b": 4}, seed=3, height=16, width=16)
    write_folders(held, {"a": 1}, height=40, width=16)
    options = ("-o", tmp_path / "out", "--validation", held, "--max-pixels", 300)
    report = run_json("train", folder, *QUICK, *options)
    assert (report["train"], report["validation"]) == (17, 5)
    # The large image is not counted: all others are of class b.
    assert report["skipped"] == [f"{held}/a/000.png"]
    with backbone.ResNet.from_file(tmp_path / "out/last.pth", outputs=("logits",), num_classes=2) as net:
        assert net.architecture == "resnet20"
    arguments = ("evaluate", held, "-w", tmp_path / "out/last.pth", "--threads", 1, "--max-pixels", 300)
    assert run_json(*arguments)["top1"] == report["epochs"][0]["validation_accuracy"]
    # It belongs to the training as much as the other folder.
    message = error_of("train", folder, "-o", tmp_path / "out", "--resume", status=1)
    assert "(images: 17 + 5 in 2 classes, " in message and "now 15 + 2 in 2 classes" in message


def test_the_seed_decides_random_weights_and_new_classifiers(tmp_path, folder):
    # At this rate no weight moves.
    still = ("--lr", 0, "--weight-decay", 0)
    for name, options in {
        "random 0": ("--architecture", "resnet20"),
        "random 1": ("--architecture", "resnet20", "--seed", 1),
        "head 0": ("-w", RESNET18),
        "head 1": ("-w", RESNET18, "--seed", 1),
    }.items():
        run("train", folder, *QUICK[2:], *still, *options, "-o", tmp_path / name)
    states = {path.name: state_dict(path / "last.pth", 2) for path in tmp_path.iterdir() if path.is_dir()}
    for seed in (0, 1):
        with backbone.ResNet("resnet20", outputs=("logits",), num_classes=2) as net:
            net.init_weights(seed=seed)
            for name in ("conv1.weight", "fc.weight"):
                np.testing.assert_array_equal(states[f"random {seed}"][name], net.state_dict()[name])
    original = state_dict(RESNET18, None, head="new")
    for seed in (0, 1):
        np.testing.assert_array_equal(states[f"head {seed}"]["conv1.weight"], original["conv1.weight"])
    assert not np.array_equal(states["head 0"]["fc.weight"], states["head 1"]["fc.weight"])


def test_a_classifier_of_as_many_classes_is_kept_unless_a_new_one_is_asked_for(tmp_path, folder):
    with backbone.ResNet("resnet20", outputs=("logits",), num_classes=2) as net:
        net.init_weights(seed=5)
        net.save_weights(tmp_path / "two.pth")
        weight = net.state_dict()["fc.weight"]
    still = (*QUICK[2:], "--lr", 0, "--weight-decay", 0, "-w", tmp_path / "two.pth")
    run("train", folder, *still, "-o", tmp_path / "kept")
    run("train", folder, *still, "-o", tmp_path / "new", "--new-head")
    np.testing.assert_array_equal(state_dict(tmp_path / "kept/last.pth", 2)["fc.weight"], weight)
    assert not np.array_equal(state_dict(tmp_path / "new/last.pth", 2)["fc.weight"], weight)


@pytest.mark.parametrize("stages", [-1, 1, 4])
def test_frozen_stages_keep_every_bit(tmp_path, folder, stages):
    report = run_json("train", folder, *QUICK[2:], "-w", RESNET18, "-o", tmp_path / "out", "--frozen-stages", stages)
    before, after = state_dict(RESNET18, None, head="new"), state_dict(tmp_path / "out/last.pth", 2)
    changed = {name.split(".")[0] for name in after if name in before and not np.array_equal(after[name], before[name])}
    stages_of = {
        -1: {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc"},
        1: {"layer2", "layer3", "layer4", "fc"},
        4: {"fc"},
    }
    assert changed - {"fc"} == stages_of[stages] - {"fc"}
    if stages == 4:
        # A linear probe: weight and bias of the classifier.
        assert report["network"]["trainable"] == 2 * after["fc.weight"].shape[1] + 2


def test_norm_eval_keeps_the_running_statistics(tmp_path, folder):
    run("train", folder, *QUICK[2:], "-w", RESNET18, "-o", tmp_path / "out", "--norm-eval")
    before, after = state_dict(RESNET18, None, head="new"), state_dict(tmp_path / "out/last.pth", 2)
    np.testing.assert_array_equal(after["layer4.0.bn1.running_mean"], before["layer4.0.bn1.running_mean"])
    assert not np.array_equal(after["layer4.0.bn1.weight"], before["layer4.0.bn1.weight"])


def test_resuming_takes_the_options_of_the_first_run(tmp_path, folder):
    options = ("--epochs", 2, "--optimizer", "adamw", "--channel-order", "reversed", "--mean", "1,2,3")
    run("train", folder, *QUICK, *options, "-o", tmp_path / "whole")
    # Its first epoch alone: the second is still to come.
    shutil.copytree(tmp_path / "whole", tmp_path / "out")
    whole = run_json("train", folder, "-o", tmp_path / "out", "--resume")
    assert whole["settings"]["optimizer"] == "adamw" and whole["settings"]["mean"] == [1, 2, 3]
    assert len(whole["epochs"]) == 2
    # The same options again, and others that change nothing.
    run("train", folder, *QUICK, *options, "-o", tmp_path / "out", "--resume", "--decoders", 1, "--save-every", 1)
    for changed, text in (
        (("--lr", 0.5), "(lr: 0.001, now 0.5)"),
        (("--epochs", 3), "(epochs: 2, now 3)"),
        (("--architecture", "resnet32"), "(architecture: resnet20, now resnet32)"),
        (("--frozen-stages", 1), "(frozen_stages: -1, now 1)"),
        (("--mean", "0,0,0"), "(mean: [1.0, 2.0, 3.0], now [0.0, 0.0, 0.0])"),
        (("--no-flip", "--seed", 2), "(flip: True, now False, seed: 0, now 2)"),
        (("--validation-fraction", 0.5), "(validation_fraction: 0.1, now 0.5)"),
    ):
        message = error_of("train", folder, "-o", tmp_path / "out", "--resume", *changed, status=1)
        assert message.startswith(f"{tmp_path}/out/last.pth: the training has other settings ") and text in message
    message = error_of("train", folder, "-o", tmp_path / "out", "--resume", "-w", RESNET18, status=1)
    assert "(weights: none, now " in message
    other = write_folders(tmp_path / "other", {"a": 8, "b": 9}, seed=4, height=16, width=16)
    assert "(images: 15 + 2 in 2 cl" in error_of("train", other, "-o", tmp_path / "out", "--resume", status=1)
    third = write_folders(tmp_path / "third", {"a": 8, "b": 9, "c": 3})
    message = error_of("train", third, "-o", tmp_path / "out", "--resume", status=1)
    assert "the training has 2 classes (a, b)" in message and "has 3 (a, b, c)" in message
    message = error_of("train", folder, *QUICK, "-o", tmp_path / "out", status=1)
    assert message.startswith(f"{tmp_path}/out/last.pth has a training") and "resume" in message
    shutil.copy(RESNET18, tmp_path / "out/last.pth")
    message = error_of("train", folder, "-o", tmp_path / "out", "--resume", status=1)
    assert f"{tmp_path}/out/last.pth" in message and "not the last.pth of a training" in message


def test_wrong_options_and_folders_are_one_line(tmp_path, folder):
    def said(*arguments, status=1, where=folder):
        return error_of("train", where, "-o", tmp_path / "out", *arguments, status=status)

    assert all(option in said(status=2) for option in ("--weights", "--architecture"))
    assert "resnet21" in said("--architecture", "resnet21", status=2)
    assert "--epochs" in said(*QUICK, "--epochs", 0, status=2)
    assert "--frozen-stages" in said(*QUICK, "--frozen-stages", 5, status=2)
    assert said(*QUICK, "--lr", "nan").startswith("lr is nan; it must be from 0")
    assert "--milestones" in said(*QUICK, "--milestones", "a,b", status=2)
    assert "the schedule multi-step needs" in said(*QUICK, "--milestones", "3")
    assert said(*QUICK, "--resize", 8).startswith("resize is 8") and "16" in said(*QUICK, "--resize", 8)
    assert said(*QUICK, where=tmp_path / "absent") == f"{tmp_path}/absent: No such file or directory"
    one = write_folders(tmp_path / "one", {"only": 3})
    assert "one class, 'only'" in said(*QUICK, where=one)
    empty = write_folders(tmp_path / "empty", {"a": 3, "b": 0})
    assert f"{empty}/b: the class has no images" in said(*QUICK, where=empty)
    (tmp_path / "nothing").mkdir()
    assert f"{tmp_path}/nothing: no folders" in said(*QUICK, where=tmp_path / "nothing")
    assert "absent.pth" in said("-w", tmp_path / "absent.pth")
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").write_text("in the way")
    assert said(*QUICK) == f"{tmp_path}/out: File exists"


def test_outputs_that_cannot_be_written_are_one_line(tmp_path, folder):
    out = tmp_path / "out"
    # In the place of a file is a folder.
    (out / "classes.txt").mkdir(parents=True)
    assert error_of("train", folder, *QUICK, "-o", out, status=1) == f"{out}/classes.txt: Is a directory"
    (out / "classes.txt").rmdir()
    # A file may have 100 kB, and the state has 2 MB.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        message = error_of("train", folder, *QUICK, "-o", out, status=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert message.startswith(f"{out}/last.pth: cannot be written: ") and "File too large" in message
    assert ".unfinished" not in message
    assert os.listdir(out) == ["classes.txt"]


def test_damaged_images_are_warnings(tmp_path):
    folder = write_folders(tmp_path / "all", {"a": 8, "b\nc": 9}, height=16, width=16)
    (folder / "a/003.png").write_bytes(b"no image")
    (folder / "b\nc/000.png").write_bytes((folder / "b\nc/000.png").read_bytes()[:150])
    result = run("train", folder, *QUICK, "--epochs", 2, "--validation-fraction", 0, "-o", tmp_path / "out")
    normalised, *warnings = sorted(result.stderr.splitlines())
    assert "ImageNet" in normalised
    assert len(warnings) == 2, warnings
    assert warnings[0].startswith(f"warning: skipped: {folder}/a/003.png: ")
    assert warnings[1].startswith(f"warning: skipped: {folder}/b\\nc/000.png: the image is damaged")
    assert (tmp_path / "out/classes.txt").read_text() == "a\nb\\nc\n"
    assert read_notes(tmp_path / "out/last.pth")["network"]["classes"] == ["a", "b\nc"]
    # Without images to validate with no epoch is the best one.
    assert not (tmp_path / "out/best.pth").exists()
    report = run_json("train", folder, "-o", tmp_path / "out", "--resume")
    assert sorted(report["skipped"]) == [f"{folder}/a/003.png", f"{folder}/b\nc/000.png"]


def test_without_matplotlib_there_are_tables_and_a_warning(tmp_path, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = run("train", folder, *QUICK, "--epochs", 2, "-o", tmp_path / "out")
    warning, normalised = result.stderr.splitlines()
    assert warning == (
        f"warning: {tmp_path}/out/curves.png is not drawn: Matplotlib is missing; install it with: pip install "
        "'backbone[train]'"
    )
    assert "ImageNet" in normalised
    assert len((tmp_path / "out/curves.csv").read_text().splitlines()) == 3
    result = run("evaluate", folder, "-w", tmp_path / "out/best.pth", "-o", tmp_path / "out", "--threads", 1)
    assert "confusion.png is not drawn: Matplotlib is missing" in result.stderr
    assert result.stdout.endswith(f"written: {tmp_path}/out/confusion.csv\n")


def test_settings_of_the_file_are_those_of_json(tmp_path, folder):
    report = run_json("train", folder, *QUICK[2:], "-w", RESNET50, "-o", tmp_path / "out", "--frozen-stages", 4)
    assert report["settings"] == json.loads(json.dumps(read_notes(tmp_path / "out/last.pth")["settings"]))
    assert len(report["settings"]["weights"]) == 64
