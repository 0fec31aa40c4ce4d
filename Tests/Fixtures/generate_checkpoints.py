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
import tarfile
import warnings
import zipfile
import zlib
from collections import OrderedDict
from pathlib import Path

import checkpoint_containers as containers
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
    # State dicts at every depth: `far` is too deep, `again` was found before, keys that are no strings do not count.
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


def write_old_containers():
    """The layouts and the two tensors of `small` in every other container, each read by PyTorch or Python first."""

    def written(name, write, value, *arguments, **options):
        write(FOLDER / name, value, *arguments, **options)
        found = containers.read(FOLDER / name)
        for key, tensor in value.items():
            expected = torch.as_tensor(tensor.astype(tensor.dtype.newbyteorder("="))) if numpy(tensor) else tensor
            actual = torch.as_tensor(found[key].copy()) if numpy(found[key]) else found[key]
            assert list(found) == list(value) and torch.equal(actual, expected), (name, key)

    def numpy(value):
        return isinstance(value, (np.ndarray, np.generic))

    def deflated(path, value):
        torch.save(value, path)
        containers.rezip(path, path.with_suffix(".zip"))
        path.with_suffix(".zip").rename(path)

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
        packed_size = len(data) if method == 8 else size
        extra = struct.pack("<HHQ", 1, 8, size) if size >= 2**32 else m.get("extra", b"")
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
                    m.get("local_size", min(size, 2**32 - 1) if method == 8 else len(data)),
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
            packed_size,
            min(size, 2**32 - 1),
            len(name),
            len(extra),
            0,
            m.get("disk", 0),
            0,
            0,
            offset,
        )
        directory += name + extra
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
    write("bad-method.pth", zip_archive(parts(method=12)), "'a/data/0' of the zip archive is compressed by method 12")
    write_bad_deflated(write, parts)
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
    write("bad-byte-order.pth", zip_archive(parts() + [member("a/byteorder", b"vax")]), "byte order is 'vax'")
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


def write_bad_deflated(write, parts):
    """Members that are no deflated data, or not those that the directory speaks of."""

    def packed(data, level=9):
        packer = zlib.compressobj(level, zlib.DEFLATED, -15)
        return packer.compress(data) + packer.flush()

    def archive(data, size=24, name=0, **changes):
        changes = dict(data=data, method=8, size=size, crc=zlib.crc32(parts()[name]["data"]), **changes)
        members = parts()
        members[name] = dict(members[name], **changes)
        return zip_archive(members)

    first = parts()[1]["data"]
    good, body = packed(first), parts()[0]["data"]
    (FOLDER / "deflated-by-hand.pth").write_bytes(archive(good, name=1))
    write_deflated_extremes()
    (FOLDER / "deflated-stored.pth").write_bytes(archive(packed(first, 0), name=1))
    wrong = "tensor 'conv1.weight' is damaged: its compressed bytes are wrong: "
    write("bad-deflated-long.pth", archive(packed(first + b"x"), name=1), wrong + "they are more than")
    write("bad-deflated-short.pth", archive(packed(first[:-1]), name=1), wrong + "they are fewer than")
    write("bad-deflated-cut.pth", archive(good[:-3], name=1), wrong)
    write("bad-deflated-after.pth", archive(good + b"x", name=1), wrong + "they are more than")
    write("bad-deflated-kind.pth", archive(b"\7" + good, name=1), wrong + "a block of unknown kind")
    write("bad-deflated-block.pth", archive(b"\1\5\0\5\0hello", name=1), wrong + "the size of a block")
    # The fixed code, a match of 3 bytes one byte before the first.
    write("bad-deflated-distance.pth", archive(bytes([0b00000011, 0b00000010, 0]), name=1), wrong + "a match begins")
    write("bad-deflated-bomb.pth", archive(b"\3\0", size=1 << 40, name=1), "'a/data/0' contradict each other")
    write("bad-deflated-bytes.pth", archive(packed(first[::-1]), name=1), "checksum is wrong")
    write("bad-deflated-pickle.pth", archive(packed(body)[:-9], size=len(body)), "record 'a/data.pkl': its compressed")


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
    write("bad-none.pth", b"", "cut off")
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


