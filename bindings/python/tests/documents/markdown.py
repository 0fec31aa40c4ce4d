# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""A reader of the project's documents: of Markdown what they use, and an error on what they do not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]

_LIST_ITEM = re.compile(r"(?:-|\d+\.) ")
_LINK = re.compile(r"!?\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
_SOURCES = re.compile(r'(?:src|srcset)="([^"]+)"')
_PICTURE = re.compile(
    r'<source media="\(prefers-color-scheme: dark\)" srcset="[^"\s]+"> <img alt="[^"]+" src="[^"\s]+">'
)
_SPAN = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Element:
    """A heading, paragraph, item of a list, table, picture or block of code.

    Attributes:
        kind: "heading", "paragraph", "item", "table", "picture" or "code".
        text: without the marks of its kind; of code the lines, each with its end.
        line: of the file, counted from 1; of code the first line of its text.
        language: of code: what the fence says; "sh" for indented lines, which are commands.
        level: of a heading.
    """

    kind: str
    text: str
    line: int
    language: str = ""
    level: int = 0

    @property
    def prose(self) -> str:
        """The text without links' targets and spans of code; for a picture its alternative text."""
        if self.kind == "picture":
            return " ".join(re.findall(r'alt="([^"]*)"', self.text))
        return _SPAN.sub("", _LINK.sub(lambda link: link["text"], self.text))

    @property
    def spans(self) -> list[str]:
        """The spans of code in the text, in order; none of code itself."""
        return [] if self.kind == "code" else _SPAN.findall(_LINK.sub(lambda link: link["text"], self.text))

    @property
    def links(self) -> list[str]:
        """The targets of the links and pictures in the text, in order."""
        if self.kind == "picture":
            return _SOURCES.findall(self.text)
        return [] if self.kind == "code" else [link["target"] for link in _LINK.finditer(self.text)]

    @property
    def cells(self) -> list[list[str]]:
        """Of a table: rows of cells, without the line below the header."""
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in self.text.splitlines()]
        return [row for row in rows if not all(re.fullmatch(r":?-+:?", cell) for cell in row)]


@cache
def elements(path: Path) -> tuple[Element, ...]:
    """The elements of a document in order.

    Raises:
        ValueError: it has something that this reader does not know.
    """
    return tuple(_Reader(path).read())


def pages() -> list[Path]:
    """All documents whose code and commands are run."""
    return [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").rglob("*.md"))]


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = path.read_text(encoding="utf-8").splitlines()
        self._at = 0

    def read(self) -> list[Element]:
        result: list[Element] = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if not line.strip() or re.fullmatch(r"<!--.*-->", line):
                self._at += 1
            elif line.startswith("```"):
                result.append(self._fenced(line))
            elif line.startswith("    "):
                if result and result[-1].kind == "item":
                    self._fail("indented lines after a list may be code or not")
                result.append(self._indented())
            elif line == "<picture>":
                result.append(self._picture())
            elif line.startswith(" ") or line.startswith("<"):
                self._fail("a line that begins with a blank or with HTML")
            elif line.startswith("#"):
                marks, _, text = line.partition(" ")
                self._at += 1
                result.append(Element("heading", text, self._at, level=len(marks)))
            elif line.startswith("|"):
                result.append(self._lines_while("table", lambda text: text.startswith("|")))
            elif _LIST_ITEM.match(line):
                result.append(self._lines_while("item", lambda text: text.startswith("  ")))
            else:
                result.append(self._lines_while("paragraph", lambda text: not re.match(r"```|#|\||- |    ", text)))
        return result

    def _fenced(self, opening: str) -> Element:
        begin = self._at + 1
        end = next((i for i in range(begin, len(self._lines)) if self._lines[i] == "```"), None)
        if end is None or not opening[3:]:
            self._fail("a fence without an end or a language")
        self._at = end + 1
        return Element("code", _joined(self._lines[begin:end]), begin + 1, language=opening[3:])

    def _picture(self) -> Element:
        """HTML, as Markdown has no way to say which picture is for dark pages."""
        begin = self._at
        end = next((i for i in range(begin, len(self._lines)) if self._lines[i] == "</picture>"), None)
        if end is None:
            self._fail("a picture without an end")
        self._at = end + 1
        text = " ".join(line.strip() for line in self._lines[begin + 1 : end])
        if not _PICTURE.fullmatch(text):
            self._fail("a picture must be a source for dark pages and an image with an alternative text")
        return Element("picture", text, begin + 2)

    def _indented(self) -> Element:
        begin = self._at
        while self._at < len(self._lines) and (
            not self._lines[self._at].strip() or self._lines[self._at][:4] == "    "
        ):
            self._at += 1
        text = _joined([line[4:] for line in self._lines[begin : self._at]])
        return Element("code", text.rstrip("\n") + "\n", begin + 1, language="sh")

    def _lines_while(self, kind: str, goes_on) -> Element:  # type: ignore[no-untyped-def]
        begin = self._at
        self._at += 1
        while self._at < len(self._lines) and self._lines[self._at].strip() and goes_on(self._lines[self._at]):
            self._at += 1
        lines = self._lines[begin : self._at]
        text = "\n".join(lines) if kind == "table" else " ".join(line.strip() for line in lines)
        return Element(kind, text, begin + 1)

    def _fail(self, what: str) -> None:
        raise ValueError(f"{self._path.name}, line {self._at + 1}: {what}")


def _joined(lines: list[str]) -> str:
    return "".join(line + "\n" for line in lines)


def anchors(path: Path) -> set[str]:
    """The valid fragments (after the #) of links to a document: its headings."""
    texts = [element.text.lower() for element in elements(path) if element.kind == "heading"]
    return {re.sub(r"[^\w\- ]", "", text.replace("`", "")).replace(" ", "-") for text in texts}
