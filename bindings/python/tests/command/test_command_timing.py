# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone bench` and `backbone layers`: their arithmetic, on times that the test knows."""

import json

import numpy as np
import pytest
from command_runner import RESNET18, error_of, run, run_json

import backbone


def test_bench_reports_quantiles_of_the_forwards_after_the_warm_up(monkeypatch):
    # Three slow forward passes that must not count, then 1 to 9 ms, unordered.
    milliseconds = [500, 400, 300, 3, 9, 1, 7, 5, 2, 8, 4, 6]
    now, calls, real = [0.0], [], backbone.ResNet.forward

    def forward(self, x, out=None, **options):
        now[0] += milliseconds[len(calls)] / 1000
        calls.append((x.shape, x.dtype))
        return real(self, x, out, **options)

    monkeypatch.setattr(backbone.ResNet, "__call__", forward)
    monkeypatch.setattr("backbone.command.bench.time.perf_counter", lambda: now[0])
    options = ("--size", "32x48", "--batch", "2", "--repeat", "9", "--threads", "1", "--arithmetic", "direct")
    report = run_json("bench", "-w", RESNET18, *options)
    assert calls == [((2, 3, 32, 48), np.float32)] * 12
    expected = {"min": 1, "p10": 1.8, "median": 5, "p90": 8.2, "max": 9}
    assert report["milliseconds"] == pytest.approx(expected)
    assert report["images_per_second"] == pytest.approx(2 / 0.005)
    assert report["input"] == [2, 3, 32, 48] and report["threads"] == 1 and report["depth"] == 18
    assert report["arithmetic"] == "direct" and report["repeat"] == 9


def test_bench_as_a_table():
    lines = run("bench", "--depth", "18", "--size", "32", "--repeat", "2", "--warm-up", "1").stdout.splitlines()
    assert lines[0].startswith("ResNet-18, 1 x 3 x 32 x 32, ")
    assert lines[1].split() == "min ms p10 ms median ms p90 ms max ms images/s".split()
    values = [float(value) for value in lines[3].split()]
    assert values[:5] == sorted(values[:5]) and values[5] == pytest.approx(1000 / values[2], rel=0.02)


def test_layers_are_those_of_the_profile():
    report = run_json("layers", "-w", RESNET18, "--size", "64x96", "--batch", "2", "--stages", "C3")
    with backbone.ResNet.from_file(RESNET18, out_indices=(1,)) as net:
        profile = net.profile(np.zeros((2, 3, 64, 96), np.float32))
    keys = ("name", "kernel", "input_shape", "output_shape", "operations", "bytes")
    assert [[row[key] for key in keys] for row in report["layers"]] == [
        json.loads(json.dumps([getattr(layer, key) for key in keys])) for layer in profile
    ]
    assert all(row["seconds"] > 0 for row in report["layers"])


def test_layers_as_a_table_with_medians_and_sums(monkeypatch):
    runs = iter([900, 1, 5, 3])

    def profile(self, x):
        scale = next(runs) / 1000
        shape = (1, 64, 56, 56)
        return [
            backbone.Layer("input", "copy", shape, shape, 0, 2_000_000, scale),
            backbone.Layer("conv", "fast", shape, shape, 12_000_000_000, 6_000_000, 3 * scale),
        ]

    monkeypatch.setattr(backbone.ResNet, "profile", profile)
    lines = run("layers", "--depth", "18", "--repeat", "3").stdout.splitlines()
    shape = "1 x 64 x 56 x 56".split()
    rows = [line.split() for line in lines]
    assert rows[1] == ["layer", "algorithm", "input", "output", "ms", "%", "GFLOP/s", "MB"]
    assert ["input", "copy", *shape, *shape, "3.000", "25.0", "2.00"] in rows
    assert ["conv", "fast", *shape, *shape, "9.000", "75.0", "1333.3", "6.00"] in rows
    assert rows[-1] == ["all", "12.000", "100.0", "1000.0", "8.00"]


@pytest.mark.parametrize("command", ["bench", "layers"])
@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--depth", "20"], 2, "'20' is not one of"),
        (["--weights", "absent.pth"], 1, "absent.pth"),
        (["--size", "0"], 2, "--size"),
        (["--threads", "0"], 2, "--threads"),
        (["--repeat", "0"], 2, "--repeat"),
        (["--size", "65535", "--batch", "1000000000", "--depth", "18"], 1, ""),
    ],
)
def test_errors(command, arguments, status, message):
    assert message in error_of(command, *arguments, status=status)
