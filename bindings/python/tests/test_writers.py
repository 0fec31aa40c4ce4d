# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Every row of the tables of writers in docs/checkpoints.md, through every way to load a file."""

import contextlib
import json
import os
import re
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from refused_writers import REFUSED
from writers import COUNTER, WRITERS

import backbone
from backbone.command.group import commands

PAGE = Path(__file__).resolve().parents[3] / "docs/checkpoints.md"


def rows_below(heading):
    """The cells of the table below a heading of the page, by the first of each row."""
    section = PAGE.read_text().partition(f"\n### {heading}\n")[2].partition("\n#")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert len({row[0] for row in rows}) == len(rows)
    return {row[0]: row[1:] for row in rows}


LOADING, REFUSING = rows_below("Writers whose files load"), rows_below("Writers whose files are refused")


@pytest.mark.parametrize(("rows", "cases"), [(LOADING, WRITERS), (REFUSING, REFUSED)])
def test_rows_of_the_page_are_those_that_are_tested(rows, cases):
    assert list(rows) == [case.row for case in cases]


def spans(cell):
    return re.findall(r"`([^`]+)`", cell)


def keys_of(saved):
    """Of all dicts in what is saved."""
    if isinstance(saved, dict):
        yield from saved
        saved = list(saved.values())
    if isinstance(saved, (list, tuple)):
        for inner in saved:
            yield from keys_of(inner)


# ---- What loads ----


@pytest.fixture(scope="module")
def features():
    """The features of a network with these values."""
    x = np.random.default_rng(3).standard_normal((1, 3, 45, 70), dtype=np.float32)

    def features(net, values=None):
        if values is not None:
            net.load_state_dict(values, strict=True)
        return net(x)

    return features


def compare(writer, actual, expected):
    for left, right in zip(actual, expected, strict=True):
        assert np.abs(right).max() > 0
        if writer.exact:
            np.testing.assert_array_equal(left, right)
        else:
            assert np.abs(left - right).max() <= 5e-6 * np.abs(right).max()


def check_report(writer, report, path, loaded):
    assert (report.container, report.wrapper, report.prefix, report.dialect) == (
        writer.container, writer.wrapper, writer.prefix, writer.dialect,
    )  # fmt: skip
    assert (report.depth, report.base_channels, report.input_channels) == (writer.depth, 8, 3)
    assert report.missing == () and report.mismatched == ()
    assert tuple(name for name in report.unexpected if not name.startswith(writer.again)) == writer.unexpected
    assert set(report.loaded) == loaded
    assert set(writer.beside) <= {*report.ignorable, *report.unexpected}


@contextlib.contextmanager
def given(writer, path):
    """The path to load: of the file, or of a pipe that gives what is in it."""
    if not writer.stream:
        yield path
        return
    pipe = path.with_suffix(".pipe")
    os.mkfifo(pipe)
    thread = threading.Thread(target=lambda: pipe.write_bytes(path.read_bytes()))
    thread.start()
    yield pipe
    thread.join()
    pipe.unlink()


def command(*arguments):
    result = CliRunner().invoke(commands, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.row)
