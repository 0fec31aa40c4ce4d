# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors
"""Writes the inputs that a fuzz target starts from: seeds.py TARGET FOLDER FILE...

The files are checkpoints; TAKES has the part that each target uses; Targets.swift says what it does with an input.
"""

import hashlib
import struct
import sys
import tarfile
import zipfile
from pathlib import Path

LEGACY_MAGIC = bytes.fromhex("8a0a6cfc9c46f9206aa850192e")
# Longer ones are slow to change; a short one of each kind. (A tar archive of four members with attributes is
# the longest of these.) The fuzzer's own are no longer either, see scripts/fuzz.
LONGEST = 9728


def pickles(path):
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            sizes = [archive.getinfo(name).file_size for name in names if name.endswith("/data/0")]
            pickles = [archive.read(name) for name in names if name.endswith("data.pkl")]
            return [bytes([(sizes or [0])[0] % 256]) + pickle for pickle in pickles]
    except Exception:  # hostile files are among them
        return []


def headers(path):
    data = path.read_bytes()
    if data[8:9] != b"{" or (length := struct.unpack_from("<Q", data)[0]) > 0xFFFF:
        return []
    return [struct.pack("<H", length) + data[8:]]


def files(ending):
    return lambda path: [path.read_bytes()] if path.name.endswith(ending) else []


def legacy_files(path):
    data = path.read_bytes()
    return [data] if LEGACY_MAGIC in data[:32] else []


def pickle_files(path):
    data = path.read_bytes()
    is_pickle = data[:1] == b"\x80" and data[1:2] in b"\2\3\4\5" or data[:3] in (b"(dp", b"}q\0", b"cco")
    return [data] if is_pickle and not legacy_files(path) else []


def tars(path):
    data = path.read_bytes()
    if data[257:262] != b"ustar":
        return []
    seeds = [b"\0" + data]
    try:
        with tarfile.open(path) as archive:
            parts = [archive.extractfile(name).read() for name in ("storages", "tensors", "pickle")]
        seeds.append(struct.pack("<BHH", 1, len(parts[0]), len(parts[1])) + b"".join(parts))
    except Exception:  # hostile files are among them
        pass
    return seeds


def deflated_members(path):
    seeds = []
    try:
        with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
            for info in archive.infolist():
                if info.compress_type != zipfile.ZIP_DEFLATED or info.file_size > 0xFFFF:
                    continue
                file.seek(info.header_offset + 26)
                name_size, extra_size = struct.unpack("<HH", file.read(4))
                file.seek(name_size + extra_size, 1)
                seeds.append(struct.pack("<H", info.file_size) + file.read(info.compress_size))
    except Exception:  # hostile files are among them
        pass
    return seeds


TAKES = {
    "zip": files(".pth"),
    "pickle": pickles,
    "safetensors": headers,
    "legacy": legacy_files,
    "tar": tars,
    "pickled": pickle_files,
    "deflate": deflated_members,
    "optimizer": pickles,
    "load": files(""),
}


def main():
    target, folder, paths = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    folder.mkdir(parents=True, exist_ok=True)
    for path in map(Path, paths):
        for seed in TAKES[target](path):
            if len(seed) <= LONGEST:
                (folder / hashlib.sha1(seed).hexdigest()).write_bytes(seed)


if __name__ == "__main__":
    main()
