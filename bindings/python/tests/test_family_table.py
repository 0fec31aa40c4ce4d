# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What scripts/family --write does to docs/architectures.md."""

import pytest
from families import table

ORDER = ["timm/resnet18", "timm/resnet50", "torchvision/resnet18"]


def row(source, name, result="ok"):
    return f"| `{name}` | {source} | 11.7 |  | `x` | file |" + " 1.0 / 2.0 |" * 7 + f" {result} |"


def page(*rows):
    return f"# A page\n\n{table.BEGIN}\n\n{table.markdown(rows)}\n{table.END}\n\nMore.\n"


def test_new_rows_are_in_order_and_old_ones_stay():
    old = page(row("timm", "resnet50"), row("torchvision", "resnet18"))
    new = [row("timm", "resnet50", "FAILED: x"), row("timm", "resnet18")]
    expected = page(row("timm", "resnet18"), row("timm", "resnet50", "FAILED: x"), row("torchvision", "resnet18"))
    assert table.updated(old, new, ORDER) == expected
    assert table.updated(expected, new, ORDER) == expected


def test_rows_of_unknown_networks_go():
    assert table.updated(page(row("timm", "gone"), row("timm", "resnet18")), [], ORDER) == page(row("timm", "resnet18"))


def test_the_first_rows_of_a_page():
    empty = f"# A page\n\n{table.BEGIN}\n{table.END}\n\nMore.\n"
    assert table.updated(empty, [row("timm", "resnet18")], ORDER) == page(row("timm", "resnet18"))


def test_a_page_without_markers():
    with pytest.raises(ValueError, match="markers"):
        table.updated("# A page\n", [], ORDER)
