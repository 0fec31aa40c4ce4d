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


def maskrcnn_benchmark(name):
    """torchvision's names with a module around the stem."""
    return name if name.startswith("layer") else f"stem.{name}"


def cifar(name):
    """torchvision's names with a projection of another name, as models/resnet.py of pytorch-cifar has them."""
    return name.replace("downsample", "shortcut")


def _with_modules(name, stem, block):
    """A name of the stem by a function of (whether it is the norm, field), one of a block by one of (stage, block,
    number of the convolution or 0 for the shortcut, whether it is the norm, field)."""
    match = _BLOCK.fullmatch(name)
    if not match:
        module, field = name.split(".")
        return stem(module == "bn1", field)
    stage, number, _, conv, norm, part, field = match.groups()
    return block(int(stage), int(number), int(conv or norm or 0), norm is not None or part == "1", field)


def convmodule(name):
    """As mmcv's ConvModule has them: a convolution with its norm beside it, both in one module."""

    def block(stage, number, conv, is_norm, field):
        module = f"conv{conv}" if conv else "downsample"
        return f"layer{stage}.{number}.{module}.{'bn' if is_norm else 'conv'}.{field}"

    return _with_modules(name, lambda is_norm, field: f"conv1.{'bn' if is_norm else 'conv'}.{field}", block)


def huggingface(name):
    """As modeling_resnet.py of transformers has them."""

    def block(stage, number, conv, is_norm, field):
        module = f"layer.{conv - 1}" if conv else "shortcut"
        part = "normalization" if is_norm else "convolution"
        return f"encoder.stages.{stage - 1}.layers.{number}.{module}.{part}.{field}"

    def stem(is_norm, field):
        return f"embedder.embedder.{'normalization' if is_norm else 'convolution'}.{field}"

    return _with_modules(name, stem, block)


def sequential(name, first=4):
    """nn.Sequential of the children of a torchvision ResNet: layer1 is number `first`."""
    module, _, rest = name.partition(".")
    number = {"conv1": 0, "bn1": 1}.get(module)
    return f"{int(module[5:]) + first - 1 if number is None else number}.{rest}"


def faster_rcnn(name):
    """As resnet.py of faster-rcnn.pytorch has them."""
    number, _, rest = sequential(name).partition(".")
    return f"RCNN_top.0.{rest}" if number == "7" else f"RCNN_base.{number}.{rest}"


def layer0(name):
    """The stem as a Sequential of its own."""
    module, _, field = name.partition(".")
    number = {"conv1": 0, "bn1": 1}.get(module)
    return name if number is None else f"layer0.{number}.{field}"


def layer0_named(name):
    """The stem as a module of its own."""
    return name if name.startswith("layer") else f"layer0.{name}"


def layer0_pooled(name):
    """The same as `layer0`, with the pooling at the beginning of the first stage."""
    return layer0(name).replace("layer1.", "layer1.1.", 1)


_FIELDS = {"weight": "s", "bias": "b", "running_mean": "rm", "running_var": "riv"}
_LONG_FIELDS = {"weight": "gamma", "bias": "beta", "running_mean": "running_mean", "running_var": "running_var"}


def caffe2(name, fields=None):
    """Blobs of the networks of Detectron and Caffe2."""
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
