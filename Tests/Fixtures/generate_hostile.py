#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors
"""Writes Tests/Fixtures/hostile: one small file for each attack on a reader of checkpoints, and what has to come of it.

manifest.txt has a line for each file: its name, the status that loading it into a network of one channel must give
(`*`: any but memory), and a text that the message must hold. Status 0 stands for files that look hostile and are not:
their `bn1.weight`, which is 0.25, is loaded, and nothing else happens. Plain Python; the same bytes at every run.

    python3 Tests/Fixtures/generate_hostile.py                  # Tests/Fixtures/hostile
    python3 Tests/Fixtures/generate_hostile.py --large FOLDER   # files of megabytes, made for a test and not kept
"""

import argparse
import struct
import zlib
from pathlib import Path

from forge import (
    MARK,
    PROTO2,
    PROTO4,
    STOP,
    archive,
    call,
    dict_of,
    member,
    name_of,
    number,
    safetensors,
    storage,
    tensor,
    text,
    tuple_of,
    wide_numbers,
)

OK, NOT_FOUND, IO, BAD, MISMATCH, ANY = "0", "3", "4", "5", "6", "*"

# What hostile files want to run. Tests look for the file.
COMMAND = "touch hostile-was-here"
NAME = "bn1.weight"
VALUE = struct.pack("<f", 0.25)

# Near the ends of signed and unsigned numbers.
WIDE = {"2p31-1": 2**31 - 1, "2p31": 2**31, "2p32-2": 2**32 - 2, "2p32-1": 2**32 - 1}
WIDER = {"2p32": 2**32, "2p63-1": 2**63 - 1, "2p63": 2**63, "2p64-1": 2**64 - 1}


class Corpus:
    """The files of a folder and their manifest."""

    def __init__(self, folder):
        self.folder, self.lines = Path(folder), []
        self.folder.mkdir(parents=True, exist_ok=True)
        for old in self.folder.iterdir():
            old.unlink()

    def add(self, name, data, status, fragment=""):
        path = self.folder / name
        if path.exists():
            raise ValueError(f"{name} comes twice")
        path.write_bytes(data)
        self.lines.append(f"{name}\t{status}\t{fragment}\n")

    def close(self):
        (self.folder / "manifest.txt").write_text("".join(self.lines))
        size = sum(path.stat().st_size for path in self.folder.iterdir())
        print(f"{self.folder}: {len(self.lines)} files, {size} bytes")


GOOD_PICKLE = PROTO2 + dict_of((NAME, tensor())) + STOP


def members(**of_storage):
    return [member("a/data.pkl", GOOD_PICKLE), member("a/data/0", VALUE, **of_storage)]


def checkpoint(pickle, payload=VALUE):
    return archive([member("a/data.pkl", pickle), member("a/data/0", payload)])


def one(value):
    return checkpoint(PROTO2 + dict_of((NAME, value)) + STOP)


def beside(value, protocol=PROTO2):
    """A sound checkpoint with something else under another key."""
    return checkpoint(protocol + dict_of(("evil", value), (NAME, tensor())) + STOP)


# ---- Pickles ----


