# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""docs/reference and docs/internals.md against what they describe."""

import re

import pytest
from markdown import ROOT, elements
from pages.tables import TABLES, page_of, updated

INTERNALS = ROOT / "docs/internals.md"


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_up_to_date(name):
    assert page_of(name).read_text(encoding="utf-8") == updated(name), "run scripts/docs --write"


def test_tables_have_every_function_and_class():
    header = (ROOT / "include/backbone.h").read_text()
    functions = set(re.findall(r"^BACKBONE_API [^;]*?\b(backbone_\w+)\(", header, re.M))
    assert len(functions) > 50
    assert functions == set(re.findall(r"^\| `(backbone_\w+)` ", page_of("c").read_text(), re.M))
    classes = set(re.findall(r"^(?:class|struct) (backbone::\w+)", (ROOT / "include/backbone.hpp").read_text(), re.M))
    assert classes == set(re.findall(r"^\| `(backbone::\w+)` ", page_of("cpp").read_text(), re.M))


def test_files_of_internals_exist():
    links = [link for element in elements(INTERNALS) for link in element.links]
    files = {link.removeprefix("../") for link in links if "/Sources/" in link}
    assert len(files) > 30
    for file in files:
        assert (ROOT / file).is_file(), file
    # A load and a forward pass go through every module below the C entry points.
    modules = {file.split("/")[1] for file in files}
    assert modules >= {"Backbone", "Loading", "Checkpoints", "Networks", "Execution", "Kernels", "VectorKernels"}


def test_picture_of_the_house_has_every_target():
    drawn = set(re.findall(r'class="name"[^>]*>([^<]+)<', (ROOT / "docs/images/house.svg").read_text()))
    package = (ROOT / "Package.swift").read_text()
    folders = {folder.name for folder in (ROOT / "Sources").iterdir() if folder.is_dir()}
    targets = folders & set(re.findall(r'\.target\(\s*name: "(\w+)"', package))
    assert targets <= drawn, targets - drawn
    assert folders - targets == {"COpenBLAS", "VectorKernels", "backbone-bench"}
