# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Where the links of documents lead on the site.

A link of a document is a path in the repository, and works there. On the site it leads to a page made of that file:
Markdown as Markdown, public Python modules as their reference, the headers as Doxygen's pages, all others as text.
"""

from __future__ import annotations

import html
import posixpath
import re
from pathlib import Path

# Documents outside of docs/: the path in the repository and on the site, without the suffix.
PROJECT = {
    "README.md": "project/readme",
    "README.zh-CN.md": "project/readme-zh",
    "CONTRIBUTING.md": "project/contributing",
    "CHANGELOG.md": "project/changelog",
}
# Pages that Doxygen made.
HEADERS = {
    "include/backbone.h": "doxygen/backbone_8h.html",
    "include/backbone.hpp": "doxygen/structbackbone.html",
}
# Public modules of the Python package.
MODULES = {
    "bindings/python/backbone/__init__.py": "backbone",
    "bindings/python/backbone/explain.py": "backbone.explain",
    "bindings/python/backbone/images.py": "backbone.images",
    "bindings/python/backbone/optim.py": "backbone.optim",
    "bindings/python/backbone/ray/__init__.py": "backbone.ray",
    "bindings/python/backbone/torch/__init__.py": "backbone.torch",
    "bindings/python/backbone/training/__init__.py": "backbone.training",
}
PICTURES = {".png", ".jpg", ".svg"}

# A fence with all its lines, a link, or a picture in HTML.
_FENCE_OR_LINK = re.compile(
    r"^```.*?^```$"
    r"|(?P<mark>!?)\[(?P<text>(?:!\[[^\]]*\]\([^)]*\)|[^\]])*)\]\((?P<target>[^)\s]+)\)"
    r'|(?P<attribute>\b(?:src|srcset)=")(?P<picture>[^"\s]+)(?=")',
    re.M | re.S,
)


def page_of(path: str) -> str:
    """Where the site has a file or folder of the repository: a page without its suffix, or a picture."""
    if path in PROJECT:
        return PROJECT[path]
    if path in MODULES:
        return f"reference/python/{MODULES[path]}"
    if path == "docs/README.md":
        return "index"
    inside = path.removeprefix("docs/") if path.startswith("docs/") else f"files/{path}"
    if Path(path).suffix in PICTURES:
        return inside
    return inside.removesuffix(".md")


def is_elsewhere(target: str) -> bool:
    """Whether a link leads out of the repository, or to a heading of its own page."""
    return "://" in target or target.startswith(("#", "mailto:"))


def resolved(target: str, path: str) -> tuple[str, str]:
    """The path in the repository that a link of this file names, and the anchor with its #."""
    target, mark, anchor = target.partition("#")
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target)), mark + anchor


def targets(text: str, path: str) -> list[str]:
    """The paths in the repository that a document links to."""
    found: list[str] = []

    def note(match: re.Match[str]) -> str:
        target = match["target"] or match["picture"]
        if target and not is_elsewhere(target):
            found.append(resolved(target, path)[0])
        if match["text"]:
            _FENCE_OR_LINK.sub(note, match["text"])
        return ""

    _FENCE_OR_LINK.sub(note, text)
    return found


def rewritten(text: str, path: str) -> str:
    """A document with links to pages of the site in the place of those to files of the repository."""
    page = page_of(path)
    folder = posixpath.dirname(page) or "."

    def leads(match: re.Match[str]) -> str:
        target = match["target"]
        if match["picture"] and not is_elsewhere(match["picture"]):
            return match["attribute"] + posixpath.relpath(page_of(resolved(match["picture"], path)[0]), folder)
        if not target:
            return match[0]
        inner = _FENCE_OR_LINK.sub(leads, match["text"])
        if is_elsewhere(target):
            return f"{match['mark']}[{inner}]({target})"
        file, anchor = resolved(target, path)
        if file in HEADERS:
            # Sphinx knows nothing of these pages, which are copied beside its own.
            label = re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(match["text"], quote=False))
            return f'<a href="{posixpath.relpath(HEADERS[file], folder)}">{label}</a>'
        to = page_of(file)
        suffix = "" if Path(to).suffix in PICTURES else ".md"
        # Marks of pictures for light and dark mode belong to viewers of repositories; see the style of the site.
        return f"{match['mark']}[{inner}]({posixpath.relpath(to, folder)}{suffix}{'' if match['mark'] else anchor})"

    return _FENCE_OR_LINK.sub(leads, text)

