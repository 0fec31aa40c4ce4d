# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The command line of scripts/degradation, which explains the options."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from . import costs, gradients
from .cli import guarded, positive, rate, whole
from .degradation import SETTINGS, train
from .networks import DEGRADATION, KINDS, WIDEST
from .training import Settings

# A run of seconds that shows that everything works.
_SMALL = {"epochs": 2, "width": 4, "batch": 16, "images": 64}


def main() -> int:
    arguments = parse_arguments()
    if arguments.costs:
        return guarded(lambda: costs.main(arguments))
    if arguments.gradients:
        return guarded(lambda: gradients.main(arguments))
    return guarded(lambda: train(arguments))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/degradation", usage="see scripts/degradation --help")
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--networks", type=networks, default=None)
    for name in ("epochs", "width", "batch", "evaluations", "images"):
        parser.add_argument(f"--{name}", type=positive)
    parser.add_argument("--learning-rate", type=rate)
    parser.add_argument("--seed", type=whole)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--gradients", action="store_true")
    parser.add_argument("--costs", action="store_true")
    parser.add_argument("--rounds", type=positive, default=10)
    parser.add_argument("--threads", type=positive, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.folder is None and not arguments.costs:
        parser.error("which images? give a folder with train and test, each with a folder per class")
    if arguments.networks is None:
        arguments.networks = costs.NETWORKS if arguments.costs else DEGRADATION
    usual = vars(Settings(epochs=8)) | (_SMALL if arguments.small else {})
    for name in (*SETTINGS, "images"):
        if getattr(arguments, name) is None:
            setattr(arguments, name, usual.get(name))
    if arguments.width > WIDEST:
        parser.error(f"--width is {arguments.width}; it must be at most {WIDEST}")
    return arguments


def networks(text: str) -> tuple[str, ...]:
    """Names of networks, separated by commas."""
    names = tuple(dict.fromkeys(text.split(",")))
    for name in names:
        if name not in KINDS:
            raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(KINDS)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