def write_bad_containers():
    """Files of the older kinds that contradict themselves. What `small` writes ends in 4 + 2 or 2 + 6 numbers."""

    def write(name, data, expected):
        (FOLDER / name).write_bytes(data)
        expect(name, expected)

    data = (FOLDER / "small-legacy.pth").read_bytes()
    (last,) = struct.unpack("<q", data[-16:-8])
    assert last == 2
    write("bad-legacy-huge.pth", data[:-16] + struct.pack("<q", 2**62 + 2) + data[-8:], "elements of 4 bytes, but 8")
    write("bad-legacy-negative.pth", data[:-16] + struct.pack("<q", -2) + data[-8:], "elements of 4 bytes, but 8")
    write("bad-legacy-more.pth", data[:-16] + struct.pack("<q", 3) + data[-8:], "to have 3 elements of 4 bytes, but 8")
    write("bad-legacy-fewer.pth", data[:-16] + struct.pack("<q", 1) + data[-8:], "4 bytes follow the last storage")
    write("bad-legacy-after.pth", data + b"x", "1 bytes follow the last storage")
    write("bad-legacy-cut.pth", data[:-17], "at byte 432 is said to have 6 elements of 4 bytes, but 23")
    version = b"\x80\x02M\xe9\x03."
    write("bad-legacy-version.pth", data.replace(version, b"\x80\x02M\xe8\x03."), "protocol version is 1000")
    keys = text("14070") + b"q\x01" + text("14071") + b"q\x02e."
    assert keys in data
    write("bad-legacy-keys.pth", data.replace(keys, keys.replace(b"14071", b"14079")), "that no tensor has")
    write("bad-legacy-twice.pth", data.replace(keys, keys.replace(b"14071", b"14070")), "two storages '14070'")

    views = (FOLDER / "layouts-f32-views.pth").read_bytes()
    shared = b"K\x0aK\x1e\x87"
    assert views.count(shared) == 1
    write("bad-view-outside.pth", views.replace(shared, b"K\x0aK\x1d\x87"), "'shared_high' leaves its storage of 29")
    write("bad-view-beyond.pth", views.replace(shared, b"K\x0dK\x1e\x87"), "in elements 13 to 43 of a storage of 40")

    tar = (FOLDER / "small-tar.pth").read_bytes()
    write("bad-tar-cut.pth", tar[:-1024][:-512], "the tar archive is cut off")
    position = tar.index(b"sys_info")
    flipped = bytearray(tar)
    flipped[position] ^= 1
    write("bad-tar-header.pth", bytes(flipped), "the tar archive is damaged at byte")
    three = struct.pack("<iI", 2, 0xDEADBEEF)
    assert tar.count(three) == 1
    write("bad-tar-rank.pth", tar.replace(three, struct.pack("<iI", -2, 0)), "has 4294967294 dimensions")
    offset = struct.pack("<qqqqq", 2, 3, 3, 1, 0)
    assert tar.count(offset) == 1
    write("bad-tar-shape.pth", tar.replace(offset, struct.pack("<qqqqq", 2, 4, 3, 1, 0)), "'conv1.weight' leaves its")
    write("bad-tar-offset.pth", tar.replace(offset, struct.pack("<qqqqq", 2, 3, 3, 1, -1)), "negative offset")
    count = struct.pack("<q", 6) + struct.pack("<6f", *(i / 4 for i in range(6)))
    assert tar.count(count) == 1
    huge = struct.pack("<q", 2**62 + 6) + count[8:]
    write("bad-tar-storage.pth", tar.replace(count, huge), "the storage '1000' at byte")

    array = pickle.dumps({"w": np.ones((2, 3), np.float32)}, 2)
    shape = b"K\x02K\x03\x86"
    assert array.count(shape) == 1
    # Its 24 bytes are written in 30.
    write("bad-array-shape.pkl", array.replace(shape, b"K\x02K\x04\x86"), "'w' is written in 30 bytes, which is not [2")
    write("bad-array-size.pkl", array.replace(shape, b"K\x02J\xff\xff\xff\xff\x86"), "which is not [2, -1] of float32")
    write("bad-array-more.pkl", array.replace(shape, b"K\x01K\x07\x86"), "'w' is damaged: it has fewer bytes")
    write("bad-array-fewer.pkl", array.replace(shape, b"K\x01K\x05\x86"), "'w' is damaged: it is written in more bytes")
    raw = pickle.dumps({"w": np.ones((2, 3), np.float32)}, 3)
    write("bad-array-plain.pkl", raw.replace(shape, b"K\x02K\x04\x86"), "'w' has 24 bytes, which is not [2, 4]")
    latin = "\x80?".encode()
    assert latin in array
    wrong = array.replace(latin, "\u0100".encode() + b"?", 1)
    write("bad-array-bytes.pkl", wrong, "'w' is damaged: a character in it is no byte")
    axes = pickle.dumps({"w": np.ones((2, 3, 4), np.float32).transpose(2, 0, 1)}, 5)
    order = b"K\x02K\x00K\x01\x87"
    assert axes.count(order) == 1
    write("bad-array-axes.pkl", axes.replace(order, b"K\x02K\x00K\x02\x87"), "the axes of array 'w' have no order")
    write("bad-array-axis.pkl", axes.replace(order, b"K\x02K\x00K\x03\x87"), "the axes of array 'w' have no order")
    nested = (FOLDER / "small-pickle.pkl").read_bytes()
    wrong = nested.replace(b"\x8a\x0al\xfc", b"\x8a\x0al\xfd", 1)
    write("bad-nested.pkl", wrong, "storage of tensor 'conv1.weight': it does")
    write("bad-pickle-after.pkl", array + b"x", "more bytes follow its end")

    module = name_of("a", "Module") + b")\x81"
    empty = (text("_parameters"), b"}"), (text("_buffers"), b"}")
    state = b"}(" + b"".join(key + value for key, value in empty)
    cyclic = PROTO + module + b"q\0" + state + text("_modules") + b"}" + text("x") + b"h\0s" + b"ub" + STOP
    write("bad-module-cyclic.pth", checkpoint(cyclic), "deep, or inside themselves")
    # Each holds the next twice: as many modules as there are ways through them.
    inner = module + state + text("_modules") + b"}ub"
    for _ in range(30):
        both = b"}(" + text("a") + inner + b"q\1" + text("b") + b"h\1u"
        inner = module + state + text("_modules") + both + b"ub"
    write("bad-module-bomb.pth", checkpoint(PROTO + inner + STOP), "more than 16384 modules")
    # A list that is made into a dict again and again.
    pair = b"](" + b"K\1K\2e"
    items = b"](" + pair * 4000 + b"eq\0"
    again = (name_of("collections", "OrderedDict") + b"h\0\x85R0") * 1100
    write("bad-dict-bomb.pth", deflated_checkpoint(PROTO + items + again + STOP), "lists and dicts have more than")


