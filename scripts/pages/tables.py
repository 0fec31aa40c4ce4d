# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The parts of docs/reference that are made of the headers, the docstrings and the command line.

Each is between the lines BEGIN and END of its page. `scripts/docs --write` writes them; a test compares.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pages import DOCS, command, headers, modules

BEGIN = "<!-- scripts/docs --write: begin -->"
END = "<!-- scripts/docs --write: end -->"

TABLES: dict[str, Callable[[], str]] = {
    "c": headers.functions,
    "cpp": headers.classes,
    "python": modules.names,
    "command": command.options,
}


def page_of(name: str) -> Path:
    """The page that has one of TABLES."""
    return DOCS / "reference" / f"{name}.md"


def updated(name: str) -> str:
    """The page with its table as it is to be.

    Raises:
        ValueError: the page lacks the lines that the table is put between.
    """
    page = page_of(name)
    head, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} lacks the lines {BEGIN} and {END}")
    return f"{head}{BEGIN}\n\n{TABLES[name]()}\n{END}{tail}"


def write_tables() -> None:
    """Bring all pages up to date."""
    for name in TABLES:
        page_of(name).write_text(updated(name), encoding="utf-8")
