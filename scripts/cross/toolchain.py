# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The compilers, and what they have to be told to compile for 64-bit ARM Linux."""

from __future__ import annotations

import subprocess
from pathlib import Path

import ziglang

# The oldest glibc that knows this architecture.
GLIBC_MINOR = 17
ZIG = Path(ziglang.__file__).parent / "zig"
ZIG_TARGET = f"aarch64-linux-gnu.2.{GLIBC_MINOR}"
# Swift's own name for it has no standard library.
SWIFT_TARGET = "aarch64-none-none-elf"
# Only what is used gets into the library: every module of Embedded Swift has a copy of what it calls.
C_OPTIONS = ["-O2", "-fPIC", "-ffunction-sections", "-fdata-sections", "-Wall", "-Wextra"]
SWIFT_OPTIONS = ["-O", "-parse-as-library", "-swift-version", "6", "-package-name", "backbone"]
SWIFT_OPTIONS += ["-Xfrontend", "-function-sections"]


def c_compiler(*arguments: object) -> list[str]:
    return [str(ZIG), "cc", "-target", ZIG_TARGET, *map(str, arguments)]


def swift_compiler(*arguments: object) -> list[str]:
    """Swift's compiler reads the headers that Zig's would read, as Linux's."""
    libc = ZIG.parent / "lib/libc/include"
    clang = ["-fPIC", "-D__linux__", f"-D__GLIBC_MINOR__={GLIBC_MINOR}"]
    for folder in ("aarch64-linux-gnu", "generic-glibc", "aarch64-linux-any", "any-linux-any"):
        if not (libc / folder).is_dir():
            raise SystemExit(f"error: this version of ziglang has no {libc / folder}")
        clang += ["-isystem", str(libc / folder)]
    passed = [part for option in clang for part in ("-Xcc", option)]
    return ["swiftc", "-target", SWIFT_TARGET, *SWIFT_OPTIONS, *passed, *map(str, arguments)]


def versions() -> str:
    """What the results depend on besides sources and options."""
    commands = [str(ZIG), "version"], ["swiftc", "--version"]
    return "".join(subprocess.run(command, check=True, capture_output=True, text=True).stdout for command in commands)
