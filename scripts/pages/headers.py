# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What the headers declare, with the first sentences of their comments."""

from __future__ import annotations

import re

from pages import ROOT
from pages.text import first_sentence, table

_SECTION = re.compile(r"/\* ---- (?P<title>.*?) -+ \*/")
_FUNCTION = re.compile(r"/\*\*(?P<comment>(?:(?!\*/).)*)\*/\nBACKBONE_API [^;]*?\b(?P<name>backbone_\w+)\(", re.S)
_C_ITEM = re.compile(f"{_SECTION.pattern}|{_FUNCTION.pattern}", re.S)
_CLASS = re.compile(r"(?P<comment>(?:///[^\n]*\n)+)(?:template <[^\n]*\n)?(?:class|struct) backbone::(?P<name>\w+)")
_CPP_ITEM = re.compile(f"{_SECTION.pattern}|{_CLASS.pattern}")


def functions() -> str:
    """The functions of backbone.h, a table for each section of the header."""
    text = (ROOT / "include/backbone.h").read_text(encoding="utf-8")
    sections: dict[str, list[list[str]]] = {}
    for item in _C_ITEM.finditer(text):
        if item["title"]:
            rows = sections.setdefault(item["title"], [])
        else:
            rows.append([f"`{item['name']}`", _summary(re.sub(r"(?m)^\s*\*", "", item["comment"]))])
    return "\n".join(
        f"## {title}\n\n{table(['Function', 'What it does'], rows)}" for title, rows in sections.items() if rows
    )


def classes() -> str:
    """The classes of backbone.hpp."""
    text = (ROOT / "include/backbone.hpp").read_text(encoding="utf-8")
    rows = [
        [f"`backbone::{item['name']}`", _summary(re.sub(r"(?m)^///", "", item["comment"]))]
        for item in _CPP_ITEM.finditer(text)
        if item["name"]
    ]
    return table(["Class", "What it is"], rows)


def _summary(comment: str) -> str:
    """The first sentence of a comment; where it only has tags, that of what is returned."""
    text = comment.strip()
    if text.startswith("@"):
        text = text[text.index("@return") + len("@return") :].strip()
    sentence = first_sentence(text)
    return (sentence[:1].upper() + sentence[1:]).replace("*", r"\*")
