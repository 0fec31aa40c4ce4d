# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone.ray.train` with two workers, on a cluster of this machine."""

import functools
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from dataset_jobs import encoded, local_cluster
from PIL import Image

import backbone
from backbone import optim

pytestmark = pytest.mark.ray

# What two workers and one process may differ by, of the largest value of each entry.
BOUND = 1e-5
SETTINGS = {"epochs": 3, "batch": 8, "size": 32, "norm_eval": True, "frozen_stages": 1, "seed": 5}


@pytest.fixture(scope="module")
def cluster(job):
    with local_cluster() as ray:
        yield ray


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """25 images of two classes, of which one is damaged."""
    random = np.random.default_rng(4)
    folder = tmp_path_factory.mktemp("images")
    for channel, name, count in ((0, "cats", 13), (2, "dogs", 12)):
        (folder / name).mkdir()
        for number in range(count):
            pixels = random.integers(0, 60, (37, 45, 3), np.uint8)
            pixels[..., channel] += 150
            (folder / name / f"{number:02}.png").write_bytes(encoded(pixels))
    (folder / "dogs/05.png").write_bytes(b"no image")
    return folder


def sgd(net):
    return optim.SGD(net, lr=0.02, momentum=0.9)


class Dying(optim.SGD):
    """Notes which process makes its steps. One worker is killed at its fifth step, the second of the second epoch."""

    notes: Path
    run: Path
    steps = 0

    def step(self, gradients, **options):
        self.steps += 1
        (self.notes / str(os.getpid())).write_text(str(self.steps))
        if self.steps == 5:
            try:
                (self.notes / "dead").mkdir()
            except FileExistsError:
                pass
            else:
                wait_for_checkpoint(self.run)
                os.kill(os.getpid(), signal.SIGKILL)
        super().step(gradients, **options)


