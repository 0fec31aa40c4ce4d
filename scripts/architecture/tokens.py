# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Swift source as tokens: words and punctuation, without comments and the text of literals."""

from __future__ import annotations

import re

# What opens a literal or a comment, a word, or any other character that is not white space.
TOKEN = re.compile(r"//[^\n]*|/\*|\"\"\"|\"|`?[A-Za-z_][A-Za-z0-9_]*`?|[0-9][0-9A-Za-z_.]*|->|\S")


def tokens_of(text: str) -> list[str]:
    """The tokens of a file. What a literal interpolates is code, and so among them."""
    found: list[str] = []
    read(text, 0, found, ends_at_parenthesis=False)
    return found


def read(text: str, position: int, found: list[str], ends_at_parenthesis: bool) -> int:
    """Reads code up to its end, or to the parenthesis that ends an interpolation; returns what follows."""
    depth = 0
    while match := TOKEN.search(text, position):
        token, position = match.group(), match.end()
        if token.startswith("//"):
            continue
        if token == "/*":
            position = after_comment(text, position)
        elif token in ('"', '"""'):
            position = after_literal(text, position, token, found)
        else:
            depth += (token == "(") - (token == ")")
            if ends_at_parenthesis and depth < 0:
                return position
            found.append(token.strip("`"))
    return len(text)


def after_comment(text: str, position: int) -> int:
    depth = 1
    while depth and (match := re.compile(r"/\*|\*/").search(text, position)):
        depth += 1 if match.group() == "/*" else -1
        position = match.end()
    return position if depth == 0 else len(text)


def after_literal(text: str, position: int, quote: str, found: list[str]) -> int:
    found.append('""')
    while position < len(text):
        if text.startswith(quote, position):
            return position + len(quote)
        if text.startswith("\\(", position):
            # A message with something in it: parentheses keep it apart from what surrounds it.
            found.append("(")
            position = read(text, position + 2, found, ends_at_parenthesis=True)
            found.append(")")
        else:
            position += 2 if text[position] == "\\" else 1
    return position
