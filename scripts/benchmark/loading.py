# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What a load costs by kind of file: `scripts/bench --loading` prints it as a table.

The weights are those of the start-up's ResNet-50, in every container, as float32 and as float16. Each load is the only
one of its process, and the file is in the system's cache.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import torch

from . import artifacts, models, startup
from .columns import STARTUP_COLUMN

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".build" / "bench"
PROCESSES = 5
# The writers are those of the tests' fixtures.
sys.path[:0] = [str(ROOT / "Tests" / "Fixtures"), str(ROOT / "bindings" / "python" / "tests")]


def write(folder: Path, model: torch.nn.Module) -> dict[str, Path]:
    """The weights of a model in files of every kind."""
    import checkpoint_containers as containers
    from checkpoints import write_safetensors

    state = dict(model.state_dict())
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(state, folder / "zip.pth")
    torch.save(model, folder / "module.pth")
    files = {"zip": folder / "zip.pth", "zip, whole module": folder / "module.pth"}
    files["zip, deflated"] = containers.rezip(folder / "zip.pth", folder / "deflated.pth")
    files["zip, big-endian"] = containers.write_big_endian(folder / "big.pth", state)
    files["legacy"] = containers.write_legacy(folder / "legacy.pth", state)
    files["tar"] = containers.write_tar(folder / "tar.pth", state)
    for protocol in (2, 5):
        path = containers.write_pickle(folder / f"numpy{protocol}.pkl", arrays, protocol)
        files[f"pickle of arrays, protocol {protocol}"] = path
    files["pickle of arrays, Python 2"] = containers.write_python2_pickle(folder / "python2.pkl", arrays)
    files["safetensors"] = write_safetensors(folder / "x.safetensors", arrays)
    return files


def measure(program: Path, file: Path, *mode: str) -> tuple[float, float]:
    """Milliseconds of a load, and the bytes by which the process grew at most: medians."""
    command = [program, file, str(STARTUP_COLUMN.depth), *mode]
    # The first is not counted.
    outputs = [subprocess.run(command, check=True, capture_output=True).stdout for _ in range(PROCESSES + 1)]
    samples = [json.loads(output) for output in outputs[1:]]
    return tuple(statistics.median(sample[key] for sample in samples) for key in ("load_ns", "grown"))


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench --loading", usage="see scripts/bench --help")
    parser.add_argument("--library", type=Path, required=True)
    library = parser.parse_args().library
    logs = WORK / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    artifacts.prepare(WORK / "models", "weights", STARTUP_COLUMN, dict(os.environ), logs / "make-weights.log")
    program = startup.compiled("loading", library, WORK, logs)
    weights = artifacts.weights_file(WORK / "models", STARTUP_COLUMN)
    network = models.load(STARTUP_COLUMN.network, weights).model
    # What the network keeps, in float32.
    size = sum(value.numel() for name, value in network.state_dict().items() if not name.startswith("fc.")) * 4
    print("| kind of file | type | file | from the file | from memory | peak | peak / weights |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for dtype, name in ((torch.float32, "float32"), (torch.float16, "float16")):
        for kind, file in write(WORK / "checkpoints" / name, network.to(dtype)).items():
            from_file, from_memory = (measure(program, file, *mode) for mode in ((), ("memory",)))
            times = [f"{time / 1e6:.1f} ms" for time, _ in (from_file, from_memory)]
            peak = max(from_file[1], from_memory[1])
            mib = [f"{number / 2**20:.0f} MiB" for number in (file.stat().st_size, peak)]
            print(f"| {kind} | {name} | {mib[0]} | {' | '.join(times)} | {mib[1]} | {peak / size:.2f} |", flush=True)
            file.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
