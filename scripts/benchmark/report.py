# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Results as JSON and as Markdown."""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path

from .columns import BY_KEY, STAGES
from .engines import OURS, VARIANTS, engine, zeros
from .startup import FROM_C

_MIB = 1 << 20


_OF_ZEROS = {"random": "", "trained": ", zeros as trained", "none": ", no zeros"}


def label(name: str) -> str:
    """The name of an engine, or of a variant of it, in tables."""
    return f"{engine(OURS).LABEL}, from C" if name == FROM_C else engine(name).LABEL + _OF_ZEROS[zeros(name)]


def compare(columns: list[dict]) -> list[dict]:
    """Our time in relation to that of the fastest peer, for each column and number of threads that has both."""
    ratios = []
    for column in columns:
        for threads in _threads(column):
            timed = {c["engine"]: c for c in column["cells"] if c["threads"] == threads and c["median_ms"] is not None}
            ours = timed.pop(OURS, None)
            if ours is None or not timed:
                continue
            fastest = min(timed.values(), key=lambda cell: cell["median_ms"])
            variants = [_cell(column, name, threads) for name in VARIANTS]
            for cell in [ours, *(cell for cell in variants if cell and cell["median_ms"] is not None)]:
                ratios.append(
                    {"column": column["key"], "threads": threads, "fastest_peer": fastest["engine"]}
                    | {"zeros": zeros(cell["engine"])}
                    | _ratios(cell, fastest)
                )
    return ratios


def _ratios(ours: dict, fastest: dict) -> dict[str, float]:
    # Of forward passes in the same round: a machine that drifts does so for both.
    pairs = [a / b for a, b in zip(ours["samples_ms"], fastest["samples_ms"], strict=True)]
    return {
        "ratio": round(ours["median_ms"] / fastest["median_ms"], 3),
        "ratio_of_rounds": round(statistics.median(pairs), 3),
        "ratio_of_minima": round(ours["min_ms"] / fastest["min_ms"], 3),
    }


def write_json(results: dict, path: Path) -> None:
    """Write results.json, with every list of numbers on one line."""
    text = json.dumps(results, indent=1)
    text = re.sub(r"\[[-\d.,e\s]*\]", lambda match: " ".join(match[0].split()), text)
    path.write_text(text + "\n")


def write_markdown(results: dict, path: Path) -> None:
    """Write results.md."""
    path.write_text(markdown(results))


def markdown(results: dict) -> str:
    """The report as text."""
    columns = results["columns"]
    parts = ["# Benchmark", _conditions(results)]
    for threads in results["threads"]:
        parts += [f"## {_plural(threads, 'thread')}: milliseconds of one forward pass", _times(results, threads)]
    if columns:
        threads = max(results["threads"])
        parts += [f"## {_plural(threads, 'thread')}: milliseconds of the first forward pass after a pause"]
        parts += ["While it slept, the other engines computed.", _after_pause(results, threads)]
    if 1 in results["threads"] and len(results["threads"]) > 1 and columns:
        parts += ["## More threads: how many times faster than with one", _speed_up(results)]
    failures = [
        f"- {column['title']}, {label(cell['engine'])}, {_plural(cell['threads'], 'thread')}: {cell['failure']}"
        for column in columns
        for cell in (*column["cells"], *column.get("variants", ()))
        if cell["failure"]
    ]
    failures += [f"- {label(name)}: left out, {reason}" for name, reason in results["left_out"].items()]
    if results["startup"]:
        parts += ["## Start-up", _startup(results["startup"])]
        failures += [
            f"- start-up, {label(name)}: {row['failure']}"
            for name, row in results["startup"]["rows"].items()
            if row["failure"]
        ]
    if failures:
        parts.insert(2, "**Not everything worked:**\n\n" + "\n".join(failures))
    if columns:
        parts += ["## Accuracy", _accuracy(results)]
    parts += ["## How it was measured", _method(results)]
    return "\n\n".join(parts) + "\n"


