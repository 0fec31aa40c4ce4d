# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone memory`: what it counts, against bounds that follow from the shapes."""

import numpy as np
import pytest
from command_runner import RESNET18, error_of, run, run_json

import backbone

MIB = 1 << 20


def test_memory_has_the_weights_twice_and_the_features():
    # By the shapes: 11.2 million weights, in PyTorch's layout and packed, and the features.
    report = run_json("memory", "resnet18", "--size", "64", "--size", "320x480", "--threads", 2)
    small, large = report["bytes"]
    with backbone.ResNet(18) as net:
        weights = sum(4 * value.size for value in net.state_dict().values())
        features = [4 * sum(map(np.prod, net.output_shapes((1, 3, *size)))) for size in ((64, 64), (320, 480))]
    assert [row["weights"] for row in (small, large)] == [weights, weights]
    assert [row["features"] for row in (small, large)] == features
    assert [row["input"] for row in (small, large)] == [[1, 3, 64, 64], [1, 3, 320, 480]]
    # Winograd's weights are larger than PyTorch's, by at most 2.5 times.
    assert 1.9 * weights < small["peak"] < 4.5 * weights
    assert large["peak"] > small["peak"] + features[1] - features[0]
    # Larger tiles have larger weights, which add to those of small ones; C1 has twice the bytes of C2 to C5 together.
    assert large["peak"] < small["peak"] + 2.5 * weights + 8 * features[1]


def test_memory_as_a_table_of_a_checkpoint():
    lines = run("memory", RESNET18, "resnet18", "--size", "32", "--size", "48x64").stdout.splitlines()
    assert lines[0].split() == "MiB weights 32 x 32 48 x 64".split()
    rows = [line.split() for line in lines[2:]]
    assert [row[0] for row in rows] == [RESNET18, "resnet18"]
    assert all(len(row) == 4 and all(cell.isdigit() for cell in row[1:]) for row in rows)
    assert rows[1][1] == "43"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["absent.pth"], 1, "absent.pth"),
        (["resnet18", "--size", "0"], 2, "--size"),
        (["resnet18", "--batch", "0"], 2, "--batch"),
        (["resnet18", "--size", "65535", "--batch", "1000000000"], 1, "resnet18"),
        ([], 2, "NETWORKS"),
    ],
)
def test_errors(arguments, status, message):
    assert message in error_of("memory", *arguments, status=status)
