# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Loading a mapping of arrays by the rules that the library has for files."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

from . import _library
from ._entries import Entry
from ._errors import MismatchError
from ._report import LoadReport, Mismatch, listed


def load_mapping(
    entries: Sequence[Entry], mapping: Mapping[str, npt.ArrayLike], options: _library.LoadOptions, stages: int
) -> LoadReport:
    """Check all of `mapping` against `entries` of a network of `stages` stages, then write it.

    Raises:
        MismatchError: shapes differ, no name matches, or what `options` add.
        TypeError: values of a kind that does not convert.
    """
    values: dict[str, npt.NDArray[Any]] = {}
    missing: list[str] = []
    ignorable: list[str] = []
    mismatched: list[Mismatch] = []
    for entry in entries:
        if entry.name in mapping:
            array = entry.converted(mapping[entry.name])
            if array.shape == entry.shape:
                values[entry.name] = array
            else:
                mismatched.append(Mismatch(entry.name, entry.shape, array.shape))
        else:
            (ignorable if entry.name.endswith(".num_batches_tracked") else missing).append(entry.name)
    known = {entry.name for entry in entries}
    unexpected = [name for name in mapping if name not in known]
    ignorable += [name for name in unexpected if _is_ignorable(name, stages)]
    unexpected = [name for name in unexpected if not _is_ignorable(name, stages)]
    report = LoadReport(
        loaded=tuple(values),
        missing=tuple(missing),
        unexpected=tuple(unexpected),
        ignorable=tuple(ignorable),
        mismatched=tuple(mismatched),
        container="mapping",
        wrapper="",
        prefix="",
        tensors=len(mapping),
    )
    complaint = _complaint(report, bool(options.strict))
    if complaint:
        error = MismatchError(complaint)
        error.report = dataclasses.replace(report, succeeded=False)
        raise error
    for entry in entries:
        if entry.name in values:
            entry.write(values[entry.name])
    return report


def _is_ignorable(name: str, stages: int) -> bool:
    stage = re.match(r"layer([1-4])\.", name)
    return name.startswith("fc.") or (stage is not None and int(stage[1]) > stages)


def _complaint(report: LoadReport, strict: bool) -> str:
    if report.mismatched:
        return f"shapes differ: {listed([str(mismatch) for mismatch in report.mismatched])}"
    if not report.loaded:
        return "no name of the mapping belongs to the network"
    if strict and report.missing:
        return f"the mapping lacks {listed(report.missing)}"
    if strict and report.unexpected:
        return f"the network has no {listed(report.unexpected)}"
    return ""