def code(corpus):
    """Pickles that run a command where they are unpickled by Python."""
    command = text(COMMAND)
    calls = {
        "os-system": call("os", "system", command),
        "posix-system": call("posix", "system", command),
        "nt-system": call("nt", "system", command),
        "os-popen": call("os", "popen", command),
        "os-execvp": call("os", "execlp", text("touch"), text("touch"), text("hostile-was-here")),
        "pty-spawn": call("pty", "spawn", command),
        "subprocess": call("subprocess", "Popen", tuple_of(text("touch"), text("hostile-was-here"))),
        "subprocess-output": call("subprocess", "getoutput", command),
        "builtins-eval": call("builtins", "eval", text(f"__import__('os').system('{COMMAND}')")),
        "builtin-exec": call("__builtin__", "exec", text(f"import os; os.system('{COMMAND}')")),
        "builtins-open": call("builtins", "open", text("hostile-was-here"), text("w")),
        "builtins-getattr": call("builtins", "getattr", call("builtins", "__import__", text("os")), text("system"))
        + tuple_of(command)
        + b"R",
        "runpy": call("runpy", "_run_code", text(f"import os; os.system('{COMMAND}')"), b"}"),
        "torch-load": call("torch", "load", text("hostile-was-here")),
        "torch-hub": call("torch.hub", "load", text("a/b"), text("c")),
        "torch-storage-bytes": call("torch.storage", "_load_from_bytes", text("x")),
        "torch-jit": call("torch.jit", "load", text("hostile-was-here")),
        "shutil-rmtree": call("shutil", "rmtree", text("hostile-was-here")),
        "webbrowser": call("webbrowser", "open", text("file:///hostile-was-here")),
        "new-object": name_of("subprocess", "Popen") + tuple_of(command) + b"\x81",
        "new-object-keywords": name_of("subprocess", "Popen") + b")" + dict_of(("args", command)) + b"\x92",
        "build-state": name_of("x", "Y") + b")\x81" + dict_of(("__setstate__", name_of("os", "system"))) + b"b"
        + command + b"b",
        "append-to-object": name_of("x", "Y") + b")R" + command + b"a",
        "set-in-object": name_of("x", "Y") + b")R" + command + call("os", "system", command) + b"s",
        "call-of-result": call("operator", "attrgetter", text("system")) + tuple_of(name_of("os", "x")) + b"R",
        "persistent": tuple_of(text("storage"), name_of("os", "system"), text("0"), command, number(1)) + b"Q",
        "persistent-module": tuple_of(text("module"), name_of("os", "system"), text("x.py"), command) + b"Q",
        "hooks": tensor(hooks=call("os", "system", command)),
        "parameter-state": call(
            "torch._utils", "_rebuild_parameter_with_state", tensor(), b"\x89", b"}", call("os", "system", command)
        ),
        "from-type": call("torch._tensor", "_rebuild_from_type_v2", name_of("os", "system"), name_of("x", "Y"),
                          tuple_of(command), b"}"),
        "ordered-dict-of": call("collections", "OrderedDict", call("os", "system", command)),
        "codecs": call("_codecs", "encode", command, text("rot13")),
    }
    for name, value in calls.items():
        corpus.add(f"run-{name}.pth", beside(value), OK)
    dotted = text("os") + text("system.__call__") + b"\x93" + tuple_of(text(COMMAND)) + b"R"
    corpus.add("run-stack-global.pth", beside(dotted, PROTO4), OK)
    lines = text("os\nsystem") + text("a\nb") + b"\x93" + tuple_of(text(COMMAND)) + b"R"
    corpus.add("run-stack-global-lines.pth", beside(lines, PROTO4), OK)
    pair = dict_of((call("os", "system", command), tensor()), (NAME, tensor()))
    corpus.add("run-as-key.pth", checkpoint(PROTO2 + pair + STOP), OK)
    corpus.add("run-as-tensor.pth", one(call("os", "system", command)), BAD)
    corpus.add("run-as-storage.pth", one(tensor(data=call("os", "system", command))), BAD)
    corpus.add("run-as-storage-type.pth", one(tensor(data=storage(kind=("os", "system")))), BAD, NAME)
    corpus.add("run-as-root.pth", checkpoint(PROTO2 + call("os", "system", command) + STOP), BAD, "os.system")
    state = dict_of((NAME, tensor())) + call("os", "system", command) + b"b"
    corpus.add("run-as-attribute.pth", checkpoint(PROTO2 + state + STOP), OK)
    # Instructions that torch.save never writes.
    corpus.add("run-inst.pth", beside(MARK + command + b"ios\nsystem\n"), BAD)
    corpus.add("run-obj.pth", beside(MARK + name_of("os", "system") + command + b"o"), BAD)
    corpus.add("run-extension.pth", beside(b"\x82\x01" + tuple_of(command) + b"R"), BAD)
    corpus.add("run-persistent-line.pth", beside(b"Pos.system\n"), BAD)
    corpus.add("run-protocol-0.pth", checkpoint(b"cos\nsystem\n(S'" + COMMAND.encode() + b"'\ntR."), BAD)
    corpus.add("run-bare-pickle.pth", PROTO2 + call("os", "system", command) + STOP, ANY)
    magic = PROTO2 + b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19" + STOP
    head = magic + PROTO2 + b"M\xe9\x03" + STOP + PROTO2 + dict_of(("little_endian", b"\x88")) + STOP
    evil = PROTO2 + call("os", "system", command) + STOP
    corpus.add("run-legacy-magic.pth", evil + head, ANY)
    corpus.add("run-legacy-object.pth", head + evil + PROTO2 + b"]" + STOP, ANY)
    corpus.add("run-legacy-keys.pth", head + PROTO2 + dict_of() + STOP + evil, ANY)
    corpus.add("run-legacy-system.pth", magic + PROTO2 + b"M\xe9\x03" + STOP + evil, ANY)


