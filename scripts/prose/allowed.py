# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The list of phrases that are right where they are, such as `behind` of a place in space."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Allowed:
    """Phrases for each file; `used` remembers those that excused something."""

    phrases: dict[str, list[str]]
    used: set[tuple[str, str]] = field(default_factory=set)

    def excuses(self, path: str, text: str, start: int, end: int) -> bool:
        """Whether a phrase of this file covers these characters of the text."""
        for phrase in self.phrases.get(path, []):
            position = text.find(phrase)
            while position >= 0:
                if position <= start and end <= position + len(phrase):
                    self.used.add((path, phrase))
                    return True
                position = text.find(phrase, position + 1)
        return False

    def unused(self, paths: set[str]) -> list[tuple[str, str]]:
        """Entries for these files that excused nothing."""
        entries = [(path, phrase) for path, phrases in self.phrases.items() for phrase in phrases]
        return [entry for entry in entries if entry not in self.used and entry[0] in paths]


def read(text: str) -> Allowed:
    """Lines `path: phrase`; empty ones and those that begin with # are skipped."""
    phrases: dict[str, list[str]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        path, colon, phrase = line.partition(": ")
        if not colon or not phrase.strip():
            raise ValueError(f"line {number}: expected `path: phrase`, found {line!r}")
        phrases.setdefault(path, []).append(phrase.strip())
    return Allowed(phrases)
