# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What the languages see of backbone.h: the same structs as C, and in Rust all functions and constants too."""

import re
import subprocess

import header
import pytest
from languages import BINDINGS, LANGUAGES, run

USED = [
    "backbone_options",
    "backbone_load_options",
    "backbone_tensor",
    "backbone_tape_options",
    "backbone_parameter_group",
    "backbone_optimizer_options",
]
# The bindings for Go and Node.js are compiled with the header itself.
WITH_STRUCTS = tuple(language for language in LANGUAGES if language not in ("go", "node"))


@pytest.mark.parametrize("language", WITH_STRUCTS)
def test_structs_are_laid_out_as_in_c(language, probe, reference):
    names = list(header.structs()) if language == "rust" else USED
    text = f"layout {' '.join(names)}\n"
    of_c = run(reference, text=text)
    assert len(of_c.splitlines()) == sum(len(header.structs()[name]) + 1 for name in names)
    assert run(probe(language), text=text) == of_c


def test_rust_has_every_function_of_the_header(probe):
    assert sorted(run(probe("rust"), text="functions\n").split()) == sorted(header.functions())


RUST_TYPES = {
    "void": "",
    "void*": "*mut c_void",
    "constvoid*": "*const c_void",
    "constchar*": "*const c_char",
    "constchar**": "*mut *const c_char",
    "int32_t": "i32",
    "int32_t*": "*mut i32",
    "int64_t*": "*mut i64",
    "constint64_t*": "*const i64",
    "constint64_t[4]": "*const i64",
    "uint32_t": "u32",
    "uint64_t": "u64",
    "float*": "*mut f32",
    "constfloat*": "*const f32",
    "double": "f64",
    "double*": "*mut f64",
    "size_t": "usize",
    "size_t*": "*mut usize",
    "constsize_t*": "*const usize",
    "backbone_status": "i32",
}
RUST_STRUCTS = {
    "backbone": "Backbone",
    "backbone_report": "Report",
    "backbone_options": "Options",
    "backbone_load_options": "LoadOptions",
    "backbone_report_entry": "ReportEntry",
    "backbone_entry_info": "EntryInfo",
    "backbone_tensor": "Tensor",
    "backbone_layer": "Layer",
    "backbone_tape": "Tape",
    "backbone_tape_options": "TapeOptions",
    "backbone_optimizer": "Optimizer",
    "backbone_optimizer_options": "OptimizerOptions",
}
for c_name, rust_name in RUST_STRUCTS.items():
    RUST_TYPES |= {f"{c_name}*": f"*mut {rust_name}", f"const{c_name}*": f"*const {rust_name}"}
    RUST_TYPES[f"{c_name}**"] = f"*mut *mut {rust_name}"


def test_rust_has_the_signatures_and_constants_of_the_header(tmp_path):
    text = (BINDINGS / "rust/backbone.rs").read_text()
    found = {}
    for name, arguments, returned in re.findall(
        r"^ +fn (backbone_\w+)\(([^)]*)\)(?: -> ([^;]+))?;", text, re.MULTILINE
    ):
        found[name] = returned, [part.split(": ")[1].strip() for part in arguments.split(",") if part.strip()]
    wanted = {
        name: (RUST_TYPES[returned.replace(" ", "")], [RUST_TYPES[argument] for argument in arguments])
        for name, (returned, arguments) in header.functions().items()
    }
    assert found == wanted
    constants = dict(re.findall(r"^ +pub const ([A-Z0-9_]+): \w+ = (-?\d+);", text, re.MULTILINE))
    others = ("VERSION_MAJOR", "VERSION_MINOR", "VERSION_PATCH", "VERSION_STRING")
    names = {name.removeprefix("BACKBONE_") for name in header.constants()}
    assert set(constants) == {name for name in names if name not in others and not name.startswith("IMAGENET")}
    lines = [f'_Static_assert(BACKBONE_{name} == {value}, "{name}");' for name, value in constants.items()]
    (tmp_path / "constants.c").write_text(f'#include "{header.PATH}"\n' + "\n".join(lines) + "\n")
    subprocess.run(["gcc", "-fsyntax-only", tmp_path / "constants.c"], check=True)
