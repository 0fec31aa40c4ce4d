# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors
"""Zip archives that contradict themselves or can be read in two ways."""

import struct
import zlib

from forge import PROTO2, STOP, archive, call, member, text, wide_numbers
from hostile_corpus import ANY, BAD, COMMAND, GOOD_PICKLE, NAME, OK, VALUE, WIDE, WIDER, members


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
    add("after.pth", archive(members(), after=b"\0" * 100 + b"x"))
    add("after-zeros.pth", archive(members(), after=b"\0" * 100), OK)
    add("after-zeros-64.pth", archive(members(), end64={}, after=b"\0" * 70000), OK)
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
    for name, of_storage, fragment in (
        ("bomb", deflated(zeros), "0'"),
        ("bomb-hidden", deflated(zeros, 4) | {"crc": zlib.crc32(b"\0" * 4)}, NAME),
        ("shorter", deflated(VALUE, 8), "0'"),
        ("longer", deflated(VALUE, 3), "0'"),
        ("cut", deflated(VALUE, cut=-1), NAME),
        ("empty", deflated(VALUE, cut=0), "0'"),
        ("reserved-block", deflated(VALUE) | {"data": b"\7"}, "unknown kind"),
        # A fixed code: a match of three bytes, one byte back, where nothing is yet.
        ("distance-too-far", deflated(VALUE) | {"data": bytes.fromhex("030200")}, "before the first byte"),
        ("size-2p32-2", deflated(VALUE, 2**32 - 2), "0'"),
    ):
        add(f"deflated-{name}.pth", archive([members()[0], member("a/data/0", **of_storage)]), BAD, fragment)
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
    big = [members()[0], member("a/data/0", VALUE[::-1])]
    add("byteorder-big.pth", archive([*big, member("a/byteorder", b"big")]), OK)
    add("byteorder-middle.pth", archive([*members(), member("a/byteorder", b"middle")]), BAD, "middle")
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
    add("zeros-after.pth", b"PK\3\4" + b"\0" * 70000)
    add("ends-everywhere.pth", b"PK\3\4" + b"PK\5\6" * 4000)
    ends = b"".join(struct.pack("<4s16xH", b"PK\5\6", (999 - i) * 22) for i in range(1000))
    add("ends-nested.pth", b"PK\3\4" + ends, BAD, "two end records")
