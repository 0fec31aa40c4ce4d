# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Builds the library for 64-bit ARM Linux on another machine; scripts/build runs it.

Swift has no runtime for that platform to cross-compile with, but its Embedded standard library for ARM without an
operating system is position independent and asks the C library for a few functions alone. So the library's targets are
compiled as Embedded Swift with the headers of glibc, and Zig's C compiler, a package of PyPI, compiles the C and links.
"""
