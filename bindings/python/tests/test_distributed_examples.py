# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The examples that train on several machines: `distributed.py` by torchrun, and `federated.py`."""

import importlib.util
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from dataset_jobs import encoded

import backbone

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
# What two processes and one may differ by, of the largest value of each entry.
BOUND = 1e-5
COLOURS = {"blue": (0, 0, 1), "green": (0, 1, 0), "red": (1, 0, 0), "yellow": (1, 1, 0)}


def environment(**more):
    path = os.pathsep.join([str(EXAMPLES.parent), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **more}


def run(*command, **more):
    return subprocess.run([*map(str, command)], env=environment(**more), capture_output=True, text=True, timeout=300)


def state_of(path):
    with backbone.ResNet.from_file(path, outputs=("logits",)) as net:
        return net.state_dict()


def make_images(folder, names, count, seed):
    """Noisy images of one colour for each class."""
    random = np.random.default_rng(seed)
    for name in names:
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = 110 * np.array(COLOURS[name]) + random.integers(0, 120, (36, 40, 3))
            (folder / name / f"{number}.png").write_bytes(encoded(pixels.astype(np.uint8)))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """15 images: the last batch of eight has seven, which two processes cannot share evenly."""
    folder = tmp_path_factory.mktemp("images")
    make_images(folder, ["blue"], 8, seed=1)
    return make_images(folder, ["red"], 7, seed=2)


# ---- torchrun ----


def distributed(folder, weights, output, *options, processes=None):
    launcher = [sys.executable] if processes is None else [sys.executable, "-m", "torch.distributed.run"]
    if processes is not None:
        launcher += ["--standalone", "--nproc-per-node", str(processes)]
    small = ["--size", 32, "--batch", 8, "--epochs", 4, "--norm-eval"]
    words = [EXAMPLES / "distributed.py", folder, "--weights", weights, "--output", output, *small, *options]
    return run(*launcher, *words)


@pytest.mark.parity
def test_two_processes_equal_one(torch, folder, weights, tmp_path):
    outputs = []
    for processes in (None, 2):
        path = tmp_path / f"{processes}.pth"
        done = distributed(folder, weights, path, processes=processes)
        assert done.returncode == 0, done.stderr
        losses = [float(loss) for loss in re.findall(r"^epoch +\d+  loss ([\d.]+)$", done.stdout, re.MULTILINE)]
        outputs.append((losses, state_of(path)))
    (losses, one), (also, two) = outputs
    assert len(losses) == 4 and losses[-1] < 0.5 * losses[0]
    np.testing.assert_allclose(also, losses, rtol=1e-4)
    with backbone.ResNet.from_file(weights) as net:
        before = net.state_dict()
    for name, value in one.items():
        assert np.abs(two[name] - value).max() <= BOUND * np.abs(value).max(), name
        if "layer4" in name and "conv" in name:
            assert np.abs(before[name] - value).max() > 100 * BOUND * np.abs(value).max(), name


@pytest.mark.parity
def test_processes_that_differ_are_found_out(torch, folder, weights, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    processes = []
    for rank, lr in enumerate(("0.01", "0.02")):
        place = {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        words = [EXAMPLES / "distributed.py", folder, "--weights", weights, "--output", tmp_path / "out.pth"]
        words += ["--size", "32", "--epochs", "1", "--batch", "8", "--lr", lr]
        processes.append(
            subprocess.Popen(
                [sys.executable, *words], env=environment(**place), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
            )
        )
    for process in processes:
        _, error = process.communicate(timeout=120)
        assert process.returncode == 1
        assert "distributed.py: the processes have different weights" in error.decode()
    assert not (tmp_path / "out.pth").exists()


@pytest.mark.parity
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--weights", "none.pth"], "none.pth"),
        (["--batch", "9"], "--batch is 9; it must be a multiple of the 2 processes"),
        (["--batch", "2"], "15 images, --batch 2; 2 processes need two images each"),
    ],
)
def test_what_distributed_refuses(torch, folder, weights, tmp_path, options, message):
    done = distributed(folder, weights, tmp_path / "out.pth", *options, processes=2)
    assert done.returncode == 1 and f"distributed.py: {message}" in done.stderr, done.stderr


# ---- Federated averaging ----


@pytest.fixture(scope="module")
def federated():
    sys.path.insert(0, str(EXAMPLES))
    try:
        specification = importlib.util.spec_from_file_location("federated", EXAMPLES / "federated.py")
        module = importlib.util.module_from_spec(specification)
        sys.modules["federated"] = module
        specification.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(EXAMPLES))


