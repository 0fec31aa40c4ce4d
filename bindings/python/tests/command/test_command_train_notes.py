# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Notes in checkpoints that somebody has changed, and the bar on a terminal."""

import json
import os
import pty
import random
import select
import shutil
import subprocess
import sys
import zipfile

import pytest
from click.testing import CliRunner
from striped_folders import write_folders

from backbone.command.group import commands
from backbone.training import read_notes

VALUES = (None, True, -1, 10**30, 0.5, float("nan"), "text", [], [1], {}, {"a": 1})


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notes")
    write_folders(folder / "images", {"a": 5, "b": 5}, height=16, width=16)
    arguments = ("--architecture", "resnet20", "--size", 16, "--epochs", 2, "--batch", 8, "--threads", 1)
    invoked(folder, "train", folder / "images", "-o", folder / "out", *arguments)
    return folder


def invoked(folder, *arguments):
    result = CliRunner().invoke(commands, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def with_notes(source, target, text):
    """A copy of a checkpoint with other notes."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = text if name.endswith("/extra/backbone.json") else old.read(name)
            new.writestr(name, data)


def changes(notes):
    """Copies of the notes, each with one value that is missing, of the wrong type or out of range."""
    rng = random.Random(8)
    for parent in ([], ["settings"], ["progress"], ["network"], ["progress", "best"]):
        for name in [*parent_of(notes, parent)]:
            changed = json.loads(json.dumps(notes))
            value = rng.choice((*VALUES, "none"))
            if value == "none":
                del parent_of(changed, parent)[name]
            else:
                parent_of(changed, parent)[name] = value
            yield f"{parent} {name} {value}", changed


def parent_of(notes, keys):
    for key in keys:
        notes = notes[key]
    return notes


def assert_sound(result, what):
    assert result.exit_code in (0, 1), what
    assert "Traceback" not in result.stderr, what
    if result.exit_code:
        lines = [line for line in result.stderr.splitlines() if not line.startswith("warning: ")]
        assert len(lines) == 1 and lines[0].startswith("error: "), (what, result.stderr)


def test_changed_notes_are_refused_or_do_no_harm(tmp_path, trained, monkeypatch):
    # Pictures would take most of the time.
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    notes = read_notes(trained / "out/last.pth")
    refused = 0
    (tmp_path / "out").mkdir()
    for what, changed in changes(notes):
        # Every epoch is done: nothing would be computed for long.
        if what.startswith("['settings'] epochs"):
            continue
        with_notes(trained / "out/last.pth", tmp_path / "out/last.pth", json.dumps(changed))
        arguments = ("train", trained / "images", "-o", tmp_path / "out", "--resume")
        result = invoked(tmp_path, *arguments)
        assert_sound(result, what)
        refused += result.exit_code
        if "settings" in what or "network" in what:
            arguments = ("evaluate", trained / "images", "-w", tmp_path / "out/last.pth", "--threads", 1)
            assert_sound(invoked(tmp_path, *arguments), what)
    assert refused > 30


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "[" * 100_000, b"\xff\xfe"])
def test_notes_that_are_no_object(tmp_path, trained, text):
    (tmp_path / "out").mkdir()
    with_notes(trained / "out/last.pth", tmp_path / "out/last.pth", text)
    for arguments in (
        ("train", trained / "images", "-o", tmp_path / "out", "--resume"),
        ("evaluate", trained / "images", "-w", tmp_path / "out/last.pth"),
    ):
        result = invoked(tmp_path, *arguments)
        assert result.exit_code == 1
        assert_sound(result, text[:20])
        assert "notes of the training" in result.stderr


def test_a_state_that_was_cut_short(tmp_path, trained):
    shutil.copytree(trained / "out", tmp_path / "out")
    content = (tmp_path / "out/last.pth").read_bytes()
    for size in (0, 10, len(content) // 2, len(content) - 1):
        (tmp_path / "out/last.pth").write_bytes(content[:size])
        result = invoked(tmp_path, "train", trained / "images", "-o", tmp_path / "out", "--resume")
        assert result.exit_code == 1
        assert_sound(result, size)


def test_a_terminal_shows_a_bar_with_numbers(tmp_path, trained):
    command = [sys.executable, "-m", "backbone", "train", trained / "images", "-o", tmp_path / "out"]
    command += ["--architecture", "resnet20", "--size", 160, "--epochs", 3, "--batch", 1, "--threads", 1]
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm", "COLUMNS": "160"}
    with open(tmp_path / "lines", "w") as lines:
        process = subprocess.Popen(list(map(str, command)), stdout=lines, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            data = os.read(ours, 4096)
        except OSError:
            break
        if not data:
            break
        shown += data
    assert process.wait(timeout=60) == 0
    os.close(ours)
    text = shown.decode()
    assert "epoch 1/3" in text and "images/s" in text and "loss " in text and "left" in text
    # Lines go where they were sent, and the bar leaves nothing there.
    printed = (tmp_path / "lines").read_text().splitlines()
    assert [line.split()[0] for line in printed] == ["resnet20,", "epoch", "epoch", "epoch", "best:"]
