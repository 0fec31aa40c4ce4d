# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone features` that is stopped and started again."""

import json
import os
import signal
import time

import numpy as np
import pytest
from command_runner import RESNET18, RESNET50, error_of, noise, run_json, start, write_image


@pytest.fixture
def photos(tmp_path):
    for index in range(6):
        write_image(tmp_path / f"photos/{index}.png", noise(40, 40, index))
    return tmp_path / "photos"


def times(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.npz")}


def computed_again(before, after):
    return {name for name in after if before.get(name) != after[name]}


def test_what_is_there_is_not_computed_again(tmp_path, photos):
    out = tmp_path / "out"
    arguments = ("features", photos, "-w", RESNET18, "-o", out)
    assert run_json(*arguments)["computed"] == 6
    before = times(out)
    report = run_json(*arguments, "--batch", "3", "--threads", "1")
    assert (report["computed"], report["skipped"], report["network"]) == (0, 6, None)
    assert times(out) == before

    # One output is gone, one is cut short, one image is another, and one is new.
    (out / "0.png.npz").unlink()
    with (out / "1.png.npz").open("r+b") as file:
        file.truncate(100)
    write_image(photos / "2.png", noise(40, 44, 20))
    write_image(photos / "new.png", noise(40, 40, 21))
    report = run_json(*arguments)
    assert (report["computed"], report["skipped"]) == (4, 3)
    assert computed_again(before, times(out)) == {"0.png.npz", "1.png.npz", "2.png.npz", "new.png.npz"}
    assert np.load(out / "2.png.npz")["C2"].shape == (4, 10, 11)


def test_other_settings_do_not_replace_what_is_there_unless_asked(tmp_path, photos):
    out = tmp_path / "out"
    arguments = ("features", photos, "-w", RESNET18, "-o", out)
    run_json(*arguments)
    before = times(out)
    message = error_of(*arguments, "--resize", "32x48", status=1)
    assert message.startswith(f"{out}/0.png.npz and 5 more came of other settings (resize: none, now [32, 48])")
    message = error_of("features", photos, "-w", RESNET50, "-o", out, status=1)
    assert "settings (weights: " in message
    assert times(out) == before
    report = run_json("features", photos / "3.png", "-w", RESNET18, "-o", out, "--resize", "32x48", "--overwrite")
    assert report["computed"] == 1
    assert computed_again(before, times(out)) == {"3.png.npz"}
    # Another format is another file.
    assert run_json(*arguments, "--format", "safetensors", "--pool", "avg")["computed"] == 6


# Each changes features, so what was made without it must not be taken for what is made with it.
SETTINGS = {
    "arithmetic": ["--arithmetic", "direct"],
    "channel_order": ["--channel-order", "reversed"],
    "crop": ["--crop", "20"],
    "input_channels": ["--input-channels", "2,1,0"],
    "key": ["--key", ""],
    "max_size": ["--max-size", "20"],
    "mean": ["--mean", "1,2,3"],
    "pool": ["--pool", "avg"],
    "prefix": ["--prefix", ""],
    "resize": ["--resize", "20"],
    "stages": ["--stages", "C2,C3"],
    "std": ["--std", "1,2,3"],
    "style": ["--style", "caffe"],
    "weights": ["-w", RESNET50],
}


def test_every_setting_that_features_depend_on_is_noted(tmp_path, photos):
    out = tmp_path / "out"
    plain = ("features", photos / "0.png", "-w", RESNET18, "-o", out)
    assert set(run_json(*plain)["settings"]) == set(SETTINGS)
    for name, options in SETTINGS.items():
        message = error_of(*plain, *options, status=1)
        assert message.startswith(f"{out}/0.png.npz came of other settings ({name}: "), message
    # These change the way, not the result.
    for options in (["--threads", "1"], ["--batch", "3"], ["--decoders", "1"], ["--max-pixels", "5000"]):
        assert run_json(*plain, *options)["skipped"] == 1


def test_rounding_is_noted_where_it_is_not_down(tmp_path, photos):
    plain = ("features", photos / "0.png", "-w", RESNET18, "-o", tmp_path / "out", "--resize", "20")
    assert "rounding" not in run_json(*plain)["settings"]
    assert run_json(*plain, "--rounding", "down")["skipped"] == 1
    message = error_of(*plain, "--rounding", "nearest", status=1)
    assert "came of other settings (rounding: " in message
    detectors = (*plain[:-3], tmp_path / "detectors", "--resize", "20", "--max-size", "33")
    assert run_json(*detectors)["settings"]["rounding"] == "nearest"
    assert run_json(*detectors, "--rounding", "nearest")["skipped"] == 1
    assert "rounding" in error_of(*detectors, "--rounding", "down", status=1)


def test_the_same_weights_in_another_place_are_the_same(tmp_path, photos):
    copy = tmp_path / "copy.pth"
    copy.write_bytes(open(RESNET18, "rb").read())
    run_json("features", photos, "-w", RESNET18, "-o", tmp_path / "out")
    assert run_json("features", photos, "-w", copy, "-o", tmp_path / "out")["computed"] == 0
    copy.write_bytes(open(RESNET50, "rb").read())
    assert "weights" in error_of("features", photos, "-w", copy, "-o", tmp_path / "out", status=1)


def test_a_journal_that_ends_in_the_middle_of_a_line(tmp_path, photos):
    out = tmp_path / "out"
    run_json("features", photos, "-w", RESNET18, "-o", out)
    journal = out / "features.jsonl"
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join(lines[:-1]) + "\n" + lines[-1][:25])
    before = times(out)
    assert run_json("features", photos, "-w", RESNET18, "-o", out)["computed"] == 1
    assert computed_again(before, times(out)) == {json.loads(lines[-1])["output"]}
    assert run_json("features", photos, "-w", RESNET18, "-o", out)["computed"] == 0


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """So many that a run takes a second or two, and its features without an interruption."""
    folder = tmp_path_factory.mktemp("many")
    for index in range(60):
        write_image(folder / f"photos/{index}.png", noise(300, 400, index))
    run_json("features", folder / "photos", "-w", RESNET18, "-o", folder / "whole", "--stages", "C5")
    return folder


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=lambda number: number.name)
def test_a_run_that_is_stopped_goes_on_where_it_was(tmp_path, many, number):
    out = tmp_path / "out"
    arguments = ("features", many / "photos", "-w", RESNET18, "-o", out, "--stages", "C5", "--batch", "4")
    process = start(*arguments, "--threads", "1", "--decoders", "1")
    deadline = time.monotonic() + 60
    while len(list(out.glob("*.npz"))) < 6 and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    if number == signal.SIGINT:
        assert stdout == "" and stderr.startswith("error: interrupted: ") and stderr.count("\n") == 1
        assert not list(out.glob(".*"))
        done = int(stderr.split()[2])
    else:
        # At most the file that was being noted is not in the journal.
        noted = [line for line in (out / "features.jsonl").read_text().splitlines() if '"output"' in line]
        done = len(noted)
        assert len(list(out.glob("*.npz"))) - done in (0, 1)
    assert 6 <= done < 60
    before = times(out)
    report = run_json(*arguments)
    assert (report["computed"], report["skipped"]) == (60 - done, done)
    assert len(computed_again(before, times(out))) == 60 - done
    assert sorted(os.listdir(out)) == sorted(os.listdir(many / "whole"))
    for path in (many / "whole").glob("*.npz"):
        np.testing.assert_array_equal(np.load(out / path.name)["C5"], np.load(path)["C5"])
