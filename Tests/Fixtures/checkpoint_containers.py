# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Writers of the kinds of checkpoint files that today's PyTorch reads but no longer writes, or that other tools make of
its files. What they write is known to be right by `torch.load` (or `pickle.load`) reading it; see `read`.
"""

import io
import pickle
import struct
import tarfile
import zipfile
from collections import OrderedDict

import numpy as np
import torch

_PROTOCOL = 2
_MAGIC = 0x1950A86A20F9469CFC6C


def read(path):
    """What PyTorch reads from a file; for a bare pickle, which it does not, what Python does."""
    with open(path, "rb") as file:
        if not zipfile.is_zipfile(path) and not tarfile.is_tarfile(path):
            value = pickle.load(file, encoding="latin1")
            if value != _MAGIC:
                return value
    return torch.load(path, weights_only=False)


def _elements(storage):
    """The number of elements and the elements, little-endian."""
    data = torch.empty(0, dtype=torch.uint8).set_(storage.untyped()).numpy().tobytes()
    return struct.pack("<q", len(data) // storage.element_size()) + data


# ---- The zip archive of today, as others write it ----


def rezip(path, out, changes=None, wide=False, **options):
    """The same members deflated, by Python's zipfile; `wide` has sizes of 64 bits in the headers of all."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, **options) as new:
        for info in old.infolist():
            with new.open(info.filename, "w", force_zip64=wide) as member:
                member.write((changes or {}).get(info.filename.split("/", 1)[1], old.read(info)))
    return out


