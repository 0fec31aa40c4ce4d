# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone train` that is killed at random moments and resumed ends with the bits of an undisturbed run."""

import random
import signal
import time
import zipfile

import pytest
from command_runner import run, start
from striped_folders import write_folders

SEED = 20
KILLS = 10


def options(folder, out):
    # 12 steps and a validation in each of 4 epochs.
    return (
        *("train", folder, "-o", out, "--architecture", "resnet20", "--size", 32, "--batch", 8, "--epochs", 4),
        *("--threads", 1, "--save-every", 2, "--resume"),
    )


def tensors(path):
    """Weights and optimiser."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if "/data" in name}


def rows(path):
    """The curves without their last column, the seconds."""
    return [line.rsplit(",", 1)[0] for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kills")
    write_folders(folder / "images", {"a": 52, "b": 53})
    run(*options(folder / "images", folder / "whole"))
    return folder


def saved_at(path):
    return path.stat().st_mtime_ns if path.exists() else None


def wait_for_save(path, before, process):
    deadline = time.monotonic() + 120
    while saved_at(path) == before and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_ten_kills_change_no_bit(tmp_path, undisturbed, number):
    rng = random.Random(f"{SEED} {number.name}")
    out = tmp_path / "out"
    last = out / "last.pth"
    stops = 0
    kills = KILLS if number == signal.SIGKILL else KILLS // 2
    for _ in range(kills):
        before = saved_at(last)
        process = start(*options(undisturbed / "images", out), "--decoders", rng.choice([1, 2, 3]))
        # Not while Python starts: from the first state that this process saves, or a little before it.
        wait_for_save(last, before, process)
        time.sleep(rng.uniform(0, 0.4))
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
        if process.returncode == 0:
            continue
        stops += 1
        if number == signal.SIGKILL:
            assert process.returncode == -number
        else:
            assert process.returncode == 128 + number, stderr
            assert stderr.startswith("error: stopped in epoch ") and stderr.count("\n") == 1
            assert stderr.endswith(f"; the same command with --resume goes on from {last}\n")
    # Some may have come after the end, not most.
    assert stops > kills / 2, f"{stops} of {kills} kills came before the end"
    run(*options(undisturbed / "images", out))
    for name in ("last.pth", "best.pth"):
        assert tensors(last.with_name(name)) == tensors(undisturbed / "whole" / name), f"seed {SEED}"
    assert rows(out / "curves.csv") == rows(undisturbed / "whole/curves.csv")
    assert sorted(path.name for path in out.iterdir()) == sorted(
        path.name for path in (undisturbed / "whole").iterdir()
    )
