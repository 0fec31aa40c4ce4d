# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Small parts of Markdown."""

from __future__ import annotations

import re


def table(header: list[str], rows: list[list[str]]) -> str:
    """A table."""
    lines = [header, ["---"] * len(header), *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def first_sentence(text: str) -> str:
    """The first sentence of a comment, in one line and without its point."""
    paragraph = re.split(r"\n\s*\n", text.strip(), maxsplit=1)[0]
    line = " ".join(paragraph.split())
    sentence = re.split(r"(?<! al)(?<=[a-zA-Z0-9)`\"])[.](?= |$)|:$", line, maxsplit=1)[0]
    return sentence.rstrip(".")
