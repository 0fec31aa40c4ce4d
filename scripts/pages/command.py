# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The options of the command `backbone`, as its --help has them."""

from __future__ import annotations

import click
from backbone.command.group import commands

from pages.text import table


def options() -> str:
    """A table for each subcommand."""
    parts = []
    context = click.Context(commands, info_name="backbone", **commands.context_settings)
    for name in commands.list_commands(context):
        command = commands.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context)
        usage = " ".join([inner.command_path, *command.collect_usage_pieces(inner)])
        rows = []
        for parameter in command.get_params(inner):
            record = parameter.get_help_record(inner)
            if record is not None and record[1]:
                rows.append([f"`{record[0].replace(chr(10), ' ')}`", " ".join(record[1].split())])
        summary = " ".join((command.help or "").split("\n\n")[0].split())
        parts.append(f"## {name}\n\n`{usage}`\n\n{summary}\n\n{table(['Option', 'What it does'], rows)}")
    return "\n".join(parts)
