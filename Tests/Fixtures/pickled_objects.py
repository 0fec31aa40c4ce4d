# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors
"""Tensors that are saved under two names, on another device, or in a way that is not read: generate_checkpoints.py."""

import warnings
from pathlib import Path

import checkpoint_containers as containers
import numpy as np
import torch
import torch.distributed
from torch.distributed._shard import sharded_tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_tensor

warnings.filterwarnings("ignore")
FOLDER = Path(__file__).parent / "checkpoints"


def save(name, value, **options):
    torch.save(value, FOLDER / name, **options)


def write_identities():
    """Names of the same tensor, and of others that share its storage or its values only."""
    tensor = torch.arange(12, dtype=torch.float32).view(3, 4)
    tensors = {
        "a": tensor,
        "a.again": tensor,
        "a.view": tensor.view(3, 4),
        "flat": tensor.view(12),
        "transposed": tensor.view(4, 3).t(),
        "rows": tensor[1:],
        "rows.again": tensor[1:],
        "copy": tensor.clone(),
    }
    save("identities.pth", tensors)
    containers.write_legacy(FOLDER / "identities-views.pth", tensors, views=True)
    containers.write_tar(FOLDER / "identities-tar.pth", tensors)
    array = tensor.numpy()
    arrays = {"a": array, "a.again": array, "copy": array.copy(), "b": array.astype(">f4")}
    containers.write_pickle(FOLDER / "identities-numpy.pkl", arrays, 4)


# ---- Other devices ----


