# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Usage: python3 -m prose [--count] FILE...

Prints each wording that a rule finds, as `path:line: wording: advice`, and fails if it finds any. The phrases of
`allowed.txt` are excused; an entry for one of the files that excuses nothing is an error too.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from . import allowed, markdown, sources
from .languages import language_of
from .passages import Passage
from .rules import RULES

LIST = Path(__file__).with_name("allowed.txt")


def passages_of(path: str, text: str) -> Iterator[Passage]:
    if path.endswith(".md"):
        return markdown.passages_of(text)
    language = language_of(path, text)
    return sources.passages_of(text, language) if language else iter(())


def findings(path: str, text: str, excuses: allowed.Allowed) -> list[tuple[int, str, str]]:
    """Line, wording and advice of each finding, in the order of lines."""
    found = []
    for passage in passages_of(path, text):
        for rule in RULES:
            for match in rule.pattern.finditer(passage.text):
                if not excuses.excuses(path, passage.text, match.start(), match.end()):
                    found.append((passage.line_of(match.start()), match.group(), rule.advice))
    return sorted(found)


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("--help", "-h"):
        print(__doc__)
        return 0 if arguments else 1
    count = arguments[0] == "--count"
    paths = arguments[count:]
    # The rules and their list quote what they forbid.
    paths = [path for path in paths if not path.startswith("scripts/prose/") and Path(path).name != "test_prose.py"]
    excuses = allowed.read(LIST.read_text(encoding="utf-8"))
    numbers: Counter[str] = Counter()
    for path in paths:
        for line, wording, advice in findings(path, Path(path).read_text(encoding="utf-8"), excuses):
            numbers[path] += 1
            if not count:
                print(f"{path}:{line}: {wording}: {advice}")
    if count:
        for path, number in numbers.most_common():
            print(f"{number:5} {path}")
    unused = excuses.unused(set(paths))
    for path, phrase in unused:
        print(f"{LIST.name}: {path}: {phrase}: excuses nothing; remove the line")
    return 1 if numbers or unused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
