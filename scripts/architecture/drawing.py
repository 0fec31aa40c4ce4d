# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""A graph as a drawing in text."""

from __future__ import annotations

from .graph import Graph

STEP = 4


def drawing_of(graph: Graph) -> str:
    """A row for each node, users above what they use.

    From each name a line goes down, with a dot in the row of each node that it uses. What is used from below, against
    the order, is part of a circle, and said so.
    """
    order = graph.order()
    rows = []
    for row, node in enumerate(order):
        cells = ""
        is_reached = False
        for user in order[:row]:
            if (user, node) in graph.edges:
                is_reached = True
                mark = "●"
            else:
                goes_on = any((user, other) in graph.edges for other in order[row + 1 :])
                mark = "│" if goes_on else "─" if is_reached else " "
            cells += mark + ("─" if is_reached else " ") * (STEP - 1)
        back = [user for user in order[row + 1 :] if (user, node) in graph.edges]
        rows.append(f"    {cells}{node}" + (f"  <== {', '.join(back)}" if back else ""))
    return "\n".join(rows)
