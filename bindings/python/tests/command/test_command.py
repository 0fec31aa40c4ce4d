# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The command as a whole: help, version, errors, processes, terminals."""

import json
import os
import pty
import re
import subprocess
import sys
import time

import click
import pytest
from command_runner import RESNET18, error_of, noise, run, run_json, start, write_image

import backbone
from backbone.command import group

COMMANDS = (
    "features",
    "classify",
    "heatmap",
    "gradcam",
    "saliency",
    "inspect",
    "convert",
    "train",
    "evaluate",
    "bench",
    "layers",
    "memory",
)


def test_help_lists_every_command():
    for arguments in (["--help"], ["-h"]):
        text = run(*arguments).stdout
        assert re.findall(r"^  (\w+)  ", text.split("Commands:")[1], re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_every_option_and_says_what_it_does(name):
    text = run(name, "--help").stdout
    command = group.commands.get_command(click.Context(group.commands), name)
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
            for option in parameter.opts:
                assert re.search(rf"(^|[\s,]){re.escape(option)}\b", text, re.MULTILINE), option
        else:
            assert parameter.make_metavar(click.Context(command)) in text
    assert "--json" in text and "--help" in text


def test_version():
    assert run("--version").stdout == f"backbone {backbone.__version__} (libbackbone {backbone.library_version()})\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing command"),
        (["feature"], "No such command 'feature'"),
        (["--verbose"], "No such option '--verbose'"),
        (["inspect"], "Missing argument 'FILE'"),
        (["inspect", "a", "b"], "unexpected extra argument"),
        (["heatmap", "x.png", "--wieghts", "y"], "No such option '--wieghts'"),
    ],
)
def test_wrong_usage_ends_with_2_and_a_hint(arguments, message):
    text = error_of(*arguments, status=2)
    assert message in text and re.search(r"\(see 'backbone( inspect| heatmap)? --help'\)$|\(see '.*--help'\)$", text)


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (ValueError("a\nb"), 1, "error: a\\nb"),
        (MemoryError(), 1, "error: out of memory"),
        (FileNotFoundError(2, "No such file or directory", "x"), 1, "error: x: No such file or directory"),
        (FileNotFoundError("x: the library's words"), 1, "error: x: the library's words"),
        (OSError(28, "No space left on device"), 1, "error: No space left on device"),
        (backbone.MismatchError("shapes"), 1, "error: shapes"),
        (KeyboardInterrupt(), 130, "error: interrupted"),
        (group.Interrupted("stopped at 3"), 130, "error: stopped at 3"),
    ],
)
def test_errors_of_the_library_are_one_line(monkeypatch, error, status, line):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr("backbone.command.inspect.inspect", fail)
    result = run("inspect", "x", expect=status)
    # click ends the line on which a terminal shows ^C.
    assert (result.stdout, result.stderr.lstrip("\n")) == ("", f"{line}\n")


def test_faults_of_the_program_are_not_hidden(monkeypatch):
    monkeypatch.setattr("backbone.command.inspect.inspect", lambda *arguments, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("inspect", "x")


# ---- As processes ----


def output_of(*arguments, **options):
    process = start(*arguments, **options)
    stdout, stderr = process.communicate(timeout=120)
    return process.returncode, stdout, stderr


def test_processes_say_the_same(tmp_path):
    assert output_of("--version") == (0, run("--version").stdout, "")
    status, stdout, stderr = output_of("inspect", RESNET18, "--json")
    assert (status, json.loads(stdout), stderr) == (0, run_json("inspect", RESNET18), "")
    status, stdout, stderr = output_of("inspect", tmp_path / "absent.pth")
    assert (status, stdout) == (1, "") and stderr.startswith("error: ") and stderr.count("\n") == 1
    status, stdout, stderr = output_of("convert")
    assert (status, stdout) == (2, "") and "backbone convert --help" in stderr and stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [("inspect", "--names"), ("inspect", "--json"), ("inspect",)])
def test_who_stops_reading_gets_no_traceback(arguments):
    read, write = os.pipe()
    os.close(read)
    status, _, stderr = output_of(*arguments, RESNET18, stdout=write)
    os.close(write)
    assert (status, stderr) == (1, "")


def test_tables_for_programs_are_as_wide_as_they_are():
    _, stdout, _ = output_of("layers", "-w", RESNET18, "--size", "64", "--repeat", "1")
    (line,) = [line for line in stdout.splitlines() if line.startswith("layer4.0.downsample.0")]
    assert "convolutionF32_" in line and "1 x 32 x 2 x 2" in line and "..." not in line


def on_terminal(*arguments):
    """What the command writes to a terminal on its standard error."""
    main, other = pty.openpty()
    process = start(*arguments, stderr=other)
    os.close(other)
    text, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            block = os.read(main, 4096)
        except OSError:  # The other end is closed.
            break
        text += block
    stdout, _ = process.communicate(timeout=60)
    os.close(main)
    return process.returncode, stdout, text.decode()


def test_long_work_shows_progress_on_a_terminal_only(tmp_path):
    for index in range(3):
        write_image(tmp_path / f"photos/{index}.png", noise(40, 40, index))
    work = [
        ("bench", "-w", RESNET18, "--size", "32", "--repeat", "4", "--warm-up", "1"),
        ("layers", "-w", RESNET18, "--size", "32", "--repeat", "4"),
        ("features", tmp_path / "photos", "-w", RESNET18, "-o", tmp_path / "out"),
    ]
    for arguments in work:
        status, stdout, text = on_terminal(*arguments, "--json")
        assert status == 0 and isinstance(json.loads(stdout), dict)
        assert arguments[0] in text and ("3/3" if arguments[0] == "features" else "5/5") in text
    assert output_of(*work[0])[2] == ""


# ---- The cost of an import ----


def test_importing_the_package_imports_nothing_of_the_command():
    program = "import sys, backbone; print(*{name.split('.')[0] for name in sys.modules})"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    loaded = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert {"click", "rich", "PIL", "safetensors"} & set(loaded.stdout.split()) == set()
