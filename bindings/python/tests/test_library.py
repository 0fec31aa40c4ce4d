# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Where the library is looked for, each case in a Python of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import backbone
from backbone import _library

PACKAGE = Path(backbone.__file__).parent


@pytest.fixture
def library_of_version(tmp_path):
    """Compile a library that answers with a version of its own, so that a test sees which one was loaded."""

    def compile(path, version, abi_version=1, leave_out=()):
        source = tmp_path / "library.c"
        lines = [
            f'const char *backbone_version_string(void) {{ return "{version}"; }}',
            f"int backbone_abi_version(void) {{ return {abi_version}; }}",
        ]
        others = set(_library.SIGNATURES) - {"backbone_version_string", "backbone_abi_version"} - set(leave_out)
        lines += [f"int {name}(void) {{ return 1; }}" for name in sorted(others)]
        source.write_text("\n".join(lines))
        path.parent.mkdir(parents=True, exist_ok=True)
        soname = f"-Wl,-soname,{path.name}"
        subprocess.run(["gcc", "-shared", "-fPIC", soname, "-o", path, source], check=True)
        return path

    return compile


@pytest.fixture
def package(tmp_path):
    """A copy of the package without a library."""
    copy = tmp_path / "site" / "backbone"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.so*"))
    return copy


def run(package, library=None, library_path=None):
    environment = {k: v for k, v in os.environ.items() if k not in ("BACKBONE_LIBRARY", "LD_LIBRARY_PATH")}
    environment["PYTHONPATH"] = str(package.parent)
    if library:
        environment["BACKBONE_LIBRARY"] = str(library)
    if library_path:
        environment["LD_LIBRARY_PATH"] = str(library_path)
    program = "import backbone; print(backbone.library_version())"
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=package.parent, env=environment, capture_output=True, text=True)


def test_library_is_found_in_the_package_then_by_variable_then_by_the_loader(package, tmp_path, library_of_version):
    by_loader = library_of_version(tmp_path / "system" / "libbackbone.so.1", "by-loader").parent
    assert run(package, library_path=by_loader).stdout == "by-loader\n"
    by_variable = library_of_version(tmp_path / "elsewhere" / "any-name.so", "by-variable")
    assert run(package, by_variable, by_loader).stdout == "by-variable\n"
    library_of_version(package / "libbackbone.so", "in-package")
    assert run(package, by_variable, by_loader).stdout == "in-package\n"


def test_variable_that_names_no_library_is_an_error_and_does_not_fall_through(package, tmp_path, library_of_version):
    by_loader = library_of_version(tmp_path / "system" / "libbackbone.so.1", "by-loader").parent
    result = run(package, tmp_path / "nowhere.so", by_loader)
    assert result.returncode != 0
    assert "ImportError: libbackbone cannot be loaded: " in result.stderr
    assert "nowhere.so" in result.stderr and "BACKBONE_LIBRARY" in result.stderr


def test_no_library_anywhere_says_where_it_was_looked_for(package):
    result = run(package)
    assert result.returncode != 0
    assert "ImportError: libbackbone cannot be loaded: libbackbone.so.1" in result.stderr


def test_another_abi_version_is_refused(package, tmp_path, library_of_version):
    # It lacks a function too: the version must be asked before anything else.
    library = library_of_version(tmp_path / "newer.so", "9.0.0", abi_version=2, leave_out=["backbone_freeze"])
    result = run(package, library)
    assert result.returncode != 0
    assert f"ImportError: {library} has ABI version 2; this package needs 1" in result.stderr


def test_a_library_that_lacks_a_function_is_refused(package, tmp_path, library_of_version):
    library = library_of_version(tmp_path / "partial.so", "0.1.0", leave_out=["backbone_freeze"])
    result = run(package, library)
    assert result.returncode != 0
    assert "is not libbackbone" in result.stderr and "backbone_freeze" in result.stderr


def test_import_leaves_the_network_unbuilt_and_starts_no_thread():
    program = "import backbone, os; print(len(os.listdir('/proc/self/task')))"
    alone = "import numpy, os; print(len(os.listdir('/proc/self/task')))"
    environment = dict(os.environ, PYTHONPATH=str(PACKAGE.parent), OPENBLAS_NUM_THREADS="1")
    counts = [
        subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True, check=True).stdout
        for text in (program, alone)
    ]
    assert counts[0] == counts[1]
