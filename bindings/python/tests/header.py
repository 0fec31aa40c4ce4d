# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""A reader of include/backbone.h, just good enough for its one style."""

import re
from pathlib import Path

PATH = Path(__file__).resolve().parents[3] / "include/backbone.h"


def text():
    """The header without comments and preprocessor continuations."""
    return re.sub(r"/\*.*?\*/", " ", PATH.read_text(), flags=re.DOTALL)


def functions():
    """Name -> (result type, list of argument types), as in the header with single spaces."""
    result = {}
    for declaration in re.findall(r"^BACKBONE_API\s+([^;]*);", text(), flags=re.MULTILINE):
        declaration = " ".join(declaration.split())
        returns, name, arguments = re.fullmatch(r"(.*?)(backbone_\w+)\((.*)\)", declaration).groups()
        parts = [] if arguments == "void" else arguments.split(", ")
        result[name] = (returns.strip(), [_without_name(part) for part in parts])
    return result


def _without_name(argument):
    # `const int64_t input_shape[4]`, `const char *path`, `int32_t strict`; a result has no name
    return re.sub(r"\w+(?=(\[\d+\])?$)", "", argument).replace(" ", "")


def structs():
    """Name -> names of the fields, in order."""
    result = {}
    for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\}", text(), flags=re.DOTALL):
        result[name] = [re.search(r"(\w+)(\[\d+\])?$", field.strip())[1] for field in body.split(";") if field.strip()]
    return result


def constants():
    """Names of all constants."""
    names = set(re.findall(r"\b(BACKBONE_[A-Z0-9_]+)\s*(?==)", text()))
    names |= set(re.findall(r"^#define (BACKBONE_\w+) +\S", text(), flags=re.MULTILINE))
    return names - {"BACKBONE_API"}
