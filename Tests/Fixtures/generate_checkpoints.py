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
import pickle
import struct
import warnings
import zipfile
import zlib
from collections import OrderedDict
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

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
    """One tensor for each way in which elements can lie in a storage."""
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


# ---- what nobody should write ------------------------------------------------------------------------------------

BAD_CHECKPOINT, MISMATCH = 5, 6
bad = []


def expect(name, text, status=BAD_CHECKPOINT):
    """Lists a file that must fail with that status and a message that holds that text."""
    bad.append((name, status, text))


def member(name, data, **changes):
    return dict(name=name, data=data, **changes)


def zip_archive(members, gap=b"", end=None):
    """An archive made by hand, so that its parts can contradict each other."""
    out = io.BytesIO()
    directory = b""
    for m in members:
        name, data = m["name"].encode(), m["data"]
        crc, flags, method = m.get("crc", zlib.crc32(data)), m.get("flags", 0), m.get("method", 0)
        offset = m.get("offset", out.tell())
        size = m.get("size", len(data))
        if "offset" not in m:
            local_name = m.get("local_name", m["name"]).encode()
            out.write(
                struct.pack(
                    "<IHHHIIIIHH",
                    0x04034B50,
                    20,
                    m.get("local_flags", flags),
                    method,
                    0,
                    crc,
                    len(data),
                    m.get("local_size", len(data)),
                    len(local_name),
                    0,
                )
            )
            out.write(local_name + data + gap)
        directory += struct.pack(
            "<IHHHHIIIIHHHHHII",
            0x02014B50,
            20,
            20,
            flags,
            method,
            0,
            crc,
            size,
            size,
            len(name),
            len(m.get("extra", b"")),
            0,
            m.get("disk", 0),
            0,
            0,
            offset,
        )
        directory += name + m.get("extra", b"")
    start = out.tell()
    out.write(directory)
    count = len(members)
    end = end or {}
    out.write(
        struct.pack(
            "<IHHHHIIH",
            0x06054B50,
            0,
            0,
            end.get("count", count),
            end.get("count", count),
            end.get("size", len(directory)),
            end.get("start", start),
            len(end.get("comment", b"")),
        )
    )
    return out.getvalue() + end.get("comment", b"")


def good_pickle():
    with zipfile.ZipFile(FOLDER / "ordered.pth") as archive:
        return archive.read("ordered/data.pkl"), archive.read("ordered/data/0"), archive.read("ordered/data/1")


