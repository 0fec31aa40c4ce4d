# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The tables of docs/theory.md are those of the results that its figures are drawn from."""

import csv
from pathlib import Path

import pytest
from theory import curves, gradients, transfer_curves

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/theory.md").read_text(encoding="utf-8")
RESULTS = ROOT / "scripts/theory/results"


def rows(name):
    with open(RESULTS / name, newline="") as file:
        return [{key: number(value) for key, value in row.items()} for row in csv.DictReader(file)]


def number(text):
    try:
        return float(text)
    except ValueError:
        return text


def grouped(table, *keys):
    """Rows in lists by the values of some columns, in their order."""
    groups = {}
    for row in table:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return groups


@pytest.mark.parametrize("name", ["degradation", "shortcuts"])
def test_errors(name):
    groups = grouped(rows(f"{name}.csv"), "network")
    records = [{"network": network, "rows": group} for (network,), group in groups.items()]
    assert len(records) == 4
    assert curves.summary(records) in PAGE


def test_gradients():
    table = rows("gradients.csv")
    for row in table:
        row["layer"] = int(row["layer"])
    text = gradients.summary([tuple(row[column] for column in gradients.COLUMNS) for row in table])
    assert len(text.splitlines()) > 8
    assert text in PAGE


def test_transfers():
    groups = grouped(rows("transfer.csv"), "engine", "way", "seed")
    found = [{"engine": e, "way": w, "seed": s, "rows": group} for (e, w, s), group in groups.items()]
    assert len(found) == 2 * 4 * 3
    assert transfer_curves.summary(found) in PAGE


def test_figures_are_small():
    for name in ("degradation", "shortcuts", "gradients", "transfer"):
        assert f"(images/{name}.png)" in PAGE
        assert (ROOT / f"docs/images/{name}.png").stat().st_size < 150_000
