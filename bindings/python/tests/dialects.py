# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Names of other projects for the tensors of a ResNet, written down from their documentation and converters."""

import re

_BLOCK = re.compile(r"layer(\d)\.(\d+)\.(conv(\d)|bn(\d)|downsample\.([01]))\.(\w+)")


def detectron2(name):
    """As tools/convert-torchvision-to-d2.py of detectron2 names them."""
    match = _BLOCK.fullmatch(name)
    if match:
        stage, block, module, conv, norm, part, field = match.groups()
        where = f"res{int(stage) + 1}.{block}"
        if module.startswith("downsample"):
            return f"{where}.shortcut.{'norm.' if part == '1' else ''}{field}"
        return f"{where}.conv{conv}.{field}" if conv else f"{where}.conv{norm}.norm.{field}"
    return "stem." + name.replace("bn1.", "conv1.norm.")


_FIELDS = {"weight": "s", "bias": "b", "running_mean": "rm", "running_var": "riv"}
_LONG_FIELDS = {"weight": "gamma", "bias": "beta", "running_mean": "running_mean", "running_var": "running_var"}


def caffe2(name, fields=None):
    """Blobs of Detectron's and Caffe2's networks."""
    fields = fields or _FIELDS
    match = _BLOCK.fullmatch(name)
    if match:
        stage, block, module, conv, norm, part, field = match.groups()
        is_norm = norm is not None or part == "1"
        branch = "branch1" if module.startswith("downsample") else f"branch2{'abc'[int(conv or norm) - 1]}"
        return f"res{int(stage) + 1}_{block}_{branch}_{'bn_' + fields[field] if is_norm else field[0]}"
    module, field = name.split(".")
    if module == "bn1":
        return f"res_conv1_bn_{fields[field]}"
    return f"{'fc1000' if module == 'fc' else module}_{field[0]}"


def caffe2_long(name):
    return caffe2(name, _LONG_FIELDS)