class Rebuilt:
    """Is pickled as a call of a function of PyTorch."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def on_device(tensor, device="cpu"):
    """As PyTorch before 2.1 writes a tensor of XLA: a NumPy array, which for bfloat16 is one of float32."""
    array = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return Rebuilt(torch._utils._rebuild_device_tensor_from_numpy, array, tensor.dtype, device, False)


def device_tensors():
    generator = torch.Generator().manual_seed(4)
    return {
        "float32": torch.randn(2, 3, 4, generator=generator),
        "bfloat16": torch.randn(3, 5, generator=generator).bfloat16(),
        "float16": torch.randn(7, generator=generator).half(),
        "float64": torch.randn(2, 2, generator=generator, dtype=torch.float64),
        "transposed": torch.randn(4, 3, generator=generator).t(),
        "int64": torch.tensor(7),
        "int32": torch.tensor([1, -2], dtype=torch.int32),
        "empty": torch.zeros(0, 2),
    }


def write_devices():
    """As PyTorch writes them since 2.1, as before, and with the name of old on a device that is not here."""
    tensors = device_tensors()
    save("devices.pth", {name: on_device(tensor) for name, tensor in tensors.items()})
    rebuild = torch._utils._rebuild_device_tensor_from_cpu_tensor
    save("devices-cpu.pth", {name: Rebuilt(rebuild, t, t.dtype, "cpu", False) for name, t in tensors.items()})
    for file in ("devices.pth", "devices-cpu.pth"):
        found = torch.load(FOLDER / file, weights_only=False)
        assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())
    lines = [f"{name} {' '.join(map(str, tensor.shape))}".strip() for name, tensor in tensors.items()]
    (FOLDER / "devices.txt").write_text("\n".join(lines) + "\n")
    values = [tensor.float().contiguous().numpy().astype("<f4").tobytes() for tensor in tensors.values()]
    (FOLDER / "devices.bin").write_bytes(b"".join(values))
    saved = {name: on_device(tensor, "xla:1") for name, tensor in tensors.items()}
    path = containers.write_pickle(FOLDER / "devices-old.pkl", saved, 2)
    old = path.read_bytes().replace(b"_rebuild_device_tensor_from_numpy\n", b"_rebuild_xla_tensor\n")
    assert old != path.read_bytes()
    path.write_bytes(old)


# ---- Tensors that are not read ----


class Wrapper(torch.Tensor):
    """A tensor without values of its own, as those of libraries for quantisation."""

    @staticmethod
    def __new__(cls, inner):
        return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)

    def __init__(self, inner):
        self.inner = inner

    @classmethod
    def __torch_dispatch__(cls, function, types, arguments=(), keywords=None):
        raise NotImplementedError


def unread_tensors():
    """By name, a tensor and what is said of it."""
    ones = torch.ones(2, 2)
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    distributed = distribute_tensor(ones, init_device_mesh("cpu", (1,)), [Shard(0)])
    part = sharded_tensor.Shard.from_tensor_and_offsets(ones, [0, 0], 0)
    quantised = torch.quantize_per_tensor(ones, 0.5, 0, torch.qint8)
    cases = {
        "quantised": (quantised, "a quantised tensor, which is not supported; save it after .dequantize()"),
        "quantised parameter": (torch.nn.Parameter(quantised, requires_grad=False), ".dequantize()"),
        "quantised by channel": (
            torch.quantize_per_channel(ones, torch.ones(2), torch.zeros(2), 0, torch.quint8),
            "a quantised tensor, which is not supported; save it after .dequantize()",
        ),
        "sparse": (ones.to_sparse(), "a sparse tensor, which is not supported; save it after .to_dense()"),
        "sparse csr": (ones.to_sparse_csr(), "a sparse tensor, which is not supported; save it after .to_dense()"),
        "sparse csc": (ones.to_sparse_csc(), "a sparse tensor, which is not supported; save it after .to_dense()"),
        "nested": (torch.nested.nested_tensor([ones, ones]), "a nested tensor"),
        "jagged": (torch.nested.nested_tensor([ones, ones], layout=torch.jagged), "a nested tensor"),
        "meta": (ones.to("meta"), "a tensor without values"),
        "lazy": (torch.nn.UninitializedParameter(), "a tensor without values"),
        "conjugated": (torch.complex(ones, ones).conj(), "save it after .resolve_conj().resolve_neg()"),
        "negated": (torch.complex(ones, ones).conj().imag, "save it after .resolve_conj().resolve_neg()"),
        "complex64": (ones.to(torch.complex64), "a complex tensor (complex64), which is not supported; save its .real"),
        "complex128": (ones.to(torch.complex128), "a complex tensor (complex128)"),
        "distributed": (distributed, "a DTensor, which has one rank's part; save it after .full_tensor()"),
        "distributed parameter": (torch.nn.Parameter(distributed), "a DTensor"),
        "sharded": (sharded_tensor.init_from_local_shards([part], ones.shape), "a ShardedTensor"),
        "wrapper": (Wrapper(ones), f"a tensor of class {Wrapper.__module__}.Wrapper, which is not supported"),
        "array of complex64": (np.ones(2, "c8"), "a NumPy array of complex64, which is not supported"),
        "array of uint16": (np.ones(2, "u2"), "save it after .astype('f4')"),
        "array of objects": (np.array([{}]), "a NumPy array of dtype 'O8'"),
        "device": (
            Rebuilt(torch._utils._rebuild_device_tensor_from_numpy, np.ones(2, "f4"), torch.int64, "cpu", False),
            "a tensor of another device whose storage has another dtype; save it after .cpu()",
        ),
        "complex device": (
            Rebuilt(torch._utils._rebuild_device_tensor_from_numpy, np.ones(2, "c8"), torch.complex64, "cpu", False),
            "a NumPy array of complex64",
        ),
    }
    for name in ("e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz", "e8m0fnu"):
        dtype = getattr(torch, f"float8_{name}")
        message = f"a float8_{name} tensor, which is not supported; save it after .float()"
        cases[f"float8 {name}"] = (ones.to(dtype), message)
    for name in ("uint16", "uint32", "uint64"):
        message = f"a {name} tensor, which is not supported; save it after .float()"
        cases[name] = (ones.to(getattr(torch, name)), message)
    # No row in the table of dtypes: its own name.
    cases["bits8"] = (torch.zeros(2, dtype=torch.uint8).view(torch.bits8), "a bits8 tensor, which is not supported")
    others = {"number": (7, "a number"), "fraction": (0.5, "a number"), "large": (2**70, "a number")}
    others |= {"yes": (True, "True or False"), "none": (None, "None"), "list": ([1], "a list")}
    others |= {"text": ("x", "a string")}
    return cases | others


def write_unread():
    cases = unread_tensors()
    save("unread-kinds.pth", {name: tensor for name, (tensor, _) in cases.items()})
    lines = [f"{name}\t{text}\n" for name, (_, text) in cases.items()]
    (FOLDER / "unread-kinds.txt").write_text("".join(lines))


def write_all():
    write_identities()
    write_devices()
    write_unread()


if __name__ == "__main__":
    write_all()
