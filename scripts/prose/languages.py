# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What a comment and a literal look like in each language of this repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath


@dataclass(frozen=True)
class Language:
    """`comments` begin a comment up to the end of the line, `blocks` are pairs of delimiters, `quotes` delimit literals
    with escapes, and `raw` literals without. `hole` matches code in a literal; that of Swift nests, see sources.py.
    """

    comments: tuple[str, ...] = ()
    blocks: tuple[tuple[str, str], ...] = ()
    nested: bool = False
    quotes: tuple[str, ...] = ('"',)
    raw: tuple[str, ...] = ()
    hole: str = ""


C = Language(("//",), (("/*", "*/"),), quotes=('"', "'"))
RUST = Language(("//",), (("/*", "*/"),), nested=True, hole=r"\{[^{}]*\}")
SWIFT = Language(("//",), (("/*", "*/"),), nested=True, quotes=('"""', '"'))
JAVASCRIPT = Language(("//",), (("/*", "*/"),), quotes=('"', "'", "`"), hole=r"\$\{[^{}]*\}")
GO = Language(("//",), (("/*", "*/"),), quotes=('"', "'"), raw=("`",))
PYTHON = Language(("#",), quotes=('"""', "'''", '"', "'"), hole=r"\{[^{}\n]*\}")
SHELL = Language(("#",), quotes=('"',), raw=("'",))
RUBY = Language(("#",), quotes=('"', "'"), hole=r"#\{[^{}]*\}")
LUA = Language(("--",), (("--[[", "]]"), ("[[", "]]")), quotes=('"', "'"))
HASH = Language(("#",))

BY_SUFFIX = {
    ".swift": SWIFT,
    ".c": C,
    ".h": C,
    ".cpp": C,
    ".hpp": C,
    ".modulemap": C,
    ".java": C,
    ".rs": RUST,
    ".go": GO,
    ".js": JAVASCRIPT,
    ".py": PYTHON,
    ".pyi": PYTHON,
    ".sh": SHELL,
    ".rb": RUBY,
    ".lua": LUA,
    ".toml": HASH,
    ".cmake": HASH,
    ".in": HASH,
    ".ini": HASH,
    ".supp": HASH,
}


def language_of(path: str, text: str) -> Language | None:
    """By the suffix, or the interpreter of the first line; None for prose and for kinds that are not known."""
    name = PurePath(path)
    if name.name == "CMakeLists.txt" or name.name.startswith("requirements"):
        return HASH
    if name.suffix in BY_SUFFIX:
        return BY_SUFFIX[name.suffix]
    first = text.split("\n", 1)[0]
    if first.startswith("#!"):
        return PYTHON if "python" in first else SHELL
    return None
