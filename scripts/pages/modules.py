# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What the public modules of the Python package export, with the first sentences of their docstrings.

They are parsed, not imported: some of them need PyTorch or Ray.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from pages import ROOT
from pages.links import MODULES
from pages.text import first_sentence, table

# Whose methods are listed too.
DETAILED = ("ResNet", "Tape", "Optimizer")


def names() -> str:
    """A table for each module, and one for each class of DETAILED."""
    parts = []
    for path, module in MODULES.items():
        rows = []
        details = []
        for name in _exported(_tree(ROOT / path)):
            node = _definition(ROOT / path, name)
            rows.append([f"`{name}`", _kind(node), _summary(node)])
            if name in DETAILED and isinstance(node, ast.ClassDef):
                members = table(["Member", "What it does"], _members(*_source(ROOT / path, name)))
                details.append(f"### {module}.{name}\n\n{members}")
        head = f"## {module}\n\n[Every parameter](../../{path}) of these names.\n\n"
        parts += [head + table(["Name", "Kind", "What it is"], sorted(rows, key=_order)), *details]
    return "\n".join(parts)


def _order(row: list[str]) -> tuple[int, str]:
    return ("class", "function", "exception", "constant").index(row[1]), row[0].lower()


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _exported(tree: ast.Module) -> list[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    raise ValueError("a public module has no __all__")


def _definition(file: Path, name: str) -> ast.stmt:
    return _source(file, name)[1]


def _source(file: Path, name: str) -> tuple[Path, ast.stmt]:
    """The statement that defines a name of a module, and the module that it is imported from."""
    for node in _tree(file).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return file, node
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                return file, node
        if isinstance(node, ast.ImportFrom) and node.level:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    folder = file.parents[node.level - 1]
                    other = folder.joinpath(*(node.module or "__init__").split("."))
                    module = other.with_suffix(".py") if other.with_suffix(".py").exists() else other / "__init__.py"
                    return _source(module, alias.name)
    raise ValueError(f"{file} does not define {name}")


def _kind(node: ast.stmt) -> str:
    if isinstance(node, ast.FunctionDef):
        return "function"
    if isinstance(node, ast.ClassDef):
        bases = " ".join(map(ast.unparse, node.bases))
        return "exception" if "Error" in bases or "Warning" in bases or "Exception" in bases else "class"
    return "constant"


def _summary(node: ast.stmt) -> str:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return first_sentence(ast.get_docstring(node) or "")
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    text = ast.unparse(value) if value else ""
    return f"`{text}`" if len(text) < 60 else ""


def _members(file: Path, node: ast.stmt) -> list[list[str]]:
    """Methods and properties of a class, and of the classes of the package that it is derived from."""
    assert isinstance(node, ast.ClassDef)
    rows = []
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and not member.name.startswith("_"):
            decorators = [ast.unparse(decorator) for decorator in member.decorator_list]
            if any(text.endswith((".setter", "overload")) for text in decorators):
                continue
            call = "" if "property" in decorators else "()"
            rows.append([f"`{member.name}{call}`", first_sentence(ast.get_docstring(member) or "")])
    for base in map(ast.unparse, node.bases):
        if base.isidentifier() and base not in ("Protocol", "NamedTuple"):
            rows += _members(*_source(file, base))
    return rows
