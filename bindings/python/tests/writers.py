# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Files of every writer that docs/checkpoints.md lists as one whose files load, row by row, from the state dict of a
network. The translators are written down from the writers' own code."""

import json
import pickle
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import dialects
import numpy as np
import reparametrisations
from checkpoints import Call, on_device, write_pth, write_safetensors

COUNTER = "num_batches_tracked"


def ones(*names):
    return {name: np.ones((2, 3), np.float32) for name in names}


def same(state):
    return state, state


def without_counters(state):
    kept = {name: array for name, array in state.items() if COUNTER not in name}
    return kept, kept


def without_statistics(state):
    """Norms that were folded to affine maps: these are the statistics that the library sets."""
    kept = {name: array for name, array in state.items() if COUNTER not in name and "running" not in name}
    means = {name: np.zeros_like(array) for name, array in state.items() if "running_mean" in name}
    variances = {name: np.full_like(array, 1 - 1e-5) for name, array in state.items() if "running_var" in name}
    return kept | means | variances, kept


def counters_as(convert):
    def change(state):
        return state, {name: convert(array) if COUNTER in name else array for name, array in state.items()}

    return change


def with_zero_biases(state):
    biases = {name[:-6] + "bias": np.zeros(len(array), np.float32) for name, array in state.items() if array.ndim == 4}
    return state, state | biases


def write_pickle(path, value):
    path.write_bytes(pickle.dumps(value, 2))
    return path


def write_padded(path, value):
    write_pth(path, value)
    path.write_bytes(path.read_bytes() + bytes(5000))
    return path


def write_shards(write, name):
    def write_all(path, value):
        names, map_of = list(value), {}
        for number, part in ((1, names[:60]), (2, names[60:])):
            file = path.parent / name.format(f"{number:05}-of-00002")
            write(file, {key: value[key] for key in part})
            map_of |= dict.fromkeys(part, file.name)
        index = path.parent / (name.format("x").replace("-x", "") + ".index.json")
        index.write_text(json.dumps({"metadata": {"total_size": 7}, "weight_map": map_of}))
        return index

    return write_all


def module(state):
    """As `torch.save(model)` pickles a module and those in it."""
    children, parameters, buffers = {}, OrderedDict(), OrderedDict()
    for name, array in state.items():
        first, dot, rest = name.partition(".")
        if dot:
            children.setdefault(first, {})[rest] = array
        else:
            (buffers if "running" in name or COUNTER in name else parameters)[name] = array
    tree = OrderedDict((key, module(inner)) for key, inner in children.items())
    attributes = {"training": False, "_parameters": parameters, "_buffers": buffers, "_modules": tree}
    return Call("somewhere.models", "Module", state=attributes)


def unet(names):
    """As pytorch-unet has its `base_model`: the module, its children in a list, and in modules of its own."""
    back = {"layer0.0": "conv1", "layer0.1": "bn1", "layer1.1": "layer1"}
    state = {back.get(name[:8], name[:8]) + name[8:]: array for name, array in names.items()}
    layers = {f"base_layers.{dialects.sequential(name)}": array for name, array in state.items()}
    return {f"base_model.{name}": array for name, array in state.items()} | layers | names


def robustness(names):
    attacker = {name.replace("module.model.", "module.attacker.model."): array for name, array in names.items()}
    return {"epoch": 3, "model": names | attacker | ones("module.normalizer.new_mean")}


def under(*keys):
    def wrap(value):
        for key in reversed(keys):
            value = {"epoch": 3, key: value}
        return value

    return wrap


class Dict(dict):
    """Of another program."""