def write_big_endian(path, value, deflated=False):
    """As PyTorch writes on a big-endian machine: every storage in its bytes reversed, and a record that says so."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    sizes = {}

    class Sizes(pickle.Unpickler):
        def persistent_load(self, id):
            sizes[id[2]] = torch.empty(0, dtype=id[1].dtype).element_size()
            return torch.storage.TypedStorage(id[4], dtype=id[1].dtype, device="cpu")

    with zipfile.ZipFile(buffer) as archive:
        root = next(name for name in archive.namelist() if name.endswith("/data.pkl")).split("/")[0]
        Sizes(io.BytesIO(archive.read(f"{root}/data.pkl"))).load()
        changes = {"byteorder": b"big"}
        for key, size in sizes.items():
            data = np.frombuffer(archive.read(f"{root}/data/{key}"), f"<u{size}")
            changes[f"data/{key}"] = data.astype(f">u{size}").tobytes()
    return rezip(buffer, path, changes, compresslevel=9 if deflated else 0)


def is_new_module(item, classes):
    """Whether it is a class of modules that comes for the first time: then its source code was stored beside it."""
    if not isinstance(item, type) or not issubclass(item, torch.nn.Module) or item in classes:
        return False
    classes.add(item)
    return True


# ---- Pickles one after another: PyTorch 0.1.10 to 1.5 ----


def write_legacy(path, value, views=False, little_endian=True, protocol=_PROTOCOL, key="1407{}".format):
    """`views` makes every tensor that is a part of its storage one of all of a view of the storage."""
    storages, classes = {}, set()

    class Pickler(pickle.Pickler):
        def reducer_override(self, item):
            if not views or type(item) is not torch.Tensor or not item.is_contiguous():
                return NotImplemented
            view = _View(item)
            arguments = (view, 0, tuple(item.shape), item.stride(), False, OrderedDict())
            return torch._utils._rebuild_tensor_v2, arguments

        def persistent_id(self, item):
            if is_new_module(item, classes):
                return ("module", item, None, None)
            metadata = None
            if isinstance(item, _View):
                metadata = (f"view{len(keep)}", item.tensor.storage_offset(), item.tensor.numel())
                keep.append(item)
                item = item.tensor.storage()
            if not isinstance(item, torch.storage.TypedStorage):
                return None
            name, _ = storages.setdefault(item.data_ptr() or id(item), (key(len(storages)), item))
            kind = getattr(torch, item.pickle_storage_type())
            return ("storage", kind, name, "cpu", item.size(), metadata)

    keep = []
    buffer = io.BytesIO()
    properties = dict(protocol_version=1001, little_endian=little_endian, type_sizes=dict(short=2, int=4, long=4))
    for part in (_MAGIC, 1001, properties):
        pickle.dump(part, buffer, protocol=protocol)
    Pickler(buffer, protocol=protocol).dump(value)
    ordered = sorted(storages.values(), key=lambda pair: pair[0])
    pickle.dump([name for name, _ in ordered], buffer, protocol=protocol)
    for _, storage in ordered:
        buffer.write(_elements(storage))
    path.write_bytes(buffer.getvalue())
    return path


class _View:
    def __init__(self, tensor):
        self.tensor = tensor


# ---- A tar archive: before PyTorch 0.1.10 ----


def write_tar(path, value, views=False, format=tarfile.PAX_FORMAT):
    """`views` as for `write_legacy`."""
    storages, roots, tensors, keep, classes = {}, {}, {}, [], set()

    def storage_key(storage):
        entry = storages.setdefault(storage.data_ptr() or id(storage), (1000 + len(storages), storage))
        return entry[0]

    def tensor_key(tensor):
        if id(tensor) not in tensors:
            keep.append(tensor)
            key, offset = storage_key(tensor.storage()), tensor.storage_offset()
            if views and tensor.is_contiguous():
                view = 2000 + len(roots)
                roots[view] = (view, key, offset, tensor.numel())
                key, offset = view, 0
            tensors[id(tensor)] = (3000 + len(tensors), key, tensor, offset)
        return tensors[id(tensor)][0]

    class Pickler(pickle.Pickler):
        def persistent_id(self, item):
            if is_new_module(item, classes):
                return (item, None, None)
            if type(item) is torch.Tensor:
                return str(tensor_key(item))
            if isinstance(item, torch.storage.TypedStorage):
                return str(storage_key(item))
            return None

    main = io.BytesIO()
    Pickler(main, protocol=_PROTOCOL).dump(value)
    parts = {"sys_info": pickle.dumps(dict(protocol_version=1000, little_endian=True), _PROTOCOL)}
    parts["pickle"] = main.getvalue()
    out = io.BytesIO()
    pickle.dump(len(tensors), out, _PROTOCOL)
    for key, storage, tensor, offset in tensors.values():
        pickle.dump((key, storage, tensor.type().split(".")[-1]), out, _PROTOCOL)
        # Four bytes of dimensions and four of anything.
        out.write(struct.pack("<iI", tensor.dim(), 0xDEADBEEF))
        out.write(struct.pack(f"<{tensor.dim()}q", *tensor.shape))
        out.write(struct.pack(f"<{tensor.dim()}q", *tensor.stride()))
        out.write(struct.pack("<q", offset))
    parts["tensors"] = out.getvalue()
    out = io.BytesIO()
    pickle.dump(len(storages), out, _PROTOCOL)
    for key, storage in storages.values():
        pickle.dump((key, "cpu", getattr(torch, storage.pickle_storage_type())), out, _PROTOCOL)
        out.write(_elements(storage))
    pickle.dump(list(roots.values()), out, _PROTOCOL)
    parts["storages"] = out.getvalue()
    with tarfile.open(path, "w", format=format) as archive:
        for name, data in parts.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            # A time with a fraction needs an extended header.
            info.mtime = 1489622400.5 if format == tarfile.PAX_FORMAT else 1489622400
            archive.addfile(info, io.BytesIO(data))
    # Of the zeros up to the size of a record of tape, the two blocks that end an archive.
    data = path.read_bytes().rstrip(b"\0")
    path.write_bytes(data + bytes(-len(data) % 512 + 1024))
    return path


# ---- One pickle: NumPy arrays, or tensors without torch.save ----


class _Python2(pickle._Pickler):
    """Writes strings and ordered dicts as Python 2 did, and bytes as its strings."""

    dispatch = dict(pickle._Pickler.dispatch)

    def _save_string(self, value):
        data = value if isinstance(value, bytes) else value.encode("latin1")
        if self.proto == 0:
            literal = repr(data)[1:].encode()
            self.write(pickle.STRING + literal + b"\n")
        elif len(data) < 256:
            self.write(pickle.SHORT_BINSTRING + bytes([len(data)]) + data)
        else:
            self.write(pickle.BINSTRING + struct.pack("<i", len(data)) + data)
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = _save_string

    def reducer_override(self, item):
        if type(item) is OrderedDict:
            return OrderedDict, ([[key, value] for key, value in item.items()],)
        return NotImplemented


def write_python2_pickle(path, value, protocol=_PROTOCOL):
    with open(path, "wb") as file:
        _Python2(file, protocol).dump(value)
    return path


def write_pickle(path, value, protocol):
    path.write_bytes(pickle.dumps(value, protocol))
    return path
