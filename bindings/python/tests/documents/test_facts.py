# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Tables of the documents against the sources that they tell of."""

import json
import os
import re
import subprocess
import sys

import accuracy
import pytest
from markdown import ROOT, elements
from runners import FILES

from backbone import _errors, _library

LIMITS = {
    "tensors in a state dict": "tensors",
    "bytes of a name": "nameBytes",
    "dimensions of a tensor": "dimensions",
    "instructions of all pickles of a file": "pickleInstructions",
    "bytes of a pickle in a zip archive": "pickleBytes",
    "bytes of a compressed pickle in a zip archive": "inflatedPickleBytes",
    "bytes unpacked from compressed records in one load, and 8 for each byte of its tensors": "inflatedBytes",
    "bytes of a stream (`max_stream_bytes`)": "streamBytes",
    "zero bytes after the end of a checkpoint": "trailingZeros",
    "bytes of the header of a safetensors file": "safetensorsHeaderBytes",
    "members of a zip archive": "zipMembers",
    "keys that lead to a state dict": "candidateDepth",
    "files of an index": "shards",
}


def rows(page, word):
    """The rows of the one table of a page with this word in it, without the header."""
    (cells,) = [element.cells for element in elements(ROOT / page) if element.kind == "table" and word in element.text]
    return cells[1:]


def test_bounds_of_checkpoints():
    source = (ROOT / "Sources/Checkpoints/File/Limits.swift").read_text()
    units = {"": 1, " MiB": 1 << 20, " GiB": 1 << 30}
    table = {title: number for title, number in rows("docs/checkpoints.md", "dimensions of a tensor")}
    assert set(table) == set(LIMITS)
    for title, limit in LIMITS.items():
        expression = re.search(rf"static var {limit}: Int {{ ([\d_<> ]+) }}", source)[1]
        number, unit = re.fullmatch(r"(\d+)( [MG]iB)?", table[title]).groups()
        assert int(number) * units[unit or ""] == eval(expression), title
    assert "static var inflatedBytesForEachNeeded: Int { 8 }" in source


def test_containers_of_checkpoints():
    header = (ROOT / "include/backbone.h").read_text()
    (listed,) = re.findall(r"BACKBONE_REPORT_CONTAINER = 0,.*?\*/", header, re.DOTALL)
    table = {row[-1].strip("`") for row in rows("docs/checkpoints.md", "In the report")}
    assert table == set(re.findall(r'"(\w+)"', listed))


def test_statuses():
    listed = rows("docs/reference/messages.md", "BACKBONE_STATUS_IO")
    table = {row[0].strip("`"): row[2].split("`")[1] for row in listed}
    values = {name: getattr(_library, name.removeprefix("BACKBONE_")) for name in table}
    assert {values[name]: exception for name, exception in table.items()} == {
        status: exception.__name__ for status, exception in _errors._EXCEPTIONS.items()
    }


@pytest.mark.parametrize(
    ("title", "bounds"), [("allowed, fast", accuracy.BOUNDS), ("allowed, direct", accuracy.DIRECT_BOUNDS)]
)
def test_bounds_of_accuracy(title, bounds):
    table = {row[0]: [float(cell) for cell in row[1:]] for row in rows("docs/benchmarks.md", "allowed, fast")}
    assert table[title] == list(bounds)
    kind = title.split(", ")[1]
    for row, errors in table.items():
        if row.startswith("ResNet") and row.endswith(kind):
            assert all(error <= bound for error, bound in zip(errors, bounds, strict=True)), row


def test_readme_is_short_and_begins_with_code():
    readme = elements(ROOT / "README.md")
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
    assert next(e.line for e in readme if e.kind == "code") <= 60
    lines = {e.language: len(e.text.splitlines()) for e in readme if e.language in ("python", "cpp", "c")}
    assert lines == {"python": 5, "cpp": 12, "c": 15}


def test_speed_of_readme():
    """The README's table is that of the results: ours, the least of the others, and the ratio."""
    page = elements(ROOT / "scripts/benchmark/results/results.md")
    header, *measured = next(e.cells for e in page if e.kind == "table" and "ONNX Runtime" in e.text)
    # README quotes the network with random weights, not those with fewer or more zeros.
    rows_of_random = [row for row in measured if not row[0].endswith((", zeros as trained", ", no zeros"))]
    times = {row[0]: [cell.strip("*") for cell in row[1:]] for row in rows_of_random}
    ours, ratio = times.pop("libbackbone"), times.pop("the same, median of rounds")
    del times["ours / fastest peer"]
    fastest = [min(column, key=float) for column in zip(*times.values(), strict=True)]
    (table,) = [e.cells for e in elements(ROOT / "README.md") if e.kind == "table"]
    assert table[0] == header
    assert [row[1:] for row in table[1:]] == [ours, fastest, ratio]
    assert f"{min(ratio)} to {max(ratio)} of the time" in (ROOT / "README.md").read_text()


def test_memory_of_a_network():
    """A number of the table against a process of its own; kernels of other CPUs use other amounts."""
    header, *table = next(
        e.cells
        for e in elements(ROOT / "docs/guides/threads-and-memory.md")
        if e.kind == "table" and "resnet101" in e.text
    )
    column = header.index("224 x 224")
    (written,) = [float(row[column]) for row in table if row[0] == "resnet18"]
    command = [sys.executable, "-m", "backbone", "memory", "resnet18", "--size", "224", "--threads", "2", "--json"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(result.stdout)["bytes"][0]["peak"] / 2**20 == pytest.approx(written, rel=0.3)


@pytest.mark.parametrize(
    "file",
    sorted(file for name in set(FILES.values()) for file in ROOT.glob(f"bindings/*/{name}")),
    ids=lambda file: file.parent.name,
)
def test_quick_start_begins_with_the_example_of_the_binding(file):
    page = ROOT / f"docs/quickstart/{file.parent.name}.md"
    program = next(e for e in elements(page) if e.kind == "code" and FILES.get(e.language) == file.name)
    assert file.read_text().endswith("\n" + program.text)
