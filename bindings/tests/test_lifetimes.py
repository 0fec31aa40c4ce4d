# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""When networks are freed: once, never during a call, and never used after that."""

import shutil
import subprocess

import commands
import languages
import numpy as np
import pytest
from commands import result
from fixture_cases import MODELS
from languages import BINDINGS, LANGUAGES, run

CLOSED = "error 1 this ResNet is closed"

# Rust ends the life of a network when it is closed, and its compiler sees that nothing uses it any more.
WITH_CLOSE = tuple(language for language in LANGUAGES if language != "rust")
# Lua has no threads, and Rust no network that one thread frees and another one uses.
WITH_THREADS = tuple(language for language in WITH_CLOSE if language != "luajit")


@pytest.mark.parametrize("language", WITH_CLOSE)
def test_a_closed_network_says_so(language, probe, tmp_path):
    script = commands.Script(tmp_path)
    image = script.image("image", np.zeros((1, 3, 8, 8), np.float32), "nchw")
    load = commands.load(MODELS / "resnet18.pth")
    uses = ("options", "init 1", load, f"save {tmp_path}/x.pth", "freeze 1", "training 1", "shapes 1 3 8 8")
    script.add(f"create {commands.SMALL}", "close", "close", *uses)
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
    load, from_file = (commands.load(MODELS / "resnet18.pth", command) for command in ("load", "from_file"))
    lines = (f"create {commands.SMALL}", load, "close", from_file, "close")
    assert counted(probe(language), counting, tmp_path, *lines)[1] == [2, 2, 2, 2, 0]


TRAINED = ("build depth=18 base_channels=4", "tape 0 0", "optimizer 0 0 - - - - - -")
FREED = ("free tape", "free optimizer")


@pytest.mark.parametrize("language", WITH_CLOSE)
def test_a_closed_tape_or_optimizer_says_so(language, probe, tmp_path):
    script = commands.Script(tmp_path)
    image = script.image("image", np.zeros((1, 3, 32, 32), np.float32), "nchw")
    script.add(*TRAINED, *FREED, *FREED, f"forward_train {image} {{out}}/x", "bytes", "follow", "close")
    lines = result(probe(language), script, tmp_path).lines
    tape, optimizer = ("error 1 this Tape is closed", "error 1 this Optimizer is closed")
    assert lines == ["created", *["ok"] * 6, tape, tape, optimizer, "closed"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("end", [(*FREED, "close"), ("close", *FREED), (FREED[1], "close", FREED[0])])
def test_tapes_and_optimizers_are_freed_in_any_order(language, end, probe, counting, tmp_path):
    assert counted(probe(language), counting, tmp_path, *TRAINED, *end)[1] == [3, 3, 0, 0, 0]


@pytest.mark.parametrize("language", WITH_CLOSE)
def test_tapes_and_optimizers_that_nobody_closes_are_collected(language, probe, counting, tmp_path):
    lines, (created, freed, _, _, wrong) = counted(probe(language), counting, tmp_path, "churn_training 10")
    assert lines == ["churned 10"]
    assert created == 30 and freed >= 20 and wrong == 0, (created, freed, wrong)


@pytest.mark.parametrize("language", WITH_CLOSE)
def test_what_nobody_closes_is_collected_and_never_during_a_call(language, probe, counting, tmp_path):
    # Networks whose last use is a forward pass, and a collector that runs all the time.
    lines, (created, freed, _, _, wrong) = counted(probe(language), counting, tmp_path, "churn 20")
    assert lines == ["churned 20"]
    assert created == 20 and freed >= 15 and wrong == 0, (created, freed, wrong)


@pytest.mark.parametrize("language", WITH_THREADS)
def test_a_network_closed_during_a_call_is_freed_after_it(language, probe, counting, tmp_path):
    # Programs wait 200 ms after they have started a thread for the call.
    lines, counts = counted(probe(language), counting, tmp_path, "race", sleep=600)
    assert lines == ["closed during the call", "the call gave 4 features"]
    assert counts == [1, 1, 0, 0, 0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_another_thread_cancels_a_call(language, probe, tmp_path):
    script = commands.Script(tmp_path)
    large = script.image("large", np.zeros((4, 3, 1024, 1024), np.float32), "nchw")
    small = script.image("small", np.ones((1, 3, 32, 32), np.float32), "nchw")
    script.add("build depth=50 base_channels=16 threads=2", f"forward {small} {{out}}/before")
    script.add(f"cancel {large} {{out}}/x", f"forward {small} {{out}}/after", "close")
    lines = result(probe(language), script, tmp_path).lines
    assert lines == ["created", "ok", "error 8 the call was cancelled by backbone_cancel", "ok", "closed"]
    assert (tmp_path / "after").read_bytes() == (tmp_path / "before").read_bytes()


def test_node_trains_in_a_worker(probe, tmp_path):
    script = commands.Script(tmp_path)
    script.add("worker")
    assert result(probe("node"), script, tmp_path).lines == ["the same values, many turns"]


def test_rust_refuses_to_compile_a_use_after_the_end(tmp_path):
    shutil.copy(BINDINGS / "rust/backbone.rs", tmp_path)
    start = "mod backbone;\nfn main() {\n    let options = backbone::Options::new().unwrap();\n"
    start += "    let net = backbone::ResNet::new(&options).unwrap();\n"
    uses = {
        "moved": "drop(net);\n    net.freeze(1).unwrap();",
        "borrowed": "let reference = &net;\n    drop(net);\n    reference.training().unwrap();",
    }
    codes = {"moved": "E0382", "borrowed": "E0505"}
    for name, use in uses.items():
        (tmp_path / f"{name}.rs").write_text(f"{start}    {use}\n}}\n")
        command = [languages.tool("rustc"), "--edition", "2021", "--emit", "metadata", f"{name}.rs"]
        compiled = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert compiled.returncode != 0 and codes[name] in compiled.stderr and compiled.stderr.count("error[") == 1
