# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The paragraphs, list items, headings and table cells of a page, without its code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .passages import Passage, passage

FENCE = re.compile(r"^\s*(```+|~~~+)")
LIST_ITEM = re.compile(r"^\s*(?:[-*+]|\d+\.)\s+")
HEADING = re.compile(r"^#+\s+")
TARGET = re.compile(r"\]\([^)]*\)")
TAG = re.compile(r"<[^>]+>")
# A separator of cells, not one in code.
CELLS = re.compile(r"\|(?=(?:[^`]*`[^`]*`)*[^`]*$)")


def passages_of(text: str) -> Iterator[Passage]:
    """What a reader reads as one: a paragraph, an item, a heading, a cell."""
    lines: list[tuple[int, str]] = []
    for number, line in prose_lines(text):
        starts_anew = line is None or bool(LIST_ITEM.match(line) or HEADING.match(line))
        if starts_anew or (line is not None and line.lstrip().startswith("|")):
            if lines:
                yield passage(lines)
            lines = []
        if line is None:
            continue
        if line.lstrip().startswith("|"):
            yield from (passage([(number, cell)]) for cell in CELLS.split(line) if cell.strip())
            continue
        lines.append((number, LIST_ITEM.sub("", HEADING.sub("", line))))
        if HEADING.match(line):
            yield passage(lines)
            lines = []
    if lines:
        yield passage(lines)


def prose_lines(text: str) -> Iterator[tuple[int, str | None]]:
    """Numbered lines without code, whose place None takes, as that of a blank line."""
    fence = ""
    in_list = after_blank = in_code = False
    for number, line in enumerate(text.split("\n"), 1):
        mark = FENCE.match(line)
        if fence or mark:
            if not fence and mark:
                fence = mark.group(1)
            elif mark and mark.group(1).startswith(fence):
                fence = ""
            yield number, None
            continue
        blank = not line.strip()
        indented = line.startswith("    ")
        if blank:
            yield number, None
        elif indented and not in_list and (after_blank or in_code):
            in_code = True
            yield number, None
            after_blank = False
            continue
        else:
            goes_on = in_list and (line.startswith("  ") or not after_blank)
            in_list = goes_on or bool(LIST_ITEM.match(line))
            in_code = False
            yield number, TAG.sub(" ", TARGET.sub("]", line))
        after_blank = blank
        in_code = in_code and blank
