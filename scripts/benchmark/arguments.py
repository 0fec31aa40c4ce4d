# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What the values of options may be; where they are not, argparse says what is wrong."""

from __future__ import annotations

import argparse
from pathlib import Path


def choices(noun: str, known):
    def parse(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",") if name.strip()]
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"unknown {noun} '{name}'; pass some of {', '.join(known)}")
        return names

    return parse


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1 on")
    return int(text)


def thread_counts(text: str) -> list[int]:
    return list(dict.fromkeys(positive(part) for part in text.split(",")))


def output_folder(text: str) -> Path:
    if Path(text).exists() and not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"'{text}' is not a folder")
    return Path(text)
