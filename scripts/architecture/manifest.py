# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The targets of Package.swift and what they depend on, read without Swift."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

TARGET = re.compile(r"\.(target|executableTarget|systemLibrary)\(\s*name: \"([^\"]+)\"")
# `let instructionSets: [Target] = [ ... ]`, which the dependencies of another target may be made of.
LIST = re.compile(r"^let (\w+): \[Target\] = \[\n(.*?)^\]", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Target:
    name: str
    dependencies: tuple[str, ...]
    folder: Path


def targets_of(root: Path) -> list[Target]:
    """The targets that are not tests, in the order of the manifest."""
    text = re.sub(r"//[^\n]*", "", (root / "Package.swift").read_text())
    lists = {match.group(1): match.group(2) for match in LIST.finditer(text)}
    main = text[text.index("targets: [\n") :].split("swiftLanguageModes")[0]
    members = {name: [target.name for target in _listed(root, body, {})] for name, body in lists.items()}
    targets = _listed(root, main, members)
    for name, body in lists.items():
        users = [index for index, target in enumerate(targets) if set(members[name]) <= set(target.dependencies)]
        position = max(users, default=len(targets) - 1) + 1
        targets[position:position] = _listed(root, body, {})
    if not targets:
        raise SystemExit("error: Package.swift lists no targets in a form that scripts/architecture knows")
    return targets


def _listed(root: Path, text: str, lists: dict[str, list[str]]) -> list[Target]:
    """The targets of a list in the manifest; `lists` are those that their dependencies may name."""
    targets = []
    for match in TARGET.finditer(text):
        following = re.search(r"\.(target|executableTarget|systemLibrary|testTarget)\(", text[match.end() :])
        arguments = text[match.end() :][: following.start() if following else None]
        path = re.search(r"path: \"([^\"]+)\"", arguments)
        folder = root / (path.group(1) if path else f"Sources/{match.group(2)}")
        if folder.is_relative_to(root / "Tests"):
            continue
        listed = re.search(r"dependencies: (.*?)(?:swiftSettings:|linkerSettings:|\Z)", arguments, re.DOTALL)
        expression = listed.group(1) if listed else ""
        names = re.findall(r"\"([^\"]+)\"", expression)
        names += [name for variable, members in lists.items() if variable in expression for name in members]
        targets.append(Target(match.group(2), tuple(names), folder))
    return targets