def _conditions(results: dict) -> str:
    machine = results["machine"]
    processor = machine["cpu"]
    if machine["cpu_family"]:
        processor += f" (family {machine['cpu_family']}, model {machine['cpu_model']})"
    caches = ", ".join(f"{name} {size}" for name, size in machine["caches"].items())
    engines = ", ".join(f"{label(name)} {results['versions'][name]}" for name in results["engines"])
    return (
        f"ResNet features C2 to C5 in float32, on {results['date']}.\n\n"
        f"- Processor: {processor}, {machine['cpus']} CPUs{' of a virtual machine' * machine['virtual']}, "
        f"{' '.join(machine['instruction_sets'])}; caches {caches}; {machine['memory_gib']} GiB; {machine['system']}\n"
        f"- Engines: {engines}; Python {results['versions']['python']}, NumPy {results['versions']['numpy']}\n"
        f"- Made by `{results['command']}`; all samples are in `results.json`"
    )


def _times(results: dict, threads: int) -> str:
    columns = results["columns"]
    rows = [["", *(column["title"] for column in columns)]]
    best = {}
    for column in columns:
        times = [c["median_ms"] for c in column["cells"] if c["threads"] == threads and c["median_ms"] is not None]
        best[column["key"]] = min(times, default=None)
    for name in _with_variants(results):
        row = [label(name)]
        for column in columns:
            cell = _cell(column, name, threads)
            if cell is None:
                row.append("")
            elif cell["failure"]:
                row.append("wrong" if cell["failure"].startswith("wrong") else "failed")
            else:
                time = milliseconds(cell["median_ms"])
                row.append(f"**{time}**" if cell["median_ms"] == best[column["key"]] else time)
        rows.append(row)
    for which, suffix in _OF_ZEROS.items():
        ratios = {
            r["column"]: r for r in results["ratios"] if r["threads"] == threads and r.get("zeros", "random") == which
        }
        if not ratios:
            continue
        for title, key in (("ours / fastest peer", "ratio"), ("the same, median of rounds", "ratio_of_rounds")):
            shown = (f"{ratios[c['key']][key]:.2f}" if c["key"] in ratios else "" for c in columns)
            rows.append([title + suffix, *shown])
    return _table(rows)


def _with_variants(results: dict) -> list[str]:
    """Ours, its variants, and the peers."""
    measured = {cell["engine"] for column in results["columns"] for cell in column.get("variants", ())}
    return [
        name
        for engine_name in results["engines"]
        for name in [engine_name, *(v for v in VARIANTS if engine_name == OURS and v in measured)]
    ]


def _after_pause(results: dict, threads: int) -> str:
    columns = results["columns"]
    rows = [["", *(column["title"] for column in columns)]]
    for name in results["engines"]:
        cells = [_cell(column, name, threads) for column in columns]
        times = (cell and cell["median_after_pause_ms"] for cell in cells)
        rows.append([label(name), *(milliseconds(time) if time else "" for time in times)])
    return _table(rows)


def _speed_up(results: dict) -> str:
    columns = results["columns"]
    rows = [["", *(column["title"] for column in columns)]]
    for name in results["engines"]:
        for threads in (count for count in results["threads"] if count != 1):
            row = [label(name) if len(results["threads"]) == 2 else f"{label(name)}, {threads} threads"]
            for column in columns:
                several, one = (_cell(column, name, count) for count in (threads, 1))
                both = several and one and several["median_ms"] and one["median_ms"]
                row.append(f"{one['median_ms'] / several['median_ms']:.2f}" if both else "")
            rows.append(row)
    return _table(rows)


