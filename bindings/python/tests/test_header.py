# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone._library` against include/backbone.h, as its text says it and as a C compiler lays it out."""

import ctypes
import json
import subprocess
from ctypes import POINTER, c_char_p, c_double, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

import header
import pytest

import backbone
from backbone import _library

# Every C type in a signature of the header, without spaces. A type that is not here fails the test.
CTYPES = {
    "void": None,
    "constchar*": c_char_p,
    "constchar**": POINTER(c_char_p),
    "int32_t": c_int32,
    "int32_t*": POINTER(c_int32),
    "uint32_t": c_uint32,
    "uint64_t": c_uint64,
    # Through c_void_p an address costs ctypes less than through POINTER(c_float).
    "float*": c_void_p,
    "constfloat*": c_void_p,
    "size_t": c_size_t,
    "size_t*": POINTER(c_size_t),
    "constsize_t*": POINTER(c_size_t),
    "void*": c_void_p,
    "constvoid*": c_void_p,
    "constint64_t[4]": POINTER(c_int64),
    "int64_t*": POINTER(c_int64),
    "constint64_t*": POINTER(c_int64),
    "double": c_double,
    "double*": POINTER(c_double),
    "backbone_status": c_int32,
    "backbone*": c_void_p,
    "constbackbone*": c_void_p,
    "backbone**": POINTER(c_void_p),
    "backbone_report*": c_void_p,
    "constbackbone_report*": c_void_p,
    "backbone_report**": POINTER(c_void_p),
    "backbone_options*": POINTER(_library.Options),
    "constbackbone_options*": POINTER(_library.Options),
    "backbone_load_options*": POINTER(_library.LoadOptions),
    "constbackbone_load_options*": POINTER(_library.LoadOptions),
    "backbone_report_entry*": POINTER(_library.ReportEntry),
    "backbone_entry_info*": POINTER(_library.EntryInfo),
    "constbackbone_tensor*": POINTER(_library.Tensor),
    "backbone_layer*": POINTER(_library.Layer),
    "backbone_tape*": c_void_p,
    "constbackbone_tape*": c_void_p,
    "backbone_tape**": POINTER(c_void_p),
    "backbone_tape_options*": POINTER(_library.TapeOptions),
    "constbackbone_tape_options*": POINTER(_library.TapeOptions),
    "backbone_optimizer*": c_void_p,
    "constbackbone_optimizer*": c_void_p,
    "backbone_optimizer**": POINTER(c_void_p),
    "backbone_optimizer_options*": POINTER(_library.OptimizerOptions),
    "constbackbone_optimizer_options*": POINTER(_library.OptimizerOptions),
}

STRUCTS = {
    "backbone_options": _library.Options,
    "backbone_load_options": _library.LoadOptions,
    "backbone_report_entry": _library.ReportEntry,
    "backbone_entry_info": _library.EntryInfo,
    "backbone_tensor": _library.Tensor,
    "backbone_layer": _library.Layer,
    "backbone_tape_options": _library.TapeOptions,
    "backbone_parameter_group": _library.ParameterGroup,
    "backbone_optimizer_options": _library.OptimizerOptions,
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """What a C program sees: sizes, offsets and values."""
    lines = []
    for name, kind in STRUCTS.items():
        lines.append(f'printf("\\"{name}\\": %zu,\\n", sizeof({name}));')
        for field, *_ in kind._fields_:
            lines.append(
                f'printf("\\"{name}.{field}\\": [%zu, %zu],\\n", offsetof({name}, {field}), '
                f"sizeof((({name} *)0)->{field}));"
            )
    for name in sorted(header.constants()):
        if name == "BACKBONE_VERSION_STRING":
            lines.append(f'printf("\\"{name}\\": \\"%s\\",\\n", {name});')
        elif name.startswith("BACKBONE_IMAGENET"):
            lines.append(f"{{ const float v[] = {name};")
            lines.append(f'printf("\\"{name}\\": [%.9g, %.9g, %.9g],\\n", v[0], v[1], v[2]); }}')
        else:
            lines.append(f'printf("\\"{name}\\": %lld,\\n", (long long)({name}));')
    folder = tmp_path_factory.mktemp("header")
    body = "\n    ".join(lines)
    (folder / "print.c").write_text(
        f'#include "{header.PATH}"\n#include <stdio.h>\n'
        f'int main(void) {{\n    puts("{{");\n    {body}\n    puts("\\"end\\": 0}}");\n    return 0;\n}}\n'
    )
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["gcc", *flags, "-o", folder / "print", folder / "print.c"], check=True)
    return json.loads(subprocess.run([folder / "print"], check=True, capture_output=True, text=True).stdout)


def test_every_function_of_the_header_has_a_signature_and_no_other():
    assert len(header.functions()) > 20
    assert set(_library.SIGNATURES) == set(header.functions())


@pytest.mark.parametrize("name", sorted(header.functions()))
def test_signature_is_that_of_the_header(name):
    result, arguments = header.functions()[name]
    assert _library.SIGNATURES[name] == (CTYPES[result.replace(" ", "")], [CTYPES[a] for a in arguments])


def test_every_struct_of_the_header_is_here_field_by_field():
    fields = {name: [field for field, *_ in kind._fields_] for name, kind in STRUCTS.items()}
    assert fields == header.structs()


@pytest.mark.parametrize("name", sorted(STRUCTS))
def test_struct_is_laid_out_as_by_the_c_compiler(name, compiled):
    kind = STRUCTS[name]
    assert ctypes.sizeof(kind) == compiled[name]
    for field, *_ in kind._fields_:
        descriptor = getattr(kind, field)
        assert [descriptor.offset, descriptor.size] == compiled[f"{name}.{field}"], field


def test_tensors_are_packed_as_they_are_laid_out():
    from backbone import _arrays

    assert _arrays._FIELDS.size == ctypes.sizeof(_library.Tensor)
    tensor = _library.Tensor.from_buffer_copy(_arrays._FIELDS.pack(2**63, 2, 3, *range(4, 12)))
    assert (tensor.data, tensor.dtype, tensor.reserved) == (2**63, 2, 3)
    assert [*tensor.shape, *tensor.strides] == list(range(4, 12))


def test_constants_are_those_of_the_header(compiled):
    expected = {name.removeprefix("BACKBONE_"): compiled[name] for name in header.constants()}
    expected = {
        name: [pytest.approx(v, rel=1e-7) for v in value] if isinstance(value, list) else value
        for name, value in expected.items()
    }
    here = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in vars(_library).items()
        if name.isupper() and name not in ("SIGNATURES", "POINTER")
    }
    assert len(here) > 30
    assert here == expected


def test_version_is_that_of_the_header_and_of_the_library():
    assert backbone.__version__ == _library.VERSION_STRING == backbone.library_version()
    numbers = (_library.VERSION_MAJOR, _library.VERSION_MINOR, _library.VERSION_PATCH)
    assert backbone.__version__ == ".".join(map(str, numbers))


@pytest.mark.parametrize("status", range(11))
def test_every_status_has_a_text_and_an_exception(status):
    from backbone import _errors

    text = _library.lib.backbone_status_string(status)
    assert text
    assert text != _library.lib.backbone_status_string(99)
    assert (status in _errors._EXCEPTIONS) == (status != _library.STATUS_OK)