def write_bad_zips():
    data, first, second = good_pickle()

    def parts(**changes):
        return [member("a/data.pkl", data), member("a/data/0", first, **changes), member("a/data/1", second)]

    def write(name, archive, text):
        (FOLDER / name).write_bytes(archive)
        expect(name, text)

    (FOLDER / "by-hand.pth").write_bytes(zip_archive(parts()))
    write("bad-duplicate.pth", zip_archive(parts() + [member("a/data/0", first)]), "two members 'a/data/0'")
    write("bad-overlap.pth", zip_archive(parts() + [member("a/x", b"abc", offset=0)]), "a/x")
    write("bad-inside.pth", zip_archive(parts(size=len(first) + 40)), "a/data/0")
    write("bad-outside.pth", zip_archive(parts() + [member("a/x", b"abc", offset=1 << 20)]), "a/x")
    write("bad-size.pth", zip_archive(parts(size=len(first) - 1)), "a/data/0")
    write("bad-local-name.pth", zip_archive(parts(local_name="a/data/7")), "'a/data/0' differ")
    write("bad-local-flags.pth", zip_archive(parts(local_flags=8)), "'a/data/0' differ")
    write("bad-local-size.pth", zip_archive(parts(local_size=7)), "'a/data/0' differ")
    write("bad-encrypted.pth", zip_archive(parts(flags=1)), "'a/data/0' of the zip archive is encrypted")
    write("bad-method.pth", zip_archive(parts(method=8)), "'a/data/0' of the zip archive is compressed (method 8)")
    write("bad-checksum.pth", zip_archive(parts(crc=5)), "tensor 'conv1.weight' is damaged")
    write("bad-disk.pth", zip_archive(parts(disk=1)), "a/data/0")
    write("bad-extra.pth", zip_archive(parts(extra=b"\1\0\x08\0" + b"\0" * 8)), "a/data/0")
    write("bad-extra-cut.pth", zip_archive(parts(extra=b"\1\0\xff\0")), "a/data/0")
    write("bad-gap.pth", zip_archive(parts(), gap=b"\0" * 30), "gap")
    write("bad-front.pth", b"PK\3\4" + zip_archive(parts()), "directory")
    write("bad-count.pth", zip_archive(parts(), end=dict(count=2)), "longer than its 2 members")
    write("bad-count-more.pth", zip_archive(parts(), end=dict(count=4)), "cut off")
    write("bad-start.pth", zip_archive(parts(), end=dict(start=5)), "does not reach")
    write("bad-two-ends.pth", zip_archive(parts(), end=dict(comment=zip_archive([])[-22:])), "two end records")
    write("bad-no-pickle.pth", zip_archive([member("a/b", b"")]), "no data.pkl")
    write("bad-deep-pickle.pth", zip_archive([member("a/b/data.pkl", data)]), "no data.pkl")
    write("bad-two-pickles.pth", zip_archive(parts() + [member("b/data.pkl", data)]), "two checkpoints")
    write("bad-big-endian.pth", zip_archive(parts() + [member("a/byteorder", b"big")]), "byte order is 'big'")
    write("bad-torchscript.pth", zip_archive(parts() + [member("a/constants.pkl", b"")]), "TorchScript")
    write("bad-storage-missing.pth", zip_archive(parts()[:2]), "storage '1' of tensor 'bn1.bias' is missing")
    short = [parts()[0], member("a/data/0", first[:-4]), parts()[2]]
    write("bad-storage-short.pth", zip_archive(short), "storage '0' of tensor 'conv1.weight' has 20 bytes, expected 6")
    write(
        "bad-many.pth",
        struct.pack("<I", 0x04034B50) + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 65535, 65535, 0, 4, 0),
        "cut off",
    )
    write("bad-empty.pth", zip_archive([]), "empty zip")
    rezip("bad-deflated.pth", "ordered.pth", compression=zipfile.ZIP_DEFLATED)
    expect("bad-deflated.pth", "is compressed (method 8)")


# Instructions of the pickles made by hand.
PROTO, STOP, MARK, DICT, TUPLE, REDUCE, BUILD, PERSID = b"\x80\x02", b".", b"(", b"}", b"t", b"R", b"b", b"Q"


def text(value):
    value = value if isinstance(value, bytes) else value.encode()
    return b"X" + struct.pack("<I", len(value)) + value


