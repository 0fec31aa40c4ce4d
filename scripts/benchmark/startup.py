# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What an engine costs before its first result: time, memory and disk, each in a process that has just started."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from .artifacts import weights_file
from .children import Child, ChildError, last_line, python
from .columns import STARTUP_COLUMN, STARTUP_THREADS
from .engines import OURS, engine

FROM_C = "libbackbone-c"
_TIMEOUT = 300.0
# Every system has these; what else a library loads is counted.
_SYSTEM_LIBRARIES = re.compile(r"(linux-vdso|ld-linux.*|lib(c|m|dl|rt|pthread|stdc\+\+|gcc_s))\.so")


def measure(
    names: list[str],
    processes: int,
    library: Path,
    work: Path,
    environment: Callable[[int], dict[str, str]],
    logs: Path,
) -> dict[str, object]:
    """Start each engine in `processes` fresh processes, by turns. Returns what goes into results.json."""
    print(f"==> start-up, {processes} processes of each", file=sys.stderr)
    models, column, threads = work / "models", STARTUP_COLUMN, STARTUP_THREADS
    commands: dict[str, list[str | Path]] = {
        name: python("worker", name, str(threads), models, column.key) for name in names
    }
    rows: dict[str, dict[str, object]] = {name: {"failure": None} for name in names}
    if OURS in names:
        rows[FROM_C] = {"failure": None}
        try:
            program = compiled("startup", library, work, logs)
            commands[FROM_C] = [program, weights_file(models, column), str(column.depth), str(threads)]
        except (OSError, ChildError) as error:
            rows[FROM_C] = {"failure": str(error)}
    samples: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
    # The first of each is not counted: it reads files into the system's cache.
    for number in range(processes + 1):
        order = list(commands)
        shift = number % len(order)
        for name in order[shift:] + order[:shift]:
            if rows[name]["failure"]:
                continue
            try:
                sample = _sample(commands[name], environment(threads), logs / f"startup-{name}.log")
                if number > 0:
                    samples[name].append(sample)
            except ChildError as error:
                rows[name]["failure"] = str(error)
                print(f"    {name}: {error}", file=sys.stderr)
    for name, taken in samples.items():
        if rows[name]["failure"] is None:
            rows[name] |= {key: round(statistics.median(one[key] for one in taken), 3) for key in taken[0]}
            rows[name]["samples"] = taken
    for name in names:
        rows[name] |= _size(name, library, work)
    if FROM_C in rows:
        rows[FROM_C] |= {key: rows[OURS][key] for key in ("disk", "needs")} | {"binding": 0}
    return {"column": column.key, "threads": threads, "processes": processes, "rows": rows}


def _sample(command: list[str | Path], environment: dict[str, str], log: Path) -> dict[str, float]:
    child = Child(command, environment, log)
    try:
        answer = child.answer(_TIMEOUT)
        total = time.perf_counter_ns() - child.started
        return {
            "load_ms": answer["load_ns"] / 1e6,
            "first_ms": answer["first_ns"] / 1e6,
            "start_to_features_ms": total / 1e6,
            "peak_memory": child.peak_memory(),
        }
    finally:
        child.end()


def compiled(name: str, library: Path, work: Path, logs: Path) -> Path:
    """Compile one of the C programs in this folder."""
    source, program, log = Path(__file__).with_name(f"{name}.c"), work / name, logs / f"{name}-cc.log"
    include = source.parents[2] / "include"
    # The program asks for the library by its soname, which not every copy has beside it.
    abi = re.search(r"#define BACKBONE_ABI_VERSION (\d+)", (include / "backbone.h").read_text())[1]
    link = work / f"libbackbone.so.{abi}"
    link.unlink(missing_ok=True)
    link.symlink_to(library)
    with open(log, "wb") as output:
        command = ["cc", "-std=c99", "-O2", f"-I{include}", source, link, f"-Wl,-rpath,{work}", "-o", program]
        if subprocess.run(command, stdout=output, stderr=output, check=False).returncode != 0:
            raise ChildError(f"{name}.c does not compile: {last_line(log)}")
    return program


def _size(name: str, library: Path, work: Path) -> dict[str, object]:
    """Bytes on disk: of an engine's Python package without what it depends on, or of our library, stripped."""
    distribution = engine(name).DISTRIBUTION
    if distribution:
        files = [file.locate() for file in importlib.metadata.files(distribution) or [] if file.suffix != ".pyc"]
        return {"disk": sum(file.stat().st_size for file in files if file.exists())}
    stripped = work / "stripped.so"
    shutil.copyfile(library, stripped)
    subprocess.run(["strip", stripped], check=True)
    package = Path(__file__).resolve().parents[2] / "bindings" / "python" / "backbone"
    loaded = subprocess.run(["ldd", stripped], capture_output=True, text=True, check=True).stdout
    needs = {}
    for line in loaded.splitlines():
        found = re.match(r"\s*(\S+) => (/\S+)", line)
        if found and not _SYSTEM_LIBRARIES.match(found[1]):
            needs[found[1]] = Path(found[2]).stat().st_size
    return {
        "disk": stripped.stat().st_size,
        "binding": sum(file.stat().st_size for file in package.glob("*.py")),
        "needs": needs,
    }
