# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""README.zh-CN.md against README.md: the same code, commands, numbers, links and order, in other words.

What a translation must not change is compared element by element, so that a change in one of the two alone fails here.
"""

import re

import pytest
from markdown import ROOT, elements

ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
PAIRS = list(zip(elements(ENGLISH), elements(CHINESE), strict=False))
NUMBER = re.compile(r"\d+(?:[.,]\d+)*(?:e-?\d+)?")


def place(pair):
    return f"README.md:{pair[0].line}"


def numbers(text):
    return sorted(NUMBER.findall(text))


def test_both_have_the_same_elements():
    outline = [
        [(element.kind, element.level, element.language) for element in elements(page)] for page in (ENGLISH, CHINESE)
    ]
    assert outline[0] == outline[1]


def test_each_leads_to_the_other():
    assert "README.zh-CN.md" in elements(ENGLISH)[1].links
    assert "README.md" in elements(CHINESE)[1].links


@pytest.mark.parametrize("pair", PAIRS, ids=place)
def test_element_says_the_same(pair):
    english, chinese = pair
    if english.kind == "code":
        assert chinese.text == english.text
        return
    if "README.zh-CN.md" not in english.links:
        assert sorted(map(target, chinese.links)) == sorted(map(target, english.links))
    assert sorted(chinese.spans) == sorted(english.spans)
    if english.kind == "table":
        assert [len(row) for row in chinese.cells] == [len(row) for row in english.cells]
        for theirs, ours in zip(chinese.cells, english.cells, strict=True):
            assert [numbers(cell) for cell in theirs] == [numbers(cell) for cell in ours], ours[0]
    else:
        assert numbers(chinese.prose) == numbers(english.prose)


def target(link):
    """Headings have other names in the other language."""
    return re.sub(r"^#.*", "#", link)


@pytest.mark.parametrize("pair", PAIRS, ids=place)
def test_text_is_chinese(pair):
    english, chinese = pair
    if english.kind in ("paragraph", "item") and len(re.findall(r"[a-z]{2,}", english.prose)) > 5:
        assert len(re.findall(r"[\u4e00-\u9fff]", chinese.prose)) > 5
