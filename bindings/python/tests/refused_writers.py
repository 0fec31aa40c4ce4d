# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Files of every writer that docs/checkpoints.md lists as refused, row by row, from the state dict of a network."""

import gzip
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dialects
import numpy as np
from checkpoints import Call, write_pth, write_safetensors

import backbone

_BLOCK = re.compile(r"layer\d\.\d+\.")


NORM = ("weight", "bias", "running_mean", "running_var")


def zeros(*shape):
    return np.zeros(shape, np.float32)


# ---- From a state dict to another network's ----


def beside(name, *shape):
    """A further tensor in every block."""

    def change(state):
        blocks = dict.fromkeys(match[0] for match in map(_BLOCK.match, state) if match)
        return state | {block + name: zeros(*shape) for block in blocks}

    return change


def renamed(pattern, replacement):
    """Names of the file: a module in place of another."""

    def change(state):
        return {re.sub(pattern, replacement, name): array for name, array in state.items()}

    return change


def with_tensors(drop="-", **shapes):
    """Tensors of these names (a dot is two underscores) and shapes, without those whose names begin with `drop`."""

    def change(state):
        kept = {name: array for name, array in state.items() if not name.startswith(drop)}
        return kept | {name.replace("__", "."): zeros(*shape) for name, shape in shapes.items()}

    return change


def reshaped(name, *shape):
    return lambda state: state | {name: zeros(*shape)}


