# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What the library consists of, as Package.swift says."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Target:
    """A target of the package; `options` are those of its Swift compiler."""

    name: str
    folder: Path
    is_system: bool
    dependencies: tuple[str, ...]
    options: tuple[str, ...]

    def sources(self, *endings: str) -> list[Path]:
        """Its files, of which some are in folders that its own links to."""
        found = []
        for folder, _, names in os.walk(self.folder, followlinks=True):
            found += [Path(folder, name) for name in names if name.endswith(endings)]
        return sorted(found)


def targets_of_library(root: Path, scratch: Path) -> list[Target]:
    """The targets of the library, each after those that it depends on."""
    environment = dict(os.environ, BACKBONE_ARCHITECTURE="arm64", BACKBONE_EMBEDDED="1")
    command = ["swift", "package", "--scratch-path", os.fspath(scratch), "dump-package"]
    package = json.loads(subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True).stdout)
    by_name = {entry["name"]: _target(root, entry) for entry in package["targets"]}
    ordered: dict[str, Target] = {}

    def visit(name: str) -> None:
        for dependency in by_name[name].dependencies:
            visit(dependency)
        ordered.setdefault(name, by_name[name])

    (product,) = (product for product in package["products"] if "library" in product["type"])
    for name in product["targets"]:
        visit(name)
    return list(ordered.values())


def _target(root: Path, entry: dict) -> Target:
    options: list[str] = []
    for setting in entry["settings"]:
        if setting["tool"] != "swift":
            continue
        ((kind, value),) = setting["kind"].items()
        match kind:
            case "unsafeFlags":
                options += value["_0"]
            case "enableExperimentalFeature":
                options += ["-enable-experimental-feature", value["_0"]]
            case _:
                raise SystemExit(f"error: scripts/cross does not know the setting {kind} of {entry['name']}")
    return Target(
        name=entry["name"],
        folder=root / entry.get("path", f"Sources/{entry['name']}"),
        is_system=entry["type"] == "system",
        dependencies=tuple(dependency["byName"][0] for dependency in entry["dependencies"]),
        options=tuple(options),
    )
