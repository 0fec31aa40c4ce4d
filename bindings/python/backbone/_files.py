# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Files that appear under their names only when they are complete.

Until then a file has a short name of its own, which fits wherever the output's name does, and which no other process
and no other output shares.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import socket
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import IO

# Gets the complete file, and is entered while the file is renamed.
Placing = Callable[[IO[bytes]], AbstractContextManager[object]]

_PARTIAL = re.compile(r"\.([0-9a-f]{8})[0-9a-f]{8}\.partial")


@contextmanager
def written(path: str, placing: Placing = nullcontext) -> Iterator[IO[bytes]]:
    """A file to write to, which replaces `path` at the end if nothing fails.

    Args:
        path: the place. Its folder is made.
        placing: a context around the rename of the complete file.

    Raises:
        OSError: with the name of the file.
    """
    folder = os.path.dirname(path)
    partial = None
    try:
        os.makedirs(folder or ".", exist_ok=True)
        partial, file = _new_partial(folder)
        try:
            with file:
                yield file
                file.flush()
                # Its lock is held until it has its name: see `remove_abandoned`.
                with placing(file):
                    os.replace(partial, path)
        except BaseException:
            if os.path.exists(partial):
                os.unlink(partial)
            raise
    except OSError as error:
        # The error of a full disk does not name a file.
        if error.filename is None or error.filename == partial:
            raise OSError(error.errno, error.strerror, path) from None
        raise


def remove_abandoned(folder: str) -> None:
    """Remove the unfinished files of killed processes of this machine from a folder.

    Processes lock the files that they write. Other machines may not see these locks; their files are left alone.
    """
    try:
        names = [name for name in os.listdir(folder) if name.endswith(".partial")]
    except OSError:
        return
    for name in names:
        match = _PARTIAL.fullmatch(name)
        if match is None or match[1] != _machine():
            continue
        path = os.path.join(folder, name)
        try:
            with open(path, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)
        except OSError:
            # A process is writing it, or has removed it.
            continue


def _new_partial(folder: str) -> tuple[str, IO[bytes]]:
    while True:
        partial = os.path.join(folder, f".{_machine()}{secrets.token_hex(4)}.partial")
        try:
            # Not by tempfile, whose files nobody else may read.
            file = open(partial, "xb")
        except FileExistsError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            # A file system without locks: there `remove_abandoned` gets none either.
            return partial, file
        if os.fstat(file.fileno()).st_nlink:
            return partial, file
        # Another process has taken it for abandoned before it was locked.
        file.close()


def _machine() -> str:
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"
