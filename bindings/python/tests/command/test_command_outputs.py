# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Outputs of `backbone features` that cannot be written, and several runs into one folder."""

import errno
import json
import os
import signal
import stat
import time

import numpy as np
import pytest
from command_runner import RESNET18, network, noise, run, run_json, start, write_image

from backbone.command.journal import Journal
from backbone.command.outputs import remove_abandoned, write_features, written

SMALL = ("-w", RESNET18, "--stages", "C5")


@pytest.fixture
def photos(tmp_path):
    for index in range(4):
        write_image(tmp_path / f"photos/{index}.png", noise(40, 40, index))
    return tmp_path / "photos"


def values(path):
    with np.load(path) as arrays:
        return arrays["C5"]


# With .npz these have 255 bytes, the most that Linux takes.
@pytest.mark.parametrize("stem", ["0" * 247, "図" * 82 + "x"], ids=["ascii", "of three bytes"])
@pytest.mark.parametrize("kind", ["npz", "safetensors"])
def test_names_as_long_as_a_file_system_takes(tmp_path, photos, stem, kind):
    name = stem + ".png" if kind == "npz" else stem[: -8 if stem[0] == "0" else -4] + ".png"
    write_image(photos / name, noise(40, 40, 9))
    report = run_json("features", photos, *SMALL, "-o", tmp_path / "out", "--format", kind)
    assert (report["computed"], report["failed"]) == (5, [])
    assert sorted(os.listdir(tmp_path / "out")) == sorted(
        ["features.jsonl", *(f"{image}.{kind}" for image in os.listdir(photos))]
    )
    assert run_json("features", photos, *SMALL, "-o", tmp_path / "out", "--format", kind)["skipped"] == 5


def test_outputs_that_cannot_be_written_are_reported_and_the_others_done(tmp_path, photos):
    long = "x" * 251 + ".png"
    write_image(photos / long, noise(40, 40, 7))
    write_image(photos / "folder/a.png", noise(40, 40, 8))
    out = tmp_path / "out"
    # In the place of one output is a folder, and in that of a folder is a file.
    (out / "2.png.npz/inside").mkdir(parents=True)
    (out / "folder").touch()
    arguments = ("features", photos, *SMALL, "-o", out, "--batch", "2")
    result = run(*arguments, expect=1)
    assert "6 images: 3 computed" in result.stdout and "3 failed" in result.stdout
    normalised, *errors = result.stderr.splitlines()
    assert "ImageNet" in normalised
    assert set(errors) == {
        f"error: {photos}/2.png: {out}/2.png.npz: {os.strerror(errno.EISDIR)}",
        f"error: {photos}/{long}: {out}/{long}.npz: {os.strerror(errno.ENAMETOOLONG)}",
        f"error: {photos}/folder/a.png: {out}/folder: {os.strerror(errno.EEXIST)}",
    }
    assert {path.name for path in out.glob("*.npz") if path.is_file()} == {"0.png.npz", "1.png.npz", "3.png.npz"}
    assert not list(out.glob(".*"))
    report = run_json(*arguments, expect=1)
    assert (report["computed"], report["skipped"], len(report["failed"])) == (0, 3, 3)


def test_outputs_have_the_permissions_of_new_files(tmp_path, photos):
    before = os.umask(0o027)
    try:
        run("features", photos, *SMALL, "-o", tmp_path / "out")
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").iterdir()} == {0o640}


def test_runs_into_one_folder_at_once(tmp_path, photos):
    for index in range(4, 30):
        write_image(photos / f"{index}.png", noise(120, 160, index))
    out = tmp_path / "out"
    runs = [start("features", photos, *SMALL, "-o", out, "--batch", "2", "--threads", "1") for _ in range(3)]
    for process in runs:
        stdout, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stdout
        # A run whose images others have computed normalises none.
        assert all(line.startswith("pixels normalised") for line in stderr.splitlines()), stderr
    images = {path.name for path in photos.iterdir()}
    assert set(os.listdir(out)) == {"features.jsonl", *(f"{name}.npz" for name in images)}
    # Every line is whole, and every output is in the journal.
    rows = [json.loads(line) for line in (out / "features.jsonl").read_text().splitlines()]
    assert {row["output"] for row in rows if "output" in row} == {f"{name}.npz" for name in images}
    assert run_json("features", photos, *SMALL, "-o", out)["skipped"] == 30
    run("features", photos, *SMALL, "-o", tmp_path / "alone")
    for name in images:
        np.testing.assert_array_equal(values(out / f"{name}.npz"), values(tmp_path / f"alone/{name}.npz"))


