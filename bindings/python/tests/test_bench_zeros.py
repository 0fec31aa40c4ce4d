# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The networks of scripts/bench with other numbers of zeros: the report's rows and ratios, and the zeros themselves."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))

from benchmark import report  # noqa: E402


def cell(name, *samples):
    ordered = sorted(samples)
    median = ordered[len(ordered) // 2]
    return {
        "engine": name,
        "threads": 2,
        "failure": None,
        "median_ms": median,
        "min_ms": ordered[0],
        "samples_ms": list(samples),
        "median_after_pause_ms": median,
    }


@pytest.fixture
def results():
    """One column, in which the peer takes 10 ms, and libbackbone 7, 5 with more zeros and 8 without any."""
    column = {
        "key": "resnet50-224",
        "title": "ResNet-50 224",
        "cells": [cell("libbackbone", 7.0, 6.0, 9.0), cell("pytorch", 10.0, 10.0, 10.0)],
        "variants": [cell("libbackbone:trained", 5.0, 5.0, 4.0), cell("libbackbone:none", 8.0, 8.0, 20.0)],
    }
    return {"engines": ["libbackbone", "pytorch"], "columns": [column], "ratios": report.compare([column])}


def test_each_variant_has_its_ratio(results):
    found = {r["zeros"]: (r["fastest_peer"], r["ratio"], r["ratio_of_minima"]) for r in results["ratios"]}
    assert found == {
        "random": ("pytorch", 0.7, 0.6),
        "trained": ("pytorch", 0.5, 0.4),
        "none": ("pytorch", 0.8, 0.8),
    }


def test_each_variant_has_its_row(results):
    rows = [line.strip("| ").split(" | ") for line in report._times(results, 2).splitlines()[2:]]
    assert [row for row in rows if not row[0].startswith("the same")] == [
        ["libbackbone", "**7.0**"],
        ["libbackbone, zeros as trained", "5.0"],
        ["libbackbone, no zeros", "8.0"],
        ["PyTorch", "10.0"],
        ["ours / fastest peer", "0.70"],
        ["ours / fastest peer, zeros as trained", "0.50"],
        ["ours / fastest peer, no zeros", "0.80"],
    ]


def test_results_without_variants_have_the_old_rows(results):
    del results["columns"][0]["variants"]
    results["ratios"] = report.compare(results["columns"])
    assert "zeros" not in report._times(results, 2)


@pytest.mark.parity
@pytest.mark.parametrize(
    ("zeros", "first", "last"),
    [("random", (0.4, 0.6), (0.4, 0.6)), ("trained", (0.45, 0.55), (0.11, 0.21)), ("none", (0.999, 1), (0.999, 1))],
)
def test_zeros_after_the_norms_of_a_branch(tmp_path, monkeypatch, zeros, first, last):
    """PyTorch's own ReLUs, in the first and the last block: shares of values that are not zero."""
    torch = pytest.importorskip("torch")
    from benchmark import models

    monkeypatch.setattr(models, "CALIBRATION_BATCHES", 1)
    models.new_weights("resnet18", tmp_path / "weights.pth", zeros)
    features = models.load("resnet18", tmp_path / "weights.pth")
    shares = []
    for name, module in features.named_modules():
        if name.endswith(".conv2"):
            module.register_forward_pre_hook(lambda _, x: shares.append(float((x[0] != 0).float().mean())))
    with torch.inference_mode():
        features(torch.from_numpy(models.images((1, 3, 224, 224), 7)))
    assert len(shares) == 8
    assert first[0] <= shares[0] <= first[1]
    assert last[0] <= shares[-1] <= last[1]
