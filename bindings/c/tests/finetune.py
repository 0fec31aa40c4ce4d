# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Trains the example's classifier on a few small images, and checks its numbers, its files and its messages.

Usage: finetune.py [VALGRIND OPTION...] FINETUNE-PROGRAM
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import backbone
import numpy as np
from PIL import Image

program = sys.argv[1:]
owner = tempfile.TemporaryDirectory(prefix="finetune-")
folder = Path(owner.name)
SIZE = 32
EPOCHS = 4
LINE = re.compile(
    r"epoch +(\d+)  loss ([\d.]+)  accuracy +([\d.]+) %"
    r"(?:  validation loss ([\d.]+)  accuracy +([\d.]+) %)?  +[\d.]+ images/s"
)


def run(*words):
    command = [*program, *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)


def train(*words, first=1, epochs=EPOCHS):
    """Run the program to its end; the numbers of each epoch without its speed."""
    small = ("--size", SIZE, "--batch", 4, "--epochs", epochs, "--learning-rate", 0.002)
    result = run("data", *small, *words)
    assert result.returncode == 0 and not result.stderr, (words, result)
    head, *lines = result.stdout.splitlines()
    assert head == "9 images, 2 classes: cats dogs", head
    numbers = [LINE.fullmatch(line).groups() for line in lines]
    assert [int(row[0]) for row in numbers] == list(range(first, epochs + 1)), lines
    return numbers


def expect(status, text, *words):
    """The program ends with this status and says this text."""
    result = run(*words)
    output = result.stdout + result.stderr
    assert result.returncode == status and text in output, f"{words}: {result.returncode}, not {status}: {output}"


def weights(path):
    """What a classifier's file has."""
    with backbone.ResNet.from_file(folder / path, outputs=("logits",)) as net:
        return net.state_dict()


def make_files():
    """Nine images of two classes, of which the third batch of four has one alone, and a network without a head."""
    random = np.random.default_rng(0)
    for channel, name in ((0, "cats"), (2, "dogs")):
        (folder / "data" / name).mkdir(parents=True)
        for number in range(5 - channel // 2):
            pixels = random.integers(0, 60, (37, 45, 3))
            pixels[..., channel] += 150
            end = "JPEG" if number == 0 else "jpg"
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"data/{name}/{number}.{end}", "jpeg")
    (folder / "data/cats/notes.txt").write_text("no image")
    (folder / "data/list.txt").write_text("no class")
    with backbone.ResNet(18, base_channels=8) as net:
        net.save_weights(folder / "tiny.pth")


def check_learning():
    numbers = train("--weights", "tiny.pth", "--output", "whole", "--validation", "data", "--flip")
    losses = [float(row[1]) for row in numbers]
    assert losses[-1] < 0.5 * losses[0], losses
    assert float(numbers[-1][2]) == 100, numbers
    return numbers


def check_resuming(whole):
    """A resumed run prints the numbers, and writes the bytes, of one that was not interrupted."""
    resume = ("--resume", "whole/epoch-2.pth", "--output", "parts", "--validation", "data", "--flip", "--threads", 1)
    assert train(*resume, first=3) == whole[2:]
    last = f"epoch-{EPOCHS}.pth"
    assert (folder / "parts" / last).read_bytes() == (folder / "whole" / last).read_bytes()


def check_choices(whole):
    """Other seeds and no flips give other numbers."""
    start = ("--weights", "tiny.pth", "--output", "other")
    for words in (("--flip", "--seed", 1), ()):
        (row,) = train(*start, *words, epochs=1)
        assert row[1] != whole[0][1], words
    train(*start, "--frozen-stages", 4, "--norm-eval", epochs=1)


def check_weights():
    """Frozen stages stay as they were; the rest is trained, with factor and decay of its group."""
    with backbone.ResNet.from_file(folder / "tiny.pth") as net:
        before = net.state_dict()
    after = weights(f"whole/epoch-{EPOCHS}.pth")
    for name, value in before.items():
        frozen = not name.startswith("layer4.")
        assert np.array_equal(value, after[name]) is frozen, name
    steep = ("--learning-rate", 1e-9, "--weight-decay", 1e6, "--momentum", 0, "--head-factor", 0)
    train("--weights", "tiny.pth", "--output", "decayed", *steep, epochs=2)
    first, second = weights("decayed/epoch-1.pth"), weights("decayed/epoch-2.pth")
    for name, value in first.items():
        if name.startswith("layer4.") and name.endswith((".weight", ".bias")):
            shrunk = np.linalg.norm(second[name]) < 0.9995 * np.linalg.norm(value)
            assert shrunk == (value.ndim == 4), name
        elif name.startswith("fc."):
            assert np.array_equal(second[name], value), name


