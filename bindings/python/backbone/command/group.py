# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The command itself: finds subcommands, and makes one line of every error."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any, TextIO

import click

from .. import BackboneWarning, __version__, library_version
from .._errors import MismatchError
from .._loading import ALLOWING
from .terminal import printable, warn

# In the order of `backbone --help`.
_NAMES = (
    "features",
    "classify",
    "heatmap",
    "gradcam",
    "saliency",
    "inspect",
    "convert",
    "train",
    "evaluate",
    "bench",
    "layers",
    "memory",
)


class Interrupted(click.ClickException):
    """The user has stopped the work; the message says how to continue."""

    exit_code = 130


class Commands(click.Group):
    """Subcommands that are imported when they are needed, so that each starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All subcommands."""
        return list(_NAMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand of that name, or None."""
        if cmd_name not in _NAMES:
            return None
        command: click.Command = importlib.import_module(f"{__package__}.{cmd_name}").command
        return command

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run, and end the process: 0 for success, 1 for a failure, 2 for wrong usage, 130 for an interruption."""
        extra["standalone_mode"] = False
        # Pillow's warnings about large or slightly damaged pictures; unreadable ones are still errors.
        warnings.filterwarnings("ignore", module="PIL")
        warnings.showwarning = _show_warning
        sys.exit(_exit_code(lambda: super(Commands, self).main(*args, **extra)))


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """The text of a warning; those of other packages with their line."""
    ours = issubclass(category, BackboneWarning)
    warn(str(message) if ours else f"{filename}:{lineno}: {category.__name__}: {message}")


def _exit_code(run: Callable[[], Any]) -> int:
    try:
        result = run()
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.UsageError as error:
        hint = f" (see '{error.ctx.command_path} --help')" if error.ctx else ""
        _say_error(error.format_message().rstrip(".") + hint)
        return error.exit_code
    except click.ClickException as error:
        _say_error(error.format_message())
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _say_error("interrupted")
        return Interrupted.exit_code
    except BrokenPipeError:
        # The reader of the output has closed it. The rest must not fail again when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, ValueError, MemoryError, MismatchError) as error:
        _say_error(message_of(error))
        return 1


def message_of(error: BaseException) -> str:
    """The text of an error."""
    if isinstance(error, OSError) and error.strerror:
        if error.filename is None:
            return error.strerror
        return f"{error.filename}: {error.strerror}" if error.filename != "" else f"'': {error.strerror}"
    text = str(error) or ("out of memory" if isinstance(error, MemoryError) else type(error).__name__)
    if isinstance(error, MismatchError):
        # Options of a load under their names on the command line.
        for name in ALLOWING:
            text = text.replace(f"set {name}", f"pass --{name.replace('_', '-')}")
    return text


def _say_error(message: str) -> None:
    click.echo(f"error: {printable(message)}", err=True)


@click.group(
    cls=Commands,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": 100},
)
@click.version_option(f"{__version__} (libbackbone {library_version()})", message="backbone %(version)s")
def commands() -> None:
    """ResNets on a CPU: features and classes of images, from PyTorch checkpoints."""