def learn(output, weights, validation, *clients, rounds, more=()):
    words = ["--validation", validation, "--weights", weights, "--output", output, "--rounds", rounds, *more]
    done = run(sys.executable, EXAMPLES / "federated.py", *clients, *words, "--size", 32, "--batch", 8)
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.splitlines()
    found = [re.fullmatch(r"round +\d+  validation loss ([\d.]+)  accuracy +([\d.]+) %", line) for line in lines]
    return head, [(float(match[1]), float(match[2])) for match in found]


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    """Two clients with two classes each, of 12 and 6 images, and images of all four that neither has."""
    folder = tmp_path_factory.mktemp("clients")
    return (
        make_images(folder / "first", ["blue", "green"], 12, seed=3),
        make_images(folder / "second", ["red", "yellow"], 6, seed=4),
        make_images(folder / "validation", list(COLOURS), 5, seed=5),
    )


def test_the_average_is_the_weighted_mean(federated):
    random = np.random.default_rng(6)
    pixels = [random.normal(mean, deviation, (count, 5)) for mean, deviation, count in ((0, 1, 300), (2, 3, 100))]
    weights = [random.normal(size=1000).astype(np.float32) for _ in pixels]
    updates = [
        federated.Update(
            vector,
            {"bn1.running_mean": x.mean(0, dtype=np.float32), "bn1.running_var": x.var(0, dtype=np.float32)},
            len(x),
        )
        for vector, x in zip(weights, pixels, strict=True)
    ]
    vector, statistics = federated.averaged(updates)
    expected = (300 * weights[0].astype(np.float64) + 100 * weights[1].astype(np.float64)) / 400
    assert vector.dtype == np.float32 and np.abs(vector - expected).max() <= 2**-24 * np.abs(expected).max()
    # The statistics of the values of both clients together.
    together = np.concatenate(pixels)
    np.testing.assert_allclose(statistics["bn1.running_mean"], together.mean(0), rtol=1e-5)
    np.testing.assert_allclose(statistics["bn1.running_var"], together.var(0), rtol=1e-5)


@pytest.mark.parametrize("more", [(), ("--norm-eval",)], ids=str)
def test_one_round_averages_what_the_clients_learned_alone(federated, clients, weights, tmp_path, more):
    first, second, validation = clients
    learn(tmp_path / "both.pth", weights, validation, first, second, rounds=1, more=more)
    learn(tmp_path / "first.pth", weights, validation, first, rounds=1, more=more)
    learn(tmp_path / "second.pth", weights, validation, second, rounds=1, more=more)
    both, one, two = (state_of(tmp_path / f"{name}.pth") for name in ("both", "first", "second"))
    for name, value in both.items():
        if name.endswith("num_batches_tracked"):
            continue
        expected = (24 * one[name].astype(np.float64) + 12 * two[name].astype(np.float64)) / 36
        if name.endswith("running_var"):
            means = [state[name.replace("_var", "_mean")].astype(np.float64) for state in (one, two)]
            expected += 2 / 9 * (means[0] - means[1]) ** 2
        np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-7, err_msg=name)
    norms = [name for name in both if name.startswith("layer4") and name.endswith("running_mean")]
    assert all(np.array_equal(one[name], two[name]) == bool(more) for name in norms)


def test_clients_learn_classes_of_each_other(clients, weights, tmp_path):
    first, second, validation = clients
    more = ("--norm-eval", "--lr", 0.02)
    head, rounds = learn(tmp_path / "both.pth", weights, validation, first, second, rounds=12, more=more)
    assert head == "2 clients with 24, 12 images"
    alone = [
        learn(tmp_path / "alone.pth", weights, validation, folder, rounds=12, more=more)[1] for folder in clients[:2]
    ]
    # Each alone knows two of four classes.
    assert max(accuracy for _, accuracy in (rows[-1] for rows in alone)) <= 50
    assert rounds[-1][1] > 80 and rounds[-1][0] < 0.7 * rounds[0][0], rounds
    assert rounds[-1][0] < min(rows[-1][0] for rows in alone)


def test_what_federated_refuses(clients, weights, tmp_path):
    for words, message in (
        ([clients[0], tmp_path / "missing"], "missing"),
        ([clients[0] / "blue"], "no images in the folders"),
    ):
        options = ["--validation", clients[2], "--weights", weights, "--output", tmp_path / "out.pth"]
        done = run(sys.executable, EXAMPLES / "federated.py", *words, *options)
        assert done.returncode == 1 and done.stderr.startswith("federated.py: ") and message in done.stderr
        assert done.stderr.count("\n") == 1
