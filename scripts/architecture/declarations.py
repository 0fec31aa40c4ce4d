# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What a Swift file declares, found without a compiler: enough to tell which folder a name is from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

TYPES = {"struct", "enum", "class", "actor", "protocol"}
MODIFIERS = {
    "private", "fileprivate", "internal", "package", "public", "open", "static", "mutating", "consuming", "borrowing",
    "final", "override", "indirect", "lazy", "weak", "nonisolated", "required", "convenience",
}
CLOSING = {"(": ")", "[": "]", "{": "}", "<": ">"}


@dataclass(frozen=True)
class Parameter:
    label: str
    is_optional: bool
    is_function: bool


@dataclass(frozen=True)
class Declaration:
    name: str
    # type, function, initialiser, value or case
    kind: str
    # The type that it is a member of; empty for none.
    owner: str
    # Whether it is in an extension, of which the file that declares the type need not know.
    is_extension: bool
    parameters: tuple[Parameter, ...] | None = None

    def takes(self, labels: tuple[str, ...] | None) -> bool:
        """Whether a call with these labels, None for a mention without a call, may be of this."""
        if self.kind == "case":
            return True
        if self.parameters is None or labels is None:
            return self.parameters is None and labels is None
        given = list(labels)
        for parameter in self.parameters:
            if given and given[0] == parameter.label:
                given.pop(0)
            elif not parameter.is_optional and not parameter.is_function:
                return False
        return not given


@dataclass
class Scope:
    # file, type, extension or body
    kind: str
    name: str = ""
    is_private: bool = False


@dataclass
class Source:
    """The declarations of a file that other files can see, and the names that only it knows."""

    tokens: list[str]
    imports: set[str] = field(default_factory=set)
    declarations: list[Declaration] = field(default_factory=list)
    # Types that it declares or extends.
    types: set[str] = field(default_factory=set)
    # Names of parameters and local values and of what is private.
    local: set[str] = field(default_factory=set)
    # Of what is private, the members.
    private: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        Reader(self).run()


def after_group(tokens: list[str], position: int) -> int:
    """The position after the group that opens at `position`."""
    opening = tokens[position]
    closing, depth = CLOSING[opening], 0
    while position < len(tokens):
        depth += (tokens[position] == opening) - (tokens[position] == closing)
        position += 1
        if depth == 0:
            break
    return position


def parts_of(tokens: list[str]) -> Iterator[list[str]]:
    """A list between commas, as its parts."""
    part: list[str] = []
    depth = 0
    for token in tokens:
        depth += (token in "([{<") - (token in ")]}>") if len(token) == 1 else 0
        if token == "," and depth == 0:
            yield part
            part = []
        else:
            part.append(token)
    if part:
        yield part


class Reader:
    """Goes through a file once, with a stack of what encloses each token."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.tokens = source.tokens
        self.scopes = [Scope("file")]
        # What the next brace opens.
        self.next_scope = Scope("body")
        self.modifiers: set[str] = set()

    def run(self) -> None:
        position = 0
        while position < len(self.tokens):
            position = self.step(position)

    def step(self, position: int) -> int:
        token = self.tokens[position]
        after = self.tokens[position + 1] if position + 1 < len(self.tokens) else ""
        is_member = position > 0 and self.tokens[position - 1] == "."
        if token == "{":
            self.scopes.append(self.next_scope)
            self.next_scope = Scope("body")
        elif token == "}":
            if len(self.scopes) > 1:
                self.scopes.pop()
        elif token in MODIFIERS and not is_member:
            # `private(set)` hides nothing from those who read.
            if after == "(":
                return after_group(self.tokens, position + 1)
            self.modifiers.add(token)
            return position + 1
        elif token == "import" and self.scopes[-1].kind == "file":
            self.source.imports.add(after)
        elif not is_member:
            position = self.declaration(position, token, after)
        self.modifiers.clear()
        return position + 1

    def declaration(self, position: int, token: str, after: str) -> int:
        if token in TYPES and after.isidentifier() and after not in ("func", "var", "let", "subscript"):
            self.add(after, "type")
            self.source.types.add(after)
            self.next_scope = Scope("type", after, self.is_private)
            return position + 1
        if token == "extension":
            end = position + 1
            while self.tokens[end + 1] == ".":
                end += 2
            self.source.types.add(self.tokens[end])
            self.next_scope = Scope("extension", self.tokens[end], self.is_private)
            return end
        if token == "typealias":
            self.add(after, "type")
        elif token == "func" and after.isidentifier():
            return self.function(after, "function", position + 2)
        elif token == "init" and self.scopes[-1].kind in ("type", "extension"):
            return self.function("init", "initialiser", position + 1)
        elif token in ("var", "let"):
            self.values(position + 1)
        elif token == "case" and self.scopes[-1].kind == "type":
            return self.cases(position + 1)
        return position

    @property
    def is_private(self) -> bool:
        return bool(self.modifiers & {"private", "fileprivate"}) or any(scope.is_private for scope in self.scopes)

    def add(self, name: str, kind: str, parameters: tuple[Parameter, ...] | None = None) -> None:
        scope = self.scopes[-1]
        if scope.kind == "body" or self.is_private:
            self.source.local.add(name)
            if scope.kind in ("type", "extension"):
                self.source.private.add(name)
            return
        owner = scope.name if scope.kind in ("type", "extension") else ""
        self.source.declarations.append(Declaration(name, kind, owner, scope.kind == "extension", parameters))

    def function(self, name: str, kind: str, position: int) -> int:
        while self.tokens[position] in ("?", "!"):
            position += 1
        if self.tokens[position] == "<":
            position = after_group(self.tokens, position)
        if self.tokens[position] != "(":
            return position - 1
        end = after_group(self.tokens, position)
        parameters = []
        for part in parts_of(self.tokens[position + 1 : end - 1]):
            while part and part[0] == "@":
                part = part[2:]
            names = part[: part.index(":")] if ":" in part else part[:1]
            self.source.local.update(names)
            parameters.append(Parameter(names[0] if names else "_", "=" in part, "->" in part))
        self.add(name, kind, tuple(parameters))
        return end - 1

    def values(self, position: int) -> None:
        """The names that a `var` or `let` declares."""
        if self.tokens[position] == "(":
            end = after_group(self.tokens, position)
            self.source.local.update(token for token in self.tokens[position:end] if token.isidentifier())
        elif self.tokens[position].isidentifier():
            self.add(self.tokens[position], "value")

    def cases(self, position: int) -> int:
        """The names that a `case` of an enumeration declares; returns the position of the last token of them."""
        while self.tokens[position].isidentifier():
            self.add(self.tokens[position], "case")
            position += 1
            if self.tokens[position] == "(":
                position = after_group(self.tokens, position)
            if self.tokens[position] == "=":
                position += 2
            if self.tokens[position] != ",":
                break
            position += 1
        return position - 1