@dataclass(frozen=True)
class Writer:
    """A row of the table.

    Attributes:
        row: the first cell.
        spell: from the name of the network to the file's.
        change: from the state dict to that of the network that the file is of, and to the values in the file.
        wrap: from the dict of names to what is saved.
        write: writes that to a path, and returns the path to load.
        beside: names in the file that are not the network's.
        unexpected: the names of these that the report has as unexpected; it has the others as ignorable.
        again: what other names of the same tensors begin with; the report has them as unexpected.
        exact: whether features are those of the network bit by bit.
        only_file: whether a mapping of the arrays lacks what the file says: its author, or what is the same storage.
    """

    row: str
    spell: Callable[[str], str] = str
    depth: int = 18
    change: Callable[[dict], tuple[dict, dict]] = same
    wrap: Callable[[dict], Any] = dict
    write: Callable[..., Any] = write_pth
    prefix: str = ""
    wrapper: str = ""
    dialect: str = "torchvision"
    container: str = "zip"
    beside: dict = field(default_factory=dict)
    unexpected: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    exact: bool = True
    only_file: bool = False
    stream: bool = False

    def names(self, state):
        """The state dict of the network, and the file's."""
        source, stored = self.change(state)
        return source, {self.prefix + self.spell(name): array for name, array in stored.items()} | self.beside


def _sequential(first):
    return lambda name: dialects.sequential(name, first)


_FROZEN = {"change": without_counters}
_HEADS = ones("neck.lateral_convs.0.conv.weight", "bbox_head.fc_cls.weight")

