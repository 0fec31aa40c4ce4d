# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""How the programs of each language are built and run: the commands that the comments in the examples print.

Debian's tools come before others of the same name on the PATH: they are the oldest that have to work.
"""

import os
import shutil
import subprocess
from pathlib import Path

BINDINGS = Path(__file__).resolve().parents[1]
ROOT = BINDINGS.parent
# `scripts/test` sets it; this is for `pytest` by hand after `scripts/build`.
LIBRARY = Path(os.environ.setdefault("BACKBONE_LIBRARY", str(ROOT / ".build/release/libbackbone.so")))
LANGUAGES = ("rust", "go", "java", "luajit", "ruby", "node")


def tool(name):
    """The path of a program. That it is missing is a failure, never a skipped test."""
    path = f"/usr/bin/{name}" if os.path.exists(f"/usr/bin/{name}") else shutil.which(name)
    assert path, f"there is no {name}: scripts/setup installs it"
    return path


def environment(library=LIBRARY, **more):
    """The environment of a program that loads that library."""
    return {**os.environ, "BACKBONE_LIBRARY": str(library), **more}


def run(command, folder=None, library=LIBRARY, text="", timeout=300, **more):
    """What a program prints. It must end well, and say nothing on the standard error output."""
    result = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=environment(library, **more),
        input=text,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert result.returncode == 0 and not result.stderr, f"{command}: {result.returncode}\n{result.stderr[-4000:]}"
    return result.stdout


def node_headers():
    """Where node_api.h is: beside the node that runs, or where Debian's libnode-dev puts it."""
    beside = Path(tool("node")).resolve().parents[1] / "include/node"
    for folder in (beside, Path("/usr/include/node"), Path("/usr/include/nodejs/src")):
        if (folder / "node_api.h").exists():
            return folder
    raise AssertionError("there is no node_api.h: scripts/setup installs it")


def build(language, program, folder):
    """Build a program, "example" or "tests/probe", in an empty folder.

    Returns:
        The words of the command that runs it.
    """
    source = BINDINGS / language
    if language == "rust":
        binary = folder / "program"
        flags = ["--edition", "2021", "-D", "warnings", "-C", "opt-level=1"]
        run([tool("rustc"), *flags, source / f"{program}.rs", "-o", binary])
        return [binary]
    if language == "go":
        # The package of a binding is one folder, with the header in it.
        (folder / "backbone").mkdir()
        shutil.copy(source / "backbone.go", folder / "backbone")
        shutil.copy(ROOT / "include/backbone.h", folder / "backbone")
        shutil.copy(source / f"{program}.go", folder / "main.go")
        (folder / "go.mod").write_text("module example\n\ngo 1.19\n")
        run([tool("go"), "build", "-o", "program", "."], folder, GOFLAGS="-mod=mod", GOTOOLCHAIN="local")
        return [folder / "program"]
    if language == "java":
        jar = Path("/usr/share/java/jna.jar")
        assert jar.exists(), f"there is no {jar}: scripts/setup installs it"
        name = {"example": "Example", "tests/probe": "tests/Probe"}[program]
        files = [source / "Backbone.java", source / f"{name}.java"]
        run([tool("javac"), "-Xlint:all", "-Werror", "-cp", jar, "-d", folder, *files])
        return [tool("java"), "-XX:TieredStopAtLevel=1", "-cp", f"{jar}:{folder}", Path(name).name]
    if language == "luajit":
        return ["env", f"LUA_PATH={source}/?.lua", tool("luajit"), source / f"{program}.lua"]
    if language == "ruby":
        return [tool("ruby"), "-w", "-I", source, source / f"{program}.rb"]
    assert language == "node"
    for name in ("backbone.js", "backbone_node.c"):
        shutil.copy(source / name, folder)
    shutil.copy(source / f"{program}.js", folder)
    flags = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    include = [f"-I{ROOT / 'include'}", f"-I{node_headers()}"]
    run(["cc", *flags, *include, folder / "backbone_node.c", "-o", folder / "backbone.node", "-ldl"])
    return [tool("node"), "--expose-gc", folder / Path(f"{program}.js").name]
