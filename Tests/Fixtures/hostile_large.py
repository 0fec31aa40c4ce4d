# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors
"""Files that have to be megabytes to be an attack."""

import struct
import zlib

from forge import (
    MARK,
    PROTO2,
    STOP,
    archive,
    call,
    deflated,
    dict_of,
    member,
    name_of,
    number,
    safetensors,
    storage,
    tensor,
    text,
    tuple_of,
)
from hostile_corpus import ANY, BAD, NAME, OK, VALUE, beside, checkpoint, members


def large(corpus):
    """Files that have to be megabytes to be an attack."""
    payload = VALUE * 8

    def many(count):
        pairs = [(f"x{i}", tensor(data=storage(key=str(i + 1)))) for i in range(count)]
        pickle = PROTO2 + dict_of((NAME, tensor()), *pairs) + STOP
        return archive([member("a/data.pkl", pickle), *(member(f"a/data/{i}", VALUE) for i in range(count + 1))],
                       end={"count": min(count + 2, 0xFFFF)}, end64={})

    corpus.add("tensors-40000.pth", many(40_000), OK)
    corpus.add("tensors-100000.pth", many(100_000), BAD)
    for count, status in ((60_000, OK), (100_000, BAD)):
        entry = '"x%d":{"dtype":"F32","shape":[1],"data_offsets":[%d,%d]}'
        entries = ",".join(entry % (i, 4 * i + 4, 4 * i + 8) for i in range(count))
        good = '"bn1.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
        header = "{" + good + "," + entries + "}"
        corpus.add(f"tensors-{count}.safetensors", safetensors(header, VALUE * (count + 1)), status)
    shared = PROTO2 + dict_of((NAME, tensor(data=storage(count=8))), ("x", b"]")) + STOP
    corpus.add("shared.pth", checkpoint(shared, payload), OK)
    # One long name again and again: comparing it with itself must not take long.
    long = text("w" * 1000) + b"q\0"
    again = PROTO2 + b"}" + long + b"0" + (b"h\0" + b"Ns") * 60_000 + text(NAME) + tensor() + b"s" + STOP
    corpus.add("name-60000-times.pth", checkpoint(again), OK)
    longer = text("w" * 1_000_000) + b"q\0"
    again = PROTO2 + b"}" + longer + b"0" + (b"h\0" + b"Ns") * 100_000 + text(NAME) + tensor() + b"s" + STOP
    corpus.add("name-of-megabyte.pth", checkpoint(again), ANY)
    # As many keys that differ at their ends alone.
    keys = b"".join(text("w" * 1000 + f"{i:06}") + b"Ns" for i in range(10_000))
    corpus.add("names-alike.pth", checkpoint(PROTO2 + b"}" + keys + text(NAME) + tensor() + b"s" + STOP), OK)
    corpus.add("instructions.pth", beside(b"N0" * (1 << 20)), BAD, "instructions")
    corpus.add("instructions-fewer.pth", beside(b"N0" * 500_000 + b"N"), OK)
    corpus.add("values.pth", beside(MARK + b"N" * 1_000_000 + b"t"), OK)
    corpus.add("memo-sparse.pth", beside(b"N" + b"r" + struct.pack("<L", 1_000_000)), OK)
    corpus.add("deep-lists.pth", beside(b"]" * 500_000 + b"a" * 499_999), OK)
    corpus.add("globals.pth", beside(MARK + name_of("os", "system") * 1_000_000 + b"t"), OK)
    first = text("storage") + b"q\0" + name_of("torch", "FloatStorage") + b"q\1"
    storages = (MARK + b"h\0h\1h\0h\0K\1tQ") * 100_000
    corpus.add("storages.pth", beside(MARK + first + storages + b"t"), OK)
    # Many modules, and what each is made of once: to name their tensors, no numbers are needed.
    data = b"B" + struct.pack("<L", 8 << 20) + b"\0" * (8 << 20)
    kind, shape = call("numpy", "dtype", text("f4")), number(2 << 20) + b"\x85"
    array = call("numpy._core.numeric", "_frombuffer", data, kind, shape, text("C"))
    state = dict_of(("_parameters", dict_of(("w", b"h\0"))), ("_modules", b"}"))
    module = name_of("torch.nn", "Module") + b")R" + state + b"b"
    modules = [(f"m{i}", module) for i in range(200)]
    corpus.add("modules-of-one-array.pth", checkpoint(PROTO2 + array + b"q\0000" + dict_of(*modules) + STOP), ANY)
    attributes = dict_of(*((f"a{i}", b"N") for i in range(1000)))
    item = name_of("os", "system") + b")Rh\0b"
    objects = [(f"o{i}", item) for i in range(60_000)]
    alike = PROTO2 + attributes + b"q\0000" + dict_of((NAME, tensor()), *objects) + STOP
    corpus.add("objects-with-the-same-attributes.pth", checkpoint(alike), OK)
    ways(corpus)
    long_key = text("k" * 1000) + b"q\0000"
    nested = MARK + b"h\0}" * 100_000 + b"u"
    corpus.add("long-key-to-many-dicts.pth", checkpoint(PROTO2 + long_key + b"}" + nested + STOP), BAD, "no state dict")
    array = b"B" + struct.pack("<L", 65 << 20) + b"\0" * (65 << 20)
    corpus.add("pickle-of-65-megabytes.pth", beside(array), OK)
    damaged = beside(array)
    position = damaged.index(NAME.encode())
    damaged = damaged[:position] + b"x" + damaged[position + 1 :]
    corpus.add("damaged-pickle-of-65-megabytes.pth", damaged, BAD, "the checksum is wrong")
    named = [member(f"a/{i:05}" + "x" * 900, b"") for i in range(10_000)]
    corpus.add("names-of-members.pth", archive([*members(), *named]), OK)
    corpus.add("depth.safetensors", safetensors('{"a":' * 3_000_000), BAD)
    corpus.add("spaces.safetensors", safetensors("{" + " " * (15 << 20) + "}"), ANY)
    corpus.add("header-of-17-megabytes.safetensors", safetensors("{" + " " * (17 << 20) + "}"), BAD)
    compressed(corpus)
    corpus.add("ends.pth", b"PK\3\4" + b"PK\5\6" * (1 << 20), BAD)
    corpus.add("zeros.pth", b"\0" * (8 << 20), BAD)


