# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors
"""The folder of hostile files, and what they have in common: a checkpoint with the one tensor `bn1.weight`, 0.25."""

import struct
from pathlib import Path

from forge import PROTO2, STOP, archive, dict_of, member, tensor

OK, BAD, MISMATCH, ANY = "0", "5", "6", "*"

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
        if any(self.folder.iterdir()) and not (self.folder / "manifest.txt").exists():
            raise SystemExit(f"{self.folder} holds other files")
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
