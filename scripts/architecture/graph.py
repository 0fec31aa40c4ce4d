# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""A graph of what uses what, with the reason for each edge, and the circles in it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Reason:
    file: str
    symbol: str


@dataclass
class Graph:
    nodes: list[str]
    # From user to used, with all reasons.
    edges: dict[tuple[str, str], set[Reason]] = field(default_factory=dict)

    def add(self, user: str, used: str, reason: Reason) -> None:
        if user != used:
            self.edges.setdefault((user, used), set()).add(reason)

    def used_by(self, node: str) -> list[str]:
        return [other for other in self.nodes if (node, other) in self.edges]

    def way(self, start: str, end: str) -> list[str]:
        """The shortest way from one node to another, or to itself; empty if none exists."""
        before: dict[str, str] = {}
        queue = deque([start])
        while queue:
            node = queue.popleft()
            for other in self.used_by(node):
                if other == end:
                    way = [end, node]
                    while way[-1] != start:
                        way.append(before[way[-1]])
                    return way[::-1]
                if other not in before and other != start:
                    before[other] = node
                    queue.append(other)
        return []

    def order(self) -> list[str]:
        """Users before what they use, where no circle forbids it; else as the nodes are listed."""
        order: list[str] = []
        rest = list(self.nodes)
        while rest:
            # Of a circle, the first one whose users are all in circles with it.
            free = [node for node in rest if not self.users_outside_circles(node, rest)]
            order.append(free[0])
            rest.remove(free[0])
        return order

    def users_outside_circles(self, node: str, among: list[str]) -> list[str]:
        users = [user for user in among if user != node and (user, node) in self.edges]
        return [user for user in users if not self.way(node, user)]

    def circles(self) -> list[list[str]]:
        """The shortest circle through each node that is in one.

        Of circles that have the edge of the fewest reasons in common, which is the one to remove, the shortest alone.
        """
        found: dict[tuple[str, str], list[str]] = {}
        for way in sorted((self.way(node, node) for node in self.nodes), key=len):
            if way:
                weakest = min(zip(way, way[1:], strict=False), key=lambda edge: len(self.edges[edge]))
                found.setdefault(weakest, way)
        return list(found.values())
