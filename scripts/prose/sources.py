# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The comments and literals of a source file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .languages import RUBY, SHELL, SWIFT, Language
from .passages import Passage, passage

# What decorates the lines of a comment: `/**`, ` * `, `///`, `#:`, `/**<`.
DECORATION = re.compile(r"^\s*(?:/\*+<?|\*+(?!/)|//+[!<]?|#+[:!]?|--+\[*)\s?|\s*(?:\*+/|\]\])\s*$")
BLANK_COMMENT = re.compile(r"^\s*(?:/?\*+|//+[!<]?|#+|--+)?\s*$")
# Escapes in literals end words as white space does.
ESCAPE = re.compile(r"\\[nrt]")
# What may be between two literals that are one text: nothing, or the operator that joins them.
JOINT = re.compile(r"\s*(?:\+|\.\.|\\)?\s*[frbuFRBU]{0,2}")
HEREDOC = re.compile(r"<<-?\s*([\"']?)([A-Za-z_]+)\1[^\n]*\n")


@dataclass(frozen=True)
class Piece:
    """A comment or a literal: `start` and `end` are those of its text, the others include its quotes."""

    kind: str
    start: int
    end: int
    outer_start: int
    outer_end: int


def passages_of(text: str, language: Language) -> Iterator[Passage]:
    """Comments on successive lines make one passage up to a blank one, and so do literals with nothing between them."""
    found = list(pieces(text, language))
    position = 0
    while position < len(found):
        last = position
        while last + 1 < len(found) and belong_together(text, found[last], found[last + 1]):
            last += 1
        yield from passages_of_pieces(text, found[position : last + 1], language)
        position = last + 1


def belong_together(text: str, one: Piece, two: Piece) -> bool:
    between = text[one.outer_end : two.outer_start]
    if one.kind != two.kind or one.kind == "block":
        return False
    if one.kind == "comment":
        return between.strip() == "" and between.count("\n") == 1
    return JOINT.fullmatch(between) is not None


def passages_of_pieces(text: str, together: list[Piece], language: Language) -> Iterator[Passage]:
    lines: list[tuple[int, str]] = []
    for piece in together:
        for line in lines_of(text, piece, language):
            if line is not None:
                lines.append(line)
                continue
            if lines:
                yield passage(lines)
            lines = []
    if lines:
        yield passage(lines)


def lines_of(text: str, piece: Piece, language: Language) -> Iterator[tuple[int, str] | None]:
    """The lines of a piece with their numbers; None where a blank one ends a passage."""
    first = text.count("\n", 0, piece.start) + 1
    content = text[piece.start : piece.end]
    if piece.kind == "literal":
        content = ESCAPE.sub("  ", without_holes(content, language))
    for index, line in enumerate(content.split("\n")):
        if piece.kind == "literal":
            yield (first + index, line) if line.strip() else None
        elif BLANK_COMMENT.match(line):
            yield None
        else:
            yield first + index, DECORATION.sub("", line)


def without_holes(content: str, language: Language) -> str:
    """A literal with one word in place of the code that it interpolates."""
    if language is SWIFT:
        return without_interpolations(content)
    return re.sub(language.hole, "_", content) if language.hole else content


def without_interpolations(content: str) -> str:
    parts = []
    position = 0
    while (start := content.find("\\(", position)) >= 0:
        parts.append(content[position:start] + "_")
        position = end_of_interpolation(content, start + 2)
    return "".join(parts) + content[position:]


def pieces(text: str, language: Language) -> Iterator[Piece]:
    """Comments ("comment" of one line, "block") and literals in their order."""
    openings = opening_pattern(language)
    position = 0
    while match := openings.search(text, position):
        token, start = match.group(), match.start()
        position = match.end()
        if token.startswith("<<"):
            end = end_of_heredoc(text, position, match)
            yield Piece("literal", position, end, start, end)
        elif token in language.comments and not (language in (SHELL, RUBY) and in_a_word(text, start)):
            end = at_or_end(text.find("\n", position), text)
            yield Piece("comment", start, end, start, end)
        elif closing := dict(language.blocks).get(token):
            end = end_of_block(text, position, token, closing, language.nested)
            yield Piece("block", start, end, start, end)
        elif token in language.quotes or token in language.raw:
            inner = end_of_literal(text, position, token, language)
            end = inner + len(token)
            yield Piece("literal", position, inner, start, end)
        else:
            continue
        position = min(end, len(text))


def opening_pattern(language: Language) -> re.Pattern[str]:
    tokens = [*(block[0] for block in language.blocks), *language.comments, *language.quotes, *language.raw]
    alternatives = [re.escape(token) for token in sorted(tokens, key=len, reverse=True)]
    if language is SHELL:
        alternatives = [HEREDOC.pattern, r"\\.", *alternatives]
    # A character, such as '"', opens no literal.
    if "'" not in language.quotes and language is not SHELL:
        alternatives = [r"'(?:\\.|[^\\'\n])'", *alternatives]
    return re.compile("|".join(alternatives))


def in_a_word(text: str, position: int) -> bool:
    """Whether `#` is inside of a word, as in `$#` and `${name#prefix}`."""
    return position > 0 and not text[position - 1].isspace() and text[position - 1] not in ";("


def end_of_heredoc(text: str, position: int, match: re.Match[str]) -> int:
    end = re.compile(rf"^\t*{match.group(2)}$", re.MULTILINE).search(text, position)
    return end.start() if end else len(text)


def end_of_block(text: str, position: int, opening: str, closing: str, nested: bool) -> int:
    depth = 1
    delimiters = re.compile(f"{re.escape(opening)}|{re.escape(closing)}")
    while match := delimiters.search(text, position):
        position = match.end()
        if match.group() == closing:
            depth -= 1
        elif nested:
            depth += 1
        if depth == 0:
            return position
    return len(text)


def end_of_literal(text: str, position: int, quote: str, language: Language) -> int:
    """Where the closing quote is. A short literal that is not closed in its line, such as an apostrophe, ends with it.
    """
    if quote in language.raw:
        return at_or_end(text.find(quote, position), text)
    several_lines = len(quote) == 3 or quote == "`" or language in (SHELL, RUBY)
    stops = re.compile(rf"\\\(|\\.|{re.escape(quote)}" + ("" if several_lines else r"|\n"), re.DOTALL)
    while match := stops.search(text, position):
        position = match.end()
        if match.group() == "\\(" and language is SWIFT:
            position = end_of_interpolation(text, position)
        elif match.group() in (quote, "\n"):
            return match.start()
    return len(text)


def end_of_interpolation(text: str, position: int) -> int:
    """Where the code that a Swift literal interpolates ends; it may hold literals itself."""
    depth = 1
    while position < len(text) and depth:
        character = text[position]
        if character == '"':
            closing = re.compile(r'"(?:\\.|[^"\\\n])*"').match(text, position)
            position = closing.end() if closing else position + 1
            continue
        depth += (character == "(") - (character == ")")
        position += 1
    return position


def at_or_end(position: int, text: str) -> int:
    return len(text) if position < 0 else position
