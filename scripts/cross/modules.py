# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Compiles the targets, those that do not depend on each other at the same time."""

from __future__ import annotations

import hashlib
import os
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from . import toolchain
from .manifest import Target


class Compilation:
    """The objects of targets in a folder. What has not changed since they were made is not compiled again."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = root
        self.folder = folder
        self.versions = toolchain.versions()
        folder.mkdir(parents=True, exist_ok=True)

    def objects_of(self, targets: list[Target]) -> list[Path]:
        """Compiles targets, each of which comes after those that it depends on."""
        maps = [f"-fmodule-map-file={self._module_map(target)}" for target in targets if target.sources(".h")]
        imports = [part for option in maps for part in ("-Xcc", option)]
        done: dict[str, Future[tuple[str, list[Path]]]] = {}
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for target in targets:
                needed = [done[name] for name in target.dependencies]
                done[target.name] = pool.submit(self._compile, target, imports, needed)
        return [path for future in done.values() for path in future.result()[1]]

    def _module_map(self, target: Target) -> Path:
        """The one of a system's target, or one of all headers of a C target, as SwiftPM makes it."""
        if target.is_system:
            return target.folder / "module.modulemap"
        path = self.folder / f"{target.name}.modulemap"
        path.write_text(f'module {target.name} {{\n    umbrella "{target.folder}/include"\n    export *\n}}\n')
        return path

    def _compile(self, target: Target, imports: list[str], needed: list[Future]) -> tuple[str, list[Path]]:
        """The digest of what others see of a target, and its objects. It waits for those that it depends on, which were
        given to the pool before it and so are never waiting for a thread."""
        digest = hashlib.sha256(self.versions.encode())
        for future in needed:
            digest.update(future.result()[0].encode())
        objects, commands = self._commands(target, imports)
        digest.update(repr(commands).encode())
        # Of a C target others see the headers alone.
        for path in target.sources(".swift", ".h"):
            digest.update(f"{path} ".encode() + path.read_bytes())
        seen = digest.hexdigest()
        for path in target.sources(".c"):
            digest.update(f"{path} ".encode() + path.read_bytes())
        stamp = self.folder / f"{target.name}.digest"
        if not stamp.exists() or stamp.read_text() != digest.hexdigest() or not all(map(Path.exists, objects)):
            stamp.unlink(missing_ok=True)
            for command in commands:
                result = subprocess.run(command, cwd=self.root, check=False)
                if result.returncode != 0:
                    raise SystemExit(f"error: {target.name} does not compile for 64-bit ARM")
            if commands:
                print(f"compiled {target.name}", flush=True)
            stamp.write_text(digest.hexdigest())
        return seen, objects

    def _commands(self, target: Target, imports: list[str]) -> tuple[list[Path], list[list[str]]]:
        if sources := target.sources(".swift"):
            result = self.folder / f"{target.name}.o"
            module = self.folder / f"{target.name}.swiftmodule"
            command = toolchain.swift_compiler(*target.options, *imports, "-I", self.folder)
            command += ["-module-name", target.name]
            command += ["-emit-module", "-emit-module-path", str(module), "-c", "-o", str(result), *map(str, sources)]
            return [result], [command]
        sources = target.sources(".c")
        objects = [self.folder / f"{target.name}-{source.stem}.o" for source in sources]
        include = ["-I", target.folder / "include"]
        return objects, [
            toolchain.c_compiler(*toolchain.C_OPTIONS, *include, "-c", source, "-o", result)
            for source, result in zip(sources, objects, strict=True)
        ]
