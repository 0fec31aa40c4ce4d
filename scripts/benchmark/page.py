# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""A page of Markdown that is printed while it grows, and can be kept."""

from __future__ import annotations

import datetime
from pathlib import Path

from .machine import machine

_ROOT = Path(__file__).resolve().parents[2]


class Page:
    """Lines that are printed as they come.

    Args:
        command: how to measure it again.
        rounds: that have medians.
    """

    def __init__(self, command: str, rounds: int) -> None:
        self.lines: list[str] = []
        about = machine()
        self.write(
            f"{about['cpu']} (family {about['cpu_family']}, model {about['cpu_model']}), {about['busy_percent']} % "
            f"busy, {datetime.date.today()}; medians of {rounds} rounds: `{command}`",
            "",
        )

    def write(self, *lines: str) -> None:
        self.lines += lines
        print(*lines, sep="\n", flush=True)

    def save(self, name: str, title: str) -> None:
        """Write it into the folder of results, which is part of the repository."""
        path = _ROOT / "scripts" / "benchmark" / "results" / name
        path.write_text(f"# {title}\n\n" + "\n".join(self.lines) + "\n")
        print(f"\nwritten: {path.relative_to(_ROOT)}")
