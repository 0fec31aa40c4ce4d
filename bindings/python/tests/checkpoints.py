# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Writers of checkpoint files from NumPy arrays and a reader, made from the descriptions of the formats; no PyTorch
needed."""

import io
import json
import pickle
import struct
import zipfile
from collections import OrderedDict

import numpy as np

# uint16 are the bits of bfloat16, which NumPy lacks.
_SAFETENSORS = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "uint16": "BF16",
    "int64": "I64",
    "uint8": "U8",
}
_STORAGES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "int64": "LongStorage",
    "uint16": "BFloat16Storage",
    "complex64": "ComplexFloatStorage",
}


def write_safetensors(path, arrays):
    """u64 length of the JSON, the JSON, the payloads one after another."""
    index, payload = {}, b""
    for name, array in arrays.items():
        data = np.ascontiguousarray(array).tobytes()
        offsets = [len(payload), len(payload) + len(data)]
        index[name] = {"dtype": _SAFETENSORS[array.dtype.name], "shape": list(array.shape), "data_offsets": offsets}
        payload += data
    text = json.dumps(index).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + payload)
    return path


class _Global:
    """Stands for an object that the pickle refers to by module and name only."""

    def __init__(self, module, name):
        self.module, self.name = module, name

    def __call__(self):
        """Only because pickle wants a callable here."""


_REBUILD = _Global("torch._utils", "_rebuild_tensor_v2")


class View:
    """Becomes a tensor that begins at an element of the storage that another array is."""

    def __init__(self, base, offset, shape):
        self.base, self.offset = base, offset
        self.array = base[offset : offset + int(np.prod(shape))].reshape(shape)


class Repeated(View):
    """Becomes a tensor of a single number, which strides of 0 repeat."""

    def __init__(self, shape):
        self.base, self.offset = np.zeros(1, np.float32), 0
        self.array = np.broadcast_to(self.base, shape)


class _Tensor:
    def __init__(self, key, array, base=None, offset=0):
        self.key, self.array, self.offset = key, array, offset
        self.base = array if base is None else base

    def __reduce__(self):
        strides = tuple(stride // self.array.itemsize for stride in self.array.strides)
        storage = _Storage(self.key, self.base)
        return _REBUILD, (storage, self.offset, self.array.shape, strides, False, OrderedDict())


class _Storage:
    def __init__(self, key, array):
        self.key, self.array = key, array


class Call:
    """Is pickled as a call of a function, which is given by module and name, and what its result's state is set to."""

    def __init__(self, module, name, *arguments, state=None):
        self.reduced = (_Global(module, name), arguments) + ((state,) if state is not None else ())

    def __reduce__(self):
        return self.reduced


def on_device(array):
    """As PyTorch writes a tensor of a TPU: a NumPy array in the pickle itself."""
    dtype = _Global("torch", array.dtype.name)
    return Call("torch._utils", "_rebuild_device_tensor_from_numpy", _Own(array), dtype, "xla:0", False)


class _Own:
    """An array that does not become a tensor."""

    def __init__(self, array):
        self.array = array

    def __reduce__(self):
        return self.array.__reduce__()


class _Pickler(pickle._Pickler):
    """The pickler of the standard library in Python, with torch's names for what NumPy arrays stand for."""

    def persistent_id(self, value):
        if isinstance(value, _Storage):
            kind = _Global("torch", _STORAGES[value.array.dtype.name])
            return ("storage", kind, value.key, "cpu", value.array.size)
        return None

    def save(self, value, save_persistent_id=True):
        if isinstance(value, _Global):
            self.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode())
        else:
            super().save(value, save_persistent_id)


def write_pth(path, value):
    """A zip as torch.save writes it, of a structure of dicts, lists, tuples and calls whose arrays become tensors. An
    array that occurs twice has one storage."""
    arrays, keys = [], {}

    def key_of(array):
        if id(array) not in keys:
            keys[id(array)] = str(len(arrays))
            arrays.append(array)
        return keys[id(array)]

    def with_tensors(item):
        if isinstance(item, np.ndarray):
            return _Tensor(key_of(item), item)
        if isinstance(item, View):
            return _Tensor(key_of(item.base), item.array, item.base, item.offset)
        if isinstance(item, dict):
            return type(item)((key, with_tensors(inner)) for key, inner in item.items())
        if type(item) in (list, tuple):
            return type(item)(with_tensors(inner) for inner in item)
        if isinstance(item, Call):
            item.reduced = tuple(with_tensors(part) for part in item.reduced)
        return item

    structure = with_tensors(value)
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=2).dump(structure)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", buffer.getvalue())
        archive.writestr("archive/byteorder", "little")
        for key, array in enumerate(arrays):
            # In the order of memory, C or Fortran, which the strides above describe.
            assert array.flags.forc
            archive.writestr(f"archive/data/{key}", array.tobytes("A"))
        archive.writestr("archive/version", "3\n")
    return path


class _Unpickler(pickle.Unpickler):
    """The unpickler of the standard library, with NumPy arrays for what torch's names stand for."""

    def __init__(self, archive, root):
        super().__init__(io.BytesIO(archive.read(f"{root}/data.pkl")))
        self.archive, self.root = archive, root

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self.rebuild
        dtypes = {storage: dtype for dtype, storage in _STORAGES.items()}
        assert module == "torch" and name in dtypes, (module, name)
        return np.dtype(dtypes[name])

    def persistent_load(self, identity):
        label, dtype, key, location, count = identity
        assert (label, location) == ("storage", "cpu")
        array = np.frombuffer(self.archive.read(f"{self.root}/data/{key}"), dtype)
        assert array.size == count
        return array

    @staticmethod
    def rebuild(storage, offset, size, stride, requires_grad, hooks):
        assert requires_grad is False and hooks == OrderedDict() and type(hooks) is OrderedDict
        strides = [step * storage.itemsize for step in stride]
        return np.lib.stride_tricks.as_strided(storage[offset:], size, strides)


def read_pth(path):
    """The object in a zip as torch.save writes it, whose tensors are arrays."""
    with zipfile.ZipFile(path) as archive:
        (root,) = {name.split("/")[0] for name in archive.namelist()}
        return _Unpickler(archive, root).load()