def bombs(corpus):
    """Pickles of a few kilobytes that are worlds where values are copied or followed."""
    get = [b"h" + bytes([index]) for index in range(256)]
    put = [b"q" + bytes([index]) for index in range(256)]
    leaves = b"K\1" + put[0]
    doubling = {
        "tuples": b"".join(get[i] * 2 + b"\x86" + put[i + 1] for i in range(200)),
        "triples": b"".join(get[i] * 3 + b"\x87" + put[i + 1] for i in range(200)),
        "lists": b"".join(MARK + get[i] * 10 + b"l" + put[i + 1] for i in range(200)),
        "dicts": b"".join(b"}" + MARK + get[i] * 20 + b"u" + put[i + 1] for i in range(200)),
        "frozensets": b"".join(MARK + get[i] * 10 + b"\x91" + put[i + 1] for i in range(200)),
        "calls": b"".join(name_of("a", "b") + MARK + get[i] * 10 + b"tR" + put[i + 1] for i in range(200)),
    }
    for name, value in doubling.items():
        corpus.add(f"bomb-{name}.pth", beside(leaves + value, PROTO4), OK)
    corpus.add("bomb-reduces.pth", beside(name_of("a", "b") + b")R" * 8000), OK)
    corpus.add("bomb-builds.pth", beside(call("a", "b") + b"}b" * 8000), OK)
    corpus.add("bomb-duplicates.pth", beside(b"K\1" + b"2" * 8000 + b"0" * 8000), OK)
    corpus.add("bomb-marks.pth", beside(MARK * 8000 + b"t" * 8000), OK)
    corpus.add("bomb-open-marks.pth", beside(b"K\1" + MARK * 8000), BAD)
    nested = {
        "lists": b"]" * 8000 + b"a" * 7999,
        "tuples": b")" + b"\x85" * 8000,
        "dicts": b"}" + (text("a") + b"}") * 5000 + b"s" * 5000,
    }
    for name, value in nested.items():
        corpus.add(f"deep-{name}.pth", beside(value), OK)
    corpus.add("deep-state-dicts.pth", checkpoint(PROTO2 + b"}" + (text("state_dict") + b"}") * 5000
               + text(NAME) + tensor() + b"s" + b"s" * 5000 + STOP), ANY)
    corpus.add("deep-parameters.pth", one(name_of("torch._utils", "_rebuild_parameter") * 1000
               + tensor() + (b"\x89}\x87R") * 1000), OK)

    # Values that hold themselves.
    itself = b"}q\0" + MARK + text("self") + b"h\0" + text(NAME) + tensor() + b"u"
    corpus.add("cycle-dict.pth", checkpoint(PROTO2 + itself + STOP), OK)
    itself = b"}q\0" + MARK + text("state_dict") + b"h\0" + text(NAME) + tensor() + b"u"
    corpus.add("cycle-state-dict.pth", checkpoint(PROTO2 + itself + STOP), OK)
    itself = b"}q\0" + MARK + text("state_dict") + b"h\0" + text("model") + b"h\0" + text(NAME) + tensor() + b"u"
    corpus.add("cycle-two-wrappers.pth", checkpoint(PROTO2 + itself + STOP), ANY)
    itself = b"}q\0" + text("state_dict") + b"h\0s"
    corpus.add("cycle-nothing-else.pth", checkpoint(PROTO2 + itself + STOP), BAD)
    corpus.add("cycle-list.pth", beside(b"]q\0h\0a"), OK)
    corpus.add("cycle-tuple.pth", beside(b"]q\0h\0\x85a"), OK)
    corpus.add("cycle-key.pth", beside(b"}q\0h\0h\0s"), OK)
    corpus.add("cycle-object.pth", beside(call("a", "b") + b"q\0h\0b"), OK)


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
        "behind-storage": ((1,), (1,), 1),
        "far-behind-storage": ((1,), (1,), 2**40),
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


# ---- Zip archives ----


