# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The command `backbone`: features, pictures, checkpoints and times without a line of code.

One module for each subcommand, which holds a `click` command named `command`; `group` finds them.
"""

from __future__ import annotations

from .group import commands


def main() -> None:
    """Run the command with the arguments of the process, and exit."""
    commands.main(prog_name="backbone")
