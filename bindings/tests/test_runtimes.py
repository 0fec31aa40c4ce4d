# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The bindings in other languages: what their programs print and compute is what C does, bit for bit."""

import collections
import re
import shutil
import subprocess

import fixture_cases
import header
import languages
import numpy as np
import pytest
import scripts
from accuracy import BOUNDS
from fixture_cases import MODELS, NARROW
from languages import BINDINGS, LANGUAGES, LIBRARY, ROOT, run

CLOSED = "error 1 this ResNet is closed"
Result = collections.namedtuple("Result", "lines folder")

# Rust ends the life of a network when it is closed, and its compiler sees that nothing uses it any more.
WITH_CLOSE = tuple(language for language in LANGUAGES if language != "rust")
# Lua has no threads, and Rust no network that one thread frees and another one uses.
WITH_THREADS = tuple(language for language in WITH_CLOSE if language != "luajit")


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
        folder, "counting.c", "libcounting.so", "-shared", "-fPIC", "-Wl,--no-as-needed", LIBRARY, f"-Wl,-rpath,{LIBRARY.parent}"
    )


@pytest.fixture(scope="session")
def probe(tmp_path_factory):
    """Give the command that runs the program of a language, which is built once."""
    built = {}

    def command(language):
        if language not in built:
            built[language] = None
            built[language] = languages.build(language, "tests/probe", tmp_path_factory.mktemp(language))
        assert built[language], f"the program in {language} could not be built"
        return built[language]

    return command


@pytest.fixture(scope="session")
def expected(tmp_path_factory, reference):
    """Scripts with what C makes of them."""
    made = {}
    for make in (scripts.numbers, scripts.states, scripts.errors):
        script = make(tmp_path_factory.mktemp("inputs"))
        made[make.__name__] = script, result(reference, script, tmp_path_factory.mktemp("of-c"))
    return made


def result(command, script, folder):
    text = run(command, text=script.text(folder))
    return Result(text.replace(str(folder), "{out}").splitlines(), folder)


def check(expected, name, command, folder):
    """One script through a binding: every line and every byte is C's."""
    script, of_c = expected[name]
    of_binding = result(command, script, folder)
    for command_line, here, there in zip(script.lines, of_binding.lines, of_c.lines, strict=True):
        assert here == there, command_line
    for key, output in script.outputs.items():
        here, there = ((which.folder / output).read_bytes() for which in (of_binding, of_c))
        assert len(there) > 0 and here == there, key
    return of_binding


def test_numbers_of_c_are_those_that_pytorch_computed(expected):
    script, of_c = expected["numbers"]
    assert not [line for line in of_c.lines if line.startswith("error")]
    compared = 0
    for depth in fixture_cases.CHECKPOINTS:
        with np.load(MODELS / f"resnet{depth}.npz") as stored:
            for case in NARROW:
                for layout in ("nchw", "nhwc"):
                    values = np.fromfile(of_c.folder / script.outputs[depth, case.name, layout], np.float32)
                    for stage in range(4):
                        key = f"narrow/{case.name}/C{stage + 2}"
                        shape = stored[f"{key}/shape"]
                        feature, values = np.split(values, [np.prod(shape)])
                        errors = fixture_cases.relative_errors(stored, key, feature.reshape(shape))
                        assert max(errors) <= BOUNDS[stage], (depth, key, layout)
                        compared += 1
                    assert values.size == 0
    assert compared == 5 * 5 * 2 * 4


@pytest.mark.parametrize("language", LANGUAGES)
def test_features_are_the_bits_of_c(language, expected, probe, tmp_path):
    check(expected, "numbers", probe(language), tmp_path)


@pytest.mark.parametrize("language", LANGUAGES)
def test_states_and_reports_are_those_of_c(language, expected, probe, tmp_path):
    of_binding = check(expected, "states", probe(language), tmp_path)
    of_c = expected["states"][1]
    for name in ("saved.pth", "saved.safetensors"):
        assert (of_binding.folder / name).read_bytes() == (of_c.folder / name).read_bytes()


def test_commands_of_errors_are_refused_by_c(expected):
    lines = expected["errors"][1].lines
    statuses = collections.Counter(re.match(r"error (\d)", line)[1] for line in lines if line.startswith("error"))
    assert set(statuses) == {"1", "3", "4", "5", "6"} and sum(statuses.values()) >= 20, lines


