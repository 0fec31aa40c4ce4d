# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Memory over many calls, each in a process of its own, where nothing else allocates."""

import os
import subprocess
import sys
import textwrap

PRELUDE = """
import gc
import numpy as np
import backbone

def resident():
    gc.collect()
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096

def grown(before):
    return (resident() - before) / 2**20
"""


def megabytes_grown(program: str) -> float:
    """Runs a program that prints by how much its memory has grown."""
    result = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        # One arena: threads of the allocator's own would keep memory that the library has given back.
        env={**os.environ, "MALLOC_ARENA_MAX": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return float(result.stdout)


def test_many_shapes_stay_on_a_plateau() -> None:
    # Behaviour 37: plans and workspaces are kept under a bound, whatever shapes come.
    grown = megabytes_grown("""
        random = np.random.default_rng(1)
        net = backbone.ResNet(18, base_channels=8, threads=2)
        def run(count):
            for height, width in random.integers(1, 121, (count, 2)):
                net(np.zeros((1, 3, height, width), np.float32))
        net(np.zeros((1, 3, 120, 120), np.float32))
        run(60)
        before = resident()
        run(200)
        print(grown(before))
    """)
    assert grown < 4


def test_creating_and_freeing_leaves_nothing() -> None:
    grown = megabytes_grown("""
        image = np.zeros((1, 3, 32, 32), np.float32)
        def run(count):
            for _ in range(count):
                with backbone.ResNet(18, base_channels=16, threads=2) as net:
                    net(image)
        run(10)
        before = resident()
        run(60)
        print(grown(before))
    """)
    # One leaked network would be 3 MB with its packed weights.
    assert grown < 6


def test_a_checkpoint_in_memory_is_not_copied(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "net.pth"
    grown = megabytes_grown(f"""
        net = backbone.ResNet(18)
        net.save_weights({str(path)!r})
        with open({str(path)!r}, "rb") as file:
            data = file.read()
        net.load_weights(data)
        before = resident()
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # the peak begins anew
        net.load_weights(data)
        with open("/proc/self/status") as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        print((peak * 1024 - before) / len(data))
    """)
    # The new weights beside the old ones, and no more.
    assert 0.9 < grown < 1.2


def test_failing_loads_leave_nothing(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "gray.safetensors"
    grown = megabytes_grown(f"""
        backbone.ResNet(18, in_channels=1).save_weights({str(path)!r})
        net = backbone.ResNet(18, threads=1)
        def run(count):
            for _ in range(count):
                try:
                    net.load_weights({str(path)!r})
                except backbone.MismatchError:
                    pass
        run(10)
        before = resident()
        run(200)
        print(grown(before))
    """)
    assert grown < 4


def test_ten_thousand_networks_leave_nothing() -> None:
    grown = megabytes_grown("""
        def run(count):
            for _ in range(count):
                backbone.ResNet(50, threads=2).close()
        run(500)
        before = resident()
        run(10_000)
        print(grown(before))
    """)
    # 0.1 KB of each would be 1 MB.
    assert grown < 1
