# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What is written to the terminal: tables, progress, JSON, and text from files."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click


def printable(text: str) -> str:
    """`text` in one line without control characters: names come from files, and could steer the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def counted_images(count: int) -> str:
    """ "1 image", "2 images"."""
    return f"{count} image" if count == 1 else f"{count} images"


def print_json(value: Any) -> None:
    """Write one JSON object."""
    click.echo(json.dumps(value, indent=2))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = "", last: bool = False) -> None:
    """Write a table; columns whose names begin with ">" are aligned to the right.

    Args:
        columns: names of the columns.
        rows: cells of any type; a float is shown with three significant digits.
        title: a line above it.
        last: whether the last row is a sum, below a line.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column.lstrip(">"), justify="right" if column.startswith(">") else "left", overflow="fold")
    for index, row in enumerate(rows):
        table.add_row(*(Text(printable(_cell(value))) for value in row), end_section=last and index == len(rows) - 2)
    # A terminal has a width; lines for a file or a program are not limited.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 10_000)
    console.print(table)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return str(value)


def warn(text: str) -> None:
    """Write a warning to the standard error."""
    click.echo(f"warning: {printable(text)}", err=True)


def note(text: str) -> None:
    """Write a line that is not a result to the standard error."""
    click.echo(text, err=True)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on the standard error, if that is a terminal, which is gone at the end.

    Yields: the function that is told how many more are done.
    """
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)