@pytest.mark.parametrize("language", LANGUAGES)
def test_errors_are_those_of_c(language, expected, probe, tmp_path):
    check(expected, "errors", probe(language), tmp_path)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_c_could_not_notice_is_refused(language, probe, tmp_path):
    script = scripts.Script(tmp_path)
    image = script.image("image", np.zeros((1, 3, 8, 8), np.float32), "nchw")
    short = image.replace("1 3 8 8", "1 3 8 9")
    script.add(
        "create 18 3 4 15 -1 0 0 2 0 0 0 1e-5 1,2 -",
        "create 18 3 4 15 -1 0 0 2 0 0 0 1e-5 - 1,2,3,4",
        f"create {scripts.SMALL}",
        f"forward {short} {{out}}/x",
        f"forward_into {image.replace('8 8', '8 7')} {{out}}/x",
        f"forward_short {image} {{out}}/x",
        f"forward_fewer {image} {{out}}/x",
        "load 0 - - /a\0b",
        "save /a\0b.pth",
        f"forward {image} {{out}}/x",
        "close",
    )
    assert result(probe(language), script, tmp_path).lines == [
        "error 1 mean has 2 values; it must have one for each of in_channels, 3",
        "error 1 std_dev has 4 values; it must have one for each of in_channels, 3",
        "created",
        "error 1 the input has 192 elements; shape (1, 3, 8, 9) needs 216",
        "error 1 the input has 192 elements; shape (1, 3, 8, 7) needs 168",
        "error 1 out[0] has 15 elements; shape (1, 4, 2, 2) needs 16",
        "error 1 out has 1 buffers; this network gives 4",
        "error 1 path contains a zero byte",
        "error 1 path contains a zero byte",
        "ok",
        "closed",
    ]


@pytest.mark.parametrize("language", WITH_CLOSE)
def test_a_closed_network_says_so(language, probe, tmp_path):
    script = scripts.Script(tmp_path)
    image = script.image("image", np.zeros((1, 3, 8, 8), np.float32), "nchw")
    load = f"load 0 - - {MODELS / 'resnet18.pth'}"
    uses = ("options", "init 1", load, f"save {tmp_path}/x.pth", "freeze 1", "training 1", "shapes 1 3 8 8")
    script.add(f"create {scripts.SMALL}", "close", "close", *uses)
    script.add(f"forward {image} {tmp_path}/x", f"forward_into {image} {tmp_path}/x", "close")
    lines = result(probe(language), script, tmp_path).lines
    assert lines == ["created", "closed", "closed", *[CLOSED] * (len(uses) + 2), "closed"]


def counted(command, counting, tmp_path, *lines, sleep=10):
    """What the counting library counted: created, freed, reports, freed reports, wrong."""
    counts = tmp_path / "counts"
    text = run(command, library=counting, text="\n".join(lines) + "\n", COUNTS=str(counts), SLEEP=str(sleep))
    assert "error" not in text, text
    return text.splitlines(), [int(word) for word in counts.read_text().split()]


@pytest.mark.parametrize("language", LANGUAGES)
def test_networks_and_reports_are_freed_once(language, probe, counting, tmp_path):
    load = f"0 - - {MODELS / 'resnet18.pth'}"
    lines = (f"create {scripts.SMALL}", f"load {load}", "close", f"from_file {load}", "close")
    assert counted(probe(language), counting, tmp_path, *lines)[1] == [2, 2, 2, 2, 0]


@pytest.mark.parametrize("language", WITH_CLOSE)
def test_what_nobody_closes_is_collected_and_never_during_a_call(language, probe, counting, tmp_path):
    # Networks whose last use is a forward, and a collector that runs all the time.
    lines, (created, freed, _, _, wrong) = counted(probe(language), counting, tmp_path, "churn 30")
    assert lines == ["churned 30"]
    assert created == 30 and freed >= 25 and wrong == 0, (created, freed, wrong)


@pytest.mark.parametrize("language", WITH_THREADS)
def test_a_network_closed_during_a_call_is_freed_after_it(language, probe, counting, tmp_path):
    # Programs wait 200 ms after they have started a thread for the call.
    lines, counts = counted(probe(language), counting, tmp_path, "race", sleep=600)
    assert lines == ["closed during the call", "the call gave 4 features"]
    assert counts == [1, 1, 0, 0, 0]