def test_files_load(states, tmp_path, features, writer):
    names, container, dialect = LOADING[writer.row]
    source, mapping = writer.names(states[writer.depth])
    saved = writer.wrap(mapping)
    path = writer.write(tmp_path / "file.pth", saved)
    style = {"style": "caffe"} if writer.dialect == "caffe2" or "Caffe2" in writer.row else {}
    with backbone.ResNet(writer.depth, base_channels=8, **style) as net, given(writer, path) as file:
        expected = features(net, source)
        net.init_weights(seed=1)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            report = net.load_weights(file)
        # What is not in the file is of norms that were folded.
        assert [str(warning.message) for warning in caught] == list(report.warnings)
        assert len(report.warnings) == ("from Caffe2" in writer.row or writer.row == "Detectron")
        loaded = {name for name in source if not ("running" in name and report.warnings)}
        if "int" in writer.row.split():
            loaded = {name for name in loaded if COUNTER not in name}
        check_report(writer, report, path, loaded)
        compare(writer, features(net), expected)
        for name, array in net.state_dict().items():
            if name in source and COUNTER not in name:
                np.testing.assert_allclose(array, source[name], rtol=0 if writer.exact else 2.5e-7, err_msg=name)
        if not writer.only_file:
            net.init_weights(seed=2)
            report = net.load_state_dict(mapping, strict=False)
            if not report.warnings:
                assert report.missing == () and report.unexpected == writer.unexpected
            compare(writer, features(net), expected)
    # What the page says of the file.
    written, _, keys = names.partition(" under ")
    assert spans(written) and set(spans(written)) <= {*mapping, *keys_of(saved), path.name}
    assert spans(keys)[:1] == ([writer.wrapper] if spans(keys) else [])
    assert spans(dialect) == [writer.dialect] and spans(container) == [writer.container]
    # Every other way to load it.
    with given(writer, path) as file:
        found = backbone.inspect(file)
    check_report(writer, found, path, loaded)
    with given(writer, path) as file, backbone.ResNet.from_file(file, **style) as net:
        check_report(writer, net.report, path, loaded)
        compare(writer, features(net), expected)
    with given(writer, path) as file:
        result = command("inspect", file, "--json")
    assert result.exit_code == 0 and result.stderr == ""
    told = json.loads(result.stdout)
    assert told == json.loads(found.json)


# ---- What is refused ----


def error_text(call):
    with pytest.raises(Exception) as caught:  # noqa: B017, PT011 (the caller looks at it)
        call()
    return type(caught.value), str(caught.value)


def own_network(states, depth):
    if depth not in states:
        with backbone.ResNet(depth, base_channels=8) as net:
            return net.state_dict()
    return states[depth]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.row)
def test_files_are_refused(states, tmp_path, case):
    tells, says, _ = REFUSING[case.row]
    names = case.change(own_network(states, case.of or case.depth))
    path = case.write(tmp_path / "file.pth", names)
    with backbone.ResNet(case.depth, base_channels=8) as net:
        net.load_state_dict(states[case.depth])
        before = net.state_dict()
        error, text = error_text(lambda: net.load_weights(path))
        assert error is case.error
        where = f"memory of {len(path)} bytes" if isinstance(path, bytes) else str(path)
        assert text.startswith(f"{where}: ") and "\n" not in text
        # What the page says of the message.
        for name in spans(tells):
            assert f"'{name}'" in text
        assert says.replace("`", "") in text
        np.testing.assert_equal(net.state_dict(), before)
        if case.is_mapping:
            other = error_text(lambda: net.load_state_dict(names, strict=False))
            assert other == (error, text.replace(where, "the mapping", 1))
        if case.modules:
            with pytest.raises(backbone.MismatchError, match="not part of this network"):
                net.load_weights(path, allow_missing=True)
            with pytest.warns(backbone.BackboneWarning) as caught:
                report = net.load_weights(path, ignore_modules=True, allow_missing=case.lacks)
            (warning,) = [str(warning.message) for warning in caught]
            assert report.warnings == (warning,)
            assert warning.startswith("ignored ") and all(f"'{name}'" in warning for name in spans(tells))
            assert says.replace("`", "") in warning
            assert bool(report.missing) == case.lacks
            assert {name for name in before if COUNTER not in name} <= {*report.loaded, *report.missing}
    # Every other way to load it.
    if case.describes:
        found = backbone.inspect(path)
        assert ((found.depth or 0), found.architecture) == (case.of, case.describes)
        with backbone.ResNet.from_file(path) as other:
            assert other.architecture == case.describes
            held = other.state_dict()
        for name, array in names.items():
            if name in held:
                np.testing.assert_array_equal(held[name], array)
        assert len(held.keys() & names.keys()) > len(held) / 2
        return
    if case.inspected:
        error, text = error_text(lambda: backbone.inspect(path))
        assert error is backbone.CheckpointError and case.inspected in text
    for call in (backbone.inspect, backbone.ResNet.from_file):
        assert error_text(lambda call=call: call(path)) == (error, text)
    if isinstance(path, bytes):
        return
    result = command("inspect", path)
    assert result.exit_code == 1
    # The command calls the options by its own names.
    for name in ("ignore_modules", "allow_missing"):
        text = text.replace(f"set {name}", f"pass --{name.replace('_', '-')}")
    assert result.stderr == f"error: {text}\n"
