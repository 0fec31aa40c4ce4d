# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Runs the Python of a page: a program of its own, in which each block sees what the ones before it have defined.

It reads lines of JSON, {"code", "file", "line"}, and answers each with {"output", "error"}.
"""

import contextlib
import io
import json
import os
import sys
import traceback

# What other threads and processes print is not to come between the answers.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
names = {"__name__": "__main__"}
for line in sys.stdin:
    block = json.loads(line)
    output, error = io.StringIO(), ""
    with contextlib.redirect_stdout(output):
        try:
            # Line numbers of errors are those of the page.
            exec(compile("\n" * (block["line"] - 1) + block["code"], block["file"], "exec"), names)
        except BaseException:
            error = traceback.format_exc()
    print(json.dumps({"output": output.getvalue(), "error": error}), file=answers, flush=True)
