# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Writes the source of the site: docs/, and a page for each other file that a document links to."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

from pages import ROOT
from pages.links import HEADERS, MODULES, PICTURES, PROJECT, page_of, rewritten, targets
from pages.navigation import sections

# The names that Pygments has for languages, by suffix.
LANGUAGES = {
    ".c": "c", ".go": "go", ".h": "c", ".hpp": "cpp", ".cpp": "cpp", ".java": "java", ".js": "javascript",
    ".json": "json", ".lua": "lua", ".py": "python", ".rb": "ruby", ".rs": "rust", ".swift": "swift", "": "bash",
}  # fmt: skip


@cache
def tracked() -> tuple[str, ...]:
    """The files of the repository, new ones included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(sorted(name for name in listed.splitlines() if (ROOT / name).is_file()))


def write_source(folder: Path) -> None:
    """Write everything that Sphinx reads, but its settings, to an empty folder."""
    documents = [name for name in tracked() if name.startswith("docs/") and name.endswith(".md")]
    waiting = [*documents, *PROJECT, *MODULES]
    seen = set(waiting) | set(HEADERS)
    while waiting:
        path = waiting.pop()
        page = folder / page_of(path)
        page.parent.mkdir(parents=True, exist_ok=True)
        if Path(path).suffix in PICTURES:
            # Sphinx copies the pictures of Markdown; those of HTML are found where they are.
            for copy in (page, folder / "extra" / page_of(path)):
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / path, copy)
            continue
        text = _text(path)
        if path == "docs/README.md":
            text += _toctrees(documents)
        page.with_name(page.name + ".md").write_text(text, encoding="utf-8")
        if path.endswith(".md"):
            found = dict.fromkeys(targets((ROOT / path).read_text(encoding="utf-8"), path))
            # The root itself is not a page.
            new = [target for target in found if target not in seen and target != "."]
            seen |= set(new)
            waiting += new


def _text(path: str) -> str:
    """The page of a file or folder."""
    if path in MODULES:
        name = MODULES[path]
        return f"# {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n   :members:\n```\n"
    file = ROOT / path
    if file.is_dir():
        names = [name for name in tracked() if name.startswith(f"{path}/")]
        if not names:
            raise ValueError(f"{path} has no files of the repository")
        return f"---\norphan: true\n---\n\n# {path}\n\n" + "".join(f"- `{name}`\n" for name in names)
    text = file.read_text(encoding="utf-8")
    head = "" if path.startswith("docs/") or path in PROJECT else "---\norphan: true\n---\n\n"
    if path.endswith(".md"):
        return head + rewritten(text, path)
    return f"{head}# {path}\n\n````{LANGUAGES.get(file.suffix, 'none')}\n{text}````\n"


def _toctrees(documents: list[str]) -> str:
    """The navigation, as Sphinx has it: lists in the first page, which are shown beside all pages."""
    lists = [
        f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n" + "".join(f"{page}\n" for page in pages) + "```\n"
        for title, pages in sections(documents).items()
    ]
    return "".join(lists)
