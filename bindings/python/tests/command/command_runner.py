# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Running `backbone` in this process and in one of its own, and what the tests give it."""

import functools
import io
import json
import os
import signal
import subprocess
import sys

import numpy as np
from click.testing import CliRunner
from fixture_cases import MODELS
from PIL import Image

import backbone
from backbone.command.group import commands

RESNET18, RESNET50 = (str(MODELS / f"resnet{depth}.pth") for depth in (18, 50))
STAGES = ("C2", "C3", "C4", "C5")


def run(*arguments, expect=0, stdin=None):
    """What the command writes in this process; it must end with that status."""
    result = CliRunner().invoke(commands, [str(argument) for argument in arguments], input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == expect, (result.exit_code, result.stdout, result.stderr)
    return result


def run_json(*arguments, expect=0):
    return json.loads(run(*arguments, "--json", expect=expect).stdout)


def error_of(*arguments, status):
    """The one line that says what went wrong."""
    result = run(*arguments, expect=status)
    assert result.stdout == ""
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1, result.stderr
    return result.stderr.removeprefix("error: ").rstrip("\n")


def start(*arguments, **options):
    """The command as a process of its own, which can be interrupted also where the tests cannot (nohup)."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "backbone", *map(str, arguments)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    interruptible = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(command, env=environment, preexec_fn=interruptible, **options)


def noise(height, width, seed):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def write_image(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, path.suffix[1:].upper().replace("JPG", "JPEG"))
    path.write_bytes(buffer.getvalue())
    return path


def network(weights=RESNET18, **options):
    """What the command should compute with."""
    statistics = {"mean": backbone.IMAGENET_MEAN, "std": backbone.IMAGENET_STD}
    return backbone.ResNet.from_file(weights, **(statistics | options))
