# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What the command says of the mean and std that it uses: other bindings have no default like it."""

import numpy as np
import pytest
from command_runner import RESNET18, noise, run, run_json, write_image

import backbone
from backbone import _library

IMAGENET = "pixels normalised with --mean 123.675,116.28,103.53 --std 58.395,57.12,57.375 (ImageNet)\n"


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "x.pth"
    with backbone.ResNet("resnet18", base_channels=8, outputs=("logits",), num_classes=2) as net:
        net.save_weights(path)
    return path


@pytest.fixture
def photos(tmp_path):
    """A folder of two classes."""
    for name in ("a/0.png", "a/1.png", "b/0.png", "b/1.png"):
        write_image(tmp_path / "photos" / name, noise(64, 64, len(name)))
    return tmp_path / "photos"


def commands(photos, classifier, out):
    image = photos / "a/0.png"
    return {
        "features": ("features", image, "-w", RESNET18, "-o", out / "features"),
        "heatmap": ("heatmap", image, "-w", RESNET18, "-o", out / "heat.png"),
        "classify": ("classify", image, "-w", classifier),
        "gradcam": ("gradcam", image, "-w", classifier, "-o", out / "cam.png"),
        "saliency": ("saliency", image, "-w", classifier, "-o", out / "saliency.png"),
        "evaluate": ("evaluate", photos, "-w", classifier, "--size", "64"),
        "train": ("train", photos, "-w", classifier, "-o", out / "trained", "--epochs", "1", "--size", "64"),
    }


@pytest.mark.parametrize(
    "name", ["features", "heatmap", "classify", "gradcam", "saliency", "evaluate", "train"]
)
def test_each_command_tells_what_it_normalised_with(tmp_path, photos, classifier, name):
    arguments = commands(photos, classifier, tmp_path)[name]
    result = run(*arguments)
    assert result.stderr.count(IMAGENET) == 1 and "normalised" not in result.stdout
    given = ("--mean", "1,2.5,3", "--std", "4,5,6")
    again = ("--overwrite",) if name == "features" else ("-o", tmp_path / "again") if name == "train" else ()
    stderr = run(*arguments, *given, *again).stderr
    assert stderr.count("pixels normalised with --mean 1,2.5,3 --std 4,5,6\n") == 1


@pytest.mark.parametrize("name", ["heatmap", "classify", "gradcam", "saliency", "evaluate"])
def test_json_has_them(tmp_path, photos, classifier, name):
    report = run_json(*commands(photos, classifier, tmp_path)[name], "--std", "4,5,6")
    report = report["network"] if name == "classify" else report
    np.testing.assert_allclose(report["mean"], backbone.IMAGENET_MEAN)
    assert report["std"] == [4, 5, 6]


def test_nothing_is_told_where_nothing_is_computed(tmp_path, photos, classifier):
    arguments = commands(photos, classifier, tmp_path)["features"]
    run(*arguments)
    assert run(*arguments).stderr == ""


def test_a_checkpoint_of_a_training_has_its_own(tmp_path, photos, classifier):
    run(*commands(photos, classifier, tmp_path)["train"], "--mean", "1,2,3")
    stderr = run("classify", photos / "a/0.png", "-w", tmp_path / "trained/best.pth").stderr
    assert "--mean 1,2,3 --std 58.395,57.12,57.375\n" in stderr


@pytest.mark.parametrize("name", ["bench", "layers"])
def test_help_says_that_times_depend_on_the_weights(name):
    text = " ".join(run(name, "--help").stdout.split())
    assert "Times depend on the weights, which decide how many zeros kernels skip" in text
    assert "Times depend on the weights, since kernels skip zeros" in text


def test_the_constants_are_imagenets_of_torchvision():
    np.testing.assert_allclose(_library.IMAGENET_MEAN, 255 * np.array([0.485, 0.456, 0.406]), rtol=1e-6)
    np.testing.assert_allclose(_library.IMAGENET_STD_DEV, 255 * np.array([0.229, 0.224, 0.225]), rtol=1e-6)
