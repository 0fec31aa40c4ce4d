# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors
"""Writes the inputs that a fuzz target starts from: seeds.py TARGET FOLDER FILE...

The files are checkpoints; what a target takes of one is in TAKES, as what it makes of an input is in Targets.swift.
"""

import hashlib
import struct
import sys
import zipfile
from pathlib import Path

# Longer ones are slow to change; there is a short one of each kind.
LONGEST = 8192


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


TAKES = {"zip": files(".pth"), "pickle": pickles, "safetensors": headers, "load": files("")}


def main():
    target, folder, paths = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    folder.mkdir(parents=True, exist_ok=True)
    for path in map(Path, paths):
        for seed in TAKES[target](path):
            if len(seed) <= LONGEST:
                (folder / hashlib.sha1(seed).hexdigest()).write_bytes(seed)


if __name__ == "__main__":
    main()
