# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""How the programs of each language are built and run.

Debian's tools come before others of the same name on the PATH: they are the oldest that have to work.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

BINDINGS = Path(__file__).resolve().parents[1]
ROOT = BINDINGS.parent
# `scripts/test` sets it; this is for `pytest` by hand after `scripts/build`.
LIBRARY = Path(os.environ.setdefault("BACKBONE_LIBRARY", str(ROOT / ".build/release/libbackbone.so")))
LANGUAGES = ("rust", "go", "java", "luajit", "ruby", "node")


PATH = f"/usr/bin{os.pathsep}{os.environ['PATH']}"


def tool(name):
    """The path of a program. That it is missing is a failure, never a skipped test."""
    path = shutil.which(name, path=PATH)
    assert path, f"{name} is missing: scripts/setup --runtimes installs it"
    return path


def environment(library=LIBRARY, **more):
    """The environment of a program that loads that library."""
    return {**os.environ, "PATH": PATH, "BACKBONE_LIBRARY": str(library), **more}


def run(command, folder=None, library=LIBRARY, text="", timeout=120, **more):
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
    raise AssertionError("node_api.h is missing: scripts/setup --runtimes installs it")


# What a project copies, into which folder, and the example.
FILES = {
    "rust": (("bindings/rust/backbone.rs",), ".", "example.rs"),
    "go": (("bindings/go/backbone.go", "include/backbone.h"), "backbone", "example.go"),
    "java": (("bindings/java/Backbone.java",), ".", "Example.java"),
    "luajit": (("bindings/luajit/backbone.lua",), ".", "example.lua"),
    "ruby": (("bindings/ruby/backbone.rb",), ".", "example.rb"),
    "node": (
        ("bindings/node/backbone.js", "bindings/node/backbone_node.c", "include/backbone.h"),
        ".",
        "example.js",
    ),
}


def run_example(language, folder, weights, image):
    """Run the commands that the first comment of an example prints, in a folder as it describes it.

    Returns:
        What they print.
    """
    copied, place, name = FILES[language]
    (folder / place).mkdir(exist_ok=True)
    for path in copied:
        shutil.copy(ROOT / path, folder / place)
    text = Path(shutil.copy(BINDINGS / language / name, folder)).read_text()
    printed = re.findall(r"^(?://|#|--)(?:    |\t) *(\S.*)$", text.split("\n\n")[1], re.MULTILINE)
    assert printed and "BACKBONE_LIBRARY=/path/to/libbackbone.so" in printed[-1], text
    places = {
        "/path/to/libbackbone.so": LIBRARY,
        "/usr/include/node ": f"{node_headers()} " if language == "node" else "",
        "resnet50.pth": weights,
        "image.rgb": image,
    }
    commands = " && ".join(printed)
    for written, real in places.items():
        commands = commands.replace(written, str(real))
    # `go mod init` tells what it does.
    return run(["sh", "-c", f"set -e; {commands.replace('mod init example', 'mod init example 2>/dev/null')}"], folder)


def build(language, folder):
    """Build the program of the tests in an empty folder.

    Returns:
        The words of the command that runs it.
    """
    source = BINDINGS / language
    if language == "rust":
        binary = folder / "program"
        flags = ["--edition", "2021", "-D", "warnings"]
        run([tool("rustc"), *flags, source / "tests/probe.rs", "-o", binary])
        return [binary]
    if language == "go":
        (folder / "backbone").mkdir()
        shutil.copy(source / "backbone.go", folder / "backbone")
        shutil.copy(ROOT / "include/backbone.h", folder / "backbone")
        shutil.copy(source / "tests/probe.go", folder)
        (folder / "go.mod").write_text("module example\n\ngo 1.19\n")
        run([tool("go"), "build", "-o", "program", "."], folder, GOFLAGS="-mod=mod", GOTOOLCHAIN="local")
        return [folder / "program"]
    if language == "java":
        jar = Path("/usr/share/java/jna.jar")
        assert jar.exists(), f"{jar} is missing: scripts/setup --runtimes installs it"
        files = [source / "Backbone.java", source / "tests/Probe.java"]
        run([tool("javac"), "-Xlint:all", "-Werror", "-cp", jar, "-d", folder, *files])
        return [tool("java"), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{jar}:{folder}", "Probe"]
    if language == "luajit":
        return ["env", f"LUA_PATH={source}/?.lua", tool("luajit"), source / "tests/probe.lua"]
    if language == "ruby":
        return [tool("ruby"), "-w", "-I", source, source / "tests/probe.rb"]
    assert language == "node"
    for name in ("backbone.js", "backbone_node.c", "tests/probe.js"):
        shutil.copy(source / name, folder)
    flags = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    include = [f"-I{ROOT / 'include'}", f"-I{node_headers()}"]
    run(["cc", *flags, *include, folder / "backbone_node.c", "-o", folder / "backbone.node", "-ldl"])
    return [tool("node"), "--expose-gc", folder / "probe.js"]
