# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Files of features, which appear under their names only when they are complete: see `backbone._files`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt

from .._files import Placing, remove_abandoned, written

__all__ = ["Arrays", "remove_abandoned", "write_features", "written"]

Arrays = Mapping[str, npt.NDArray[np.float32]]


def write_features(path: str, arrays: Arrays, placing: Placing = nullcontext) -> int:
    """Write arrays as a .npz or, by the ending of the path, as safetensors. Returns the size of the file in bytes.

    Raises:
        OSError: with the name of the file.
    """
    with written(path, placing) as file:
        if path.endswith(".safetensors"):
            from safetensors.numpy import save

            file.write(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))
        else:
            named: dict[str, Any] = dict(arrays)
            np.savez(file, **named)
        return file.tell()