def _startup(startup: dict) -> str:
    title = BY_KEY[startup["column"]].title
    rows = [["", "load", "first forward pass", "process start to features", "peak memory", "on disk"]]
    needs = {}
    for name, row in startup["rows"].items():
        disk = _mebibytes(row["disk"] + row.get("binding", 0)) if "disk" in row else ""
        if row.get("needs"):
            needs = row["needs"]
            disk += " [^1]"
        times = ("load_ms", "first_ms", "start_to_features_ms")
        if row["failure"]:
            shown = ["failed"] * 4
        else:
            shown = [f"{milliseconds(row[key])} ms" for key in times] + [_mebibytes(row["peak_memory"])]
        rows.append([label(name), *shown, disk])
    text = (
        f"{title}, {_plural(startup['threads'], 'thread')}; medians of {startup['processes']} fresh processes, with "
        "the files in the system's cache. Load is from the engine's own file to a network that can run, without the "
        "import of the library. Process start to features is all of a Python process that imports NumPy and the "
        "engine, loads and does one forward pass. On disk is the stripped library with its Python package, or the "
        "installed Python package of a peer without the packages that it depends on.\n\n" + _table(rows)
    )
    if needs:
        listed = ", ".join(f"{name} {_mebibytes(size)}" for name, size in needs.items())
        text += f"\n\n[^1]: Besides, libraries of the system: {listed}."
    return text


def _accuracy(results: dict) -> str:
    rows = [["", *STAGES]]
    for name in results["engines"]:
        cells = [c for column in results["columns"] for c in column["cells"] if c["engine"] == name]
        row = [label(name)]
        for stage in STAGES:
            known = [cell["errors"][stage] for cell in cells if stage in cell["errors"]]
            row.append(f"{max(known):.1e}" if known else "")
        rows.append(row)
    return (
        "The largest error of any column, relative to the largest value of the stage, against PyTorch in float64.\n\n"
        + _table(rows)
    )


def _method(results: dict) -> str:
    columns = results["columns"]
    runs = ", ".join(f"{column['title']} {column['runs']}" for column in columns)
    taken = ", ".join(f"{c['title']} {c['others_percent']} and {c['stolen_percent']} %" for c in columns)
    lines = [
        "Networks are torchvision's with random weights and BatchNorm statistics measured on random images. Engines "
        "get conversions of the same checkpoint, and the same input.",
        "Each engine with each number of threads is a process of its own. They take turns, in another order in each "
        "round; all but one are stopped (SIGSTOP). A turn is forward passes for a fifth of a second, at least one, "
        "which wake threads and fill caches, and then the one that counts. Time is around the call alone.",
        "libbackbone does not multiply by activations that are zero, so it is measured with three networks: random "
        "weights, after which ReLUs in blocks leave about half; \"zeros as trained\", the same weights with biases by "
        "which they leave from a half in the first block to a sixth in the last, as in ResNets trained on CIFAR-10; "
        "and \"no zeros\", biases by which they leave all. The time of the other engines does not depend on them.",
        "Features are compared before and after. An engine that is off by more than 0.01 of a stage's largest value is "
        "called wrong and has no time.",
    ]
    if runs:
        lines.append(f"Timed forward passes of each engine: {runs}. Cells are their medians.")
        lines.append(f"Processor time that other processes and other machines of the host took meanwhile: {taken}.")
    lines += [f"{label(name)}: {engine(name).SETTINGS}." for name in results["engines"]]
    return "\n".join(f"- {line}" for line in lines)


def _cell(column: dict, name: str, threads: int) -> dict | None:
    cells = [*column["cells"], *column.get("variants", ())]
    return next((cell for cell in cells if cell["engine"] == name and cell["threads"] == threads), None)


def _threads(column: dict) -> list[int]:
    return list(dict.fromkeys(cell["threads"] for cell in column["cells"]))


def _table(rows: list[list[str]]) -> str:
    rows = [rows[0], ["---"] + ["---:"] * (len(rows[0]) - 1), *rows[1:]]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def milliseconds(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _mebibytes(size: float) -> str:
    value = size / _MIB
    return f"{value:.1f} MiB" if value < 100 else f"{value:.0f} MiB"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
