# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Which folder of a target uses which: a file mentions what a file of the other declares.

A mention is a name, with the qualifier before its dot and with the labels of its arguments. Without a compiler, a name
that several folders or another module declare in the same form does not tell which is meant, and is left out: an edge
may be missing, but an edge that is reported is hardly ever wrong.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .declarations import Declaration, Source, after_group, parts_of
from .graph import Graph, Reason
from .manifest import Target
from .tokens import tokens_of

# Also members of the standard library's types, so a mention need not mean our member.
COMMON = {
    "append", "contains", "count", "first", "index", "insert", "isEmpty", "last", "load", "map", "max", "min", "next",
    "read", "remove", "removeAll", "reserve", "sort", "sorted", "start", "write",
}
DECLARING = {"func", "struct", "enum", "class", "protocol", "typealias", "let", "var", "case", "import"}


@dataclass(frozen=True)
class Mention:
    name: str
    # The part before the dot; None without a dot, "" where that is an expression.
    qualifier: str | None
    # Of a call; None for none.
    labels: tuple[str, ...] | None

    @property
    def symbol(self) -> str:
        if self.labels is None:
            return self.name
        return f"{self.name}({''.join(label + ':' for label in self.labels)})"


@dataclass
class File:
    path: Path
    folder: str
    source: Source


def files_of(target: Target) -> list[File]:
    """The Swift files of a target; those outside of folders are in one that is called ".". Links to folders are
    followed."""
    files = []
    paths = [Path(folder, name) for folder, _, names in os.walk(target.folder, followlinks=True) for name in names]
    if not any(path.suffix in (".swift", ".c", ".modulemap") for path in paths):
        raise SystemExit(f"error: target {target.name} has no sources in {target.folder}")
    for path in sorted(path for path in paths if path.suffix == ".swift"):
        parts = path.relative_to(target.folder).parts
        files.append(File(path, parts[0] if len(parts) > 1 else ".", Source(tokens_of(path.read_text()))))
    return files


def graph_of(target: Target, files: list[File], others: list[Source]) -> Graph:
    """The folders of a target; `others` are the files of the targets that it imports."""
    names = Names(files, others)
    graph = Graph(sorted({file.folder for file in files}))
    for file in files:
        for mention in mentions_of(file.source.tokens):
            if (folder := names.folder(mention, file)) is not None:
                graph.add(file.folder, folder, Reason(str(file.path.relative_to(target.folder)), mention.symbol))
    return graph


def mentions_of(tokens: list[str]) -> Iterator[Mention]:
    padded = ["", "", *tokens, ""]
    for position, name in enumerate(padded):
        if not name.isidentifier() or (before := padded[position - 1]) in DECLARING:
            continue
        qualifier = None
        if before == ".":
            first = padded[position - 2]
            qualifier = first if first.isidentifier() else ""
        following = padded[position + 1]
        # The label of an argument.
        if following == ":" and before in ("(", ",") and qualifier is None:
            continue
        yield Mention(name, qualifier, labels_at(padded, position + 1) if following == "(" else None)


def labels_at(tokens: list[str], position: int) -> tuple[str, ...]:
    """The labels of the arguments between parentheses."""
    labels = []
    for part in parts_of(tokens[position + 1 : after_group(tokens, position) - 1]):
        labels.append(part[0] if len(part) > 1 and part[1] == ":" and part[0].isidentifier() else "_")
    return tuple(labels)


class Names:
    """All that the files of a target can see of it and of the targets that it imports."""

    def __init__(self, files: list[File], others: list[Source]) -> None:
        self.declared: dict[str, list[tuple[Declaration, str]]] = defaultdict(list)
        for file in files:
            for declaration in file.source.declarations:
                self.declared[declaration.name].append((declaration, file.folder))
        self.elsewhere: dict[str, list[Declaration]] = defaultdict(list)
        for source in others:
            for declaration in source.declarations:
                self.elsewhere[declaration.name].append(declaration)

    def folder(self, mention: Mention, file: File) -> str | None:
        """The folder that declares what a file mentions; None if that is not certain."""
        candidates = [
            (declaration, folder)
            for declaration, folder in self.declared.get(mention.name, ())
            if self.may_be(declaration, mention, file)
        ]
        for declaration, folder in candidates:
            if declaration.kind == "type":
                return self.folder_of_initialiser(mention) or folder
        folders = {folder for _, folder in candidates}
        if len(folders) != 1 or mention.name in COMMON:
            return None
        # A value or case that a type has from the start may be of the same name in a tuple, or in a type of the system.
        if any(found.kind in ("value", "case") and found.owner and not found.is_extension for found, _ in candidates):
            return None
        if mention.qualifier is not None and mention.name in file.source.private:
            return None
        if any(declaration.takes(mention.labels) for declaration in self.elsewhere.get(mention.name, ())):
            return None
        return folders.pop()

    def folder_of_initialiser(self, mention: Mention) -> str | None:
        """The folder of the extension whose initialiser is called, where only one folder can be meant."""
        if not mention.labels or mention.labels[0] == "_":
            return None
        fitting = [
            (declaration, folder)
            for declaration, folder in self.declared.get("init", ())
            if declaration.owner == mention.name and declaration.takes(mention.labels)
        ]
        folders = {folder for _, folder in fitting}
        return folders.pop() if len(folders) == 1 and all(found.is_extension for found, _ in fitting) else None

    def may_be(self, declaration: Declaration, mention: Mention, file: File) -> bool:
        """Whether a declaration may be what a file mentions."""
        if declaration.kind == "initialiser":
            return False
        if declaration.kind == "type":
            if declaration.owner:
                # Those in the type itself are where the type is, which is mentioned with them.
                return mention.qualifier == declaration.owner and declaration.is_extension
            return mention.qualifier is None and not self.is_hidden(mention.name, file)
        if mention.qualifier is None:
            # A local name hides others; members are used without a dot in their own type alone.
            if mention.name in file.source.local or declaration.owner and declaration.owner not in file.source.types:
                return False
        elif not declaration.owner:
            return False
        return declaration.takes(mention.labels)

    def is_hidden(self, name: str, file: File) -> bool:
        """Whether a local or nested type hides a type of the target."""
        return name in file.source.local or any(
            declaration.kind == "type" and declaration.owner and declaration.owner in file.source.types
            for declaration, _ in self.declared.get(name, ())
        )
