# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What Python adds to a call of the library, and to the start of a process: `scripts/bench --overhead`."""

from __future__ import annotations

import argparse
import ctypes
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

CALLS = 200
ROUNDS = 50
PROCESSES = 15
IMPORT = "import time, numpy; started = time.perf_counter(); import backbone; print(time.perf_counter() - started)"


def _microseconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - started) / CALLS * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench --overhead", usage="see scripts/bench --help")
    parser.add_argument("--library", type=Path, required=True)
    # The package looks for its library when it is imported, in the processes that are started too.
    os.environ["BACKBONE_LIBRARY"] = str(parser.parse_args().library)
    import backbone
    from backbone import _library
    from backbone._arrays import input_tensor, output_tensor

    image = np.zeros((1, 3, 1, 1), np.float32)
    with backbone.ResNet(18, base_channels=1, threads=1) as net, net._handle as pointer:
        tensor, _ = input_tensor(image)
        out = net(image)
        outputs = (_library.Tensor * 4)(*map(output_tensor, out))
        calls = {
            "C": lambda: _library.lib.backbone_forward(pointer, ctypes.byref(tensor), outputs, 4),
            "Python": lambda: net(image),
            "Python, out=": lambda: net(image, out),
        }
        # By turns: the machine is slower at some times than at others.
        rounds = [{name: _microseconds(call) for name, call in calls.items()} for _ in range(ROUNDS)]
    times = [
        float(subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, check=True).stdout)
        # The first may have to compile it.
        for _ in range(PROCESSES + 1)
    ][1:]
    print("Forward of a network of one channel on one pixel, medians:\n")
    print("|  | microseconds | more than C |")
    print("| --- | ---: | ---: |")
    for name in calls:
        more = statistics.median(samples[name] - samples["C"] for samples in rounds)
        print(f"| {name} | {statistics.median(samples[name] for samples in rounds):.1f} | {more:.1f} |")
    print(f"\nImport, after numpy's: {statistics.median(times) * 1e3:.1f} ms.")


if __name__ == "__main__":
    main()
