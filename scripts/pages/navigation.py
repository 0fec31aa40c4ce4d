# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The navigation of the site: each page of docs/ is in one section."""

from __future__ import annotations

import posixpath

from pages.links import MODULES, PROJECT, page_of

# Titles, and their pages in order. A pattern stands for the pages of its folder that are named nowhere.
SECTIONS = {
    "Start": ["project/readme", "get-started", "quickstart/python", "quickstart/c", "quickstart/cpp", "quickstart/*"],
    "Guides": [
        *("inputs", "guides/preprocessing", "checkpoints", "guides/checkpoints", "freezing", "command", "training"),
        *("fine-tuning", "distributed", "ray", "guides/*"),
    ],
    "Migrating": ["migrating/*"],
    "Reference": [
        *("reference/c", "reference/cpp", "reference/python", "reference/python/*", "reference/command"),
        *("reference/messages", "reference/*", "architectures"),
    ],
    "Results": ["benchmarks", "speed", "theory"],
    "Help": ["troubleshooting", "stability", "porting"],
    "Project": ["internals", "project/*", "*"],
}


def sections(documents: list[str]) -> dict[str, list[str]]:
    """The pages of each section, of these files of docs/ and those that are always there.

    Raises:
        ValueError: a page is in none.
    """
    left = {page_of(path) for path in (*documents, *PROJECT, *MODULES)} - {"index"}
    named = {entry for entries in SECTIONS.values() for entry in entries}
    result = {}
    for title, entries in SECTIONS.items():
        chosen: list[str] = []
        for entry in entries:
            if entry.endswith("*"):
                folder = posixpath.dirname(entry)
                chosen += sorted(page for page in left - named if posixpath.dirname(page) == folder)
            elif entry in left:
                chosen.append(entry)
        left -= set(chosen)
        if chosen:
            result[title] = chosen
    if left:
        raise ValueError(f"no section of scripts/pages/navigation.py has {sorted(left)}")
    return result