def zips(corpus):
    def add(name, data, status=BAD, fragment=""):
        corpus.add(f"zip-{name}", data, status, fragment)

    add("good.pth", archive(members()), OK)
    add("good-64.pth", archive(members(), end64={}), OK)
    for label, value in WIDE.items():
        add(f"member-size-{label}.pth", archive(members(directory={"size": value, "packed": value})), BAD, "a/data/0")
        add(f"member-packed-{label}.pth", archive(members(directory={"packed": value})), BAD, "a/data/0")
        add(f"member-offset-{label}.pth", archive(members(directory={"offset": value})), BAD, "a/data/0")
        add(f"end-start-{label}.pth", archive(members(), end={"start": value}))
        add(f"end-size-{label}.pth", archive(members(), end={"size": value}))
        # The directory counts; a header that says all ones leaves the size to it.
        status = OK if value == 2**32 - 1 else BAD
        add(f"local-size-{label}.pth", archive(members(local={"size": value, "packed": value})), status)
    for label, value in (WIDE | WIDER).items():
        ones = {"size": 2**32 - 1, "packed": 2**32 - 1}
        both = wide_numbers(value, value)
        add(f"wide-size-{label}.pth", archive(members(directory=ones, extra=both)), BAD, "a/data/0")
        place = wide_numbers(value)
        add(f"wide-offset-{label}.pth", archive(members(directory={"offset": 2**32 - 1}, extra=place)), BAD, "a/data/0")
        for field in ("count", "size", "start", "length"):
            end = {"start": 2**32 - 1, "size": 2**32 - 1, "count": 2**16 - 1}
            add(f"end64-{field}-{label}.pth", archive(members(), end=end, end64={field: value}))
        add(f"locator-{label}.pth", archive(members(), end64={}, locator={"position": value}))
    add("locator-to-start.pth", archive(members(), end64={}, locator={"position": 0}))
    add("locator-disks.pth", archive(members(), end64={}, locator={"disks": 2}))
    add("wide-unasked.pth", archive(members(extra=wide_numbers(4, 4))))
    add("wide-too-short.pth", archive(members(directory={"size": 2**32 - 1}, extra=b"\1\0\4\0\0\0\0\0")))
    add("wide-twice.pth", archive(members(directory={"size": 2**32 - 1}, extra=wide_numbers(4) + wide_numbers(9))))
    add("extra-cut.pth", archive(members(extra=b"\1\0\xff\xff")))
    add("extra-huge.pth", archive(members(directory={"extra_size": 0xFFFF})))
    add("local-extra-huge.pth", archive(members(local={"extra_size": 0xFFFF})), BAD, "a/data/0")
    add("name-huge.pth", archive(members(directory={"name_size": 0xFFFF})))
    add("comment-huge.pth", archive(members(directory={"comment_size": 0xFFFF})))

    # Two readings of one file.
    add("twice.pth", archive([*members(), member("a/data/0", struct.pack("<f", 9))]), BAD, "two members")
    add("twice-pickle.pth", archive([member("a/data.pkl", PROTO2 + call("os", "system", text(COMMAND)) + STOP),
                                     *members()]), BAD, "two members")
    add("two-checkpoints.pth", archive([*members(), member("b/data.pkl", GOOD_PICKLE)]), BAD, "two checkpoints")
    add("overlap.pth", archive([*members(), member("a/x", VALUE, directory={"offset": 0})]), BAD, "a/x")
    inner = archive([member("a/data.pkl", GOOD_PICKLE)])
    add("inside.pth", archive([member("a/x", inner), member("a/data.pkl", GOOD_PICKLE, directory={"offset": 33})]))
    add("same-bytes.pth", archive([members()[0], members()[1], member("a/data/1", b"", directory={"offset": 0})]))
    quoted = [member(f"a/data/{i}", b"\0" * 64, directory={"offset": 0}) for i in range(200)]
    add("quoted-200.pth", archive([*members(), *quoted]))
    add("local-name.pth", archive(members(local={"name": b"a/data/1"})), BAD, "differ")
    add("local-crc.pth", archive(members(local={"crc": 1})), BAD, "differ")
    add("local-method.pth", archive(members(local={"method": 8})))
    add("local-flags.pth", archive(members(local={"flags": 8})), BAD, "differ")
    add("crc-wrong.pth", archive(members(crc=1)), BAD, NAME)
    add("crc-wrong-pickle.pth", archive([member("a/data.pkl", GOOD_PICKLE, crc=1), members()[1]]), BAD, "data.pkl")
    add("gap.pth", archive(members(), gap=b"\0" * 100), BAD, "gap")
    hidden = archive([member("b/data.pkl", GOOD_PICKLE)])
    add("hidden-in-gap.pth", archive(members(gap=hidden)), BAD)
    add("before.pth", archive(members(), before=b"#!/bin/sh\n"))
    add("before-as-zip.pth", b"PK\3\4" + archive(members()), BAD)
    add("before-shifted.pth", archive(members(), before=b"PK\3\4" + b"\0" * 26), BAD)
    add("after.pth", archive(members(), after=b"\0" * 100))
    add("after-two.pth", archive(members()) + archive(members()))
    add("comment.pth", archive(members(), comment=b"x" * 100), OK)
    add("comment-is-end.pth", archive(members(), comment=archive([])), BAD, "two end records")
    add("comment-is-zip.pth", archive(members(), comment=archive(members())))
    add("comment-is-locator.pth", archive(members(), comment=b"PK\6\7" + b"\0" * 16 + archive([])))
    add("comment-short.pth", archive(members(), comment=b"xx", end={"comment_size": 1}))
    add("comment-long.pth", archive(members(), comment=b"xx", end={"comment_size": 3}))
    add("count-less.pth", archive(members(), end={"count": 1}))
    add("count-more.pth", archive(members(), end={"count": 3}))
    add("count-all.pth", archive(members(), end={"count": 0xFFFF}))
    add("disk.pth", archive(members(), end={"disk": 1}))
    add("encrypted.pth", archive(members(flags=1)), BAD, "a/data/0")
    add("masked.pth", archive(members(flags=1 << 13)), BAD, "a/data/0")
    add("patch.pth", archive(members(flags=1 << 5)), BAD, "a/data/0")
    for method in (1, 6, 9, 12, 14, 93, 95, 99, 0xFFFF):
        add(f"method-{method}.pth", archive(members(method=method)), BAD, "a/data/0")

    # Compressed members: of other sizes than they say, cut off, without end.
    def deflated(data, size=None, flags=0, cut=None):
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = (packer.compress(data) + packer.flush())[:cut]
        return {"data": packed, "method": 8, "crc": zlib.crc32(data), "size": len(data) if size is None else size,
                "flags": flags}

    zeros = b"\0" * (10 << 20)
    for name, of_storage in {
        "bomb": deflated(zeros),
        "bomb-hidden": deflated(zeros, 4) | {"crc": zlib.crc32(b"\0" * 4)},
        "shorter": deflated(VALUE, 8),
        "longer": deflated(VALUE, 3),
        "cut": deflated(VALUE, cut=-1),
        "empty": deflated(VALUE, cut=0),
        "reserved-block": deflated(VALUE) | {"data": b"\7"},
        "distance-too-far": deflated(VALUE) | {"data": bytes.fromhex("e3000200")},
        "size-2p32-2": deflated(VALUE, 2**32 - 2),
    }.items():
        add(f"deflated-{name}.pth", archive([members()[0], member("a/data/0", **of_storage)]), BAD, "0'")
    bomb = deflated(PROTO2 + b"N0" * (8 << 20) + STOP)
    add("deflated-pickle-bomb.pth", archive([member("a/data.pkl", **bomb), members()[1]]), BAD)

    # Names that lead elsewhere where an archive is unpacked; here nothing is.
    for name, path in {
        "up": "../../hostile-was-here", "absolute": "/tmp/hostile-was-here", "backslash": "..\\..\\hostile-was-here",
        "nul": "a/x\0y", "drive": "C:/hostile-was-here", "empty": "", "folder": "a/b/", "dots": "a/./data/0",
        "newline": "a/\n\x1b[2J", "long": "a/" + "x" * 20000,
    }.items():
        add(f"path-{name}.pth", archive([*members(), member(path, b"x")]), ANY)
    add("path-link.pth", archive([*members(), member("a/link", b"/etc/passwd")]), OK)
    add("path-of-pickle-up.pth", archive([member("../data.pkl", GOOD_PICKLE), member("../data/0", VALUE)]), ANY)
    add("path-of-pickle-absolute.pth", archive([member("/data.pkl", GOOD_PICKLE), member("/data/0", VALUE)]), ANY)
    add("path-of-pickle-nul.pth", archive([member("a\0b/data.pkl", GOOD_PICKLE), member("a\0b/data/0", VALUE)]), ANY)
    add("byteorder-big.pth", archive([*members(), member("a/byteorder", b"big")]), BAD, "big")
    add("byteorder-long.pth", archive([*members(), member("a/byteorder", b"little" * 1000)]), BAD)
    add("torchscript.pth", archive([*members(), member("a/constants.pkl", b"")]), BAD, "TorchScript")
    add("empty.pth", archive([]), BAD)
    add("no-pickle.pth", archive([member("a/data/0", VALUE)]), BAD, "data.pkl")
    add("1000-members.pth", archive([*members(), *(member(f"a/data/{i}", b"") for i in range(1, 1001))]), OK)
    for label, data in {"zip": archive(members()), "zip64": archive(members(), end64={})}.items():
        for part in range(1, 10):
            add(f"{label}-cut-{part}.pth", data[: len(data) * part // 10])
        for lost in (1, 2, 21, 22, 23):
            add(f"{label}-end-lost-{lost}.pth", data[:-lost])
    add("only-signature.pth", b"PK\3\4")
    add("only-end.pth", archive(members())[-22:])
    add("zeros-behind.pth", b"PK\3\4" + b"\0" * 70000)
    add("ends-everywhere.pth", b"PK\3\4" + b"PK\5\6" * 4000)
    ends = b"".join(struct.pack("<4s16xH", b"PK\5\6", (999 - i) * 22) for i in range(1000))
    add("ends-nested.pth", b"PK\3\4" + ends, BAD, "two end records")


# ---- Safetensors ----


def headers(corpus):
    def add(name, data, status=BAD, fragment=""):
        corpus.add(f"st-{name}.safetensors", data, status, fragment)

    def entry(shape=(1,), offsets=(0, 4), dtype="F32"):
        return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}

    good = '{"bn1.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    add("good", safetensors(good, VALUE), OK)
    for label, value in (WIDE | WIDER).items():
        add(f"length-{label}", safetensors(good, VALUE, length=value))
        add(f"offset-{label}", safetensors({NAME: entry(offsets=(0, value))}, VALUE), BAD, NAME)
        add(f"start-{label}", safetensors({NAME: entry(offsets=(value, value))}, VALUE), BAD, NAME)
        add(f"size-{label}", safetensors({NAME: entry(shape=(value,))}, VALUE), BAD, NAME)
    for name, length in {"0": 0, "1": 1, "less": len(good) - 1, "more": len(good) + 1, "all": len(good) + 4}.items():
        add(f"length-{name}", safetensors(good, VALUE, length=length))
    add("length-alone", struct.pack("<Q", 2))
    add("wraps-to-4", safetensors({NAME: entry(shape=(2**62 + 1,))}, VALUE), BAD, NAME)
    add("wraps-to-1", safetensors({NAME: entry(shape=(2**32 + 1, 2**32 - 1))}, VALUE), BAD, NAME)
    add("wraps-to-0", safetensors({NAME: entry(shape=(2**32, 2**32), offsets=(0, 0))}), BAD, NAME)
    add("empty-but-absurd", safetensors({NAME: entry(shape=(2**62, 8, 0), offsets=(0, 0))}), BAD, NAME)
    add("dimensions-65", safetensors({NAME: entry(shape=(1,) * 65)}, VALUE), BAD, NAME)
    add("offsets-back", safetensors({NAME: entry(offsets=(4, 0))}, VALUE), BAD, NAME)
    add("overlap", safetensors({NAME: entry(), "x": entry()}, VALUE), BAD, "overlap")
    add("hole", safetensors({NAME: entry(offsets=(4, 8))}, VALUE * 2), BAD, "hole")
    add("hidden-end", safetensors({NAME: entry()}, VALUE + b"hidden"), BAD)
    add("unknown-type", safetensors({NAME: entry(dtype="F4")}, VALUE), BAD)
    add("other-type", safetensors({NAME: entry(dtype="I32")}, VALUE), BAD, NAME)
    add("other-shape", safetensors({NAME: entry(shape=(1, 1))}, VALUE), MISMATCH, NAME)
    add("empty", safetensors({}), ANY)
    add("empties", safetensors({NAME: entry()} | {f"x{i}": entry((0,), (4, 4)) for i in range(500)}, VALUE), OK)

    def as_number(value):
        return good.replace("[0,4]", f"[0,{value}]")

    numbers = ["NaN", "Infinity", "-Infinity", "1e999", "1E400", "4e0", "4.0", "-4", "-0", "+4", "04", "0x4", "4_0",
               "true", "null", '"4"', "[4]", "{}", "", " ", "٤", "4" * 400, "0." + "0" * 400 + "4"]
    for index, value in enumerate(numbers):
        add(f"number-{index}", safetensors(as_number(value), VALUE))
    shapes = ["[1", "1]", "[1,]", "[,1]", "[1 1]", "1", '"1"', "{}", "null", "[[1]]", "[]" * 2]
    for index, value in enumerate(shapes):
        add(f"shape-{index}", safetensors(good.replace("[1]", value), VALUE))
    texts = {
        "depth-arrays": "[" * 8000,
        "depth-objects": '{"a":' * 8000,
        "depth-value": good[:-1] + ',"x":' + "[" * 8000 + "]" * 8000 + "}",
        "depth-metadata": '{"__metadata__":' * 5000,
        "depth-shape": good.replace("[1]", "[" * 8000 + "]" * 8000),
        "twice": good[:-1] + "," + good[1:],
        "twice-escaped": good[:-1] + ',"\\u0062n1.weight":' + '{"dtype":"F32","shape":[0],"data_offsets":[4,4]}}',
        "twice-dtype": good.replace('"dtype"', '"dtype":"F32","dtype"'),
        "twice-offsets": good.replace('"data_offsets"', '"data_offsets":[0,4],"data_offsets"'),
        "metadata-is-tensor": good.replace(NAME, "__metadata__"),
        "metadata-twice": '{"__metadata__":{},' + good[:-1] + ',"__metadata__":{}}',
        "metadata-nested": '{"__metadata__":{"a":{"b":"c"}},' + good[1:],
        "array": "[" + good + "]",
        "text": '{"a"}',
        "comment": good[:-1] + "/* */}",
        "single-quotes": good.replace('"', "'"),
        "comma-at-end": good[:-1] + ",}",
        "second-object": good + good,
        "open-string": '{"' + "a" * 1000,
        "open-escape": '{"a\\',
        "half-escape": '{"\\u12',
        "lone-surrogate": good.replace("bn1", "\\ud800"),
        "swapped-surrogates": good.replace("bn1", "\\udc00\\ud800"),
        "escaped-nul": good.replace("bn1", "bn1\\u0000"),
        "raw-control": good.replace("bn1", "bn1\n"),
        "only-brace": "{",
        "braces": "{}" * 1000,
        "spaces": "{" + " " * 20000,
    }
    for name, header in texts.items():
        add(name, safetensors(header, VALUE))
    raw = {"nul": b"bn1\0", "invalid": b"bn1\xff", "overlong": b"bn1\xc0\xae", "cut": b"bn1\xe2\x82", "surrogate": b"\xed\xa0\x80",
           "beyond": b"\xf4\x90\x80\x80"}
    for name, key in raw.items():
        add(f"name-{name}", safetensors(good.encode().replace(b"bn1", key), VALUE))
    add("name-long", safetensors(good.replace("bn1", "b" * 5000), VALUE), BAD)
    add("name-terminal", safetensors(good.replace("bn1", "\\u001b[2J\\u0007"), VALUE), MISMATCH)
    add("name-empty", safetensors(good[:-1] + ',"":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}}', VALUE), OK)
    add("mark-first", safetensors(b"\xef\xbb\xbf" + good.encode(), VALUE))
    add("utf16", safetensors(good.encode("utf-16-le"), VALUE))
    data = safetensors(good, VALUE)
    for part in range(1, 10):
        add(f"cut-{part}", data[: len(data) * part // 10])


# ---- What is no checkpoint ----


def foreigners(corpus):
    lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 102530333\n"
    page = b"<!DOCTYPE html>\n<html><head><title>Google Drive - Virus scan warning</title></head></html>\n"
    corpus.add("foreign-lfs.pth", lfs, BAD, "Git LFS")
    corpus.add("foreign-html.pth", page, BAD, "HTML")
    corpus.add("foreign-empty.pth", b"", BAD, "empty")
    for length in (1, 2, 3, 7, 8, 9):
        corpus.add(f"foreign-zeros-{length}.pth", b"\0" * length, BAD)
        corpus.add(f"foreign-ones-{length}.pth", b"\xff" * length, BAD)
    corpus.add("foreign-error.pth", b'{"error":"Repository not found"}', BAD)
    corpus.add("foreign-text.pth", b"Access denied\n", BAD)
    corpus.add("foreign-xml.pth", b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', BAD)
    for name, magic in {
        "gzip": b"\x1f\x8b\x08\0", "xz": b"\xfd7zXZ\0", "bzip2": b"BZh9", "zstd": b"\x28\xb5\x2f\xfd",
        "7z": b"7z\xbc\xaf\x27\x1c", "rar": b"Rar!\x1a\7", "hdf5": b"\x89HDF\r\n\x1a\n", "numpy": b"\x93NUMPY\1\0",
        "elf": b"\x7fELF\2\1\1", "onnx": b"\x08\7\x12\7pytorch", "gguf": b"GGUF\3\0\0\0", "png": b"\x89PNG\r\n\x1a\n",
    }.items():
        corpus.add(f"foreign-{name}.pth", magic + b"\0" * 100, BAD)

    def tar(name, data, kind=b"0", link=b"", size=None):
        size = b"%011o\0" % len(data) if size is None else size
        header = name.ljust(100, b"\0") + b"0000644\0" * 3 + size + b"00000000000\0" + b" " * 8 + kind
        header += link.ljust(100, b"\0") + b"ustar\x0000"
        header = header.ljust(512, b"\0")
        header = header[:148] + b"%06o\0 " % sum(header) + header[156:]
        return header + data + b"\0" * (-len(data) % 512)

    evil = PROTO2 + call("os", "system", text(COMMAND)) + STOP
    end = b"\0" * 1024
    corpus.add("tar-run.pth", tar(b"sys_info", evil) + tar(b"pickle", evil) + tar(b"storages", evil)
               + tar(b"tensors", evil) + end, ANY)
    corpus.add("tar-up.pth", tar(b"../../hostile-was-here", b"x") + end, ANY)
    corpus.add("tar-absolute.pth", tar(b"/tmp/hostile-was-here", b"x") + end, ANY)
    corpus.add("tar-link.pth", tar(b"pickle", b"", b"2", b"/etc/passwd") + end, ANY)
    corpus.add("tar-device.pth", tar(b"pickle", b"", b"3") + end, ANY)
    for label, size in {"octal": b"7" * 11 + b"\0", "binary": b"\x80" + b"\xff" * 11, "minus": b"-0000000001\0",
                        "2p63": b"\x80\0\0\0\x80" + b"\0" * 7}.items():
        corpus.add(f"tar-size-{label}.pth", tar(b"pickle", b"x", size=size) + end, ANY)
    corpus.add("tar-no-end.pth", tar(b"pickle", b"x"), ANY)


# ---- Large files ----


def large(corpus):
    """Files that have to be megabytes to be an attack."""
    payload = VALUE * 8

    def many(count):
        pairs = [(f"x{i}", tensor(data=storage(key=str(i + 1)))) for i in range(count)]
        pickle = PROTO2 + dict_of((NAME, tensor()), *pairs) + STOP
        return archive([member("a/data.pkl", pickle), *(member(f"a/data/{i}", VALUE) for i in range(count + 1))],
                       end={"count": min(count + 2, 0xFFFF)}, end64={})

    corpus.add("tensors-60000.pth", many(60_000), OK)
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
    corpus.add("instructions-fewer.pth", beside(b"N0" * 1_000_000 + b"N"), OK)
    corpus.add("values.pth", beside(MARK + b"N" * 2_000_000 + b"t"), OK)
    corpus.add("memo-sparse.pth", beside(b"N" + b"r" + struct.pack("<L", 2_000_000)), OK)
    corpus.add("deep-lists.pth", beside(b"]" * 1_000_000 + b"a" * 999_999), OK)
    corpus.add("globals.pth", beside(MARK + name_of("os", "system") * 1_000_000 + b"t"), OK)
    first = text("storage") + b"q\0" + name_of("torch", "FloatStorage") + b"q\1"
    storages = (MARK + b"h\0h\1h\0h\0K\1tQ") * 200_000
    corpus.add("storages.pth", beside(MARK + first + storages + b"t"), OK)
    corpus.add("pickle-of-65-megabytes.pth", beside(b"B" + struct.pack("<L", 65 << 20) + b"\0" * (65 << 20)), BAD)
    corpus.add("names-of-members.pth", archive([*members(), *(member(f"a/{i:05}" + "x" * 900, b"") for i in range(10_000))]),
               OK)
    corpus.add("depth.safetensors", safetensors('{"a":' * 3_000_000), BAD)
    corpus.add("spaces.safetensors", safetensors("{" + " " * (15 << 20) + "}"), ANY)
    corpus.add("header-of-17-megabytes.safetensors", safetensors("{" + " " * (17 << 20) + "}"), BAD)
    corpus.add("ends.pth", b"PK\3\4" + b"PK\5\6" * (1 << 20), BAD)
    corpus.add("zeros.pth", b"\0" * (8 << 20), BAD)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", metavar="FOLDER", help="write the large files there instead")
    arguments = parser.parse_args()
    if arguments.large:
        corpus = Corpus(arguments.large)
        large(corpus)
    else:
        corpus = Corpus(Path(__file__).parent / "hostile")
        for write in (code, bombs, pickle_numbers, zips, headers, foreigners):
            write(corpus)
    corpus.close()


if __name__ == "__main__":
    main()
