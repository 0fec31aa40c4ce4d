# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors
"""Lengths, indices, views and names in pickles that are not what they should be."""

import struct

from forge import MARK, PROTO2, PROTO4, STOP, call, dict_of, name_of, number, storage, tensor, text, tuple_of
from hostile_corpus import ANY, BAD, GOOD_PICKLE, MISMATCH, NAME, OK, VALUE, WIDE, WIDER, beside, checkpoint, one


def pickle_numbers(corpus):
    """Lengths, indices and numbers of tensors at the ends of what they can be."""
    for label, value in (WIDE | WIDER).items():
        if value < 2**32:
            packed = struct.pack("<L", value)
            for name, opcode in {"text": b"X", "string": b"T", "bytes": b"B", "long": b"\x8b"}.items():
                corpus.add(f"length-{name}-{label}.pth", beside(opcode + packed), BAD, "cut off")
            corpus.add(f"memo-put-{label}.pth", beside(b"K\1r" + packed), BAD, "memo")
            corpus.add(f"memo-get-{label}.pth", beside(b"j" + packed), BAD, "memo")
        packed = struct.pack("<Q", value)
        for name, opcode in {"text8": b"\x8d", "bytes8": b"\x8e", "bytearray8": b"\x96", "frame": b"\x95"}.items():
            corpus.add(f"length-{name}-{label}.pth", beside(opcode + packed, PROTO4), BAD, "cut off")
        corpus.add(f"numel-{label}.pth", one(tensor(data=storage(count=value))), BAD)
        corpus.add(f"offset-{label}.pth", one(tensor(offset=value)), BAD)
        corpus.add(f"size-{label}.pth", one(tensor(shape=(value,))), BAD)
        corpus.add(f"stride-{label}.pth", one(tensor(shape=(2,), strides=(value,))), BAD)
    for label, value in {"1": -1, "2p31": -(2**31), "2p63": -(2**63), "2p64": -(2**64)}.items():
        corpus.add(f"numel-minus-{label}.pth", one(tensor(data=storage(count=value))), BAD)
        corpus.add(f"offset-minus-{label}.pth", one(tensor(offset=value)), BAD)
        corpus.add(f"size-minus-{label}.pth", one(tensor(shape=(value,))), BAD)
        corpus.add(f"stride-minus-{label}.pth", one(tensor(shape=(1,), strides=(value,))), BAD)
    corpus.add("length-long-negative.pth", beside(b"\x8b\xff\xff\xff\xff"), BAD, "cut off")
    corpus.add("number-of-255-bytes.pth", one(tensor(offset=1 << 2030)), BAD)
    corpus.add("numel-wraps.pth", one(tensor(data=storage(count=2**62 + 1))), BAD, NAME)

    views = {
        "out-of-storage": ((2,), (1,), 0),
        "after-storage": ((1,), (1,), 1),
        "far-after-storage": ((1,), (1,), 2**40),
        "offset-and-stride-wrap": ((3,), (2**62,), 2**62),
        "reach-wraps": ((2**31, 2**31), (2**31, 2**31), 0),
        "count-wraps-to-1": ((2**32 + 1, 2**32 - 1), (0, 0), 0),
        "count-wraps-to-0": ((2**32, 2**32), (0, 0), 0),
        "empty-but-absurd": ((2**62, 0, 2**62), (1, 1, 1), 0),
        "strides-lacking": ((1, 1), (1,), 0),
        "sizes-lacking": ((1,), (1, 1), 0),
        "dimensions-65": ((1,) * 65, (1,) * 65, 0),
        "dimensions-3000": ((1,) * 3000, (1,) * 3000, 0),
    }
    for name, (shape, strides, offset) in views.items():
        corpus.add(f"view-{name}.pth", one(tensor(shape, strides, offset)), BAD, NAME)
    # Sound views of one number, which none of our shapes is.
    for name, shape in {"giant": (2**40,), "wide": (2**20, 2**20), "negative-free": (1, 2**30)}.items():
        corpus.add(f"view-{name}.pth", one(tensor(shape, (0,) * len(shape))), MISMATCH, NAME)
    # Eight numbers, of which the last one or the one after it is reached.
    reaching = {"row": ((2,), (7,), 0), "rows": ((2, 2), (1, 6), 0), "offset": ((2,), (4,), 3), "one": ((1,), (9,), 7),
                "scalar": ((), (), 7), "repeated": ((3, 2), (0, 3), 4)}
    for name, (shape, strides, offset) in reaching.items():
        for end, further, status in (("last", 0, OK if name == "one" else MISMATCH), ("after", 1, BAD)):
            value = tensor(shape, strides, offset + further, data=storage(count=8))
            corpus.add(f"reach-{name}-{end}.pth", checkpoint(PROTO2 + dict_of((NAME, value)) + STOP, VALUE * 8), status)
    corpus.add("view-unused-stride.pth", one(tensor((1,), (2**63 - 1,))), OK)
    corpus.add("tensor-of-itself.pth", one(name_of("torch._utils", "_rebuild_tensor_v2") + MARK + b"K\1q\0h\0h\0h\0tR"),
               BAD)
    corpus.add("tensor-is-a-shape.pth", one(call("torch", "Size", tuple_of(number(1)))), BAD, NAME)
    corpus.add("tensor-size-is-text.pth", one(tensor().replace(tuple_of(number(1)), tuple_of(text("1")), 1)), BAD)
    two = dict_of((NAME, tensor()), ("bn1.bias", tensor(data=storage(count=1, kind=("torch", "IntStorage")))))
    corpus.add("storage-of-two-types.pth", checkpoint(PROTO2 + two + STOP), BAD, "storage '0'")
    for name, key in {
        "up": "../0", "absolute": "/etc/passwd", "folder": "", "data": "../data.pkl", "backslash": "..\\0",
        "nul": "0\0", "zeros": "00", "long": "0" * 5000, "newline": "0\n",
    }.items():
        corpus.add(f"key-{name}.pth", one(tensor(data=storage(key=key))), BAD, "the storage")
    corpus.add("location-path.pth", one(tensor(data=storage(location="/dev/../etc/passwd"))), OK)

    names = {"nul": b"bn1.weight\0x", "invalid": b"bn1\xff", "overlong": b"bn1\xc0\xae", "surrogate": b"\xed\xa0\x80"}
    for name, key in (names | {"long": b"w" * 5000}).items():
        body = dict_of((NAME, tensor()), (text(key), tensor()))
        corpus.add(f"name-{name}.pth", checkpoint(PROTO2 + body + STOP), ANY)
    terminal = dict_of((NAME, tensor()), ("\x1b[2J\x1b]0;x\7\r\n", tensor()))
    corpus.add("name-terminal.pth", checkpoint(PROTO2 + terminal + STOP), OK)
    empty = dict_of((NAME, tensor()), ("", tensor()))
    corpus.add("name-empty.pth", checkpoint(PROTO2 + empty + STOP), OK)
    wrong, right = tensor(offset=7), tensor()
    corpus.add("name-twice-last-good.pth", checkpoint(PROTO2 + dict_of((NAME, wrong), (NAME, right)) + STOP), ANY)
    corpus.add("name-twice-last-bad.pth", checkpoint(PROTO2 + dict_of((NAME, right), (NAME, wrong)) + STOP), BAD)
    for cut in range(1, 12):
        # Inside of an instruction and between two.
        corpus.add(f"pickle-cut-{cut}.pth", checkpoint(GOOD_PICKLE[: len(GOOD_PICKLE) * cut // 12]), BAD)
    corpus.add("pickle-second.pth", checkpoint(GOOD_PICKLE + GOOD_PICKLE), BAD)
    corpus.add("pickle-empty.pth", checkpoint(b""), BAD)
    corpus.add("pickle-zeros.pth", checkpoint(b"\0" * 1000), BAD)
