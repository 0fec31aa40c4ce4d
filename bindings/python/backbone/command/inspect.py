# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone inspect`: the content of a checkpoint."""

from __future__ import annotations

import json
from typing import Any

import click

from .. import LoadReport, MismatchError, inspect
from .._loading import LoadOptions
from .network import title
from .options import json_option, key_options
from .terminal import print_table, warn

_CLASSES = ("loaded", "missing", "unexpected", "ignorable", "mismatched")

# The number of listed names of a class without --names.
_LISTED = 8


@click.command(short_help="Report the content of a checkpoint.")
@click.argument("file")
@key_options
@click.option("--names", "all_names", is_flag=True, help="List all names with their shapes.")
@json_option
def command(file: str, load: LoadOptions, all_names: bool, as_json: bool) -> None:
    """Report the network in FILE, its format, and the names that belong to it. The file is parsed, never executed.

    With --json it is the library's report, with all names and shapes.
    """
    try:
        report = inspect(file, **load)
    except MismatchError as error:
        if error.report:
            _show(error.report, all_names, as_json)
        raise
    _show(report, all_names, as_json)


def _show(report: LoadReport, all_names: bool, as_json: bool) -> None:
    if as_json:
        click.echo(report.json)
        return
    rows = [
        ("network", title(report) or "unknown"),
        ("container", report.container),
        ("names of", report.dialect),
        ("under the keys", report.wrapper or "-"),
        ("prefix", report.prefix or "-"),
        ("numbers", report.dtype or "-"),
        ("input channels", report.input_channels or "-"),
        ("base channels", report.base_channels or "-"),
        ("classes", report.num_classes or "-"),
        ("style", report.style or "unknown"),
        ("assumed", report.assumed or "-"),
        ("tensors", report.tensors),
    ]
    print_table(("property", "value"), rows)
    names = json.loads(report.json)["names"]
    print_table(("names", ">count"), [(kind, len(names[kind])) for kind in _CLASSES])
    for kind in _CLASSES if all_names else _CLASSES[1:]:
        _show_names(kind, names[kind], all_names)
    for warning in report.warnings:
        warn(warning)


def _show_names(kind: str, entries: list[dict[str, Any]], all_names: bool) -> None:
    shown = entries if all_names else entries[:_LISTED]
    if shown:
        rows = [(entry["name"], _shape(entry["expected"]), _shape(entry["actual"])) for entry in shown]
        more = f" (the first {_LISTED} of {len(entries)}; --names for all)" if len(shown) < len(entries) else ""
        print_table((f"{kind}{more}", "in the network", "in the file"), rows)


def _shape(shape: list[int] | None) -> str:
    return "-" if shape is None else " x ".join(map(str, shape)) or "scalar"
