# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The program of scripts/demo, on a small version of its photograph."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import backbone
from backbone.command.sheet import Layout

ROOT = Path(__file__).resolve().parents[3]


def demo(folder, *arguments):
    command = [
        sys.executable,
        ROOT / "scripts/demo.py",
        "--depth",
        "18",
        "--max-side",
        "96",
        "--out",
        folder,
        *arguments,
    ]
    environment = dict(os.environ, PYTHONPATH=str(ROOT / "bindings/python"))
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "resnet18.safetensors"
    with backbone.ResNet(18) as net:
        net.save_weights(path)
    return path


def test_demo_with_a_checkpoint_prints_the_report_and_writes_its_features(tmp_path, weights):
    result = demo(tmp_path / "out", "--weights", weights)
    assert result.returncode == 0, result.stderr
    assert "safetensors: 120 loaded" in result.stdout
    assert "random" not in result.stdout
    saved = np.load(tmp_path / "out/features.npz")
    image = saved["image"]
    assert image.shape == (63, 96, 3) and image.dtype == np.uint8
    with backbone.ResNet(18, mean=backbone.IMAGENET_MEAN, std=backbone.IMAGENET_STD, pretrained=weights) as net:
        for name, feature in zip(("c2", "c3", "c4", "c5"), net(image.transpose(2, 0, 1)[None]), strict=True):
            np.testing.assert_array_equal(saved[name], feature)
            assert f"{name.upper()}      {feature.shape}" in result.stdout
    assert "63 x 96 pixels (height x width)" in result.stdout
    # The photograph, enlarged, four heat maps beside it, and what they mean: see test_command_heatmap.
    sheet, layout = Image.open(tmp_path / "out/features.png"), Layout.of(6, (63, 96), bars=True)
    assert sheet.size == layout.size(6)
    (x, y), times = layout.corner(0), layout.width // 96
    panel = np.asarray(sheet)[y : y + layout.height : times, x : x + layout.width : times]
    np.testing.assert_array_equal(panel, image)


def test_demo_without_a_checkpoint_says_so_and_calibrates(tmp_path):
    result = demo(tmp_path)
    assert result.returncode == 0, result.stderr
    assert "random (no --weights FILE)" in result.stdout and "calibrated on this photograph" in result.stdout
    saved = np.load(tmp_path / "features.npz")
    # With the statistics of new weights C5 would peak near 24.
    assert 1 < saved["c5"].max() < 16


@pytest.mark.parametrize("arguments", [["absent.jpg"], ["--weights", "absent.pth"], [__file__]])
def test_demo_that_cannot_read_a_file_says_so_without_a_traceback(tmp_path, arguments):
    result = demo(tmp_path / "out", *arguments)
    assert result.returncode == 1
    assert result.stderr.startswith("error: ") and Path(arguments[-1]).name in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()
