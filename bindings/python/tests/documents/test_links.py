# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Links of the documents: to existing files, and to headings that those have."""

import subprocess

import pytest
from markdown import ROOT, anchors, elements, pages

PAGES = [*pages(), ROOT / "CONTRIBUTING.md"]


def links(page):
    return [(element.line, link) for element in elements(page) for link in element.links]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for line, link in links(page):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}, line {line}: missing {link}"
        assert target.is_relative_to(ROOT), f"{page.name}, line {line}: {link} leads out of the repository"
        if anchor:
            assert anchor in anchors(target), f"{page.name}, line {line}: {path} has no heading #{anchor}"


def test_every_page_is_in_the_index():
    index = ROOT / "docs/README.md"
    linked = {(index.parent / link).resolve() for _, link in links(index)}
    assert set((ROOT / "docs").rglob("*.md")) - {index} <= linked


def test_linked_files_are_part_of_the_repository():
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    known = {ROOT / file for file in files}
    folders = {parent for file in known for parent in file.parents}
    for page in PAGES:
        for line, link in links(page):
            target = (page.parent / link.partition("#")[0]).resolve()
            assert "://" in link or target in known | folders | {page}, f"{page.name}, line {line}: {link}"