def test_rust_refuses_to_compile_a_use_after_the_end(tmp_path):
    shutil.copy(BINDINGS / "rust/backbone.rs", tmp_path)
    good = "mod backbone;\nfn main() {\n    let net = backbone::ResNet::new(&backbone::Options::new().unwrap()).unwrap();\n"
    uses = {"moved": "drop(net);\n    net.freeze(1).unwrap();", "borrowed": "let f = &net;\n    drop(net);\n    f.training().unwrap();"}
    codes = {"moved": "E0382", "borrowed": "E0505"}
    for name, use in uses.items():
        (tmp_path / f"{name}.rs").write_text(f"{good}    {use}\n}}\n")
        command = [languages.tool("rustc"), "--edition", "2021", "--emit", "metadata", f"{name}.rs"]
        compiled = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert compiled.returncode != 0 and codes[name] in compiled.stderr and compiled.stderr.count("error[") == 1


# ---- The library that is loaded ----


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
    create = f"create {scripts.SMALL}\n"
    missing = run(probe(language), text=create, library="/nowhere.so")
    assert missing.startswith("error 4 libbackbone cannot be loaded: ") and "/nowhere.so" in missing
    assert "BACKBONE_LIBRARY" in missing and "libbackbone.so.1" in missing
    names = set(header.functions())
    other = fake_library(tmp_path / "other.so", 2, names - {"backbone_freeze"})
    needs = f"error 4 {other} has ABI version 2; this binding needs 1\n"
    assert run(probe(language), text=create, library=other) == needs
    lacking = fake_library(tmp_path / "lacking.so", 1, names - {"backbone_freeze"})
    lacks = f"error 4 {lacking} is no libbackbone: it lacks backbone_freeze\n"
    assert run(probe(language), text=create, library=lacking) == lacks


# ---- What each language sees of the header ----

USED = ["backbone_options", "backbone_load_options", "backbone_tensor"]
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
    "constint64_t[4]": "*const i64",
    "uint64_t": "u64",
    "size_t": "usize",
    "size_t*": "*mut usize",
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
}
for c_name, rust_name in RUST_STRUCTS.items():
    RUST_TYPES |= {f"{c_name}*": f"*mut {rust_name}", f"const{c_name}*": f"*const {rust_name}"}
    RUST_TYPES[f"{c_name}**"] = f"*mut *mut {rust_name}"


def test_rust_has_the_signatures_and_constants_of_the_header(tmp_path):
    text = (BINDINGS / "rust/backbone.rs").read_text()
    found = {}
    for name, arguments, returned in re.findall(r"^ +fn (backbone_\w+)\(([^)]*)\)(?: -> ([^;]+))?;", text, re.MULTILINE):
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
    lines = [f"_Static_assert(BACKBONE_{name} == {value}, \"{name}\");" for name, value in constants.items()]
    (tmp_path / "constants.c").write_text(f'#include "{header.PATH}"\n' + "\n".join(lines) + "\n")
    subprocess.run(["gcc", "-fsyntax-only", tmp_path / "constants.c"], check=True)


# ---- The examples ----


@pytest.mark.parametrize("language", LANGUAGES)
def test_example_runs_as_printed(language, tmp_path_factory, tmp_path):
    import backbone

    command = languages.build(language, "example", tmp_path_factory.mktemp(f"{language}-example"))
    pixels = np.random.default_rng(5).integers(0, 256, (224, 224, 3), np.uint8)
    pixels.tofile(tmp_path / "image.rgb")
    printed = run([*command, MODELS / "resnet50.pth", tmp_path / "image.rgb"])
    with backbone.ResNet.from_file(
        MODELS / "resnet50.pth", mean=backbone.IMAGENET_MEAN, std=backbone.IMAGENET_STD
    ) as net:
        features = net(pixels.transpose(2, 0, 1)[None])
    for line, stage, feature in zip(printed.splitlines(), (2, 3, 4, 5), features, strict=True):
        name, *sizes, mean = re.findall(r"C\d|-?\d+\.\d+|\d+", line)
        assert (name, [int(size) for size in sizes]) == (f"C{stage}", list(feature.shape))
        assert float(mean) == pytest.approx(feature.mean(dtype=np.float64), abs=1e-6)
