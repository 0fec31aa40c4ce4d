# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The command line of scripts/family, which see: that script explains the options and installs what is needed."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from . import table
from .catalogue import OUTPUTS, chosen, networks
from .comparison import compare

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architectures.md"


def main() -> int:
    arguments = parse_arguments()
    try:
        selection = chosen(arguments.patterns)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if arguments.list:
        print("\n".join(network.key for network in selection))
        return 0
    started = time.monotonic()
    results = []
    print(table.heading(), file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=ROOT / ".build", prefix="family-") as folder:
        for network in selection:
            results.append(compare(network, Path(folder), arguments.outputs))
            print(table.progress(results[-1]), file=sys.stderr, flush=True)
    failed = sum(bool(result.failure) for result in results)
    minutes = (time.monotonic() - started) / 60
    print(f"{len(results) - failed} of {len(results)} networks agree; {minutes:.1f} minutes", file=sys.stderr)
    rows = [table.row(result) for result in results]
    if arguments.markdown:
        print(table.markdown(rows), end="")
    if arguments.write:
        order = [network.key for network in networks()]
        PAGE.write_text(table.updated(PAGE.read_text(encoding="utf-8"), rows, order), encoding="utf-8")
        print(f"==> written to {PAGE.relative_to(ROOT)}", file=sys.stderr)
    return 1 if failed else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/family", usage="see scripts/family --help")
    parser.add_argument("patterns", nargs="*")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--outputs", type=outputs, default=OUTPUTS)
    arguments = parser.parse_args()
    if arguments.write and arguments.outputs != OUTPUTS:
        parser.error("--write needs all outputs: the table shows them")
    return arguments


def outputs(text: str) -> tuple[str, ...]:
    """Some of the outputs, in their order."""
    names = text.split(",")
    for name in names:
        if name not in OUTPUTS:
            raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(OUTPUTS)}")
    return tuple(name for name in OUTPUTS if name in names)


if __name__ == "__main__":
    sys.exit(main())
