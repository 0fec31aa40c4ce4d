# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The programs in bindings/python/examples, as people start them."""

import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from checkpoints import write_pth
from PIL import Image

import backbone

ROOT = Path(__file__).resolve().parents[3]
CLASSES = ["bird", "cat", "ship"]
COUNTS = {"ship": 6, "bird": 9, "cat": 8}


def run(*arguments):
    command = [sys.executable, ROOT / "bindings/python/examples/cifar10.py", *map(str, arguments)]
    environment = dict(os.environ, PYTHONPATH=str(ROOT / "bindings/python"))
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def convolved(x, weight, stride=1):
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (1, 1), (1, 1))), (3, 3), (1, 2))
    return np.einsum("oikl,ihwkl->ohw", weight, windows[:, ::stride, ::stride])


def logits(state, image):
    """ResNet-20 of He et al. 2015, section 4.2, with shortcuts A, in float64."""

    def normed(x, name):
        values = (state[f"{name}.{part}"][:, None, None] for part in ("weight", "bias", "running_mean", "running_var"))
        weight, bias, mean, variance = values
        return (x - mean) / np.sqrt(variance + 1e-5) * weight + bias

    mean, std = (np.array(values)[:, None, None] for values in (backbone.IMAGENET_MEAN, backbone.IMAGENET_STD))
    x = (image.transpose(2, 0, 1) - mean) / std
    x = np.maximum(normed(convolved(x, state["conv1.weight"]), "bn1"), 0)
    for stage in (1, 2, 3):
        for block in range(3):
            name = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            y = np.maximum(normed(convolved(x, state[f"{name}.conv1.weight"], stride), f"{name}.bn1"), 0)
            y = normed(convolved(y, state[f"{name}.conv2.weight"]), f"{name}.bn2")
            more = (len(y) - len(x)) // 2
            x = np.maximum(y + np.pad(x[:, ::stride, ::stride], ((more, more), (0, 0), (0, 0))), 0)
    return x.mean((1, 2)) @ state["linear.weight"].T + state["linear.bias"]


@pytest.fixture(scope="module")
def state():
    """A narrow network as https://github.com/akamaster/pytorch_resnet_cifar10 saves it."""
    with backbone.ResNet("resnet20", base_channels=16, outputs=("logits",), num_classes=len(CLASSES)) as net:
        values = net.state_dict()
    random = np.random.default_rng(8)
    for name, value in values.items():
        if value.ndim == 1:
            values[name] = random.uniform(0.5, 1.5, value.shape).astype(np.float32)
    # So that images differ in their classes.
    values["fc.weight"] *= 20
    values["fc.bias"][:] = 0
    return {name.replace("fc.", "linear."): value for name, value in values.items()}


@pytest.fixture(scope="module")
def weights(tmp_path_factory, state):
    named = {f"module.{name}": value for name, value in state.items()}
    return write_pth(tmp_path_factory.mktemp("weights") / "resnet20.th", {"state_dict": named})


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A zip of a folder for each class, unordered, and its contents."""
    random = np.random.default_rng(9)
    path = tmp_path_factory.mktemp("images") / "test.zip"
    pixels = {}
    with zipfile.ZipFile(path, "w") as archive:
        for name, count in COUNTS.items():
            archive.writestr(f"test/{name}/", "")
            for index in range(count):
                # Colours that differ more from image to image than from pixel to pixel.
                image = random.integers(0, 256, 3) + random.normal(0, 40, (32, 32, 3))
                array = np.clip(image, 0, 255).astype(np.uint8)
                file = io.BytesIO()
                Image.fromarray(array).save(file, "png")
                archive.writestr(f"test/{name}/{index}.png", file.getvalue())
                pixels[f"test/{name}/{index}.png"] = array
    return path, pixels


@pytest.mark.parametrize("batch", [1, 5, 100])
def test_the_accuracy_is_numpys(tmp_path, state, weights, images, batch):
    path, pixels = images
    predictions = tmp_path / "predictions.txt"
    done = run("--weights", weights, "--images", path, "--batch", batch, "--predictions", predictions)
    assert done.returncode == 0, done.stderr
    state = {name: value.astype(np.float64) for name, value in state.items()}
    expected = {name: CLASSES[int(logits(state, image).argmax())] for name, image in pixels.items()}
    assert len(set(expected.values())) > 1
    assert dict(line.split("\t") for line in predictions.read_text().splitlines()) == expected
    right = {name: sum(expected[path] == name for path in pixels if f"/{name}/" in path) for name in CLASSES}
    for name in CLASSES:
        assert re.search(rf"^{name} +{100 * right[name] / COUNTS[name]:.2f} %$", done.stdout, re.MULTILINE), done.stdout
    total = sum(right.values())
    assert done.stdout.endswith(f"resnet20: {total} of {len(pixels)} images, {100 * total / len(pixels):.2f} %\n")


def test_another_number_of_classes_is_told(tmp_path, weights, images):
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        for name in ("a", "b"):
            archive.writestr(f"{name}/0.png", b"")
    done = run("--weights", weights, "--images", tmp_path / "two.zip")
    assert done.returncode == 1 and f"{weights} has 3 classes, {tmp_path / 'two.zip'} 2 folders" in done.stderr


def test_a_name_says_what_the_file_cannot(state, weights, images):
    done = run("--weights", weights, "--images", images[0], "--architecture", "plain20")
    assert done.returncode == 0 and "plain20: " in done.stdout
