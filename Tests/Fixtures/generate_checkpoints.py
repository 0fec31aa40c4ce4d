#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors
"""Writes Tests/Fixtures/checkpoints: files as PyTorch and safetensors write them with the numbers PyTorch reads from
them, and files that are damaged or hostile with what the library has to say about them.

Needs torch, numpy and safetensors. Everything is seeded: a second run writes the same numbers, and the same bytes but
for the addresses of objects that PyTorch puts into a few of the files.
"""

import argparse
import io
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections import OrderedDict
from pathlib import Path

import bad_checkpoints
import checkpoint_containers as containers
import numpy as np
import pickled_objects
import safetensors.torch
import torch
from forge import dict_of, name_of, text, tuple_of
from forge import number as integer
from handmade import member, storage, tensor, zip_archive

warnings.filterwarnings("ignore")
FOLDER = Path(__file__).parent / "checkpoints"
DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16, "f64": torch.float64}


def save(name, value, **options):
    torch.save(value, FOLDER / name, **options)


def bits(tensor):
    """The float32 bits that PyTorch's own conversion gives, in the order of the shape."""
    return tensor.detach().float().contiguous().numpy().astype("<f4", copy=False).tobytes()


# ---- what PyTorch writes -----------------------------------------------------------------------------------------


def layouts(dtype):
    """One tensor for each layout of elements in a storage."""
    generator = torch.Generator().manual_seed(1)

    def random(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    shared = random(40)
    tensors = OrderedDict()
    tensors["contiguous"] = random(3, 4)
    tensors["channels_last"] = random(2, 3, 4, 5).to(memory_format=torch.channels_last)
    tensors["transposed"] = random(4, 7).t()
    tensors["view_with_offset"] = random(6, 5)[2:5]
    tensors["every_second"] = random(9, 8)[1::2, 1::3]
    tensors["expanded"] = random(1, 3, 1).expand(2, 3, 4)
    tensors["permuted"] = random(2, 3, 4, 5, 2).permute(4, 0, 3, 1, 2)
    tensors["shared_low"] = shared[:12].view(3, 4)
    tensors["shared_high"] = shared[10:40].view(5, 6)
    tensors["shared_strided"] = shared[1:31:3]
    tensors["scalar"] = random(1)[0].clone()
    tensors["one"] = random(1)
    tensors["empty"] = random(0, 3)
    tensors["parameter"] = torch.nn.Parameter(random(2, 2))
    return tensors


def write_layouts():
    for label, dtype in DTYPES.items():
        tensors = layouts(dtype)
        save(f"layouts-{label}.pth", tensors)
        (FOLDER / f"layouts-{label}.bin").write_bytes(b"".join(bits(t) for t in tensors.values()))
        contiguous = {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
        safetensors.torch.save_file(contiguous, FOLDER / f"layouts-{label}.safetensors", metadata={"format": "pt"})
    lines = [f"{name} {' '.join(map(str, tensor.shape))}".strip() for name, tensor in layouts(torch.float32).items()]
    (FOLDER / "layouts.txt").write_text("\n".join(lines) + "\n")


def write_values():
    """Numbers at which conversions go wrong: subnormal, infinite, NaN, half-way between two floats."""
    random = np.random.default_rng(2)
    half = np.concatenate([np.arange(0, 65536, 37), np.arange(0, 64), np.arange(0x7BF0, 0x7C10), [0x7E00, 0xFC01]])
    double = np.concatenate(
        [
            random.standard_normal(500) * 10.0 ** random.integers(-50, 50, 500),
            # Exactly between two floats, and next to there.
            (1 + (2 * np.arange(64) + 1) * 2.0**-24),
            np.nextafter(1 + (2 * np.arange(64) + 1) * 2.0**-24, 0),
            np.nextafter(1 + (2 * np.arange(64) + 1) * 2.0**-24, 2),
            np.arange(1, 64) * 2.0**-150,
            np.array([0.0, -0.0, np.inf, -np.inf, 3.4028235677973366e38, 3.4028235677973362e38, 1e300, 5e-324]),
            np.array([0x7FF8000000000000, 0xFFF8000000000001, 0x7FFFFFFFFFFFFFFF], "<u8").view("<f8"),
        ]
    )
    values = {
        "f16": torch.from_numpy(half.astype("<u2").view("<i2").copy()).view(torch.float16),
        "bf16": torch.from_numpy(half.astype("<u2").view("<i2").copy()).view(torch.bfloat16),
        "f64": torch.from_numpy(double),
    }
    for label, value in values.items():
        save(f"values-{label}.pth", {"values": value})
        (FOLDER / f"values-{label}.bin").write_bytes(bits(value))


def small():
    """Two tensors: the state dict of the files that show one feature each."""
    return OrderedDict(
        [("conv1.weight", torch.arange(6, dtype=torch.float32).view(2, 3) / 4), ("bn1.bias", torch.tensor([-1.5, 2.5]))]
    )


class Stranger:
    """A class that no reader knows."""

    def __init__(self):
        self.values = [1, 2, {"a": 3}]


def write_wrappers():
    save("plain.pth", dict(small()))
    save("ordered.pth", small())
    save("state_dict.pth", {"epoch": 3, "state_dict": small(), "loss": 0.5})
    save("model.pth", {"model": dict(small()), "args": argparse.Namespace(lr=0.1, names=["a"], nested={"b": (1, 2)})})
    save("module.pth", OrderedDict(("module." + name, tensor) for name, tensor in small().items()))
    save("module-not-all.pth", {"module.conv1.weight": torch.ones(1), "bn1.bias": torch.ones(1)})
    save("wrapped-module.pth", {"state_dict": OrderedDict(("module." + n, t) for n, t in small().items())})
    save("both.pth", {"state_dict": small(), "model": small()})
    parameters = OrderedDict((name, torch.nn.Parameter(tensor)) for name, tensor in small().items())
    parameters["bn1.bias"].note = "a parameter with an attribute is written differently"
    save("parameters.pth", parameters)
    mixed = dict(small(), epoch=7, note="text", history=[1.5, {"x": torch.ones(3)}], big=2**70, none=None, yes=True)
    mixed[5] = torch.ones(2)
    save("mixed.pth", mixed)

    network = torch.nn.Sequential(OrderedDict(conv1=torch.nn.Conv2d(1, 2, 1), bn1=torch.nn.BatchNorm2d(2)))
    torch.manual_seed(0)
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.randn(2, 1, 3, 3)).sum().backward()
    optimizer.step()
    training = {
        "meta": Stranger(),
        "state_dict": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "array": np.arange(3),
        "kinds": {1, 2},
        "frozen": frozenset([1]),
        "complex": 1j,
        "bytes": b"abc",
        "size": torch.Size([1, 2]),
        "dtype": torch.float16,
        "device": torch.device("cpu"),
    }
    save("training.pth", training)
    save("module-object.pth", network)
    # State dicts at every depth: `again` was found before; under a number is what an optimizer keeps.
    inner = {"x": torch.ones(1), "note": "text"}
    nested = {"model": {"state_dict": inner, 5: {"z": torch.ones(1)}}, "w": torch.ones(2), "again": {"b": inner}}
    nested["a"] = {"b": {"c": {"y": torch.ones(1), "far": {"v": torch.ones(1)}}}}
    save("nested.pth", dict(nested, ema=torch.nn.Linear(2, 1)))
    save("tensor.pth", torch.ones(2))
    save("nothing.pth", {"epoch": 1, "optimizer": {"state": {}}, "names": ["a"]})
    save("empty-dict.pth", {})
    for protocol in (3, 4, 5):
        save(f"protocol{protocol}.pth", {"state_dict": small(), "meta": Stranger()}, pickle_protocol=protocol)
    integers = [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool]
    save("integers.pth", {str(dtype).split(".")[1]: torch.tensor(1).to(dtype) for dtype in integers})
    save("integers-many.pth", {"i16": torch.tensor([-5, 300], dtype=torch.int16), "u8": torch.tensor([200, 7]).byte()})
    save("complex.pth", {"conv1.weight": torch.ones(2, dtype=torch.complex64), "bn1.bias": torch.ones(2)})


def rezip(name, source, **options):
    """Writes the members of an archive again as Python does."""
    compression = options.pop("compression", zipfile.ZIP_STORED)
    changes = options.pop("changes", {})
    with zipfile.ZipFile(FOLDER / source) as old, zipfile.ZipFile(FOLDER / name, "w", compression) as new:
        for info in old.infolist():
            data = changes.get(info.filename.split("/", 1)[1], old.read(info))
            if data is None:
                continue
            member = zipfile.ZipInfo(info.filename)
            member.compress_type = compression
            with new.open(member, "w", **options) as out:
                out.write(data)
        if "comment" in changes:
            new.comment = changes["comment"]


def write_containers():
    rezip("rezipped.pth", "ordered.pth")
    rezip("zip64.pth", "ordered.pth", force_zip64=True)
    rezip("comment.pth", "ordered.pth", changes={"comment": b"made by hand"})
    torch.serialization.set_crc32_options(False)
    save("no-checksums.pth", small())
    torch.serialization.set_crc32_options(True)
    safetensors.torch.save_file(dict(small()), FOLDER / "ordered.safetensors")
    # A name with every kind of escape, and space wherever JSON allows it.
    header = (
        b' { "__metadata__" : { "a" : "b" , "c":"" } , "\\u0061\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00" :\n'
        b'{ "shape" : [ 1 , 2 ] , "data_offsets" : [ 4 , 12 ] , "dtype" : "F32" } ,\r\n'
        b'\t"z":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}   '
    ).lstrip()
    (FOLDER / "escapes.safetensors").write_bytes(
        struct.pack("<Q", len(header)) + header + b"\0\0\0\0" + struct.pack("<ff", 1.5, -2.5)
    )


def is_numpy(value):
    return isinstance(value, (np.ndarray, np.generic))


def written(name, write, value, *arguments, **options):
    """Writes a file that PyTorch or Python then reads as what was given."""
    write(FOLDER / name, value, *arguments, **options)
    found = containers.read(FOLDER / name)
    for key, given in value.items():
        expected = torch.as_tensor(given.astype(given.dtype.newbyteorder("="))) if is_numpy(given) else given
        actual = torch.as_tensor(found[key].copy()) if is_numpy(found[key]) else found[key]
        assert list(found) == list(value) and torch.equal(actual, expected), (name, key)


def deflated(path, value):
    torch.save(value, path)
    containers.rezip(path, path.with_suffix(".zip"))
    path.with_suffix(".zip").rename(path)


def write_old_containers():
    """The layouts and the two tensors of `small` in every other container."""
    for label, dtype in DTYPES.items():
        tensors = layouts(dtype)
        written(f"layouts-{label}-deflated.pth", deflated, tensors)
        written(f"layouts-{label}-big.pth", containers.write_big_endian, tensors)
        written(f"layouts-{label}-legacy.pth", containers.write_legacy, tensors)
        written(f"layouts-{label}-tar.pth", containers.write_tar, tensors)
        if label != "bf16":
            written(f"layouts-{label}-numpy.pkl", containers.write_pickle, arrays(tensors), 4)
    tensors = layouts(torch.float32)
    written("layouts-f32-big-deflated.pth", containers.write_big_endian, tensors, deflated=True)
    # PyTorch has always written these little-endian, whatever the file says of the machine.
    written("layouts-f32-views.pth", containers.write_legacy, tensors, views=True, little_endian=False)
    written("layouts-f32-legacy4.pth", containers.write_legacy, tensors, protocol=4)
    written("layouts-f32-legacy1.pth", containers.write_legacy, tensors, protocol=1)
    ustar = tarfile.USTAR_FORMAT
    written("layouts-f32-tar-views.pth", containers.write_tar, tensors, views=True, format=ustar)
    written("layouts-f32-pickle.pkl", containers.write_pickle, tensors, 4)
    for protocol in range(6):
        written(f"layouts-f32-numpy{protocol}.pkl", containers.write_pickle, arrays(tensors), protocol)
    for protocol in (0, 1, 2):
        name = f"layouts-f32-python2-{protocol}.pkl"
        written(name, containers.write_python2_pickle, arrays(tensors), protocol)
    swapped = OrderedDict((n, a.astype(a.dtype.newbyteorder(">"))) for n, a in arrays(tensors).items())
    written("layouts-f32-numpy-big.pkl", containers.write_pickle, swapped, 2)
    save("layouts-f32-numpy.pth", arrays(tensors))
    rezip("layouts-f32-numpy-deflated.pth", "layouts-f32-numpy.pth", compression=zipfile.ZIP_DEFLATED)

    written("small-deflated.pth", deflated, small())
    written("small-legacy.pth", containers.write_legacy, small())
    written("small-views.pth", containers.write_legacy, small(), views=True)
    written("small-tar.pth", containers.write_tar, small())
    written("small-pickle.pkl", containers.write_pickle, small(), 4)
    for protocol in (0, 2, 5):
        written(f"small-numpy{protocol}.pkl", containers.write_pickle, arrays(small()), protocol)
    written("small-python2.pkl", containers.write_python2_pickle, arrays(small()))


def write_stems():
    """Two weights of a network of one channel in every container: what is damaged at every position."""
    norm = torch.nn.BatchNorm2d(1)
    with torch.no_grad():
        norm.weight[:], norm.bias[:] = 0.25, -1.5
    state = OrderedDict([("bn1.weight", norm.weight.detach()), ("bn1.bias", norm.bias.detach())])
    written("stem-zip.pth", lambda path, value: torch.save(value, path), state)
    torch.serialization.set_crc32_options(False)
    written("stem-no-checksums.pth", lambda path, value: torch.save(value, path), state)
    torch.serialization.set_crc32_options(True)
    written("stem-deflated.pth", deflated, state)
    written("stem-big.pth", containers.write_big_endian, state)
    written("stem-legacy.pth", containers.write_legacy, state)
    written("stem-views.pth", containers.write_legacy, state, views=True)
    written("stem-tar.pth", containers.write_tar, state)
    written("stem-pickle.pkl", containers.write_pickle, state, 4)
    for protocol in (0, 2, 5):
        written(f"stem-numpy{protocol}.pkl", containers.write_pickle, arrays(state), protocol)
    written("stem-python2.pkl", containers.write_python2_pickle, arrays(state))
    safetensors.torch.save_file(dict(state), FOLDER / "stem.safetensors")
    save("stem-module.pth", torch.nn.Sequential(OrderedDict(bn1=norm)))


def arrays(tensors):
    """The same as NumPy has it: scalars among them, and the order of Fortran."""
    result = OrderedDict((name, tensor.detach().numpy()) for name, tensor in tensors.items())
    if "scalar" in result:
        result["scalar"] = result["scalar"][()]
    return result


def write_modules():
    """Whole modules, with the names and numbers of their state dicts."""
    torch.manual_seed(3)
    shared = torch.nn.Conv2d(1, 2, 1)
    network = torch.nn.Sequential(
        OrderedDict(
            conv1=torch.nn.Conv2d(1, 2, 3, bias=False),
            bn1=torch.nn.BatchNorm2d(2),
            relu=torch.nn.ReLU(),
            layer1=torch.nn.Sequential(shared, torch.nn.BatchNorm2d(2, affine=False), shared),
        )
    )
    network.register_buffer("kept", torch.arange(3.0))
    network.register_buffer("dropped", torch.ones(3), persistent=False)
    network.bn1.weight.note = "written in another way"
    state = network.state_dict()
    assert "dropped" not in state
    lines = [f"{name} {' '.join(map(str, tensor.shape))}".strip() for name, tensor in state.items()]
    (FOLDER / "module.txt").write_text("\n".join(lines) + "\n")
    (FOLDER / "module.bin").write_bytes(b"".join(bits(tensor) for tensor in state.values()))
    save("whole-zip.pth", network)
    save("whole-under-key.pth", {"epoch": 1, "model": network})
    save("whole-protocol4.pth", network, pickle_protocol=4)
    containers.write_legacy(FOLDER / "whole-legacy.pth", network)
    containers.write_tar(FOLDER / "whole-tar.pth", network)
    containers.write_pickle(FOLDER / "whole-pickle.pkl", network, 4)
    for name in ("whole-zip.pth", "whole-legacy.pth", "whole-tar.pth", "whole-pickle.pkl"):
        loaded = containers.read(FOLDER / name).state_dict()
        assert list(loaded) == list(state) and all(torch.equal(loaded[key], state[key]) for key in state), name


# ---- what is made by hand ----------------------------------------------------------------------------------------


def write_deflated_extremes():
    """Codes of up to 15 bits, and matches of all lengths from almost 32768 bytes before, also across pieces read."""
    counts = [1, 1]
    while sum(counts) < 6000:
        counts.append(counts[-1] + counts[-2])
    random = np.random.default_rng(5)
    codes = random.permutation(np.repeat(np.arange(len(counts), dtype=np.uint8), counts))
    matches = np.tile(np.repeat(random.integers(0, 256, 260, dtype=np.uint8), random.integers(100, 150, 260)), 6)
    matches = np.concatenate([matches, random.integers(0, 2, 300, dtype=np.uint8).repeat(random.integers(1, 9, 300))])
    body = []
    members = []
    for key, (name, data, strategy) in enumerate(
        [("codes", codes, zlib.Z_HUFFMAN_ONLY), ("matches", matches, zlib.Z_DEFAULT_STRATEGY)]
    ):
        packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, strategy)
        packed = packer.compress(data.tobytes()) + packer.flush()
        body.append((name, tensor((data.size,), (1,), data=storage(str(key), data.size, "ByteStorage"))))
        changes = dict(method=8, size=data.size, crc=zlib.crc32(data.tobytes()))
        members.append(member(f"a/data/{key}", packed, **changes))
    pickled = member("a/data.pkl", PROTO + dict_of(*body) + STOP)
    (FOLDER / "deflated-extremes.pth").write_bytes(zip_archive([pickled, *members]))
    lines = [f"{name} {data.size} {data.sum(dtype=int)}" for name, data in (("codes", codes), ("matches", matches))]
    (FOLDER / "deflated-extremes.txt").write_text("\n".join(lines) + "\n")


