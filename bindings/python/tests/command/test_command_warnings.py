# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Warnings of loads and of forward passes, as the command shows them: each once, in its own form."""

import numpy as np
from command_runner import RESNET18, noise, start, write_image
from safetensors.numpy import save_file

import backbone


def lines(tmp_path, weights, *arguments):
    for index in range(3):
        write_image(tmp_path / f"in/{index}.png", noise(40, 40, index))
    process = start("features", tmp_path / "in", "-w", weights, "-o", tmp_path / "out", "--batch", 1, *arguments)
    _, error = process.communicate()
    assert process.returncode == 0, error
    return error.splitlines()


def test_right_inputs_are_not_warned_of(tmp_path):
    assert not [line for line in lines(tmp_path, RESNET18) if "arning" in line]


def test_a_forward_that_warns_does_so_once(tmp_path):
    found = [
        line
        for line in lines(tmp_path, RESNET18, "--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225")
        if "arning" in line
    ]
    assert len(found) == 1
    assert found[0].startswith("warning: uint8 input reaches 1") and "by 255" in found[0]


def test_a_load_that_warns_does_so_once(tmp_path):
    with backbone.ResNet.from_file(RESNET18) as net:
        state = net.state_dict()
    state["conv1.weight"] = state["conv1.weight"] / np.float32(1000)
    save_file(state, tmp_path / "x.safetensors")
    found = [line for line in lines(tmp_path, tmp_path / "x.safetensors") if "std_dev" in line]
    assert len(found) == 1
    assert found[0].startswith(f"warning: {tmp_path / 'x.safetensors'}: the stem seems to expect pixels")
