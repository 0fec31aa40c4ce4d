# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The images of a command's arguments, and the names of their outputs."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import click

from ..images import SUFFIXES, files_in


@dataclass(frozen=True)
class Source:
    """An image.

    Attributes:
        path: as given, or found in a given folder.
        name: the path below the common folder of all arguments; no two images have the same.
    """

    path: str
    name: str


def sources_of(arguments: Sequence[str], root: str | None) -> list[Source]:
    """The images of the arguments, each once, in the order of the arguments.

    Args:
        arguments: files; folders, of which all images below are taken in the order of their names, hidden ones
            excepted; patterns ("photos/**/*.jpg"); "@list.txt" for a file with one of these in each line, "-" for such
            lines from the standard input.
        root: the folder that names are relative to; None: the deepest folder that has all that the arguments name.

    Raises:
        click.ClickException: an argument has no image; an image is outside of `root`.
        OSError: a list or a folder cannot be read.
    """
    found: dict[str, str] = {}
    folders = set()
    for argument in _with_lists(arguments):
        folder, paths = _expanded(argument)
        folders.add(os.path.abspath(folder))
        for path in paths:
            found.setdefault(os.path.abspath(path), path)
    if not found:
        raise click.ClickException(f"no image is named in {', '.join(arguments)}; list one path per line")
    top = os.path.commonpath(folders) if root is None else os.path.abspath(root)
    return [Source(path, _name(absolute, top)) for absolute, path in found.items()]


def _with_lists(arguments: Iterable[str]) -> Iterator[str]:
    for argument in arguments:
        if argument == "-":
            yield from _lines(sys.stdin.buffer.read())
        elif argument.startswith("@"):
            with open(argument[1:], "rb") as file:
                yield from _lines(file.read())
        else:
            yield argument


def _lines(data: bytes) -> Iterator[str]:
    return (os.fsdecode(line) for line in data.splitlines() if line.strip())


def _expanded(argument: str) -> tuple[str, list[str]]:
    """The folder that an argument names, and its images."""
    if os.path.isdir(argument):
        paths = files_in(argument)
        if not paths:
            raise click.ClickException(
                f"{argument}: the folder holds no images ({' '.join(sorted(SUFFIXES))}); pass another folder or files"
            )
        return argument, paths
    if glob.has_magic(argument) and not os.path.lexists(argument):
        paths = [path for path in sorted(glob.glob(argument, recursive=True)) if os.path.isfile(path)]
        if not paths:
            raise click.ClickException(f"{argument}: no file fits the pattern; check the folder and the pattern")
        folder = argument
        while glob.has_magic(folder):
            folder = os.path.dirname(folder)
        return folder, paths
    return os.path.dirname(argument), [argument]


def _name(path: str, top: str) -> str:
    name = os.path.relpath(path, top)
    if name == os.pardir or name.startswith(os.pardir + os.sep):
        raise click.UsageError(
            f"{path} is outside of the folder {top} that --root names; pass a folder that contains all images"
        )
    return name