def integer(value):
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    data = value.to_bytes(9 if value >= 2**63 else 8, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def tuple_of(*values):
    return MARK + b"".join(values) + TUPLE


def name_of(module, name):
    return f"c{module}\n{name}\n".encode()


def storage(key="0", count=8, kind="FloatStorage"):
    return tuple_of(text("storage"), name_of("torch", kind), text(key), text("cpu"), integer(count)) + PERSID


def tensor(shape=(8,), strides=(1,), offset=0, data=None):
    arguments = [
        storage() if data is None else data,
        integer(offset),
        tuple_of(*map(integer, shape)),
        tuple_of(*map(integer, strides)),
        b"\x89",
        name_of("collections", "OrderedDict") + b")R",
    ]
    return name_of("torch._utils", "_rebuild_tensor_v2") + tuple_of(*arguments) + REDUCE


def dict_of(*pairs):
    return DICT + MARK + b"".join(text(key) + value for key, value in pairs) + b"u"


def checkpoint(body):
    return zip_archive([member("a/data.pkl", body), member("a/data/0", struct.pack("<8f", *range(8)))])


def write_bad_pickles():
    def write(name, body, expected):
        (FOLDER / name).write_bytes(checkpoint(body))
        if expected:
            expect(name, expected)

    def one(value):
        return PROTO + dict_of(("w", value)) + STOP

    write("hand.pth", one(tensor()), None)
    # Harmless, whatever they look like: nothing is run, and nothing of it is needed.
    system = name_of("os", "system") + tuple_of(text("touch executed-by-a-checkpoint")) + REDUCE
    write(
        "os-system.pth",
        PROTO + dict_of(("w", tensor()), ("evil", system), ("class", name_of("os", "system"))) + STOP,
        None,
    )
    bomb = (
        b"(K\1K\2l"
        + b"q\0"
        + b"".join(b"(" + b"h" + bytes([i]) + b"h" + bytes([i]) + b"lq" + bytes([i + 1]) for i in range(200))
    )
    write("memo-bomb.pth", PROTO + dict_of(("bomb", bomb), ("w", tensor())) + STOP, None)
    tuples = b"K\1q\0" + b"".join(b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86q" + bytes([i + 1]) for i in range(200))
    write("tuple-bomb.pth", PROTO + dict_of(("bomb", tuples), ("w", tensor())) + STOP, None)
    write("deep.pth", PROTO + dict_of(("deep", b"]" * 20000 + b"a" * 19999), ("w", tensor())) + STOP, None)
    write("marks.pth", PROTO + dict_of(("deep", b"(" * 20000 + b"t" * 20000), ("w", tensor())) + STOP, None)
    write("cyclic.pth", PROTO + DICT + b"q\0" + text("self") + b"h\0s" + text("w") + tensor() + b"s" + STOP, None)
    reduces = name_of("a", "b") + b")R" * 20000
    write("reduce-bomb.pth", PROTO + dict_of(("bomb", reduces), ("w", tensor())) + STOP, None)
    write(
        "twice.pth",
        PROTO + dict_of(("w", tensor((1,), (1,))), ("v", tensor()), ("w", tensor((2,), (1,), 3))) + STOP,
        None,
    )
    write("dict-opcode.pth", PROTO + MARK + text("w") + tensor() + b"d" + STOP, None)
    write("unread.pth", PROTO + dict_of(("v", tensor()), ("w", tensor(data=storage(kind="QInt8Storage")))) + STOP, None)
    negated = (
        name_of("torch._utils", "_rebuild_tensor_v2")
        + tuple_of(
            storage(), integer(0), tuple_of(integer(8)), tuple_of(integer(1)), b"\x89", b"}", dict_of(("neg", b"\x88"))
        )
        + REDUCE
    )
    write("negated.pth", PROTO + dict_of(("v", tensor()), ("w", negated)) + STOP, None)

    # Strides of dimensions of size 1 are never used, however large.
    write("stride-unused.pth", one(tensor((1, 2, 2, 1), (2**63 - 1, 1, 2, 2**63 - 1), 3)), None)

    write(
        "bad-strides.pth",
        one(tensor((3, 3), (3, 1))),
        "'w' leaves its storage of 8 elements: shape [3, 3], strides [3, 1]",
    )
    write("bad-offset.pth", one(tensor((8,), (1,), 1)), "'w' leaves its storage")
    write("bad-offset-negative.pth", one(tensor((8,), (1,), -1)), "'w' has a negative offset")
    write("bad-offset-huge.pth", one(tensor((8,), (1,), 2**63 - 1)), "'w' leaves its storage")
    write("bad-stride-huge.pth", one(tensor((3,), (2**62,))), "'w' leaves its storage")
    write("bad-stride-negative.pth", one(tensor((2,), (-1,), 4)), "negative size or stride")
    write("bad-size-negative.pth", one(tensor((-2,), (1,))), "negative size or stride")
    write("bad-shape-huge.pth", one(tensor((2**62,), (0,))), "'w' has an absurd shape: [4611686018427387904]")
    write("bad-shape-product.pth", one(tensor((2**32, 2**32), (0, 0))), "absurd shape")
    write("bad-shape-zero.pth", one(tensor((2**62, 2**62, 0), (1, 1, 1))), "absurd shape")
    write("bad-rank.pth", one(tensor((1,) * 17, (1,) * 17)), "17 dimensions")
    write("bad-rank-strides.pth", one(tensor((2, 2), (1,))), "2 sizes but 1 strides")
    write("bad-scalar.pth", one(tensor((), (), 8)), "'w' leaves its storage")
    write("bad-numel.pth", one(tensor(data=storage(count=9))), "storage '0' of tensor 'w' has 32 bytes, expected 9")
    write("bad-numel-huge.pth", one(tensor(data=storage(count=2**62 + 8))), "storage '0' of tensor 'w' has 32 bytes")
    write("bad-numel-negative.pth", one(tensor(data=storage(count=-8))), "expected -8")
    two = dict_of(("w", tensor()), ("v", tensor((4,), (1,), data=storage(count=4, kind="DoubleStorage"))))
    write("bad-two-types.pth", PROTO + two + STOP, "storage '0'")
    write("bad-key.pth", one(tensor(data=storage(key="../data.pkl"))), "storage '../data.pkl' of tensor 'w' is missing")
    shape = MARK + integer(8) + TUPLE
    write(
        "bad-size-text.pth",
        one(tensor().replace(shape, MARK + text("8") + TUPLE)),
        "size or stride of tensor 'w' is no",
    )

    write("bad-root.pth", PROTO + b"]" + STOP, "a list, not a state dict")
    write(
        "bad-root-class.pth",
        PROTO + name_of("torchvision.models.resnet", "ResNet") + b")\x81}b" + STOP,
        "an object of torchvision.models.resnet.ResNet, not a state dict",
    )
    write("bad-none.pth", b"", "without a protocol")
    write("bad-protocol.pth", b"\x80\x09" + b"}" + STOP, "protocol 9")
    write("bad-opcode.pth", PROTO + b"\xff" + STOP, "unknown instruction 255")
    write("bad-stack.pth", PROTO + STOP, "nothing is on the stack")
    write("bad-mark.pth", PROTO + b"t" + STOP, "no mark")
    write("bad-below-mark.pth", PROTO + b"}(s" + STOP, "nothing is on the stack")
    write("bad-memo.pth", PROTO + b"h\7" + STOP, "memo 7 was never set")
    write("bad-memo-huge.pth", PROTO + b"}r\xff\xff\xff\xff" + STOP, "memo 4294967295 is out of range")
    write("bad-cut.pth", one(tensor())[:-1], "cut off")
    write("bad-string.pth", PROTO + b"X\xff\xff\xff\x7fabc" + STOP, "cut off")
    write("bad-string8.pth", PROTO + b"\x8d" + b"\xff" * 8 + STOP, "cut off")
    write("bad-long.pth", PROTO + b"\x8b\xff\xff\xff\xff" + STOP, "cut off")
    write("bad-frame.pth", PROTO + b"\x95" + b"\xff" * 8 + STOP, "cut off")
    write("bad-trailing.pth", one(tensor()) + b"}.", "more bytes follow")
    write("bad-setitem.pth", PROTO + b"]" + text("w") + tensor() + b"s" + STOP, "items are set in a list")
    write("bad-setitem-number.pth", PROTO + b"K\5" + text("w") + tensor() + b"s" + STOP, "items are set in a number")
    write("bad-append.pth", PROTO + b"}K\1a" + STOP, "appended to a dict")
    write("bad-odd.pth", PROTO + b"}(K\1K\2K\3u" + STOP, "a key without a value")
    write("bad-call.pth", PROTO + b"K\1)R" + STOP, "what is no function")
    write("bad-arguments.pth", PROTO + name_of("a", "b") + b"K\1R" + STOP, "without a tuple")
    write("bad-build.pth", PROTO + b"K\1}b" + STOP, "a state is given to a number")
    write(
        "bad-rebuild.pth",
        one(name_of("torch._utils", "_rebuild_tensor_v2") + tuple_of(*[integer(1)] * 6) + REDUCE),
        "a tensor without",
    )
    write("bad-persid.pth", PROTO + tuple_of(text("storage"), *[integer(1)] * 4) + PERSID + STOP, "a storage without")
    write("bad-name-utf8.pth", PROTO + DICT + text(b"w\xff") + tensor() + b"s" + STOP, "not UTF-8")
    write("bad-name-zero.pth", PROTO + DICT + text("w\0x") + tensor() + b"s" + STOP, "not UTF-8 text")
    write("bad-name-long.pth", PROTO + DICT + text("w" * 1025) + tensor() + b"s" + STOP, "1025 bytes is too long")


def write_bad_safetensors():
    def write(name, header, data=b"", text="", length=None):
        header = header if isinstance(header, bytes) else header.encode()
        length = len(header) if length is None else length
        (FOLDER / name).write_bytes(struct.pack("<Q", length) + header + data)
        expect(name, text)

    def one(fields, name='"w"'):
        return "{" + name + ":{" + fields + "}}"

    good = '"dtype":"F32","shape":[2],"data_offsets":[0,8]'
    eight = b"\0" * 8
    write("bad-header.safetensors", "{}", text="header is longer than the file", length=100)
    write("bad-header-huge.safetensors", "{}", text="neither", length=1 << 62)
    write("bad-json.safetensors", "{abc}", text="expected a name")
    write("bad-open.safetensors", "{" + '"w":{' + good + "}", eight, "expected ',' or '}'")
    write("bad-after.safetensors", one(good) + "x", eight, "something follows the end")
    write("bad-comma.safetensors", "{" + '"w":{' + good + "},}", eight, "expected a name")
    write(
        "bad-twice.safetensors",
        "{" + '"w":{' + good + '},"w":{"dtype":"F32","shape":[0],"data_offsets":[8,8]}}',
        eight,
        "two tensors 'w'",
    )
    write("bad-hole.safetensors", one('"dtype":"F32","shape":[1],"data_offsets":[4,8]'), eight, "hole at byte")
    write("bad-overlap.safetensors", "{" + '"v":{' + good + '},"w":{' + good + "}}", eight, "overlap")
    write("bad-rest.safetensors", one(good), eight + b"\0", "but the file at")
    write("bad-short.safetensors", one(good), eight[:-1], "data_offsets of 'w' lie outside")
    write(
        "bad-offsets.safetensors", one('"dtype":"F32","shape":[2],"data_offsets":[8,0]'), eight, "data_offsets of 'w'"
    )
    write(
        "bad-offset-huge.safetensors",
        one('"dtype":"F32","shape":[2],"data_offsets":[0,99999999999999999999]'),
        eight,
        "expected a number in 'w'",
    )
    write(
        "bad-offset-round.safetensors",
        one('"dtype":"F32","shape":[2],"data_offsets":[0,92233720368547758080]'),
        eight,
        "expected a number in 'w'",
    )
    write(
        "bad-shape.safetensors",
        one('"dtype":"F32","shape":[3],"data_offsets":[0,8]'),
        eight,
        "'w' has 8 bytes, which is not [3] of float32",
    )
    write(
        "bad-product.safetensors",
        one('"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]'),
        b"",
        "'w' has 0 bytes, which is not [4294967296, 4294967296]",
    )
    write(
        "bad-product-zero.safetensors",
        one('"dtype":"F32","shape":[4611686018427387904,4,0],"data_offsets":[0,0]'),
        b"",
        "'w'",
    )
    write("bad-fraction.safetensors", one('"dtype":"F32","shape":[2.0],"data_offsets":[0,8]'), eight, "in 'w'")
    write("bad-negative.safetensors", one('"dtype":"F32","shape":[-2],"data_offsets":[0,8]'), eight, "in 'w'")
    write("bad-zero.safetensors", one('"dtype":"F32","shape":[02],"data_offsets":[0,8]'), eight, "in 'w'")
    write("bad-key.safetensors", one(good.replace("shape", "shapes")), eight, "unknown or second 'shapes'")
    write("bad-second.safetensors", one(good.replace("data_offsets", "shape")), eight, "unknown or second 'shape'")
    write("bad-lacking.safetensors", one('"dtype":"F32","shape":[2]'), eight, "lacks")
    write("bad-more.safetensors", one(good + ',"x":1'), eight, "more than dtype")
    write("bad-rank.safetensors", one(f'"dtype":"F32","shape":{[1] * 17},"data_offsets":[0,4]'), eight, "more than 16")
    write("bad-metadata.safetensors", '{"__metadata__":{"a":1}}', b"", "something else than texts")
    write("bad-metadata-twice.safetensors", '{"__metadata__":{},"__metadata__":{}}', b"", "comes twice")
    write("bad-escape.safetensors", one(good, '"\\x"'), eight, "expected a name")
    write("bad-surrogate.safetensors", one(good, '"\\udc00"'), eight, "expected a name")
    write("bad-half-pair.safetensors", one(good, '"\\ud800\\u0041"'), eight, "expected a name")
    write("bad-nul.safetensors", one(good, '"\\u0000"'), eight, "not UTF-8 text")
    write("bad-control.safetensors", one(good, '"\n"'), eight, "expected a name")
    write("bad-utf8.safetensors", b'{"\xc0\x80":{' + good.encode() + b"}}", eight, "header is not UTF-8 text")
    write("bad-long-name.safetensors", one(good, '"' + "w" * 1025 + '"'), eight, "1025 bytes is too long")


def write_foreign():
    def write(name, data, text):
        (FOLDER / name).write_bytes(data)
        expect(name, text)

    write("foreign-empty", b"", "is empty")
    write("foreign-html", b"\n <!DOCTYPE HTML><html></html>", "HTML page")
    write("foreign-lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n", "Git LFS pointer")
    write("foreign-gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\3", "gzip")
    write("foreign-hdf5", b"\x89HDF\r\n\x1a\n\0\0\0\0", "HDF5")
    write("foreign-pickle", pickle.dumps({"a": 1}, 2), "bare pickle")
    write("foreign-tar", b"pickle".ljust(257, b"\0") + b"ustar\x0000" + b"\0" * 248, "tar archive")
    write("foreign-text", b"hello", "neither")
    torch.save(small(), FOLDER / "foreign-legacy.pth", _use_new_zipfile_serialization=False)
    expect("foreign-legacy.pth", "before 1.6")
    expect("module-object.pth", "torch.nn.modules.container.Sequential, not a state dict")
    expect("tensor.pth", "a tensor, not a state dict")
    expect("nothing.pth", "'epoch' is a number, 'optimizer' is a dict, 'names' is a list")
    expect("empty-dict.pth", "no tensors")
    expect("both.pth", "two state dicts, under 'state_dict' and 'model'")


def main():
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    write_layouts()
    write_values()
    write_wrappers()
    write_containers()
    write_bad_zips()
    write_bad_pickles()
    write_bad_safetensors()
    write_foreign()
    (FOLDER / "bad.txt").write_text("".join(f"{name}\t{status}\t{text}\n" for name, status, text in bad))
    size = sum(file.stat().st_size for file in FOLDER.iterdir())
    print(f"{len(list(FOLDER.iterdir()))} files, {size} bytes, {len(bad)} of them bad")


if __name__ == "__main__":
    main()
