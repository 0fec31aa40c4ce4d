# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The command line of scripts/bench, which describes it: that script explains the options and installs what is
needed."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import signal
import sys
from pathlib import Path

from . import artifacts, children, machine, plot, report, session, startup
from .arguments import choices, output_folder, positive, thread_counts
from .columns import BY_KEY, COLUMNS, FAMILY, STARTUP_COLUMN
from .engines import OURS, PEERS, VARIANTS, engine

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".build" / "bench"
SAVED = ROOT / "scripts" / "benchmark" / "results"
QUICK_COLUMNS = ("resnet18-224", "resnet50-224")
QUICK_RUNS = 3
STARTUP_PROCESSES = 5


def main() -> int:
    arguments = parse_arguments()
    out = arguments.out or (SAVED if arguments.save else WORK / "results")
    if arguments.redraw:
        return redraw(out)
    # To clean up, `kill` shall be as Ctrl-C, which a shell may have made a job in the background ignore.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        results = run(arguments, out)
    except KeyboardInterrupt:
        print("\ninterrupted; columns that were complete are in the results", file=sys.stderr)
        return 130
    finally:
        children.end_all()
    print(report.markdown(results), end="")
    print(f"==> written to {out}", file=sys.stderr)
    failed = any(
        cell["failure"] for column in results["columns"] for cell in (*column["cells"], *column["variants"])
    )
    return 1 if failed or not any(column["cells"] for column in results["columns"]) else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", usage="see scripts/bench --help")
    parser.add_argument("--peers", type=choices("peer", PEERS), default=[])
    parser.add_argument("--only", type=choices("column", BY_KEY))
    parser.add_argument("--threads", type=thread_counts, default=[2, 1])
    parser.add_argument("--runs", type=positive)
    parser.add_argument("--no-startup", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=output_folder)
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--redraw", action="store_true")
    parser.add_argument("--library", type=Path, required=True)
    # What the script could not install, as PEER=REASON.
    parser.add_argument("--left-out", action="append", default=[], metavar="PEER=REASON")
    arguments = parser.parse_args()
    # In the order of the table, whatever the user's is.
    arguments.peers = [name for name in PEERS if name in arguments.peers]
    wanted = arguments.only or (QUICK_COLUMNS if arguments.quick else [column.key for column in COLUMNS])
    arguments.columns = [column for column in COLUMNS + FAMILY if column.key in wanted]
    return arguments


def run(arguments: argparse.Namespace, out: Path) -> dict:
    """Make models, measure, and write the results after each column."""
    logs = WORK / "logs"
    for folder in (logs, out):
        folder.mkdir(parents=True, exist_ok=True)
    left_out = dict(entry.split("=", 1) for entry in arguments.left_out)
    names = [OURS, *(peer for peer in arguments.peers if peer not in left_out)]
    needed = list(arguments.columns)
    if not arguments.no_startup and STARTUP_COLUMN not in needed:
        needed.append(STARTUP_COLUMN)
    given = child_environment(None, None)
    unprepared = artifacts.prepare_all(WORK / "models", [*names, *VARIANTS], needed, given, logs)
    # One that cannot be converted for one column is left out of all: what its row means stays simple.
    left_out |= unprepared
    names = [name for name in names if name not in left_out]

    conditions = machine.machine()
    if max(arguments.threads) > conditions["cpus"]:
        print(f"warning: {max(arguments.threads)} threads on {conditions['cpus']} CPUs", file=sys.stderr)
    if conditions["busy_percent"] > 10:
        print(f"warning: others use {conditions['busy_percent']} % of this machine's time", file=sys.stderr)
    results = {
        "format": 1,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": command_line(arguments),
        "machine": conditions,
        "versions": machine.versions(ROOT, names),
        "settings": {name: engine(name).SETTINGS for name in names},
        "engines": names,
        "threads": arguments.threads,
        "left_out": left_out,
        "columns": [],
        "ratios": [],
        "startup": None,
    }

    def environment(threads: int) -> dict[str, str]:
        return child_environment(arguments.library, threads)

    if not arguments.no_startup:
        processes = 1 if arguments.quick else STARTUP_PROCESSES
        results["startup"] = startup.measure(names, processes, arguments.library, WORK, environment, logs)
        write(results, out)
    for column in arguments.columns:
        contestants = [
            session.Contestant(name, threads) for threads in arguments.threads for name in [*names, *VARIANTS]
        ]
        runs = arguments.runs or (QUICK_RUNS if arguments.quick else column.runs)
        results["columns"].append(session.measure(column, contestants, runs, WORK / "models", environment, logs))
        results["ratios"] = report.compare(results["columns"])
        write(results, out)
    return results


def child_environment(library: Path | None, threads: int | None) -> dict[str, str]:
    environment = dict(os.environ)
    if library:
        environment["BACKBONE_LIBRARY"] = str(library)
    if threads:
        # Whatever an engine or NumPy asks for its number of threads besides our call.
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            environment[name] = str(threads)
    return environment


def command_line(arguments: argparse.Namespace) -> str:
    parts = ["scripts/bench"]
    if arguments.peers:
        parts.append("--peers" if len(arguments.peers) == len(PEERS) else f"--peers {','.join(arguments.peers)}")
    if arguments.only:
        parts.append(f"--only {','.join(arguments.only)}")
    if arguments.threads != [2, 1]:
        parts.append(f"--threads {','.join(map(str, arguments.threads))}")
    if arguments.runs:
        parts.append(f"--runs {arguments.runs}")
    parts += [option for option, on in (("--quick", arguments.quick), ("--save", arguments.save)) if on]
    return " ".join(parts)


def write(results: dict, out: Path) -> None:
    report.write_json(results, out / "results.json")
    report.write_markdown(results, out / "results.md")
    draw(results, out)


def draw(results: dict, out: Path) -> None:
    """Write results.png and results-dark.png, or remove those of earlier results."""
    for theme, name in (("light", "results.png"), ("dark", "results-dark.png")):
        if not plot.draw(results, out / name, theme):
            (out / name).unlink(missing_ok=True)


def redraw(out: Path) -> int:
    path = out / "results.json"
    try:
        results = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        print(f"error: cannot read {path}: {error}", file=sys.stderr)
        return 1
    report.write_markdown(results, out / "results.md")
    draw(results, out)
    print(f"==> written to {out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
