# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Puts libbackbone.so into the wheel, from the first of:

1. the file that BACKBONE_LIBRARY names,
2. `scripts/build --no-setup` of the sources around this folder, if Swift is installed, 3. what that built earlier.

BACKBONE_OPENBLAS names an OpenBLAS that is to travel inside (scripts/wheel sets it), with the licences in the folder
that BACKBONE_LICENSES names.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = Path(__file__).resolve().parents[2]


class LibraryHook(BuildHookInterface):  # type: ignore[type-arg]
    """The hook that pyproject.toml names."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files, and say that they are for this kind of machine. An editable install gets none."""
        if version == "editable":
            return
        self._work = tempfile.TemporaryDirectory()
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
        included = build_data["force_include"]
        included[str(self._stripped(built_library()))] = "backbone/libbackbone.so"
        if (SOURCES / "LICENSE").exists():
            included[str(SOURCES / "LICENSE")] = "backbone/LICENSE"
        openblas = os.environ.get("BACKBONE_OPENBLAS")
        if openblas:
            included[openblas] = "backbone/openblas/libopenblas.so.0"
            for text in sorted(Path(os.environ["BACKBONE_LICENSES"]).iterdir()):
                included[str(text)] = f"backbone/openblas/licenses/{text.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary copy."""
        if version != "editable":
            self._work.cleanup()

    def _stripped(self, library: Path) -> Path:
        copy = Path(self._work.name) / "libbackbone.so"
        shutil.copyfile(library, copy)
        copy.chmod(0o755)
        # Five megabytes of symbols are for debuggers. A machine without binutils keeps them.
        strip = shutil.which("strip") or shutil.which("llvm-strip")
        # The library for another architecture comes without them.
        if strip and "_PYTHON_HOST_PLATFORM" not in os.environ:
            subprocess.run([strip, "--strip-unneeded", copy], check=True)
        return copy


def built_library() -> Path:
    """The library as the text above says."""
    named = os.environ.get("BACKBONE_LIBRARY")
    if named:
        return Path(named).resolve(strict=True)
    script = SOURCES / "scripts/build"
    built = SOURCES / ".build/release/libbackbone.so"
    if script.exists() and shutil.which("swift"):
        subprocess.run([script, "--no-setup"], check=True)
        return built
    if built.exists():
        return built
    raise FileNotFoundError(
        "missing libbackbone.so for the package: install a wheel, build from the folder bindings/python "
        "of the sources with Swift on the PATH, or name a built library with BACKBONE_LIBRARY"
    )
