# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""A process that answers its parent on what was its standard output; anything else printed goes to standard error.

Libraries print to standard output whatever they please, some from C.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any


class Channel:
    def __init__(self) -> None:
        self._pipe = os.dup(1)
        os.dup2(2, 1)

    def send(self, **values: Any) -> None:
        os.write(self._pipe, json.dumps(values).encode() + b"\n")

    def guarded(self, work: Callable[[], None]) -> int:
        """Run `work`; an exception of it is the answer. Returns the exit status."""
        try:
            work()
            return 0
        except Exception as error:
            import traceback

            traceback.print_exc()
            text = " ".join(str(error).split())
            self.send(error=f"{type(error).__name__}: {text}"[:400])
            return 1
