# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What the numbers were measured on and with."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import resource
import subprocess
import time
from pathlib import Path

from .engines import engine

# Those that decide which kernels an engine takes.
_INSTRUCTION_SETS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile")


def machine() -> dict[str, object]:
    """The processor, its caches and the system; nothing that names the machine."""
    fields: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip(), value.strip())
    flags = fields.get("flags", "").split()
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    return {
        "cpu": fields.get("model name", platform.machine()),
        "cpu_family": fields.get("cpu family"),
        "cpu_model": fields.get("model"),
        "instruction_sets": [name for name in _INSTRUCTION_SETS if name in flags],
        "cpus": len(os.sched_getaffinity(0)),
        "caches": _caches(),
        "memory_gib": round(int(memory[1]) / (1 << 20), 1) if memory else None,
        "virtual": "hypervisor" in flags,
        "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "busy_percent": _busy_percent(),
    }


def _caches() -> dict[str, str]:
    caches = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
        caches[f"L{level}" + {"Data": "d", "Instruction": "i"}.get(kind, "")] = size
    return caches


def versions(root: Path, names: list[str]) -> dict[str, str]:
    """The versions of the engines, and of what they run under."""
    header = (root / "include" / "backbone.h").read_text()
    ours = re.search(r'#define BACKBONE_VERSION_STRING "(.+)"', header)
    result = {"python": platform.python_version(), "numpy": importlib.metadata.version("numpy")}
    for name in names:
        distribution = engine(name).DISTRIBUTION
        if distribution:
            result[name] = importlib.metadata.version(distribution)
        else:
            commit = subprocess.run(
                ["git", "describe", "--always", "--dirty"], cwd=root, capture_output=True, text=True, check=False
            )
            result[name] = f"{ours[1] if ours else '?'} {commit.stdout.strip()}".strip()
    return result


class Disturbance:
    """What processors did since this was made that was not for us."""

    def __init__(self) -> None:
        self._times, self._own = _processor_times(), _own_seconds()

    def percent(self) -> tuple[float, float]:
        """Of all time, what other processes of this machine used and what its host gave to others.

        Children count as others until they have been waited for.
        """
        differences = [now - before for now, before in zip(_processor_times(), self._times, strict=True)]
        total = max(sum(differences[:8]), 1)
        busy = total - differences[3] - differences[4] - differences[7]
        own = (_own_seconds() - self._own) * os.sysconf("SC_CLK_TCK")
        return round(100 * max(busy - own, 0) / total, 1), round(100 * differences[7] / total, 1)


def _own_seconds() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def _busy_percent() -> float:
    """How much of the processors others use now, of this machine and of its host."""
    before = _processor_times()
    time.sleep(1)
    differences = [now - earlier for now, earlier in zip(_processor_times(), before, strict=True)]
    idle = differences[3] + differences[4]
    return round(100 * (1 - idle / max(sum(differences[:8]), 1)), 1)


def _processor_times() -> list[int]:
    """User, nice, system, idle, waiting for devices, interrupts (two kinds), stolen by the host; two more."""
    with open("/proc/stat") as file:
        return [int(value) for value in file.readline().split()[1:]]
