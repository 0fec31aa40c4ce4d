# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Results as lines of a terminal, and as the table of docs/architectures.md."""

from __future__ import annotations

import re
from collections.abc import Sequence

BEGIN = "<!-- scripts/family --write: begin -->"
END = "<!-- scripts/family --write: end -->"

_OUTPUTS = ("C1", "C2", "C3", "C4", "C5", "pooled", "logits")
_HEADER = ("Network", "Source", "Parameters, M", "Note", "Opened as", "Opened from", *_OUTPUTS, "Result")


def progress(result) -> str:
    """One line, with a second one for a failure."""
    line = (
        f"{result.network.key:34}{result.parameters / 1e6:7.1f}  {result.architecture or '-':22} {result.opened:17}"
        + "".join(f"{_errors(result, name) or '-':>14}" for name in _OUTPUTS)
        + f"{'FAILED' if result.failure else 'ok':>8}{result.seconds:7.1f} s"
    )
    return f"{line}\n    {result.failure}" if result.failure else line


def heading() -> str:
    """What the columns of `progress` are."""
    return (
        f"{'':34}{'M':>7}  {'architecture':22} {'opened from':17}"
        + "".join(f"{name:>14}" for name in _OUTPUTS)
        + "  (errors in millionths of the largest value: direct/fast)"
    )


def row(result) -> str:
    """A row of the Markdown table."""
    network = result.network
    cells = [
        f"`{network.name}`",
        network.source,
        f"{result.parameters / 1e6:.1f}",
        network.note,
        result.architecture and f"`{result.architecture}`",
        result.opened,
        *(_errors(result, name) for name in _OUTPUTS),
        f"FAILED: {result.failure.replace('|', '/')}" if result.failure else "ok",
    ]
    return "| " + " | ".join(cells) + " |"


def markdown(rows: Sequence[str]) -> str:
    """The whole table."""
    numbers = "".join("---:|" if name in ("Parameters, M", *_OUTPUTS) else "---|" for name in _HEADER)
    return "\n".join(["| " + " | ".join(_HEADER) + " |", "|" + numbers, *rows]) + "\n"


def key_of(line: str) -> str:
    """Which network a row of the table is about."""
    name, source = (cell.strip(" `") for cell in line.strip("|").split("|")[:2])
    return f"{source}/{name}"


def updated(page: str, rows: Sequence[str], order: Sequence[str]) -> str:
    """A page with new rows in the table between its markers. Rows of networks that were not run stay.

    Args:
        page: the text.
        rows: the new ones.
        order: the keys of all networks; rows of any others go.

    Raises:
        ValueError: the page lacks the markers.
    """
    parts = re.fullmatch(f"(.*{re.escape(BEGIN)}\n)(.*)({re.escape(END)}\n.*)", page, re.DOTALL)
    if not parts:
        raise ValueError(f"the page lacks the markers {BEGIN!r} and {END!r}")
    before, table, after = parts.groups()
    known = {key_of(line): line for line in (*table.splitlines(), *rows) if line.startswith("| `")}
    return f"{before}\n{markdown([known[key] for key in order if key in known])}\n{after}"


def _errors(result, name: str) -> str:
    """Direct and fast, in millionths of the largest value."""
    errors = [result.errors.get(arithmetic, {}).get(name) for arithmetic in ("direct", "fast")]
    return "" if None in errors else " / ".join(_millionths(error) for error in errors)


def _millionths(error: float) -> str:
    value = error * 1e6
    return f"{value:.1f}" if value < 100 else f"{value:.0f}" if value < 1e5 else f"{value:.0e}"
