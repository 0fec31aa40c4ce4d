# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors
"""Files that are damaged or hostile, with what the library has to say about them: generate_checkpoints.py."""

import io
import pickle
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
from forge import dict_of, name_of, text, tuple_of
from forge import number as integer
from handmade import checkpoint, member, storage, tensor, zip_archive

FOLDER = Path(__file__).parent / "checkpoints"
BAD_CHECKPOINT, MISMATCH = 5, 6
# Instructions of pickles.
PROTO, STOP, MARK, DICT, TUPLE, REDUCE, BUILD, PERSID = b"\x80\x02", b".", b"(", b"}", b"t", b"R", b"b", b"Q"

bad = []


def expect(name, text, status=BAD_CHECKPOINT):
    """Lists a file that must fail with that status and a message that holds that text."""
    bad.append((name, status, text))


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
    other = member("a/version", b"3")
    write("bad-duplicate-other.pth", zip_archive(parts() + [other, other]), "two members 'a/version'")
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


def write_bad_deflated(write, parts):
    """Members that are not deflated data, or not those of the directory."""

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
    # As many bytes as the pickle speaks of, but one more than so many deflated bytes can become.
    claimed = dict_of(("w", tensor(data=storage("0", 1032 * 8 // 4 + 1))))
    members = [member("a/data.pkl", PROTO + claimed + STOP)]
    ratio = zip_archive([*members, member("a/data/0", bytes(8), method=8, size=1032 * 8 + 4)])
    write("bad-deflated-ratio.pth", ratio, "the sizes of its member 'a/data/0' contradict each other")
    write("bad-deflated-bytes.pth", archive(packed(first[::-1]), name=1), "checksum is wrong")
    write("bad-deflated-pickle.pth", archive(packed(body)[:-9], size=len(body)), "record 'a/data.pkl': its compressed")


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
    write("bad-shape-huge.pth", one(tensor((2**62,), (0,))), "'w' has shape [4611686018427387904]")
    write("bad-shape-product.pth", one(tensor((2**32, 2**32), (0, 0))), "'w' has shape [4294967296, 4294967296]")
    write("bad-shape-zero.pth", one(tensor((2**62, 2**62, 0), (1, 1, 1))), "'w' has shape [4611686018427387904, 4")
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

    write("bad-root.pth", PROTO + b"]" + STOP, "a list, expected a state dict")
    write(
        "bad-root-class.pth",
        PROTO + name_of("torchvision.models.resnet", "ResNet") + b")\x81}b" + STOP,
        "torchvision.models.resnet.ResNet",
    )
    write("bad-none.pth", b"", "cut off")
    write("bad-protocol.pth", b"\x80\x09" + b"}" + STOP, "protocol 9")
    write("bad-opcode.pth", PROTO + b"\xff" + STOP, "unknown instruction 255")
    write("bad-stack.pth", PROTO + STOP, "the stack is empty")
    write("bad-mark.pth", PROTO + b"t" + STOP, "no mark")
    write("bad-below-mark.pth", PROTO + b"}(s" + STOP, "the stack is empty")
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
    write("bad-call.pth", PROTO + b"K\1)R" + STOP, "not a function")
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
    write("bad-legacy-keys.pth", data.replace(keys, keys.replace(b"14071", b"14079")), "that no tensor uses")
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
    write("bad-array-plain.pkl", raw.replace(shape, b"K\x02K\x04\x86"), "'w' has 24 bytes")
    latin = "\x80?".encode()
    assert latin in array
    wrong = array.replace(latin, "\u0100".encode() + b"?", 1)
    write("bad-array-bytes.pkl", wrong, "'w' is damaged: a character in it is not a byte")
    axes = pickle.dumps({"w": np.ones((2, 3, 4), np.float32).transpose(2, 0, 1)}, 5)
    order = b"K\x02K\x00K\x01\x87"
    assert axes.count(order) == 1
    write("bad-array-axes.pkl", axes.replace(order, b"K\x02K\x00K\x02\x87"), "the axes of array 'w' are")
    write("bad-array-axis.pkl", axes.replace(order, b"K\x02K\x00K\x03\x87"), "the axes of array 'w' are")
    nested = (FOLDER / "small-pickle.pkl").read_bytes()
    wrong = nested.replace(b"\x8a\x0al\xfc", b"\x8a\x0al\xfd", 1)
    write("bad-nested.pkl", wrong, "storage of tensor 'conv1.weight': it does")
    write("bad-pickle-after.pkl", array + b"x", "more bytes follow its end")

    module = name_of("a", "Module") + b")\x81"
    empty = (text("_parameters"), b"}"), (text("_buffers"), b"}")
    state = b"}(" + b"".join(key + value for key, value in empty)
    cyclic = PROTO + module + b"q\0" + state + text("_modules") + b"}" + text("x") + b"h\0s" + b"ub" + STOP
    write("bad-module-cyclic.pth", checkpoint(cyclic), "deep, or inside themselves")
    # Each holds the next twice: as many modules as paths through them.
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
    write("bad-header-huge.safetensors", "{}", text="unknown format", length=1 << 62)
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
    write("bad-rest.safetensors", one(good), eight + b"\0x\0", "but the file at")
    write("bad-short.safetensors", one(good), eight[:-1], "data_offsets of 'w' are outside")
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
    write("bad-key.safetensors", one(good.replace("shape", "shapes")), eight, "unknown or repeated 'shapes'")
    write("bad-second.safetensors", one(good.replace("data_offsets", "shape")), eight, "unknown or repeated 'shape'")
    write("bad-lacking.safetensors", one('"dtype":"F32","shape":[2]'), eight, "lacks")
    write("bad-more.safetensors", one(good + ',"x":1'), eight, "more than dtype")
    write("bad-rank.safetensors", one(f'"dtype":"F32","shape":{[1] * 17},"data_offsets":[0,4]'), eight, "more than 16")
    write("bad-metadata.safetensors", '{"__metadata__":{"a":1}}', b"", "not a string")
    write("bad-metadata-twice.safetensors", '{"__metadata__":{},"__metadata__":{}}', b"", "is repeated")
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
    write("foreign-pickle", pickle.dumps({"a": 1}, 2), "Found: no tensors; 'a' is a number")
    with tarfile.open(FOLDER / "foreign-tar", "w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("readme"))
    (FOLDER / "foreign-tar").write_bytes((FOLDER / "foreign-tar").read_bytes()[:1024])
    expect("foreign-tar", "tar archive without a checkpoint: no member 'pickle'")
    write("foreign-tar-header", b"pickle".ljust(257, b"\0") + b"ustar\x0000" + b"\0" * 248, "unknown format")
    write("foreign-text", b"hello", "unknown format")
    npz = io.BytesIO()
    np.savez(npz, a=np.ones(2, np.float32))
    write("foreign-npz", npz.getvalue(), ".npz")
    npy = io.BytesIO()
    np.save(npy, np.ones(2, np.float32))
    write("foreign-npy", npy.getvalue(), "NumPy array")
    # ir_version 8, producer "pytorch" "2.1", a graph of 300 bytes; opset_import after it.
    onnx = b"\x08\x08\x12\x07pytorch\x1a\x032.1\x3a\xac\x02" + b"\x0a\x00" * 150 + b"\x42\x02\x10\x11"
    write("foreign-onnx", onnx, "ONNX model")
    write("foreign-saved-model", b"\x08\x01\x12\x04\x0a\x02\x0a\x00", "TensorFlow SavedModel")
    table = b"\0" * 60 + bytes.fromhex("57fb808b247547db")
    write("foreign-tensorflow", table, "TensorFlow checkpoint")
    expect("tensor.pth", "a tensor")
    expect("nothing.pth", "'epoch' is a number, 'optimizer' is a dict, 'names' is a list")
    expect("empty-dict.pth", "no tensors")
    expect("both.pth", "two state dicts, under 'state_dict' and 'model'")


def write_all():
    """Writes all of them, and the list."""
    write_bad_zips()
    write_bad_containers()
    write_bad_pickles()
    write_bad_safetensors()
    write_foreign()
    (FOLDER / "bad.txt").write_text("".join(f"{name}\t{status}\t{text}\n" for name, status, text in bad))
    return len(bad)
