# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Images that threads decode ahead: their order, how many wait, and what happens where one fails."""

import errno
import threading
import time
from contextlib import closing

import numpy as np
import pytest

from backbone.images import ImageError
from backbone.training._loader import batches

GROUPS = [[5, 2, 9], [1, 0, 3], [8, 4, 7], [6]]


def image(index):
    return np.full((4, 4, 3), index, np.uint8)


@pytest.mark.parametrize("threads", [1, 3, 8])
def test_the_order_is_that_of_the_groups(threads):
    rng = np.random.default_rng(threads)
    delays = rng.uniform(0, 0.01, 10)

    def load(index):
        time.sleep(delays[index])
        return image(index)

    found = list(batches(GROUPS, load, 4, threads))
    assert [batch.indices for batch in found] == GROUPS
    for batch in found:
        assert batch.images.shape == (len(batch.indices), 4, 4, 3) and not batch.failed
        np.testing.assert_array_equal(batch.images[:, 0, 0, 0], batch.indices)


def test_no_more_than_two_batches_wait():
    groups = [list(range(first, first + 4)) for first in range(0, 400, 4)]
    begun = []

    def load(index):
        begun.append(index)
        return image(index % 256)

    with closing(batches(groups, load, 4, 3)) as items:
        for number in range(10):
            next(items)
            time.sleep(0.02)
            # Those given out, two batches, and one for each thread.
            assert 4 * (number + 1) <= len(begun) <= 4 * (number + 1) + 8 + 3
    count = len(begun)
    time.sleep(0.05)
    assert len(begun) == count
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_large_batches_wait_one_at_a_time(monkeypatch):
    monkeypatch.setattr("backbone.training._loader._MOST_WAITING", 4 * 4 * 3 * 5)
    begun = []

    def load(index):
        begun.append(index)
        return image(index)

    with closing(batches([[0, 1, 2, 3, 4, 5], list(range(6, 60))[:6], [12] * 6], load, 4, 1)) as items:
        next(items)
        time.sleep(0.05)
        assert len(begun) <= 6 + 6 + 1


def test_damaged_images_are_left_out_and_other_errors_raised():
    def load(index):
        if index == 0:
            raise ImageError("damaged")
        if index == 4:
            raise PermissionError(errno.EACCES, "Permission denied", "4.png")
        return image(index)

    found = list(batches(GROUPS, load, 4, 2))
    assert [batch.indices for batch in found] == [[5, 2, 9], [1, 3], [8, 7], [6]]
    assert [[index for index, _ in batch.failed] for batch in found] == [[], [0], [4], []]
    np.testing.assert_array_equal(found[1].images[:, 0, 0, 0], [1, 3])

    def broken(index):
        if index == 3:
            raise OSError(errno.EIO, "Input/output error", "3.png")
        return image(index)

    items = batches(GROUPS, broken, 4, 2)
    assert next(items).indices == GROUPS[0]
    with pytest.raises(OSError, match="Input/output error"):
        next(items)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]
