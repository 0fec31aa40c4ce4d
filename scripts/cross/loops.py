# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Looks at the inner loops of compiled kernels for 64-bit ARM.

`python loops.py DISASSEMBLY` prints, for each tile and product, the loop with the most vector multiply-adds: how many
they are, the instructions for each, and how many load or store the stack. It fails if more do than `ALLOWED` says: a
register that is spilled costs as much as the multiply-add that it is for.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s+(\S+)\s*(.*)$")
BRANCH = re.compile(r"^(b|b\.\w+|cbn?z|tbn?z)$")
TARGET = re.compile(r"0x([0-9a-f]+)")
# Of a mangled name: those whose inner loops are all multiply-adds.
KERNELS = re.compile(r"\d(convolutionTile\d|wideTile\d|narrowTile\d|productTile|gradientTile\d)")
STACK = re.compile(r"\[sp[,\]]")
# Of so many multiply-adds one may have a spill; none for kernels not listed here. These keep what they load of each row
# for the four channels of a group, for which five and six rows have no registers left.
ALLOWED = {"narrowTile5": 16, "narrowTile6": 4}


@dataclass(frozen=True)
class Instruction:
    address: int
    name: str
    operands: str

    def backward_target(self) -> int | None:
        """Where a branch goes that closes a loop."""
        if not BRANCH.match(self.name) or not (found := TARGET.search(self.operands)):
            return None
        target = int(found.group(1), 16)
        return target if target <= self.address else None


def functions_of(lines: list[str]) -> dict[str, list[Instruction]]:
    functions: dict[str, list[Instruction]] = {}
    current: list[Instruction] = []
    for line in lines:
        if match := FUNCTION.match(line):
            current = functions.setdefault(match.group(1), [])
        elif match := INSTRUCTION.match(line):
            current.append(Instruction(int(match.group(1), 16), match.group(2), match.group(3)))
    return functions


def innermost_loops(body: list[Instruction]) -> list[list[Instruction]]:
    spans = [(target, one.address) for one in body if (target := one.backward_target()) is not None]
    return [
        [one for one in body if first <= one.address <= last]
        for first, last in spans
        if not any((first, last) != other and first <= other[0] and other[1] <= last for other in spans)
    ]


def multiplications(loop: list[Instruction]) -> int:
    return sum(one.name.startswith("fmla") for one in loop)


def main() -> int:
    with open(sys.argv[1]) as file:
        functions = functions_of(file.read().splitlines())
    rows, spilling = [], 0
    for name, body in functions.items():
        kernel = KERNELS.search(name)
        # One that several heights share is a branch to another.
        loops = [loop for loop in innermost_loops(body) if multiplications(loop) > 0] if kernel else []
        for number, loop in enumerate(sorted(loops, key=multiplications, reverse=True)):
            # Of a product, the loops of lower tiles too.
            if number > 0 and kernel.group(1) != "productTile":
                continue
            spills = sum(bool(STACK.search(one.operands)) for one in loop)
            allowed = multiplications(loop) // ALLOWED[kernel.group(1)] if kernel.group(1) in ALLOWED else 0
            spilling += spills > allowed
            rows.append((kernel.group(1), multiplications(loop), len(loop) / multiplications(loop), spills))
    if not rows:
        print("found no kernels")
        return 1
    print(f"{'kernel':<20} {'fmla':>4} {'instructions for each':>21} {'spills':>6}")
    for kernel, count, ratio, spills in sorted(rows):
        print(f"{kernel:<20} {count:>4} {ratio:>21.2f} {spills:>6}")
    return 1 if spilling else 0


sys.exit(main())