def ways(corpus):
    """Many ways to look for a state dict: each container is to be looked into once."""
    good = dict_of((NAME, tensor()))

    def add(name, value, status=OK):
        corpus.add(f"{name}.pth", checkpoint(PROTO2 + value + STOP), status)

    add("root-of-million-numbers", b"](" + b"K\1" * 1_000_000 + good + b"e")
    add("root-of-million-times-the-same", b"](" + good + b"q\0" + b"h\0" * 1_000_000 + b"e")
    add("root-of-lists", b"](" + b"]K\1a" * 340_000 + good + b"e")
    add("root-of-dicts", b"](" + text("k") + b"q\0000" + b"}h\0Ns" * 250_000 + good + b"e")
    add("tuple-of-lists", MARK + b"](K\1e" * 250_000 + good + b"t")
    add("deep-lists-and-a-state-dict", b"](" + good + b"]" * 500_000 + b"a" * 499_999 + b"e")
    wide = b"K\1" + b"q\0" + b"".join(b"](" + b"h" + bytes([i]) + b"h" + bytes([i]) + b"e" + b"q" + bytes([i + 1])
                                       for i in range(20))
    add("shared-a-million-times", b"](" + wide + good + b"e")
    # As many objects that are made of the same values, and of the same but for the first.
    values = MARK + name_of("x", "Y") + b"]" * 250_000 + b"tq\0"
    function = name_of("copyreg", "__newobj__") + b"q\1"
    add("objects-of-the-same-values", b"](" + values + function + b"h\1h\0R" * 240_000 + good + b"e")
    values = MARK + b"]" * 250_000 + b"tq\0"
    add("objects-with-the-same-slots", b"](" + values + name_of("x", "Y") + b"q\1)Rh\0b" + b"h\1)Rh\0b" * 140_000
        + good + b"e")
    state = dict_of(*((f"a{i}", b"N") for i in range(1000))) + b"q\0"
    add("objects-with-the-same-dict", b"](" + state + name_of("x", "Y") + b"q\1" + b"h\1)Rh\0N\x86b" * 140_000 + good
        + b"e")
    add("objects-in-objects", name_of("x", "Y") + b"q\0" + b"h\0" * 300_000 + good + b"\x85R" * 300_001)
    name = text("w" * 4000) + b"q\0"
    add("long-name-many-times", b"](" + good + b"}(" + name + tensor() + b"q\1" + b"h\0h\1" * 400_000 + b"ue")
    add("many-plain-dicts", b"](" + tensor() + b"q\0" + text("x") + b"q\1" + b"}h\1h\0s" * 200_000 + good + b"e", ANY)
    add("many-state-dicts", b"](" + tensor() + b"q\0" + text("x.y") + b"q\1" + b"}h\1h\0s" * 200_000 + good + b"e", ANY)
    pair = text("x") + tensor() + b"\x86q\0"
    add("pairs-a-million-times", b"](" + tuple_of(text(NAME), tensor()) + pair + b"h\0" * 900_000 + b"e", ANY)
    add("almost-pairs", b"](" + good + b"](" + pair + b"h\0" * 900_000 + b"Nee")


def compressed(corpus):
    """Records that would become hundreds of megabytes: the tensor is before or after most of them."""
    megabyte, count = bytes(1 << 20), 512

    def add(name, status, fragment, value, fields):
        pickle = PROTO2 + dict_of((NAME, value)) + STOP
        members = [member("a/data.pkl", pickle), member("a/data/0", **fields)]
        corpus.add(f"compressed-{name}.pth", archive(members), status, fragment)

    def record(size, *parts):
        return {"data": deflated(*parts), "method": 8, "size": size, "crc": 1}

    size = (count << 20) + len(VALUE)
    data = storage(count=size // 4)
    add("tail", OK, "", tensor(data=data), record(size, (VALUE, 1), (megabyte, count)))
    head = record(size, (megabyte, count), (VALUE, 1))
    add("head", BAD, f"would unpack to {size} bytes", tensor(offset=count << 18, data=data), head)
    near = 63 << 20
    values = storage(count=(near + 4) // 4)
    zeros = zlib.crc32(bytes(near) + VALUE)
    close = record(near + 4, (megabyte, 63), (VALUE, 1)) | {"crc": zeros}
    add("near", OK, "", tensor(offset=near // 4, data=values), close)
    filler = PROTO2 + b"B" + struct.pack("<L", 60 << 20)
    pickle = record(len(filler) + (60 << 20) + 2, (filler, 1), (megabyte, 60), (b"0.", 1))
    name = "compressed-pickle.pth"
    corpus.add(name, archive([member("a/data.pkl", **pickle)]), BAD, "compressed record 'a/data.pkl'")
