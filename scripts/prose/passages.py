# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""A passage: text that a reader reads as one, such as a paragraph, a comment or a message, with its place in a file."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable
from dataclasses import dataclass

# Code in a sentence. One word replaces it, so that the words around it keep their distance.
CODE = re.compile(r"``[^`]+``|`[^`]*`")
WHITE = re.compile(r"\s+")


@dataclass(frozen=True)
class Passage:
    """Text with single spaces in place of line breaks, and the offsets at which its lines begin."""

    text: str
    offsets: tuple[int, ...]
    lines: tuple[int, ...]

    def line_of(self, offset: int) -> int:
        """The line of the file that holds a character of the text."""
        return self.lines[bisect.bisect_right(self.offsets, offset) - 1]


def passage(lines: Iterable[tuple[int, str]]) -> Passage:
    """Joins numbered lines. Code between backticks may go on in the next line, so it is replaced after joining."""
    numbers: list[int] = []
    starts: list[int] = []
    text = ""
    for number, line in lines:
        words = WHITE.sub(" ", line).strip()
        if not words:
            continue
        text += " " if text else ""
        starts.append(len(text))
        numbers.append(number)
        text += words
    return Passage(CODE.sub(blanked, text), tuple(starts), tuple(numbers))


def blanked(match: re.Match[str]) -> str:
    """As many characters, so that offsets stay right."""
    return "`" + "_" * (len(match.group()) - 2) + "`"
