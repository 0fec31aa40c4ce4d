# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`python -m cross FOLDER LIBRARY OPTION...`: the library from objects in a folder, linked with these options."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from . import toolchain
from .manifest import targets_of_library
from .modules import Compilation

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    folder, library, options = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    targets = targets_of_library(ROOT, folder / "package")
    objects = Compilation(ROOT, folder).objects_of(targets)
    # For checks of the objects.
    (folder / "objects.list").write_text("".join(f"{path}\n" for path in objects))
    command = toolchain.c_compiler("-shared", "-o", library, *objects, *options, "-lm")
    sys.exit(subprocess.run(command, check=False).returncode)


main()
