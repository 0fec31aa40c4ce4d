# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Every block of code and every command of README.md and docs/, as printed, with what they print."""

import os
import shutil
import tempfile
from pathlib import Path

import elsewhere
import pytest
from markdown import ROOT, elements, pages
from meaning import check_options, commands, matches, needs
from runners import Page

import backbone

PAGES = [page for page in pages() if not page.name.endswith(".zh-CN.md")]
TOOLS = ("swift ", "cmake ", "pip ")


def code(page):
    return [element for element in elements(page) if element.kind == "code"]


def name(page):
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """The files that pages assume. Random weights suffice, as no page shows numbers that depend on trained ones."""
    folder = tmp_path_factory.mktemp("models")
    for depth in (18, 50):
        with backbone.ResNet(depth) as net:
            net.save_weights(folder / f"resnet{depth}.pth")
    photo = ROOT / "bindings/c/tests/astronaut.jpg"
    (folder / "photos").mkdir()
    for name in ("photo.jpg", "photos/astronaut.jpg"):
        (folder / name).symlink_to(photo)
    for name in ("roses/1.jpg", "roses/2.jpg", "tulips/1.jpg", "tulips/2.jpg"):
        (folder / "flowers" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "flowers" / name).symlink_to(photo)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """Where `pip install` of the pages puts the package."""
    return tmp_path_factory.mktemp("site")


@pytest.fixture
def run(tmp_path, models, site):
    """Run blocks of a page in a folder with the files that pages assume."""

    def run_blocks(page, blocks, extra=""):
        for file in models.iterdir():
            (tmp_path / file.name).symlink_to(file)
        Page(page, tmp_path, site, extra).run(blocks)

    return run_blocks


def python_of(page):
    """The blocks of Python, and the blocks of output directly after them."""
    blocks = code(page)
    return [
        block
        for before, block in zip([None, *blocks], blocks, strict=False)
        if block.language == "python" or (block.language == "text" and before and before.language == "python")
    ]


def pages_with(extra):
    return pytest.mark.parametrize("page", [p for p in PAGES if extra in map(needs, code(p))], ids=name)


def runtimes_of(page):
    return {block.language for block in code(page)} & {"rust", "go", "java", "lua", "ruby", "javascript"}


@pytest.mark.parametrize("page", [page for page in PAGES if code(page) and not runtimes_of(page)], ids=name)
def test_page(page, run):
    run(page, code(page))


@pytest.mark.runtimes
@pytest.mark.parametrize("page", [page for page in PAGES if runtimes_of(page)], ids=name)
def test_page_of_runtime(page, run):
    run(page, code(page))


@pytest.mark.parity
@pages_with("torch")
def test_python_of_page_with_pytorch(page, run):
    pytest.importorskip("torch")
    run(page, python_of(page), "torch")


@pytest.mark.ray
@pages_with("ray")
def test_python_of_page_with_ray(page, run, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # Its sockets want short paths.
    with tempfile.TemporaryDirectory(prefix="ray-") as folder:
        monkeypatch.setenv("RAY_TMPDIR", folder)
        run(page, python_of(page), "ray")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_within_text_are_known(page):
    run_as_blocks = {
        command for p in PAGES for block in code(p) if block.language == "sh" for command in commands(block)
    }
    for element in elements(page):
        for span in element.spans:
            if span.startswith("scripts/"):
                path = ROOT / span.split()[0]
                assert path.exists(), f"{name(page)}: missing {span}"
                if path.is_file() and os.access(path, os.X_OK):
                    check_options(span)
            elif span.startswith(TOOLS):
                known = {*elsewhere.RUN_BY, *elsewhere.NOT_RUN, *run_as_blocks}
                assert span in known, f"{name(page)}: nothing runs `{span}`"


def test_what_is_run_elsewhere_is_run_there_and_in_the_documents():
    shown = set()
    for page in PAGES:
        for element in elements(page):
            shown |= set(commands(element)) if element.language == "sh" else set(element.spans)
    first_words = {command.split()[0] for command in shown if command.strip()}
    assert set(elsewhere.LONG_SCRIPTS) <= first_words
    assert set(elsewhere.RUN_BY) | set(elsewhere.NOT_RUN) | set(elsewhere.STAND_INS) <= shown
    for command, (file, text) in elsewhere.RUN_BY.items():
        assert text in (ROOT / file).read_text(), f"{file} does not run {command} any more"


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        ("a 1\nb\n", "a 1\nb\n", True),
        ("a ...\nb\n", "a 1 2\nb\n", True),
        ("a\n...\nc\n", "a\nb\nb\nc\n", True),
        ("a\n", "a\nb\n", False),
        ("a ...\n", "b 1\n", False),
        ("a\n...\nc\n", "a\nb\n", False),
    ],
)
def test_output_is_compared(expected, actual, same):
    assert matches(expected, actual) is same


def test_documents_are_there():
    assert len(PAGES) > 8
    assert Path(ROOT / "docs/README.md") in PAGES
