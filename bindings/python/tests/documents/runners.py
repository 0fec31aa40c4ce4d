# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Runs the code and the commands of a page in one folder, from top to bottom, and compares what they print."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import elsewhere
from frames import FRAMES, program
from markdown import ROOT, Element
from meaning import check_options, commands, is_fragment, matches, needs

from backbone._library import lib

# What a fenced block is written to, for the commands that follow.
FILES = {
    "c": "example.c",
    "cpp": "example.cpp",
    "python": "example.py",
    "rust": "example.rs",
    "go": "example.go",
    "java": "Example.java",
    "lua": "example.lua",
    "ruby": "example.rb",
    "javascript": "example.js",
    "cmake": "example.cmake",
}
OUTPUTS = ("text", "json")
COMPILERS = {
    "c": ["cc", "-std=c99", "-Wall", "-Wextra", "-Wno-unused", "-Werror"],
    "cpp": ["c++", "-std=c++17", "-Wall", "-Wextra", "-Wno-unused", "-Werror"],
}
# Compilers of other languages take their time where the machine is busy.
TIMEOUT = 300


class Page:
    """A folder in which the blocks of one document are run in order.

    Args:
        path: the document, which errors name.
        folder: an empty folder. It gets links to the files of the repository that commands of the documents use.
        site: a folder, the same for all pages, for what `pip install` installs.
        extra: "torch" or "ray": run the blocks of Python that import it too.
    """

    def __init__(self, path: Path, folder: Path, site: Path, extra: str = "") -> None:
        self._path = path
        self._folder = folder
        self._extra = extra
        self._output: str | None = None
        # Whether the last block needs something that is not installed.
        self._is_left_out = False
        self._session: subprocess.Popen[str] | None = None
        # Programs that a command has to run, by the file they are in.
        self._waiting: dict[str, Element] = {}
        self.used: set[str] = set()
        library = Path(os.environ["BACKBONE_LIBRARY"]).resolve()
        for name in ("include", "scripts", "bindings"):
            (folder / name).symlink_to(ROOT / name)
        (folder / ".build/release").mkdir(parents=True)
        for name in ("libbackbone.so", f"libbackbone.so.{lib.backbone_abi_version()}"):
            (folder / ".build/release" / name).symlink_to(library)
        (folder / "bin").mkdir()
        # The `pip` of a page installs where no other program looks, and once.
        self._script(
            "pip",
            f'[ -e "{site}/backbone" ] || python -m pip --disable-pip-version-check "$@" --quiet --no-deps '
            f'--target "{site}"',
        )
        self._script("backbone", 'exec python -m backbone "$@"')
        self.environment = {
            **os.environ,
            "PATH": os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]),
            # Open MPI does without these where programs are not run as root, and each process has a core.
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "OMPI_MCA_rmaps_base_oversubscribe": "1",
            "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
            # What was installed comes first.
            "PYTHONPATH": os.pathsep.join([str(site), str(ROOT / "bindings/python")]),
        }

    def _script(self, name: str, text: str) -> None:
        """A program for the commands of the page."""
        path = self._folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def run(self, blocks: list[Element]) -> None:
        """Run all blocks of code of the page."""
        self._fragments = {
            language: [block for block in blocks if is_fragment(block) and block.language == language]
            for language in FRAMES
        }
        try:
            for block in blocks:
                self._run(block)
            for block in self._waiting.values():
                self._fail(block, "no command runs it")
        finally:
            if self._session is not None:
                # It ends what it has started, as Ray's processes.
                self._session.communicate(timeout=60)

    def _run(self, block: Element) -> None:
        if block.language in OUTPUTS:
            if self._is_left_out:
                return
            if self._output is None:
                self._fail(block, "it is output of nothing that was run")
            if not matches(block.text, self._output):
                self._fail(block, f"what is printed now is:\n{self._output}")
            return
        self._is_left_out = False
        if block.language == "sh":
            self._output = self._commands(block)
        elif is_fragment(block):
            self._output = self._fragment(block)
        elif block.language in FILES:
            name = FILES[block.language]
            (self._folder / name).write_text(block.text)
            if block.language == "python":
                self._output = self._python(block)
            elif block.language == "cmake":
                self._waiting.pop("example.cpp", None)
                self._output = self._project()
            else:
                self._output = None
                self._waiting[name] = block
        else:
            self._fail(block, f"nothing here runs {block.language!r}")

    def _fail(self, block: Element, what: str) -> None:
        raise AssertionError(f"{self._path.relative_to(ROOT)}, line {block.line}: {what}\n\n{block.text}")

    # ---- Languages ----

    def _python(self, block: Element) -> str | None:
        self._is_left_out = needs(block) not in ("", self._extra)
        if self._is_left_out:
            return None
        if self._session is None:
            self._session = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("session.py")],
                cwd=self._folder,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._session.stdin is not None and self._session.stdout is not None
        request = {"code": block.text, "file": self._path.name, "line": block.line}
        print(json.dumps(request), file=self._session.stdin, flush=True)
        answer = json.loads(self._session.stdout.readline())
        if answer["error"]:
            self._fail(block, answer["error"])
        return str(answer["output"])

    def _fragment(self, block: Element) -> str:
        """Run the code of a page that has no `main`; all such blocks of a language are compiled together."""
        blocks = self._fragments[block.language]
        name = f"fragments-{block.language}"
        if block is blocks[0]:
            source = self._folder / f"{name}.{block.language}"
            source.write_text(program(block.language, self._path.name, blocks))
            library = self._folder / ".build/release"
            link = ["-Iinclude", str(library / "libbackbone.so"), f"-Wl,-rpath,{library}", "-lm", "-pthread"]
            self._call(block, [*COMPILERS[block.language], source.name, *link, "-o", name])
        return self._call(block, [f"./{name}", str(blocks.index(block))])

    def _project(self) -> str:
        """Build the last program in C++ of the page with the lines of CMake, by the library's installation."""
        block = Element("code", (self._folder / "example.cmake").read_text(), 0)
        (self._folder / "app.cpp").write_text((self._folder / "example.cpp").read_text())
        (self._folder / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.25)\nproject(app LANGUAGES C CXX)\nset(CMAKE_CXX_STANDARD 17)\n"
            f"add_executable(app app.cpp)\n{block.text}"
        )
        prefix = self._prefix()
        self._call(block, ["cmake", "-S", ".", "-B", "project", f"-DCMAKE_PREFIX_PATH={prefix}"])
        self._call(block, ["cmake", "--build", "project"])
        return self._call(block, ["project/app"])

    def _prefix(self) -> Path:
        """A folder into which the library has been installed."""
        prefix = self._folder / "PREFIX"
        if not prefix.exists():
            block = Element("code", "", 0)
            options = ["-DBUILD_TESTING=OFF", "-DCMAKE_INSTALL_LIBDIR=lib"]
            self._call(block, ["cmake", "-S", str(ROOT), "-B", "configured", *options])
            self._call(block, ["cmake", "--install", "configured", "--prefix", str(prefix)])
        return prefix

    # ---- Commands ----

    def _commands(self, block: Element) -> str | None:
        run = [command for command in commands(block) if not self._is_elsewhere(block, command)]
        for command in run:
            if "PREFIX" in command:
                self._prefix()
            for name in [name for name in self._waiting if name in command]:
                del self._waiting[name]
        if not run:
            return None
        return self._call(block, ["bash", "-euo", "pipefail", "-c", "\n".join(map(self._stand_in, run))])

    def _stand_in(self, command: str) -> str:
        if command in elsewhere.STAND_INS:
            self.used.add(command)
        return elsewhere.STAND_INS.get(command, command)

    def _is_elsewhere(self, block: Element, command: str) -> bool:
        if command in elsewhere.RUN_BY or command in elsewhere.NOT_RUN:
            self.used.add(command)
            return True
        script = command.split()[0]
        if script not in elsewhere.LONG_SCRIPTS:
            return False
        self.used.add(script)
        check_options(command)
        return True

    def _call(self, block: Element, command: list[str]) -> str:
        result = subprocess.run(
            command,
            cwd=self._folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
        )
        if result.returncode != 0:
            self._fail(block, f"{shlex.join(command)} ends with {result.returncode}:\n{result.stdout}")
        return result.stdout