def ibn(state):
    result = {}
    for name, array in state.items():
        if re.match(r"layer1\.\d\.bn1\.(weight|bias)", name):
            module, field = name.rsplit(".", 1)
            result |= {f"{module}.{part}.{field}": array[: len(array) // 2] for part in ("IN", "BN")}
        elif not re.match(r"layer1\.\d\.bn1\.", name):
            result[name] = array
    return result


def group_norm(state):
    """As mmdetection names them; they have no statistics."""
    kept = {name: array for name, array in state.items() if "running" not in name and "tracked" not in name}
    return renamed(r"\bbn(\d)", r"gn\1")(kept)


def detectron2_group_norm(state):
    kept = {name: array for name, array in state.items() if "running" not in name and "tracked" not in name}
    return {dialects.detectron2(name): array for name, array in kept.items()}


def gated(*tensors):
    """A gate in every block, of tensors of these names and shapes.

    "C" stands for the block's channels, and "S" for a sixteenth of them.
    """

    def change(state):
        added = {}
        for name, array in state.items():
            place = re.fullmatch(r"(layer\d\.\d+\.)conv(\d)\.weight", name)
            if place and f"{place[1]}conv{int(place[2]) + 1}.weight" not in state:
                sizes = {"C": len(array), "S": max(8, len(array) // 16)}
                for part, *shape in tensors:
                    added[place[1] + part] = zeros(*(sizes.get(size, size) for size in shape))
        return state | added

    return change


def squeeze(first, second):
    """Squeeze and excitation."""
    return gated(
        (f"{first}.weight", "S", "C", 1, 1),
        (f"{first}.bias", "S"),
        (f"{second}.weight", "C", "S", 1, 1),
        (f"{second}.bias", "C"),
    )


def average_shortcut(state):
    """A pooling before the convolution: both move on by one."""
    moved = renamed(r"downsample\.1\.", "downsample.2.")(state)
    return renamed(r"downsample\.0\.", "downsample.1.")(moved)


def timm_deep_stem(state):
    """ResNet-C: three convolutions of 3x3, with norms between them."""
    norms = {f"conv1__{index}__{part}": (4,) for index in (1, 4) for part in NORM}
    convolutions = {
        "conv1__0__weight": (4, 3, 3, 3),
        "conv1__3__weight": (4, 4, 3, 3),
        "conv1__6__weight": (8, 4, 3, 3),
    }
    return with_tensors("conv1.", **convolutions, **norms)(state)


def split_attention(state):
    moved = renamed(r"(layer\d\.\d+)\.conv2\.weight", r"\1.conv2.conv.weight")(state)
    moved = renamed(r"(layer\d\.\d+)\.bn2\.", r"\1.conv2.bn0.")(moved)
    return beside("conv2.fc1.weight", 8, 8, 1, 1)(moved)


def biases(state):
    return state | {"layer2.1.conv2.bias": np.ones(16, np.float32), "layer2.0.conv1.bias": zeros(16)}


def folded(state):
    """BatchNorms within the convolutions, which have biases for it."""
    kept = {name: array for name, array in state.items() if array.ndim == 4}
    return kept | {name[:-6] + "bias": zeros(len(array)) for name, array in kept.items()}


def orthogonal(state):
    module = "conv1.parametrizations.weight"
    kept = {name: array for name, array in state.items() if name != "conv1.weight"}
    return kept | {f"{module}.original": state["conv1.weight"], f"{module}.0.base": zeros(8, 8)}


def instead_of_the_stem(call):
    return lambda state: state | {"conv1.weight": call}


def rebuilt(name, *arguments):
    return Call("torch._utils", f"_rebuild_{name}", *arguments)


# ---- From what is saved to a file ----


def write_folder(path, value):
    path.mkdir()
    (path / ".metadata").write_bytes(b"x")
    (path / "__0_0.distcp").write_bytes(b"x")
    return path


def write_shard(path, value):
    return write_safetensors(path.with_name("model-00001-of-00002.safetensors"), dict(list(value.items())[:70]))


def index_in_memory(path, value):
    return json.dumps({"metadata": {}, "weight_map": dict.fromkeys(value, "model-00001-of-00002.safetensors")}).encode()


def write_bytes(content):
    def write(path, value):
        path.write_bytes(content)
        return path

    return write


def write_gzip(path, value):
    path.write_bytes(gzip.compress(write_pth(path, value).read_bytes(), 0))
    return path


def write_torchscript(path, value):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", b"\x80\x02}q\x00.")
        archive.writestr("net/constants.pkl", b"\x80\x02).")
        archive.writestr("net/code/__torch__.py", "class Net(Module): pass")
        archive.writestr("net/version", "3\n")
    return path


def write_float8(path, value):
    write_safetensors(path, value | {"conv1.weight": np.zeros((8, 3, 7, 7), np.uint8)})
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    text = data[8:end].replace(b'"U8"', b'"F8_E4M3"')
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[end:])
    return path


@dataclass(frozen=True)
class Refusal:
    """A row of the table.

    Attributes:
        row: the first cell.
        change: from the state dict to the names and values in the file.
        depth: of the network that the file is loaded into; `of` that of the state dict, if it is another.
        write: writes these to a path, and returns what to load.
        error: the exception.
        modules: whether `ignore_modules` loads the rest; `lacks` if that needs `allow_missing` too.
        describes: the name of the other network that the file describes, into which it loads.
        inspected: the message without a network, if it differs.
    """

    row: str
    change: Callable[[dict], dict] = dict
    depth: int = 18
    of: int = 0
    write: Callable[..., Any] = write_pth
    error: type[Exception] = backbone.MismatchError
    modules: bool = False
    lacks: bool = False
    describes: str = ""
    inspected: str = ""
    is_mapping: bool = True


def module(row, change, depth=18, **options):
    return Refusal(row, change, depth, modules=True, **options)


def file(row, write=write_pth, change=dict, **options):
    return Refusal(row, change, write=write, error=backbone.CheckpointError, is_mapping=False, **options)


_ONNX = b"\x08\x08\x12\x07pytorch\x1a\x052.9.0:\x02\x0a\x00"

REFUSED = [
    module("squeeze-and-excitation of mmpretrain", squeeze("se_layer.conv1.conv", "se_layer.conv2.conv"),
           describes="seresnet18"),
    module("squeeze-and-excitation of timm", squeeze("se.fc1", "se.fc2"), 50, describes="seresnet50"),
    module("squeeze-and-excitation of older timm", squeeze("se_module.fc1", "se_module.fc2"), describes="seresnet18"),
    module("ECA-Net", gated(("eca.conv.weight", 1, 1, 3)), describes="custom"),
    module("ECA of timm", gated(("se.conv.weight", 1, 1, 3)), 50, describes="custom"),
    module("CBAM", beside("ca.fc1.weight", 2, 8, 1, 1)),
    module("attention of other kinds", beside("attn.qkv.weight", 24, 8), 50),
    module("GCNet", beside("context_block.conv_mask.weight", 1, 8, 1, 1), 50),
    module("non-local blocks of mmcv", beside("nonlocal_block.g.conv.weight", 4, 8, 1, 1), 50),
    module("deformable convolutions of mmdetection", beside("conv2.conv_offset.weight", 27, 8, 3, 3), 50),
    module("deformable convolutions of mmdetection 1", beside("conv2_offset.weight", 27, 8, 3, 3), 50),
    module("IBN-Net", ibn, 50, lacks=True),
    module("GroupNorm of mmdetection", group_norm, lacks=True),
    Refusal("GroupNorm of detectron2", detectron2_group_norm, 50, inspected="norm is 2 (GroupNorm)"),
    module("deep stem of timm", timm_deep_stem, 50, lacks=True, describes="resnet50c"),
    module("deep stem of mmdetection", with_tensors(("conv1.", "bn1."), stem__0__weight=(4, 3, 3, 3),
           stem__1__weight=(4,), stem__3__weight=(4, 4, 3, 3)), 50, lacks=True),
    Refusal("deep stem of CLIP", with_tensors("conv1.", conv1__weight=(4, 3, 3, 3), conv2__weight=(4, 4, 3, 3),
           conv3__weight=(8, 4, 3, 3)), 50),
    module("deep stem of detectron2 (DeepLab)", lambda state: with_tensors("stem.", stem__conv1_1__weight=(4, 3, 3, 3))(
           {dialects.detectron2(name): array for name, array in state.items() if "tracked" not in name}), 50,
           lacks=True),
    Refusal("PaddleDetection", with_tensors("", conv1__conv1_1__conv__weight=(4, 3, 3, 3),
           res2__res2a__branch2a__conv__weight=(8, 8, 1, 1)), 50),
    Refusal("ResNet-D of timm and mmdetection", average_shortcut, 50, describes="custom"),
    module("ResNeSt", split_attention, 50, lacks=True),
    module("PReLU", beside("prelu.weight", 8)),
    module("biases of convolutions that are not zero", biases),
    Refusal("a deeper network", depth=18, of=34, describes="resnet34", modules=True),
    Refusal("Bottlenecks, for a network of basic blocks", depth=18, of=50, describes="resnet50"),
    Refusal("basic blocks, for a network of Bottlenecks", depth=50, of=18, describes="resnet18"),
    Refusal("a 3x3 stem (CIFAR)", reshaped("conv1.weight", 8, 3, 3, 3), describes="custom"),
    Refusal("BatchNorms folded into convolutions", folded),
    module("a parametrisation of another kind", orthogonal, lacks=True),
    module("fake quantisation", beside("conv1.weight_fake_quant.scale", 1)),
    module("LoRA", beside("conv1.lora_A", 4, 24)),
    file("quantised tensors", change=instead_of_the_stem(rebuilt("qtensor", 1, 2))),
    file("sparse tensors", change=instead_of_the_stem(rebuilt("sparse_tensor", 1, 2))),
    file("complex tensors", change=instead_of_the_stem(np.ones((8, 3, 7, 7), np.complex64))),
    file("float8 tensors", write_float8),
    file("`DTensor`", change=instead_of_the_stem(Call("torch.distributed.tensor", "DTensor"))),
    file("tensors of the device `meta`", change=instead_of_the_stem(rebuilt("meta_tensor_no_storage", 1, 2))),
    file("integer weights", change=instead_of_the_stem(np.ones((8, 3, 7, 7), np.int64))),
    Refusal("torch.distributed.checkpoint", write=write_folder, error=OSError, is_mapping=False),
    Refusal(
        "one shard of several",
        write=write_shard,
        is_mapping=False,
        inspected="expected the blocks of a whole ResNet",
    ),
    file("an index of shards in memory", index_in_memory),
    file("gzip", write_gzip),
    file("ONNX", write_bytes(_ONNX)),
    file("GGUF", write_bytes(b"GGUF" + bytes(60))),
    file("TorchScript", write_torchscript),
]  # fmt: skip
