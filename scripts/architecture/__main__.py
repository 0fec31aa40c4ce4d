# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The program of scripts/house, which describes it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .drawing import drawing_of
from .folders import File, files_of, graph_of
from .graph import Graph, Reason
from .manifest import Target, targets_of

ROOT = Path(__file__).resolve().parents[2]
# Files that are named for each side of a circle.
MOST_FILES = 6


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/house", usage="see scripts/house --help")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--except", dest="excepted", default="")
    arguments = parser.parse_args()
    targets = targets_of(ROOT)
    excepted = {name for name in arguments.excepted.split(",") if name}
    if unknown := excepted - {target.name for target in targets}:
        parser.error(f"unknown target {', '.join(sorted(unknown))}")
    graphs = graphs_of(targets, excepted)
    problems = [
        text_of(circle, graph, subject) for subject, graph in graphs.items() for circle in graph.circles()
    ]
    if not arguments.check:
        for subject, graph in graphs.items():
            print(f"{subject}\n\n{drawing_of(graph)}\n")
    print("\n\n".join(problems), file=sys.stderr, end="\n" if problems else "")
    if arguments.check and not problems:
        print(f"No circles among {len(targets)} targets, and none among the folders of {len(graphs) - 1}.")
    return 1 if arguments.check and problems else 0


def graphs_of(targets: list[Target], excepted: set[str]) -> dict[str, Graph]:
    """The graph of the targets, and that of the folders of each that has some, by what they are called."""
    files = {target.name: files_of(target) for target in targets}
    graphs = {"Targets": graph_of_targets(targets, files)}
    for target in targets:
        others = [file.source for name in target.dependencies for file in files.get(name, ())]
        graph = graph_of(target, files[target.name], others)
        if len(graph.nodes) > 1 and target.name not in excepted:
            graphs[f"Folders of {target.name}"] = graph
    return graphs


def graph_of_targets(targets: list[Target], files: dict[str, list[File]]) -> Graph:
    """What the manifest says, and what the files import."""
    graph = Graph([target.name for target in targets])
    for target in targets:
        for name in target.dependencies:
            if name in files:
                graph.add(target.name, name, Reason("Package.swift", name))
        for file in files[target.name]:
            for name in file.source.imports & files.keys():
                graph.add(target.name, name, Reason(str(file.path.relative_to(ROOT)), f"import {name}"))
    # Those that only tests use.
    graph.nodes = [node for node in graph.nodes if any(node in edge for edge in graph.edges)]
    return graph


def text_of(circle: list[str], graph: Graph, subject: str) -> str:
    """A circle, and what makes it one."""
    lines = [f"error: {subject} form a circle: {' -> '.join(circle)}"]
    for user, used in zip(circle, circle[1:], strict=False):
        lines.append(f"  {user} uses {used}:")
        symbols: dict[str, list[str]] = {}
        for reason in sorted(graph.edges[user, used], key=lambda reason: (reason.file, reason.symbol)):
            symbols.setdefault(reason.file, []).append(reason.symbol)
        lines += [f"    {file}: {', '.join(names)}" for file, names in list(symbols.items())[:MOST_FILES]]
        if len(symbols) > MOST_FILES:
            lines.append(f"    and {len(symbols) - MOST_FILES} files more")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
