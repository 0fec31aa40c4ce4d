# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""scripts/prose finds the wordings of its rules where readers see them, and nothing in code."""

import subprocess
import sys
from pathlib import Path

import pytest
from prose import allowed
from prose.__main__ import findings

ROOT = Path(__file__).resolve().parents[3]


def found(path, text, excuses=""):
    return [(line, wording) for line, wording, _ in findings(path, text, allowed.read(excuses))]


@pytest.mark.parametrize(
    "wording",
    [
        "it is no object",
        "bytes of no kind that is read",
        "all paths are no files",
        "that is none",
        "the file behind a link",
        "a prefix in front of the names",
        "a product of NumPy's",
        "an object of ours",
        "there are two",
        "There may be more",
        "26 were there",
        "it is to be had from PyPI",
        "the bytes lie side by side",
        "the handle stands for itself, the pointer stands alone",
        "it takes up memory",
        "it takes the place of the file",
        "report what a layer takes",
        "the outputs of a forward",
        "a value that has no place in an Int",
    ],
)
def test_each_wording_is_found(wording):
    assert len(found("page.md", f"Some words: {wording}.\n")) == 1


@pytest.mark.parametrize(
    "wording",
    [
        "it is no longer than 3 bytes",
        "the size of PyTorch's tensors",
        "C5 stands for the last stage",
        "it takes a pointer",
        "a forward pass, each forward and backward pass",
        "`there is` and ``lies``",
        "is no_grad on",
    ],
)
def test_what_is_right_is_not_found(wording):
    assert found("page.md", f"Some words: {wording}.\n") == []


SWIFT = '''// SPDX
let a = b.lies /* There are
   two. */
/// A comment that goes on: it is
/// no object.
///
/// There: is this one passage?
let text = "it is \\(name.isEmpty ? "there is" : "x") not; there are 2 of them"
let long = """
    what is behind
    """
let quote: Character = "\\""  // sits
'''


def test_swift():
    assert found("a.swift", SWIFT) == [
        (2, "There are"),
        (4, "is no object"),
        (8, "there are"),
        (10, "behind"),
        (12, "sits"),
    ]


def test_c():
    text = """/** A thing (it lies
 * there).
 */
int lies = '"'; /* stood */
char *message = "x is "
    "no file";
"""
    assert found("a.h", text) == [(1, "lies"), (4, "stood"), (5, "is no file")]


def test_python():
    text = """'''What a name takes.'''
lies = r"\\d"  # sits
message = f"{lies} is no" f" file, there are {stood}"
"""
    assert found("a.py", text) == [(1, "What a name takes"), (2, "sits"), (3, "is no file"), (3, "there are")]


def test_shell():
    text = """#!/usr/bin/env bash
# There are two.
echo "$#" '# lies'
cat <<'END'
it sits
END
sits=${lies#stood}
"""
    assert found("scripts/x", text) == [(2, "There are"), (3, "lies"), (5, "sits")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.go", "// There are\nvar lies = `it sits`\n"),
        ("a.rs", "/// There are\nfn lies<'a>() { \"it sits\"; }\n"),
        ("A.java", '/* There are */ int lies = 1; "it sits";\n'),
        ("a.lua", "-- There are\nlies = 'it sits'\n"),
        ("a.rb", "# There are\nlies = 'it sits'\n"),
        ("a.js", "// There are\nlies(`it sits ${stood}`);\n"),
    ],
)
def test_other_languages(name, text):
    assert [wording for _, wording in found(name, text)][:2] == ["There are", "sits"]


def test_code_of_a_page_is_not_prose():
    text = """# There are

    there is code
    that lies

- there was an item

      it lies

```c
it stands
```

| `a | lies` | it sits |
"""
    assert found("page.md", text) == [(1, "There are"), (6, "there was"), (8, "lies"), (14, "sits")]


def test_allowed_phrases_are_excused_in_their_file_alone():
    excuses = "# why\npage.md: behind the wall\nother.md: sits\n"
    assert found("page.md", "It is behind the wall.\n", excuses) == []
    assert found("page.md", "It is behind\nthe wall, and sits.\n", excuses) == [(2, "sits")]
    assert found("third.md", "It is behind the wall.\n", excuses) == [(1, "behind")]


def test_an_entry_that_excuses_nothing_is_reported():
    excuses = allowed.read("page.md: behind the wall\nother.md: sits\n")
    assert findings("page.md", "Nothing.\n", excuses) == []
    assert excuses.unused({"page.md"}) == [("page.md", "behind the wall")]


def test_an_entry_without_a_phrase_names_its_line():
    with pytest.raises(ValueError, match="line 2"):
        allowed.read("# why\npage.md\n")


def test_the_command_fails_with_the_place_and_the_advice(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("Fine.\n\nThere are two.\n")
    command = [sys.executable, "-m", "prose", str(page)]
    result = subprocess.run(command, cwd=ROOT / "scripts", capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stdout.startswith(f"{page}:3: There are: ")
    page.write_text("Fine.\n")
    assert subprocess.run(command, cwd=ROOT / "scripts", check=False).returncode == 0
