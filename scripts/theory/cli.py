# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What the command lines of this package have in common."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import backbone

from .data import DataError
from .training import RunError

# What a user can cause, and whose text says what it is.
_EXPECTED = (DataError, RunError, OSError, MemoryError, backbone.CheckpointError, backbone.MismatchError)


def guarded(work: Callable[[], None]) -> int:
    """Do the work; the exit status. An error that a user can cause is one line."""
    try:
        work()
        sys.stdout.flush()
    except _EXPECTED as error:
        print(f"error: {' '.join(str(error).split()) or type(error).__name__}", file=sys.stderr)
        return 1
    except FloatingPointError as error:
        print(f"error: {error}; lower --learning-rate", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it saved last", file=sys.stderr)
        return 130
    return 0


def say(message: str) -> None:
    """Print a line of progress."""
    print(message, file=sys.stderr, flush=True)


def whole(text: str) -> int:
    """A number of the command line, from 0."""
    number = int(text)
    if not 0 <= number < 2**31:
        raise ValueError(text)
    return number


def positive(text: str) -> int:
    """A number of the command line, from 1."""
    number = whole(text)
    if number == 0:
        raise ValueError(text)
    return number


def rate(text: str) -> float:
    """A learning rate of the command line."""
    number = float(text)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(text)
    return number