def write_stored_far():
    """A stored block longer than the window of 32768 bytes, by formula, and matches back into it: the list of these."""
    block = bytes((i * i * 31 + i * 7 >> 3) & 0xFF for i in range(40000))
    matches = [(258, 32768), (3, 32768), (200, 32767), (3, 1), (258, 20000), (100, 16385), (258, 4), (17, 32768)]
    bits, count = 0, 0

    def put(value, size):
        nonlocal bits, count
        bits |= value << count
        count += size

    def reverse(value, size):
        return int(f"{value:0{size}b}"[::-1], 2)

    def length_code(length):
        """The symbol of the fixed code, and the bits after it (RFC 1951, 3.2.5)."""
        if length == 258:
            return 285, 0, 0
        base = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163]
        base += [195, 227]
        index = max(i for i, value in enumerate(base) if value <= length)
        return 257 + index, length - base[index], max(index // 4 - 1, 0)

    def distance_code(distance):
        base = [1, 2, 3, 4]
        for extra in range(1, 14):
            base += [base[-1] + (1 << extra - 1), base[-1] + (1 << extra - 1) + (1 << extra)]
        index = max(i for i, value in enumerate(base) if value <= distance)
        return index, distance - base[index], max(index // 2 - 1, 0)

    put(0b000, 3)
    put(0, 5)  # to the next byte
    put(len(block) | (~len(block) & 0xFFFF) << 16, 32)
    for byte in block:
        put(byte, 8)
    put(0b011, 3)
    for length, distance in matches:
        symbol, value, size = length_code(length)
        put(reverse(symbol - 256, 7) if symbol < 280 else reverse(symbol - 280 + 0b11000000, 8), 7 + (symbol >= 280))
        put(value, size)
        symbol, value, size = distance_code(distance)
        put(reverse(symbol, 5), 5)
        put(value, size)
    put(0, 7)
    packed = bits.to_bytes((count + 7) // 8, "little")
    data = zlib.decompress(packed, -15)
    expected = bytearray(block)
    for length, distance in matches:
        for _ in range(length):
            expected.append(expected[-distance])
    assert data == expected
    body = dict_of(("bytes", tensor((len(data),), (1,), data=storage("0", len(data), "ByteStorage"))))
    members = [member("a/data.pkl", PROTO + body + STOP)]
    members += [member("a/data/0", packed, method=8, size=len(data), crc=zlib.crc32(data))]
    (FOLDER / "deflated-stored-far.pth").write_bytes(zip_archive(members))
    with zipfile.ZipFile(FOLDER / "deflated-stored-far.pth") as archive:
        assert archive.read("a/data/0") == data
    lines = [f"{length} {distance}" for length, distance in matches]
    (FOLDER / "deflated-stored-far.txt").write_text("\n".join(lines) + "\n")


def write_pax_size():
    """A tar archive with a global header, a member whose name and size are in an extended header alone, and one whose
    size is in binary."""
    with tarfile.open(FOLDER / "small-tar.pth") as archive:
        parts = [(info.name, archive.extractfile(info).read()) for info in archive]
    path = FOLDER / "small-tar-pax-size.pth"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "made by hand"}) as archive:
        for name, data in parts:
            info = tarfile.TarInfo("x" if name == "tensors" else name)
            info.size = len(data)
            if name == "tensors":
                info.pax_headers = {"size": str(len(data)), "path": name}
            archive.addfile(info, io.BytesIO(data))
    data = bytearray(path.read_bytes().rstrip(b"\0"))
    data += bytes(-len(data) % 512 + 1024)
    with tarfile.open(path) as archive:
        headers = {info.name: info.offset_data - 512 for info in archive}
    sizes = {"tensors": b"00000000000\0", "pickle": b"\x80" + len(dict(parts)["pickle"]).to_bytes(11, "big")}
    for name, size in sizes.items():
        header = headers[name]
        assert data[header : header + 9] == (b"x" + bytes(8) if name == "tensors" else b"pickle\0\0\0")
        data[header + 124 : header + 136] = size
        data[header + 148 : header + 156] = b" " * 8
        data[header + 148 : header + 156] = b"%06o\0 " % sum(data[header : header + 512])
    path.write_bytes(data)
    with tarfile.open(path) as archive:
        assert [(info.name, archive.extractfile(info).read()) for info in archive] == parts
    found = containers.read(path)
    assert list(found) == list(small()) and all(torch.equal(found[name], small()[name]) for name in found)


# Instructions of the pickles made by hand.
PROTO, STOP, MARK, DICT, TUPLE, REDUCE, BUILD, PERSID = b"\x80\x02", b".", b"(", b"}", b"t", b"R", b"b", b"Q"


def write_rebuilds():
    """Every way in which PyTorch has written a tensor, by hand, and what it makes of each."""
    utils, hooks = "torch._utils", name_of("collections", "OrderedDict") + b")R"
    eight = MARK + integer(2) + integer(3) + TUPLE, MARK + integer(3) + integer(1) + TUPLE
    four = [storage(), integer(1), *eight]
    plain = tuple_of(*four, b"\x89", hooks)
    half = name_of("torch.storage", "UntypedStorage")
    untyped = tuple_of(text("storage"), half, text("0"), text("cpu"), integer(32)) + PERSID
    untyped = untyped.replace(text("0"), text("1"))
    legacy = name_of("torch", "FloatTensor") + b")R" + tuple_of(*four) + BUILD
    pairs = b"](" + b"](" + text("a") + tensor() + b"e" + b"](" + text("b") + tensor((2,), (3,)) + b"ee"
    shape = tuple_of(integer(8))
    values = {
        "v1": name_of(utils, "_rebuild_tensor") + tuple_of(*four) + REDUCE,
        "v2": tensor((2, 2), (1, 2), 3),
        "metadata": name_of(utils, "_rebuild_tensor_v2") + tuple_of(*four, b"\x89", hooks, b"}") + REDUCE,
        "v3": name_of(utils, "_rebuild_tensor_v3")
        + tuple_of(untyped, *four[1:], b"\x89", hooks, name_of("torch", "float16"))
        + REDUCE,
        "parameter": name_of(utils, "_rebuild_parameter") + tuple_of(tensor(), b"\x88", hooks) + REDUCE,
        "parameter with state": name_of(utils, "_rebuild_parameter_with_state")
        + tuple_of(tensor(), b"\x88", hooks, dict_of(("note", text("x"))))
        + REDUCE,
        "from type": name_of("torch._tensor", "_rebuild_from_type_v2")
        + tuple_of(name_of(utils, "_rebuild_tensor_v2"), name_of("torch.nn.parameter", "Parameter"), plain, b"}")
        + REDUCE,
        "from type of old": name_of("torch.tensor", "_rebuild_from_type_v2")
        + tuple_of(name_of(utils, "_rebuild_tensor_v2"), name_of("torch", "Tensor"), plain, b"}")
        + REDUCE,
        "tensor of old": legacy,
        "parameter of old": name_of("torch.nn.parameter", "Parameter")
        + b")\x81"
        + tuple_of(legacy, b"N", hooks, b"\x88", b"\x89")
        + BUILD,
        "parameter of a tensor": name_of("torch.nn.parameter", "Parameter")
        + tuple_of(tensor())
        + REDUCE
        + tuple_of(b"\x88", b"\x89", hooks)
        + BUILD,
        "size": tensor().replace(shape, name_of("torch", "Size") + tuple_of(shape) + REDUCE),
    }
    body = PROTO + name_of("collections", "OrderedDict") + MARK + pairs + TUPLE + REDUCE + MARK
    body += b"".join(text(key) + value for key, value in values.items()) + b"u" + STOP
    numbers = struct.pack("<8f", *range(8))
    records = {"data.pkl": body, "version": b"3\n", "byteorder": b"little", "data/0": numbers, "data/1": numbers}
    (FOLDER / "rebuilds.pth").write_bytes(zip_archive([member("a/" + key, data) for key, data in records.items()]))
    state = torch.load(FOLDER / "rebuilds.pth", weights_only=False)
    lines = [f"{name.replace(' ', '_')} {' '.join(map(str, value.shape))}" for name, value in state.items()]
    assert list(state) == ["a", "b", *values]
    (FOLDER / "rebuilds.txt").write_text("\n".join(lines) + "\n")
    (FOLDER / "rebuilds.bin").write_bytes(b"".join(bits(value) for value in state.values()))


def main():
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    write_layouts()
    write_values()
    write_wrappers()
    write_containers()
    write_old_containers()
    write_stems()
    write_modules()
    write_rebuilds()
    write_deflated_extremes()
    pickled_objects.write_all()
    write_stored_far()
    write_pax_size()
    bad = bad_checkpoints.write_all()
    size = sum(file.stat().st_size for file in FOLDER.iterdir())
    print(f"{len(list(FOLDER.iterdir()))} files, {size} bytes, {bad} of them bad")


if __name__ == "__main__":
    main()
