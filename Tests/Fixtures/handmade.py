# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors
"""Archives and pickles made by hand: of a checkpoint of eight numbers, unless a test wants others."""

import io
import struct
import zlib

import forge
from forge import name_of


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


def storage(key="0", count=8, kind="FloatStorage"):
    return forge.storage(key, count, ("torch", kind))


def tensor(shape=(8,), strides=(1,), offset=0, data=None):
    hooks = name_of("collections", "OrderedDict") + b")R"
    return forge.tensor(shape, strides, offset, storage() if data is None else data, hooks)


def checkpoint(body):
    return zip_archive([member("a/data.pkl", body), member("a/data/0", struct.pack("<8f", *range(8)))])
