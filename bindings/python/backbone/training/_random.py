# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Random numbers that depend on their use, not on earlier draws.

Philox (Salmon et al. 2011) is a function of a key and a counter. The key is the seed and the purpose; the counter holds
the epoch and the index of the image. A resumed run, and any number of threads, therefore gets the same numbers. Only
raw 64-bit words of NumPy are used: the methods of its Generator may change with its versions, these words do not.
"""

from __future__ import annotations

import enum

import numpy as np
import numpy.typing as npt


class Purpose(enum.IntEnum):
    """Purposes of random numbers: each has a sequence of its own."""

    ORDER = 1
    AUGMENTATION = 2
    SPLIT = 3


class Draws:
    """The random numbers of one image in one epoch."""

    def __init__(self, seed: int, purpose: Purpose, epoch: int = 0, index: int = 0) -> None:
        key = np.array([seed, purpose], np.uint64)
        counter = np.array([0, 0, index, epoch], np.uint64)
        self._bits = np.random.Philox(key=key, counter=counter)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """A number from `low` to below `high`, of 53 random bits."""
        word: int = self._bits.random_raw()
        return low + (high - low) * ((word >> 11) * 2.0**-53)

    def below(self, count: int) -> int:
        """An integer from 0 to below `count`, all equally likely."""
        # Words at the end of the range would make small integers likelier: they are drawn again.
        end = (1 << 64) - (1 << 64) % count
        while True:
            word: int = self._bits.random_raw()
            if word < end:
                return word % count

    def permutation(self, count: int) -> npt.NDArray[np.intp]:
        """The integers from 0 to below `count` in a random order."""
        words: npt.NDArray[np.uint64] = self._bits.random_raw(count)
        return np.argsort(words, kind="stable")