def wait_for_checkpoint(run):
    """Ray takes note of a checkpoint some seconds after it was reported."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if any("checkpoint_2" in file.read_text() for file in run.glob("*.json")):
            return
        time.sleep(0.1)
    raise TimeoutError(f"no checkpoint in {run}")


def dying(net, notes, run):
    optimizer = Dying(net, lr=0.02, momentum=0.9)
    optimizer.notes, optimizer.run = notes, run
    return optimizer


def dying_in(run):
    notes = run.with_name("notes")
    notes.mkdir()
    return functools.partial(dying, notes=notes, run=run)


@pytest.fixture(scope="module")
def undisturbed(job, cluster, folder, weights, tmp_path_factory):
    return job.train(folder, tmp_path_factory.mktemp("runs") / "whole", weights, optimizer=sgd, **SETTINGS)


def state_of(trained):
    with backbone.ResNet.from_file(trained.weights, outputs=("logits",)) as net:
        return net.state_dict()


def assert_same_run(one, other):
    assert one.history == other.history
    states = state_of(one), state_of(other)
    for name, value in states[0].items():
        assert value.tobytes() == states[1][name].tobytes(), name
    assert Path(one.weights).read_bytes() == Path(other.weights).read_bytes()


def by_one_process(folder, weights):
    """The same training without Ray, with whole batches: the network and the history."""
    from backbone.training._augment import View
    from backbone.training._folders import read_dataset
    from backbone.training._random import Draws, Purpose

    dataset = read_dataset(folder, seed=5)
    # A tenth of each class is for validation.
    assert (len(dataset.train), len(dataset.validation)) == (23, 2)
    view = View(32, 37)
    net = backbone.ResNet.from_file(
        weights,
        head="new",
        outputs=("logits",),
        num_classes=2,
        frozen_stages=1,
        norm_eval=True,
        mean=backbone.IMAGENET_MEAN,
        std=backbone.IMAGENET_STD,
    )
    optimizer, tape, history = sgd(net), net.tape(), []
    for epoch in (1, 2, 3):
        order = Draws(5, Purpose.ORDER, epoch).permutation(23)
        losses = []
        net.train()
        for step in range(3):
            images, labels = [], []
            for index in order[8 * step : 8 * step + 8]:
                example = dataset.train[index]
                if example.path.endswith("dogs/05.png"):
                    continue
                draws = Draws(5, Purpose.AUGMENTATION, epoch, int(index))
                images.append(view.augmented(Image.open(example.path), draws))
                labels.append(example.label)
            (logits,) = net.forward_train(np.stack(images).transpose(0, 3, 1, 2), tape)
            loss, gradient = optim.cross_entropy(logits, np.array(labels))
            losses.append(loss * len(labels))
            optimizer.lr = 0.02 * (1 + np.cos(np.pi * (3 * (epoch - 1) + step) / 9)) / 2
            optimizer.step(net.backward(tape, [gradient]))
        images = np.stack([view.evaluated(Image.open(example.path)) for example in dataset.validation])
        logits = net.eval().logits(images.transpose(0, 3, 1, 2))
        labels = np.array([example.label for example in dataset.validation])
        history.append((sum(losses) / 22, optim.cross_entropy(logits, labels)[0], (logits.argmax(1) == labels).mean()))
    return net.state_dict(), history


def test_two_workers_equal_one_process(undisturbed, folder, weights):
    state, history = by_one_process(folder, weights)
    assert undisturbed.classes == ("cats", "dogs")
    rows = [(row["loss"], row["validation_loss"], row["validation_accuracy"]) for row in undisturbed.history]
    np.testing.assert_allclose(rows, history, rtol=1e-4)
    assert [row["failed"] for row in undisturbed.history] == [1, 1, 1]
    assert "1 images could not be read" in str(undisturbed) and "epoch   3" in str(undisturbed)
    with backbone.ResNet.from_file(weights) as net:
        before = net.state_dict()
    for name, value in state_of(undisturbed).items():
        error = np.abs(value - state[name]).max()
        assert error <= BOUND * np.abs(state[name]).max(), (name, error)
        if "layer4" in name and "conv" in name:
            change = np.abs(value - before[name]).max()
            assert change > 100 * BOUND * np.abs(value).max(), (name, change)


def test_a_killed_worker_changes_no_bit(job, cluster, undisturbed, folder, weights, tmp_path):
    out = tmp_path / "run"
    trained = job.train(folder, out, weights, optimizer=dying_in(out), **SETTINGS)
    steps = sorted(int(note.read_text()) for note in (tmp_path / "notes").iterdir() if note.is_file())
    # Two workers to the fifth step, and two in their place with the six steps of the second and third epoch.
    assert steps == [5, 5, 6, 6]
    assert_same_run(trained, undisturbed)


def test_a_run_that_ended_goes_on(job, cluster, undisturbed, folder, weights, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(RuntimeError, match=r"^worker [01] failed: [^\n]+; [^\n]+ resume=True [^\n]+$"):
        job.train(folder, out, weights, optimizer=dying_in(out), restarts=0, **SETTINGS)
    with pytest.raises(FileExistsError, match="resume=True"):
        job.train(folder, out, weights, optimizer=sgd, **SETTINGS)
    with pytest.raises(ValueError, match="batch 8, not 4"):
        job.train(folder, out, weights, optimizer=sgd, resume=True, **SETTINGS | {"batch": 4})
    trained = job.train(folder, out, weights, optimizer=sgd, resume=True, **SETTINGS)
    assert_same_run(trained, undisturbed)


def exploding(net):
    return optim.SGD(net, lr=1e30)


def test_what_is_wrong_is_said_before_workers_start(job, cluster, folder, weights, tmp_path):
    out = tmp_path / "run"
    for error, match, changes in (
        (FileNotFoundError, "missing", {"source": tmp_path / "missing"}),
        (FileNotFoundError, "none.pth", {"weights": tmp_path / "none.pth"}),
        (ValueError, "cats", {"source": folder / "cats"}),
        (ValueError, "batch is 9; it must be a multiple of the 2 workers", {"batch": 9}),
        (ValueError, "workers is 5 and threads 1, but the cluster's CPUs have room for 3", {"workers": 5, "batch": 10}),
        (ValueError, "epochs is 0; it must be at least 1", {"epochs": 0}),
        (ValueError, "23 images to train with; 12 workers need two each", {"workers": 12, "batch": 24}),
        (ValueError, "augment is 'crop'; it must be one of resized-crop", {"augment": "crop"}),
        (ValueError, "label_smoothing", {"label_smoothing": 2.0}),
        (ValueError, "restarts is -2", {"restarts": -2}),
        (TypeError, "frozen_stage", {"frozen_stage": 1}),
    ):
        arguments = {"source": folder, "out": out, "weights": weights, **SETTINGS, **changes}
        with pytest.raises(error, match=match):
            job.train(**arguments)
    assert not out.exists()
    with pytest.raises(FloatingPointError, match="NaN|infinite|finite"):
        job.train(folder, out, weights, optimizer=exploding, **SETTINGS)
