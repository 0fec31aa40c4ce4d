# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What others in the same process cost a forward pass, and what it costs them: `scripts/bench --beside` prints a table.

Each of them has three processes, of which one is awake at a time: ours alone, theirs alone, and both in one.
Each round asks all of them the same, and what counts is the ratio within a round, since machines drift. Two cases: the
others have started and are idle, or they and a forward pass compute by turns, without a pause. The second is compared
with forward passes after pauses of that length, in which threads fall asleep too. With `--peers` the forward passes of
other engines are measured in the same way.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import sys
from pathlib import Path
from typing import Any

from . import artifacts
from .arguments import choices, positive
from .children import Child, end_all, python
from .columns import STARTUP_COLUMN
from .companions import COMPANIONS
from .engines import OURS, PEERS, engine
from .machine import Disturbance

WORK = Path(__file__).resolve().parents[2] / ".build" / "bench"
ROUNDS = 15
TIMEOUT = 120.0
SIDES = ("ours", "theirs")


# Milliseconds of a case, "ms" the median of some calls and "least" the fastest of them.
Times = dict[str, float]


def measure(name: str, companion: str, count: int, environment: dict[str, str], logs: Path) -> list[dict[str, Times]]:
    """For each round the times of every case, as "where case side"."""
    # Compiles what it needs first.
    processes = {}
    for where in (*SIDES, "both"):
        command = python("beside_worker", name, companion, where, WORK)
        processes[where] = Child(command, environment, logs / f"beside-{name}-{companion}-{where}.log")
        processes[where].answer(TIMEOUT)
        processes[where].stop()

    def ask(where: str, command: str) -> dict[str, Any]:
        process = processes[where]
        process.go_on()
        answer = process.ask(command, TIMEOUT)
        process.stop()
        return answer

    rounds = []
    turns = ask("both", "turns")
    for number in range(count + 1):
        # "ours" and "theirs" are names of processes, too.
        cases = [(f"alone idle {side}", side, f"loop {side}") for side in SIDES]
        for side, other in zip(SIDES, reversed(SIDES), strict=True):
            cases.append((f"alone turns {side}", side, f"pause {side} {turns[other]['ms']:.3f}"))
        cases += [(f"both idle {side}", "both", f"loop {side}") for side in SIDES]
        cases.append(("both turns", "both", "turns"))
        sample = {}
        for name, where, command in cases[:: -1 if number % 2 else 1]:
            answer = ask(where, command)
            if command == "turns":
                turns = answer
                sample |= {f"{name} {side}": answer[side] for side in SIDES}
            else:
                sample[name] = answer
        # Nothing is warm in the first.
        if number > 0:
            rounds.append(sample)
    for process in processes.values():
        process.end()
    return rounds


def row(name: str, companion: str, rounds: list[dict[str, Times]]) -> str:
    cells = [companion, engine(name).LABEL]
    for side in SIDES:
        cells.append(f"{statistics.median(sample[f'alone idle {side}']['ms'] for sample in rounds):.1f} ms")
        for case in ("idle", "turns"):
            pairs = [(sample[f"both {case} {side}"], sample[f"alone {case} {side}"]) for sample in rounds]
            median = statistics.median(both["ms"] / alone["ms"] for both, alone in pairs)
            least = min(both["least"] for both, _ in pairs) / min(alone["least"] for _, alone in pairs)
            cells.append(f"{median:.3f} ({least:.3f})")
    return f"| {' | '.join(cells)} |"


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench --beside", usage="see scripts/bench --help")
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--peers", type=choices("peer", PEERS), default=[])
    parser.add_argument("--runs", type=positive, default=ROUNDS)
    # What the script could not install, as PEER=REASON.
    parser.add_argument("--left-out", action="append", default=[])
    arguments = parser.parse_args()
    environment = {**os.environ, "BACKBONE_LIBRARY": str(arguments.library)}
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    logs = WORK / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    (WORK / "openmp.so").unlink(missing_ok=True)
    left_out = {entry.partition("=")[0] for entry in arguments.left_out}
    names = [OURS, *(peer for peer in arguments.peers if peer not in left_out)]
    unprepared = artifacts.prepare_all(WORK / "models", names, [STARTUP_COLUMN], dict(os.environ), logs)
    disturbance = Disturbance()
    print("Time in one process with another library, relative to being alone: medians of the rounds' ratios, and in")
    print("brackets the ratio of the fastest calls. Forward passes are of ResNet-50 at 224 x 224.\n")
    print("| beside | passes of | alone | other idle | by turns | the other alone | passes idle | by turns |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    try:
        for companion in COMPANIONS:
            for name in names:
                if name in unprepared:
                    continue
                print(f"==> {engine(name).LABEL} beside {companion}, {arguments.runs} rounds", file=sys.stderr)
                rounds = measure(name, companion, arguments.runs, environment, logs)
                print(row(name, companion, rounds), flush=True)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    finally:
        end_all()
    others, stolen = disturbance.percent()
    if others + stolen > 5:
        print(f"warning: {others + stolen:.0f} % of the time went to others", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
