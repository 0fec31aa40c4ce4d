# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""scripts/degradation on generated images: what it prints, writes, resumes and refuses, and its gradients and costs."""

import csv
import fcntl
import itertools
import json
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from theory import costs, gradients
from theory.data import PADDING, DataError, Images, Normalization, augmented, batches, read_folder
from theory.networks import KINDS
from theory.training import Run, RunError, Settings

from backbone import optim

ROOT = Path(__file__).resolve().parents[3]
SIDE = 8
SETTINGS = Settings(epochs=2, width=4, batch=16, learning_rate=0.05)


def pictures(count, seed=0):
    """Images of three classes that their mean colours tell apart, (N, SIDE, SIDE, 3), with labels."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    noise = generator.integers(0, 120, (count, SIDE, SIDE, 3))
    return (noise + 100 * np.eye(3, dtype=int)[labels][:, None, None]).astype(np.uint8), labels


def images_of(count, seed=0):
    pixels, labels = pictures(count, seed)
    return Images(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)), labels, ("a", "b", "c"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """PNGs, which lose nothing, in train and test."""
    path = tmp_path_factory.mktemp("pictures")
    for split, count in (("train", 48), ("test", 30)):
        pixels, labels = pictures(count, seed=len(split))
        for index, (image, label) in enumerate(zip(pixels, labels, strict=True)):
            file = path / split / "abc"[label] / f"{index:02}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(file)
    return path


def command(*arguments):
    return [sys.executable, "-m", "theory", "--threads", "1", *map(str, arguments)]


def environment():
    paths = ROOT / "scripts", ROOT / "bindings/python"
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}


def run(*arguments):
    return subprocess.run(command(*arguments), env=environment(), capture_output=True, text=True, check=False)


SMALL = ("--epochs", 2, "--width", 4, "--batch", 16, "--learning-rate", 0.05)


# ---- Images ----


def test_a_folder_is_read(folder):
    train, test = read_folder(folder)
    for images, count, seed in ((train, 48, 5), (test, 30, 4)):
        pixels, labels = pictures(count, seed)
        order = np.argsort(labels, kind="stable")
        np.testing.assert_array_equal(images.pixels, pixels[order].transpose(0, 3, 1, 2))
        np.testing.assert_array_equal(images.labels, labels[order])
    part, _ = read_folder(folder, limit=7)
    assert np.bincount(part.labels).tolist() == [3, 2, 2]


def test_crops_and_flips_are_those_of_the_paper():
    values = np.random.default_rng(1).standard_normal((400, 3, SIDE, SIDE), dtype=np.float32)
    result = augmented(values, np.random.default_rng(2))
    side = SIDE + 2 * PADDING
    seen = set()
    for image, crop in zip(values, result, strict=True):
        larger = np.zeros((3, side, side), np.float32)
        larger[:, PADDING:-PADDING, PADDING:-PADDING] = image
        fits = [
            (top, left, step)
            for top, left, step in itertools.product(range(9), range(9), (1, -1))
            if np.array_equal(larger[:, top : top + SIDE, left : left + SIDE][:, :, ::step], crop)
        ]
        assert len(fits) == 1
        seen |= set(fits)
    # 400 draws of 162 leave few out, and each row, column and direction is drawn.
    assert len(seen) > 120
    assert [len({place[axis] for place in seen}) for axis in range(3)] == [9, 9, 2]


def test_an_epoch_has_each_image_once_and_a_resumed_one_the_same():
    images = images_of(50)
    normalization = Normalization.of(images)
    mean = images.pixels.astype(np.float64).mean((0, 2, 3))
    np.testing.assert_allclose(normalization.mean, mean, rtol=1e-6)
    np.testing.assert_allclose(normalization.std, images.pixels.astype(np.float64).std((0, 2, 3)), rtol=1e-6)
    # Labels that tell which image it is.
    numbered = Images(images.pixels, np.arange(50), images.classes)
    whole = list(itertools.islice(batches(numbered, normalization, 16, seed=3, first=0), 6))
    for epoch in (whole[:3], whole[3:]):
        assert len(np.unique(np.concatenate([labels for _, labels in epoch]))) == 48
    assert not np.array_equal(whole[0][1], whole[3][1])
    for first in range(6):
        values, labels = next(batches(numbered, normalization, 16, seed=3, first=first))
        np.testing.assert_array_equal(values, whole[first][0])
        np.testing.assert_array_equal(labels, whole[first][1])


# ---- Training ----


def test_a_run_learns_and_goes_on_to_the_same_bits(tmp_path):
    train, test = images_of(48), images_of(30, seed=1)
    settings = Settings(epochs=12, width=4, batch=16, learning_rate=0.05)
    whole = Run("resnet20", tmp_path, settings, train, test, 1)
    while whole.step < whole.steps:
        whole.advance()
    assert [row["step"] for row in whole.record["rows"]] == [step for step in range(1, 37) if step % 3 != 1]
    rates = [row["lr"] for row in whole.record["rows"]]
    np.testing.assert_allclose(rates, [0.05] * 12 + [0.005] * 6 + [0.0005] * 6)
    assert whole.record["rows"][-1]["test_error"] < 0.1
    other = tmp_path / "other"
    other.mkdir()
    for _ in range(24):
        part = Run("resnet20", other, settings, train, test, 1)
        part.advance()
    assert without_times(tmp_path / "resnet20.json") == without_times(other / "resnet20.json")
    names = [sorted(path.name for path in place.glob("*.pth")) for place in (tmp_path, other)]
    assert names == [["resnet20.36.pth"]] * 2
    assert (tmp_path / "resnet20.36.pth").read_bytes() == (other / "resnet20.36.pth").read_bytes()


def without_times(path):
    record = json.loads(path.read_text())
    for row in record["rows"]:
        del row["cpu_seconds"]
    return record


def test_killed_runs_end_like_an_undisturbed_one(folder, tmp_path):
    arguments = (folder, *SMALL, "--networks", "plain20,resnet20")
    started = time.monotonic()
    undisturbed = run(*arguments, "--output", tmp_path / "whole")
    seconds = time.monotonic() - started
    assert undisturbed.returncode == 0, undisturbed.stderr
    generator = random.Random(5)
    killed = 0
    for _ in range(4):
        process = subprocess.Popen(
            command(*arguments, "--output", tmp_path / "killed"), env=environment(), stderr=subprocess.DEVNULL
        )
        try:
            process.wait(timeout=generator.uniform(0.3, 0.9) * seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
    assert killed
    last = run(*arguments, "--output", tmp_path / "killed")
    assert last.returncode == 0, last.stderr
    for name in ("plain20", "resnet20"):
        state = f"{name}.6.pth"
        assert (tmp_path / "killed" / state).read_bytes() == (tmp_path / "whole" / state).read_bytes()
        records = [without_times(tmp_path / place / f"{name}.json") for place in ("killed", "whole")]
        assert records[0] == records[1]
    assert (tmp_path / "killed/degradation.csv").read_bytes() == (tmp_path / "whole/degradation.csv").read_bytes()
    # The table is what was printed.
    with open(tmp_path / "whole/degradation.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    printed = re.findall(
        r"(\w+) +epoch +([\d.]+) of 2  loss ([\d.]+)  training error +([\d.]+) %  test error +([\d.]+) %",
        undisturbed.stderr,
    )
    table = sorted(
        (
            row["network"],
            f"{float(row['epoch']):.2f}",
            f"{float(row['loss']):.4f}",
            f"{100 * float(row['train_error']):.2f}",
            f"{100 * float(row['test_error']):.2f}",
        )
        for row in rows
    )
    assert len(table) == 8 and sorted(printed) == table
    with Image.open(tmp_path / "whole/degradation.png") as picture:
        assert picture.format == "PNG" and min(picture.size) > 300


# ---- What is refused ----


def refused(result):
    assert result.returncode == 1 and result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if not line.startswith("48 training")]
    assert len(lines) == 1 and lines[0].startswith("error: "), result.stderr
    return lines[0]


def test_folders_and_images_that_cannot_be_used(tmp_path):
    output = "--output", tmp_path / "out"
    assert "needs folders train and test" in refused(run(tmp_path / "none", *output))
    for name in ("train/a", "train/b", "test/a"):
        (tmp_path / name).mkdir(parents=True)
    assert "test has 1 class folders" in refused_data(tmp_path, {"train/a/1.png": SIDE, "train/b/1.png": SIDE})
    (tmp_path / "test/c").mkdir()
    both = {"train/a/1.png": SIDE, "train/b/1.png": SIDE, "test/a/1.png": SIDE, "test/c/1.png": SIDE}
    assert "class folder b" in refused_data(tmp_path, both)
    (tmp_path / "test/c").rename(tmp_path / "test/b")
    assert "12 x 12 pixels" in refused_data(tmp_path, {"train/b/1.png": 12})
    assert "8 x 8 in train and 9 x 9 in test" in refused_data(
        tmp_path, {"train/b/1.png": SIDE, "test/a/1.png": 9, "test/b/1.png": 9}
    )
    (tmp_path / "train/b/1.png").write_bytes(b"no picture")
    message = refused(run(tmp_path, *output))
    assert message.count("train/b/1.png") >= 1 and "repair or remove" in message


def refused_data(folder, sizes):
    for name, side in sizes.items():
        Image.fromarray(np.full((side, side, 3), 9, np.uint8)).save(folder / name)
    with pytest.raises(DataError) as caught:
        read_folder(folder)
    return str(caught.value)


def test_options_and_records_that_do_not_fit(folder, tmp_path):
    arguments = folder, *SMALL, "--networks", "plain20", "--output", tmp_path
    assert run(*arguments).returncode == 0
    assert "another --output" in refused(run(*arguments, "--seed", 1))
    (tmp_path / "plain20.6.pth").write_bytes(b"")
    assert "remove it to begin again" in refused(run(*arguments))
    (tmp_path / "plain20.json").write_text("[]")
    assert "is not a record" in refused(run(*arguments))
    with open(tmp_path / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another process" in refused(run(*arguments))
    assert "do not fill a batch" in refused(run(folder, "--batch", 49, "--output", tmp_path / "large"))
    for wrong in (("--networks", "vgg16"), ("--epochs", "0"), ("--learning-rate", "nan"), ("--width", "65")):
        result = run(folder, *wrong, "--output", tmp_path)
        assert result.returncode == 2 and wrong[0] in result.stderr.splitlines()[-1]


def test_a_run_that_diverges_says_so(tmp_path):
    settings = Settings(epochs=4, width=4, batch=16, learning_rate=1e30)
    diverging = Run("plain20", tmp_path, settings, images_of(48), images_of(30), 1)
    with pytest.raises(RunError, match="diverged at step .* lower --learning-rate"):
        while diverging.step < diverging.steps:
            diverging.advance()


# ---- Gradients and costs ----


@pytest.mark.parametrize("name", ["plain20", "resnet20", "resnet20-c", "preact20"])
def test_norms_of_gradients_are_slopes_of_the_loss(name):
    net = KINDS[name].network(3, width=4, threads=1)
    net.init_weights(seed=1)
    pixels, labels = pictures(12)
    images = (pixels.transpose(0, 3, 1, 2) / 128 - 1).astype(np.float32)
    measured = gradients.norms(net, images, labels)
    assert [norm.layer for norm in measured] == list(range(1, 20))

    def loss():
        with net.tape() as tape:
            (logits,) = net.forward_train(images, tape)
        # In double, so that rounding does not hide the slope.
        rows = logits[:, :, 0, 0].astype(np.float64)
        rows -= rows.max(1, keepdims=True)
        return float((np.log(np.exp(rows).sum(1)) - rows[np.arange(12), labels]).mean())

    before = net.read_trainable()
    with net.tape() as tape:
        (logits,) = net.forward_train(images, tape)
        direction = net.backward(tape, [optim.cross_entropy(logits, labels)[1]])
    for norm in measured[::6]:
        # Along the gradient of one layer the loss rises by the norm of the gradient per unit of length.
        one = np.zeros_like(before)
        net.named_slices(one)[norm.name][...] = net.named_slices(direction)[norm.name]
        unit = one / np.linalg.norm(one)
        # So little that few ReLUs switch, and so much that the loss changes by more than its rounding.
        length = 1e-4 * norm.weight
        ends = []
        for sign in (1, -1):
            net.write_trainable(before + np.float32(sign * length) * unit)
            ends.append(loss())
        net.write_trainable(before)
        assert (ends[0] - ends[1]) / (2 * length) == pytest.approx(norm.gradient, rel=0.03), norm


def test_gradients_of_a_folder(folder, tmp_path):
    trained = folder, *SMALL, "--networks", "plain20", "--output", tmp_path
    assert run(*trained).returncode == 0
    result = run(folder, "--gradients", "--networks", "plain20,resnet20", "--output", tmp_path)
    assert result.returncode == 0, result.stderr
    with open(tmp_path / "gradients.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    moments = [("plain20", "initial"), ("plain20", "trained"), ("resnet20", "initial")]
    assert sorted({(row["network"], row["moment"]) for row in rows}) == moments and len(rows) == 3 * 19
    # The trained network is the one that the run left.
    train, _ = read_folder(folder)
    images = Normalization.of(train)(train.pixels[np.random.default_rng(0).permutation(48)])
    labels = train.labels[np.random.default_rng(0).permutation(48)]
    net = KINDS["plain20"].network(3, 4, 1)
    net.load_weights(tmp_path / "plain20.6.pth", strict=True)
    expected = {norm.name: norm.gradient for norm in gradients.norms(net, images, labels)}
    for row in rows:
        if row["moment"] == "trained":
            assert float(row["gradient"]) == expected[row["name"]]
    assert (tmp_path / "gradients.png").stat().st_size > 1000


def test_costs_are_those_of_the_definitions():
    measured = {name: costs.Measured(name, 16, 2, 1) for name in costs.NETWORKS}
    plain, a = measured["plain56"], measured["resnet56"]
    # 3x3 convolutions: the first one and 9 blocks of two in each stage, each with its norm; then the classifier.
    widths = (16, 32, 64)
    weights = 3 * 16 * 9 + sum(18 * w * w * 9 for w in widths) - 9 * (32 * 16 + 64 * 32)
    norms = 2 * 16 + sum(18 * 2 * w for w in widths)
    assert plain.net.trainable_count == a.net.trainable_count == weights + norms + 64 * 10 + 10
    assert measured["resnet56-b"].net.trainable_count - a.net.trainable_count == 16 * 32 + 32 * 64 + 2 * (32 + 64)
    everywhere = sum(w * w + 2 * w for w in widths) * 9 - 32 * 16 - 64 * 32
    assert measured["resnet56-c"].net.trainable_count - a.net.trainable_count == everywhere
    areas = (32 * 32, 16 * 16, 8 * 8)
    products = 3 * 16 * 9 * areas[0] + sum(18 * w * w * 9 * s for w, s in zip(widths, areas, strict=True))
    products -= 9 * (32 * 16 * areas[1] + 64 * 32 * areas[2])
    assert plain.operations == a.operations == products + 64 * 10
    assert measured["resnet56-b"].operations == a.operations + 16 * 32 * areas[1] + 32 * 64 * areas[2]
    for each in (plain, a):
        each.turn()
    rows = [line.split("|")[1:-1] for line in costs.table([plain, a]).splitlines()[2:]]
    assert [cell.strip() for cell in rows[0][3:]] == ["125.49", "1.00", "1.00"]
    assert float(rows[1][4]) == pytest.approx(a.steps[0] / plain.steps[0], abs=0.006)