def deflated_checkpoint(body):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(body) + packer.flush()
    return zip_archive([member("a/data.pkl", packed, method=8, size=len(body), crc=zlib.crc32(body))])


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
    write("foreign-pickle", pickle.dumps({"a": 1}, 2), "no state dict: there are no tensors in it; 'a' is a number")
    with tarfile.open(FOLDER / "foreign-tar", "w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("readme"))
    (FOLDER / "foreign-tar").write_bytes((FOLDER / "foreign-tar").read_bytes()[:1024])
    expect("foreign-tar", "it is a tar archive, but no checkpoint: there is no member 'pickle'")
    write("foreign-tar-header", b"pickle".ljust(257, b"\0") + b"ustar\x0000" + b"\0" * 248, "neither")
    write("foreign-text", b"hello", "neither")
    npz = io.BytesIO()
    np.savez(npz, a=np.ones(2, np.float32))
    write("foreign-npz", npz.getvalue(), ".npz")
    npy = io.BytesIO()
    np.save(npy, np.ones(2, np.float32))
    write("foreign-npy", npy.getvalue(), "it is a NumPy array")
    # ir_version 8, producer "pytorch" "2.1", a graph of 300 bytes; opset_import after it.
    onnx = b"\x08\x08\x12\x07pytorch\x1a\x032.1\x3a\xac\x02" + b"\x0a\x00" * 150 + b"\x42\x02\x10\x11"
    write("foreign-onnx", onnx, "it is an ONNX model")
    write("foreign-saved-model", b"\x08\x01\x12\x04\x0a\x02\x0a\x00", "it is a SavedModel of TensorFlow")
    table = b"\0" * 60 + bytes.fromhex("57fb808b247547db")
    write("foreign-tensorflow", table, "it is a checkpoint of TensorFlow")
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
    write_old_containers()
    write_modules()
    write_rebuilds()
    write_bad_zips()
    write_bad_containers()
    write_bad_pickles()
    write_bad_safetensors()
    write_foreign()
    (FOLDER / "bad.txt").write_text("".join(f"{name}\t{status}\t{text}\n" for name, status, text in bad))
    size = sum(file.stat().st_size for file in FOLDER.iterdir())
    print(f"{len(list(FOLDER.iterdir()))} files, {size} bytes, {len(bad)} of them bad")


if __name__ == "__main__":
    main()
