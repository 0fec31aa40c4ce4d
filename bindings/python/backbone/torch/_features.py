# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The features of a module, and their selection in torchvision and timm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, SupportsIndex

from .._arguments import int32

# The library's names of a module's outputs, in timm's order.
OUTPUTS = {"C1": "C1", "layer1": "C2", "layer2": "C3", "layer3": "C4", "layer4": "C5"}


class FeatureInfo:
    """Channels, strides and modules of features, by the methods of timm's `FeatureInfo`.

    Attributes:
        out_indices: of the features: 0 for C1, 1 for C2, to 4 for C5.
    """

    def __init__(self, modules: Sequence[str], channels: Sequence[int], strides: Sequence[int]) -> None:
        self.out_indices = tuple(list(OUTPUTS).index(module) for module in modules)
        self._rows = tuple(
            {"num_chs": count, "reduction": stride, "module": module, "index": index}
            for index, count, stride, module in zip(self.out_indices, channels, strides, modules, strict=True)
        )

    def get_dicts(self) -> list[dict[str, Any]]:
        """A dict for each feature, of num_chs, reduction, module and index."""
        return [dict(row) for row in self._rows]

    def channels(self, idx: int | Sequence[int] | None = None) -> Any:
        """Channels of all features, or of those of some indices."""
        return self._column("num_chs", idx)

    def reduction(self, idx: int | Sequence[int] | None = None) -> Any:
        """Pixels of the input per pixel of each feature."""
        return self._column("reduction", idx)

    def module_name(self, idx: int | Sequence[int] | None = None) -> Any:
        """The module that gives each feature; "C1" for the stem."""
        return self._column("module", idx)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, position: int) -> dict[str, Any]:
        return dict(self._rows[position])

    def _column(self, key: str, idx: int | Sequence[int] | None) -> Any:
        by_index = {row["index"]: row[key] for row in self._rows}
        if idx is None:
            return list(by_index.values())
        return by_index[idx] if isinstance(idx, int) else [by_index[index] for index in idx]


def modules_of(out_indices: Sequence[SupportsIndex]) -> list[str]:
    """The modules of timm's indices.

    Raises:
        TypeError, ValueError: they are not.
    """
    try:
        indices = [int32("out_indices[...]", index) for index in out_indices]
    except TypeError:
        raise TypeError(f"out_indices is {out_indices!r}; it must be a sequence of int") from None
    if not indices or indices != sorted(set(indices)) or indices[0] < 0 or indices[-1] >= len(OUTPUTS):
        raise ValueError(f"out_indices is {tuple(indices)}; it must be one or more of 0 (C1) to 4 (C5), ascending")
    return [list(OUTPUTS)[index] for index in indices]
