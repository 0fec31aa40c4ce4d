# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Comparison of the settings of a training with those of a saved one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ._state import StateError

_LONGEST = 60


def check_settings(path: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Compare the settings of a saved training with those of the present one.

    Raises:
        StateError: they differ; the message names each difference.
    """
    # As they are read back: tuples are lists there.
    present: dict[str, Any] = json.loads(json.dumps(now))
    names = [name for name in {**before, **present} if before.get(name) != present.get(name)]
    if names:
        listed = ", ".join(f"{name}: {_short(before.get(name))}, now {_short(present.get(name))}" for name in names)
        raise StateError(
            f"{path}: the training has other settings ({listed}); resume it with the same ones, or begin another "
            "training with its weights"
        )


def _short(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
