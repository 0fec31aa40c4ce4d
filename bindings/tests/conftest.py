# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The programs that the tests compare: the one in C, and those of the bindings, each built once."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import commands
import header
import languages
import pytest
from commands import result
from languages import BINDINGS, LIBRARY, ROOT


def compile_c(folder, source, output, *flags):
    strict = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", f"-I{ROOT / 'include'}", f"-I{folder}"]
    subprocess.run(["gcc", *strict, BINDINGS / "tests" / source, *flags, "-o", folder / output], check=True)
    return folder / output


@pytest.fixture(scope="session")
def reference(tmp_path_factory):
    """The program in C."""
    folder = tmp_path_factory.mktemp("reference")
    lines = []
    for name, fields in header.structs().items():
        facts = f"SIZE({name}); " + " ".join(f"FIELD({name}, {field});" for field in fields)
        lines.append(f'if (strcmp(name, "{name}") == 0) {{ {facts} }}\n')
    (folder / "layout.inc").write_text("".join(lines))
    return [compile_c(folder, "probe.c", "probe", LIBRARY, f"-Wl,-rpath,{LIBRARY.parent}")]


@pytest.fixture(scope="session")
def counting(tmp_path_factory):
    """A library that counts what is created and freed."""
    folder = tmp_path_factory.mktemp("counting")
    return compile_c(
        folder,
        "counting.c",
        "libcounting.so",
        "-shared",
        "-fPIC",
        "-Wl,--no-as-needed",
        LIBRARY,
        f"-Wl,-rpath,{LIBRARY.parent}",
    )


@pytest.fixture(scope="session")
def probe(tmp_path_factory):
    """Give the command that runs the program of a language. All are built at once, and waited for when needed."""
    with ThreadPoolExecutor(os.cpu_count()) as builders:
        building = {
            language: builders.submit(languages.build, language, tmp_path_factory.mktemp(language))
            for language in languages.LANGUAGES
        }
        yield lambda language: building[language].result()


@pytest.fixture(scope="session")
def expected(tmp_path_factory, reference):
    """Scripts with what C makes of them."""
    made = {}
    makers = (
        commands.numbers,
        commands.states,
        commands.architectures,
        commands.outputs,
        commands.training,
        commands.errors,
    )
    for make in makers:
        script = make(tmp_path_factory.mktemp("inputs"))
        made[make.__name__] = script, result(reference, script, tmp_path_factory.mktemp("of-c"))
    return made
