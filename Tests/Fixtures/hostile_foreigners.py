# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors
"""Files that are not checkpoints of a supported format, or of an old one."""

from forge import PROTO2, STOP, call, text
from hostile_corpus import ANY, BAD, COMMAND


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