WRITERS = [
    Writer("torchvision", beside=ones("fc.weight", "fc.bias")),
    Writer("timm", depth=50, write=write_safetensors, container="safetensors", beside=ones("fc.weight")),
    Writer("mmdetection", depth=50, prefix="backbone.", wrap=under("state_dict"), wrapper="state_dict", beside=_HEADS),
    Writer("`DistributedDataParallel`", prefix="module.", wrap=under("model"), wrapper="model"),
    Writer("Lightning", prefix="model.", wrap=under("state_dict"), wrapper="state_dict"),
    Writer("`torch.compile`", prefix="_orig_mod."),
    Writer("MoCo", prefix="module.encoder_q.", wrap=under("state_dict"), wrapper="state_dict",
           beside=ones("module.queue")),
    Writer("VISSL", prefix="_feature_blocks.", wrap=under("classy_state_dict", "base_model", "model", "trunk"),
           wrapper="classy_state_dict.base_model.model.trunk"),
    Writer("robustness", prefix="module.model.", wrap=robustness, wrapper="model", only_file=True),
    Writer("a U-Net with its encoder under three names", dialects.layer0_pooled, wrap=unet, dialect="layer0",
           again=("base_model.", "base_layers."), only_file=True),
    Writer("detectron2", dialects.detectron2, 50, without_counters, under("model"), prefix="backbone.bottom_up.",
           wrapper="model", dialect="detectron2"),
    Writer("detectron2's model zoo", dialects.detectron2, 50, without_counters,
           lambda names: {"model": names, "__author__": "Detectron2 Model Zoo"}, write_pickle, "backbone.bottom_up.",
           "model", "detectron2", "pickle"),
    Writer("detectron2, from Caffe2", dialects.detectron2, 50, without_statistics,
           lambda names: {"model": names, "__author__": "MSRA", "matching_heuristics": True}, write_pickle,
           only_file=True, wrapper="model", dialect="detectron2", container="pickle"),
    Writer("Detectron", dialects.caffe2, 50, without_statistics, under("blobs"), write_pickle, wrapper="blobs",
           dialect="caffe2", container="pickle"),
    Writer("Caffe2", dialects.caffe2_long, 50, without_counters, write=write_pickle, prefix="gpu_0/", dialect="caffe2",
           container="pickle"),
    Writer("maskrcnn-benchmark", dialects.maskrcnn_benchmark, 50, without_counters, under("model"),
           prefix="module.backbone.body.", wrapper="model", dialect="maskrcnn_benchmark"),
    Writer("a ResNet after pytorch-cifar's", dialects.cifar, 50, prefix="module.", wrap=under("net"), wrapper="net",
           dialect="cifar", beside=ones("module.linear.weight", "module.linear.bias")),
    Writer("OpenMMLab with `ConvModule`", dialects.convmodule, 50, prefix="backbone.", wrap=under("state_dict"),
           wrapper="state_dict", dialect="convmodule"),
    Writer("Hugging Face `ResNetModel`", dialects.huggingface, 50, write=write_safetensors, dialect="huggingface",
           container="safetensors"),
    Writer("Hugging Face, with a head", dialects.huggingface, prefix="resnet.", dialect="huggingface",
           beside=ones("classifier.1.weight")),
    Writer("transformers and accelerate, shards of safetensors", dialects.huggingface,
           write=write_shards(write_safetensors, "model-{}.safetensors"), dialect="huggingface",
           container="safetensors"),
    Writer("transformers and accelerate, shards of `.bin`", write=write_shards(write_pth, "pytorch_model-{}.bin")),
    Writer("`nn.Sequential(*children)`", dialects.sequential, prefix="features.", dialect="sequential"),
    Writer("`nn.Sequential` without the ReLU or the pooling", _sequential(3), 50, dialect="sequential"),
    Writer("`nn.Sequential` without both", _sequential(2), prefix="encoder.", dialect="sequential"),
    Writer("fastai", dialects.sequential, wrap=under("model"), wrapper="model", prefix="0.", dialect="sequential",
           beside=ones("1.4.weight")),
    Writer("faster-rcnn.pytorch", dialects.faster_rcnn, 50, wrap=under("model"), wrapper="model", dialect="sequential",
           beside=ones("RCNN_rpn.RPN_Conv.weight"), unexpected=("RCNN_rpn.RPN_Conv.weight",)),
    Writer("`layer0`, a Sequential", dialects.layer0, 50, prefix="backbone.", dialect="layer0"),
    Writer("`layer0`, a module with names", dialects.layer0_named, dialect="layer0"),
    Writer("`layer0`, and the pooling in `layer1`", dialects.layer0_pooled, dialect="layer0"),
    Writer("`torch.nn.utils.prune`", change=reparametrisations.pruned),
    Writer("`torch.nn.utils.weight_norm`", change=reparametrisations.weight_norm(0), exact=False),
    Writer("`torch.nn.utils.weight_norm`, other `dim`", change=reparametrisations.weight_norm(1), exact=False),
    Writer("`torch.nn.utils.weight_norm`, `dim=None`", change=reparametrisations.weight_norm(None), exact=False),
    Writer("`torch.nn.utils.parametrizations.weight_norm`", change=reparametrisations.weight_norm(0, new=True),
           exact=False),
    Writer("`torch.nn.utils.spectral_norm`", change=reparametrisations.spectral_norm(), exact=False),
    Writer("`torch.nn.utils.parametrizations.spectral_norm`", change=reparametrisations.spectral_norm(new=True),
           exact=False),
    Writer("averaged models: counters of float", change=counters_as(lambda count: count.astype(np.float32))),
    Writer("averaged models: counters of shape [1]", change=counters_as(lambda count: count.reshape(1))),
    Writer("averaged models: counters as Python's int", change=counters_as(int)),
    Writer("profilers (thop)", beside=ones("total_ops", "layer1.0.total_params", "layer1.0.conv1.total_ops")),
    Writer("`torch.save(model)`", wrap=lambda names: {"model": module(names)}, wrapper="model"),
    Writer("a list or tuple", wrap=lambda names: [{"lr": 0.1}, (names, 3)], wrapper="1.0"),
    Writer("integer keys", wrap=lambda names: {0: names, 1: {"lr": 0.1}}, wrapper="0"),
    Writer("subclasses of dict", wrap=lambda names: {"model": defaultdict(list, names)}, wrapper="model",
           write=write_pickle, container="pickle"),
    Writer("subclasses of dict, of other programs", wrap=lambda names: Dict(model=Dict(names)), wrapper="model",
           write=write_pickle, container="pickle"),
    Writer("tensors of TPUs", wrap=lambda names: {name: on_device(array) for name, array in names.items()}),
    Writer("convolutions with biases that are zero", change=with_zero_biases),
    Writer("zero bytes after the archive", write=write_padded),
    Writer("a stream", stream=True),
]  # fmt: skip
