# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Which library a binding opens, and which it refuses."""

import subprocess

import commands
import header
import pytest
from languages import LANGUAGES, LIBRARY, run


def fake_library(path, abi_version, names):
    """A library whose functions do nothing, with an ABI version."""
    lines = [f"int backbone_abi_version(void) {{ return {abi_version}; }}"]
    lines += [f"int {name}(void) {{ return 0; }}" for name in sorted(set(names) - {"backbone_abi_version"})]
    source = path.with_suffix(".c")
    source.write_text("\n".join(lines) + "\n")
    subprocess.run(["gcc", "-w", "-shared", "-fPIC", source, "-o", path], check=True)
    return path


@pytest.mark.parametrize("language", LANGUAGES)
def test_library_is_found_by_path_by_variable_and_by_the_loader(language, probe, expected, tmp_path):
    (version,) = (line for line in expected["states"][1].lines if line.startswith("version"))
    again = f"error 4 libbackbone is loaded already, from {LIBRARY}"
    opened = run(probe(language), text=f"open {LIBRARY}\nversion\nopen {LIBRARY}\n", library="/nowhere.so")
    assert opened.splitlines() == ["ok", version, again]
    assert run(probe(language), text="version\n").splitlines() == [version]
    (tmp_path / "libbackbone.so.1").symlink_to(LIBRARY)
    by_loader = run(probe(language), text="version\n", library="", LD_LIBRARY_PATH=str(tmp_path))
    assert by_loader.splitlines() == [version]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_library_that_does_not_fit_is_refused(language, probe, tmp_path):
    create = f"create {commands.SMALL}\n"
    missing = run(probe(language), text=create, library="/nowhere.so")
    assert missing.startswith("error 4 libbackbone cannot be loaded: ") and "/nowhere.so" in missing
    assert "BACKBONE_LIBRARY" in missing and "libbackbone.so.1" in missing
    names = set(header.functions())
    other = fake_library(tmp_path / "other.so", 2, names - {"backbone_freeze"})
    needs = f"error 4 {other} has ABI version 2; this binding needs 1\n"
    assert run(probe(language), text=create, library=other) == needs
    lacking = fake_library(tmp_path / "lacking.so", 1, names - {"backbone_freeze"})
    lacks = f"error 4 {lacking} is not libbackbone: it lacks backbone_freeze\n"
    assert run(probe(language), text=create, library=lacking) == lacks
