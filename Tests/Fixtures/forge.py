# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors
"""Makes zip archives, pickles and safetensors files piece by piece, so that the pieces may be false. Plain Python."""

import json
import struct
import zlib

# ---- Zip archives ----


def member(name, data, local=(), directory=(), extra=b"", local_extra=b"", gap=b"", **both):
    """A member of an archive; `local` and `directory` change fields of its two headers, `both` those of both."""
    fields = {"version": 20, "flags": 0, "method": 0, "time": 0, "date": 33, "crc": zlib.crc32(data)}
    fields |= {"packed": len(data), "size": len(data)} | both
    name = name if isinstance(name, bytes) else name.encode()
    return {
        "name": name,
        "data": data,
        "local": fields | {"name": name, "extra": local_extra} | dict(local),
        "directory": fields | {"name": name, "extra": extra, "disk": 0} | dict(directory),
        "gap": gap,
    }


def archive(members, end=(), end64=None, locator=(), before=b"", gap=b"", comment=b"", after=b""):
    """An archive; `end`, `end64` (None: no such record) and `locator` change fields of the records at its end."""
    out, entries = bytearray(before), bytearray()
    for m in members:
        f, start = m["local"], len(out)
        out += struct.pack(
            "<4sHHHHHLLLHH", b"PK\3\4", f["version"], f["flags"], f["method"], f["time"], f["date"], f["crc"],
            f["packed"], f["size"], len(f["name"]), f.get("extra_size", len(f["extra"])),
        )
        out += f["name"] + f["extra"] + m["data"] + m["gap"]
        f = m["directory"]
        entries += struct.pack(
            "<4sHHHHHHLLLHHHHHLL", b"PK\1\2", 20, f["version"], f["flags"], f["method"], f["time"], f["date"],
            f["crc"], f["packed"], f["size"], f.get("name_size", len(f["name"])),
            f.get("extra_size", len(f["extra"])), f.get("comment_size", 0), f["disk"], 0, 0, f.get("offset", start),
        )
        entries += f["name"] + f["extra"]
    out += gap
    start = len(out)
    out += entries
    record = {"count": len(members), "size": len(entries), "start": start}
    if end64 is not None:
        position, wide = len(out), record | {"length": 44} | dict(end64)
        out += struct.pack(
            "<4sQHHLLQQQQ", b"PK\6\6", wide["length"], 45, 45, 0, 0, wide.get("here", wide["count"]), wide["count"],
            wide["size"], wide["start"],
        )
        place = {"position": position, "disk": 0, "disks": 1} | dict(locator)
        out += struct.pack("<4sLQL", b"PK\6\7", place["disk"], place["position"], place["disks"])
    record |= {"disk": 0, "comment_size": len(comment)} | dict(end)
    out += struct.pack(
        "<4sHHHHLLH", b"PK\5\6", record["disk"], record["disk"], record["count"], record["count"], record["size"],
        record["start"], record["comment_size"],
    )
    return bytes(out + comment + after)


def wide_numbers(*numbers):
    """The extra field of zip64."""
    return struct.pack("<HH", 1, 8 * len(numbers)) + b"".join(struct.pack("<Q", number) for number in numbers)


def deflated(*parts):
    """Raw deflated data of parts, each with how often it is repeated: a gigabyte of zeros is made at once."""
    out = b""
    for data, times in parts:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        # Ends at a byte and refers to nothing before it.
        out += (packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH)) * times
    return out + zlib.compressobj(9, zlib.DEFLATED, -15).flush()


# ---- Pickles ----

PROTO2, PROTO4, MARK, STOP = b"\x80\x02", b"\x80\x04", b"(", b"."


def text(value):
    """BINUNICODE"""
    value = value if isinstance(value, bytes) else value.encode()
    return b"X" + struct.pack("<L", len(value)) + value


def number(value):
    """BININT where it fits, else LONG1."""
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<l", value)
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def tuple_of(*values):
    return MARK + b"".join(values) + b"t"


def dict_of(*pairs):
    keys = ((key if isinstance(key, bytes) else text(key)) + value for key, value in pairs)
    return b"}" + MARK + b"".join(keys) + b"u"


def name_of(module, name):
    """GLOBAL"""
    return f"c{module}\n{name}\n".encode()


def call(module, name, *arguments):
    return name_of(module, name) + tuple_of(*arguments) + b"R"


def storage(key="0", count=1, kind=("torch", "FloatStorage"), location="cpu"):
    return tuple_of(text("storage"), name_of(*kind), text(key), text(location), number(count)) + b"Q"


def tensor(shape=(1,), strides=(1,), offset=0, data=None, hooks=None):
    return call(
        "torch._utils",
        "_rebuild_tensor_v2",
        storage() if data is None else data,
        number(offset),
        tuple_of(*map(number, shape)),
        tuple_of(*map(number, strides)),
        b"\x89",
        call("collections", "OrderedDict") if hooks is None else hooks,
    )


# ---- Safetensors ----


def safetensors(header, data=b"", length=None):
    """The header is bytes, text, or what JSON can tell."""
    if not isinstance(header, (bytes, str)):
        header = json.dumps(header)
    header = header if isinstance(header, bytes) else header.encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data
