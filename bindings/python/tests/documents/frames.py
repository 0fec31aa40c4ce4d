# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The code around the C and C++ fragments of the documents: what their pages assume."""

from __future__ import annotations

from markdown import Element

_C = """\
#include <backbone.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(backbone_status status) {
    if (status == BACKBONE_STATUS_OK) return;
    fprintf(stderr, "%s\\n", backbone_last_error_message());
    exit(1);
}

FUNCTIONS
int main(int argc, char **argv) {
    backbone *net = NULL;
    if (argc != 2) return 1;
    check(backbone_create(NULL, &net));
    const int status = fragments[atoi(argv[1])](net);
    backbone_free(net);
    return status;
}
"""

_CPP = """\
#include <algorithm>
#include <backbone.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

FUNCTIONS
int main(int argc, char **argv) {
    backbone::Backbone net;
    return argc == 2 ? fragments[std::atoi(argv[1])](net) : 1;
}
"""

FRAMES = {"c": _C, "cpp": _CPP}
_PARAMETERS = {"c": "backbone *net", "cpp": "backbone::Backbone &net"}


def program(language: str, page: str, blocks: list[Element]) -> str:
    """A program that runs the block whose number is its argument, with a network `net`; lines are those of the page."""
    parameter = _PARAMETERS[language]
    functions = [
        f'static int fragment{number}({parameter}) {{\n#line {block.line} "{page}"\n{block.text}return 0;\n}}\n'
        for number, block in enumerate(blocks)
    ]
    names = ", ".join(f"fragment{number}" for number in range(len(blocks)))
    table = f"static int (*const fragments[])({parameter}) = {{{names}}};\n"
    return FRAMES[language].replace("FUNCTIONS\n", "\n".join(functions) + table)
