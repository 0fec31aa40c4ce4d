# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What a block of a document means: its commands, what it needs, whether an output is the one that is shown."""

from __future__ import annotations

import re
import subprocess

from frames import FRAMES
from markdown import ROOT, Element


def needs(block: Element) -> str:
    """ "torch" or "ray" if a block of Python imports it, or builds on a block that does; else nothing."""
    if block.language != "python":
        return ""
    if re.search(r"^import torch|^from backbone\.torch", block.text, re.M):
        return "torch"
    return "ray" if re.search(r"\bray\b|pyarrow", block.text) else ""


def is_fragment(block: Element) -> bool:
    """Whether a block is a part of a program, around which a frame has to be put."""
    return block.language in FRAMES and "int main(" not in block.text


def commands(block: Element) -> list[str]:
    """The commands of a block: its lines, of which one may end in a backslash and go on in the next."""
    return [line for line in block.text.replace("\\\n", "").splitlines() if line and not line.startswith("#")]


def check_options(command: str) -> None:
    """Check that a script of the repository, which may be named without its options' values, knows these options."""
    script, *arguments = command.split()
    path = ROOT / script
    assert path.is_file(), f"missing {script}"
    options = [argument for argument in arguments if argument.startswith("--")]
    known = subprocess.run([path, "--help"], capture_output=True, text=True, check=True).stdout
    for option in options:
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", known), f"{script} --help does not know {option}: {command}"


def matches(expected: str, actual: str) -> bool:
    """Whether a program printed what a page shows, where "..." stands for anything, alone in a line for any lines."""
    pattern = ""
    for line in expected.splitlines():
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += re.escape(line.rstrip()).replace(r"\.\.\.", ".*") + r" *\n"
    return re.fullmatch(pattern, actual if actual.endswith("\n") else actual + "\n") is not None