def check_images(whole):
    """Loss and accuracy of validation against the way through Pillow, numpy and the Python package."""
    mean, std = np.float32(backbone.IMAGENET_MEAN), np.float32(backbone.IMAGENET_STD)
    images, labels = [], []
    for label, name in enumerate(("cats", "dogs")):
        for path in sorted((folder / "data" / name).glob("*.[jJ][pP]*")):
            image = Image.open(path).convert("RGB")
            side = 0.875 * min(image.size)
            left, top = (image.width - side) / 2, (image.height - side) / 2
            box = (left, top, left + side, top + side)
            pixels = np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR, box), np.float32)
            images.append(((pixels - mean) / std).transpose(2, 0, 1))
            labels.append(label)
    with backbone.ResNet.from_file(folder / "whole/epoch-1.pth", outputs=("logits",)) as net:
        logits = net.logits(np.stack(images)).astype(np.float64)
    likelihoods = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    loss = -likelihoods[range(len(labels)), labels].mean()
    accuracy = 100 * (logits.argmax(axis=1) == labels).mean()
    # Pillow rounds between its two passes.
    np.testing.assert_allclose(float(whole[0][3]), loss, rtol=5e-3)
    np.testing.assert_allclose(float(whole[0][4]), accuracy, atol=0.01)


def check_messages():
    for place in ("one/cats", "broken/cats", "broken/dogs", "three/cats", "three/dogs", "three/mice"):
        (folder / place).mkdir(parents=True)
        (folder / place / "0.jpg").write_bytes((folder / "data/cats/0.JPEG").read_bytes())
    (folder / "broken/dogs/1.jpg").write_text("no image")
    (folder / "empty/cats").mkdir(parents=True)
    (folder / "list").write_text("not a folder")
    (folder / "epoch-1.pth").write_bytes((folder / "tiny.pth").read_bytes())
    start = ("--weights", "tiny.pth", "--size", SIZE)
    whole = f"whole/epoch-{EPOCHS}.pth"

    expect(0, "Usage:", "--help")
    expect(2, "no folder given", *start)
    expect(2, "give --weights or --resume", "data")
    expect(2, "not both", "data", *start, "--resume", whole)
    expect(2, "unknown option '--epoch'", "data", "--epoch", 1)
    expect(2, "--seed needs a value", "data", "--seed")
    expect(2, "--batch needs a whole number from 1 to 4096, not '0'", "data", "--batch", 0)
    expect(2, "--momentum needs a number from 0 to 1, not 'nan'", "data", "--momentum", "nan")
    expect(2, "more than one folder: 'data' and 'more'", "data", "more")
    expect(1, "finetune: missing: No such file", "missing", *start)
    expect(1, "finetune: one: 1 class; expected", "one", *start)
    expect(1, "finetune: empty/cats: no .jpg", "empty", *start)
    expect(1, "finetune: broken/dogs/1.jpg: Not a JPEG file", "broken", *start)
    expect(1, "its classes differ from those of data", "data", *start, "--validation", "three")
    expect(1, "weights: data/list.txt: ", "data", "--weights", "data/list.txt")
    expect(1, "weights: missing.pth: ", "data", "--weights", "missing.pth")
    expect(1, "'fc.weight'", "data", "--resume", "epoch-1.pth")
    expect(1, "needs a file epoch-N.pth", "data", "--resume", "tiny.pth")
    expect(1, "shape [2, 64], expected [3, 64]", "three", "--resume", whole)
    expect(1, f"{whole} has all 4 epochs", "data", "--resume", whole, "--epochs", EPOCHS)
    expect(1, "finetune: list: Not a directory", "list", *start)
    expect(1, "finetune: save: list/epoch-1.pth: ", "data", *start, "--output", "list", "--epochs", 1)


make_files()
whole = check_learning()
check_resuming(whole)
check_choices(whole)
check_weights()
check_images(whole)
check_messages()
print("The example trains, resumes and explains its failures.")