def test_the_last_line_is_of_the_output_that_is_there(tmp_path):
    """Two runs with other settings, of which the second writes while the first is about to note its output."""
    image, out = tmp_path / "x.png", tmp_path / "out"
    write_image(image, noise(4, 4, 1))
    first, second = Journal(out, {"resize": 1}), Journal(out, {"resize": 2})
    with first, second:
        with open(image, "rb") as file, first.recorded("x.npz", str(image), file):
            pid = os.fork()
            if pid == 0:
                try:
                    with second.recorded("x.npz", str(image), file):
                        (out / "second").touch()
                finally:
                    os._exit(0)
            # The other one waits until this one has noted its output; without a lock this is time enough.
            time.sleep(0.2)
            assert os.waitpid(pid, os.WNOHANG) == (0, 0)
            assert not (out / "second").exists()
        os.waitpid(pid, 0)
    ids = [json.loads(line)["settings"] for line in (out / "features.jsonl").read_text().splitlines()]
    assert len(ids) == 4 and ids[2:] == ids[:2] and ids[0] != ids[1]


def test_a_cut_line_does_not_swallow_the_next_and_a_whole_one_is_followed_at_once(tmp_path):
    image = write_image(tmp_path / "x.png", noise(4, 4, 1))
    for end, lines in (("", 3), ('\n{"output": "y', 4)):
        out = tmp_path / f"out{lines}"
        with Journal(out, {}) as journal, open(image, "rb") as file, journal.recorded("x.npz", str(image), file):
            pass
        path = out / "features.jsonl"
        path.write_text(path.read_text().rstrip("\n") + (end or "\n"))
        with Journal(out, {}) as journal, open(image, "rb") as file, journal.recorded("z.npz", str(image), file):
            pass
        text = path.read_text()
        assert text.count("\n") == lines and json.loads(text.splitlines()[-1])["output"] == "z.npz"


def test_unfinished_files_of_killed_runs_are_removed_and_those_of_others_are_not(tmp_path, photos):
    write_image(photos / "a/x.png", noise(40, 40, 5))
    out = tmp_path / "out"
    pid = os.fork()
    if pid == 0:
        with written(str(out / "a/x.png.npz")) as file:
            file.write(b"half")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    (left,) = (out / "a").iterdir()
    others = [out / "a/.0123456789abcdef.partial", out / "a/.x.partial", out / "a/x.partial"]
    for path in others:
        path.write_text("of another machine, or not of this program")
    with written(str(out / "a/b.npz")) as file:
        assert run_json("features", photos, *SMALL, "-o", out)["computed"] == 5
        assert not left.exists() and all(path.exists() for path in others)
        file.write(b"whole")
    assert (out / "a/b.npz").read_bytes() == b"whole"
    remove_abandoned(str(tmp_path / "absent"))


def test_a_file_that_fails_leaves_nothing_behind(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"old")
    for error in (ValueError("x"), KeyboardInterrupt()):
        with pytest.raises(type(error)), written(str(tmp_path / "x.npz")) as file:
            file.write(b"new")
            raise error
        assert os.listdir(tmp_path) == ["x.npz"] and (tmp_path / "x.npz").read_bytes() == b"old"
    # Nothing is visible under the name before all of it is on its way to the disk.
    with written(str(tmp_path / "x.npz")) as file:
        file.write(b"new")
        assert (tmp_path / "x.npz").read_bytes() == b"old"
    assert (tmp_path / "x.npz").read_bytes() == b"new"


def test_the_journal_is_of_the_bytes_that_are_there(tmp_path):
    sizes = []

    class Placing:
        def __init__(self, file):
            self.size = os.fstat(file.fileno()).st_size

        def __enter__(self):
            assert not (tmp_path / "x.npz").exists()

        def __exit__(self, *_):
            sizes.append((self.size, (tmp_path / "x.npz").stat().st_size))

    size = write_features(str(tmp_path / "x.npz"), {"C5": np.zeros((3, 2, 2), np.float32)}, Placing)
    assert sizes == [(size, size)]


def test_features_are_the_librarys(tmp_path, photos):
    run("features", photos, *SMALL, "-o", tmp_path / "out")
    with network(out_indices=(3,)) as net:
        expected = net(noise(40, 40, 2).transpose(2, 0, 1)[None])[0][0]
    np.testing.assert_array_equal(values(tmp_path / "out/2.png.npz"), expected)
