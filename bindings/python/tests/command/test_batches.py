# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Decoding ahead: which images come together, how many wait, and that nothing is left running."""

import threading
import time
from contextlib import closing

import numpy as np
import pytest

from backbone.command import batches
from backbone.command.batches import Batch, Batches, Failure
from backbone.command.inputs import Source


def sources(count):
    return [Source(str(index), str(index)) for index in range(count)]


def image_of(path, shape):
    return np.full((*shape, 3), int(path), np.uint8)


def collected(*arguments):
    with closing(Batches(*arguments).run()) as items:
        return list(items)


def names(items):
    return [[source.name for source in item.sources] for item in items if isinstance(item, Batch)]


def test_images_of_a_size_come_together_whatever_decodes_first():
    shapes = [(4, 5), (4, 5), (6, 5), (4, 5), (4, 5), (6, 5), (4, 5)]

    def load(path):
        # Even ones take longer than the next ones.
        time.sleep(0.01 * (int(path) % 2 == 0))
        return image_of(path, shapes[int(path)])

    for threads in (1, 3):
        items = collected(sources(7), load, 2, threads)
        assert names(items) == [["0", "1"], ["3", "4"], ["2", "5"], ["6"]]
        for item in items:
            assert item.images.dtype == np.uint8
            np.testing.assert_array_equal(item.images[:, 0, 0, 0], [int(source.name) for source in item.sources])


def test_what_was_given_out_makes_room_for_others():
    pipeline = Batches(sources(30), lambda path: image_of(path, (1 + int(path) % 3, 4)), 4, 2)
    with closing(pipeline.run()) as items:
        assert sum(len(group) for group in names(items)) == 30
    assert pipeline._held == 0


def test_images_of_many_sizes_do_not_pile_up():
    items = collected(sources(100), lambda path: image_of(path, (1 + int(path), 4)), 2, 2)
    assert sorted(name for group in names(items) for name in group) == sorted(map(str, range(100)))
    assert [len(group) for group in names(items)] == [1] * 100


def test_where_sizes_are_many_the_fullest_batch_goes_first():
    """Of 32 images that wait for a batch of 4, three have the size of the last."""
    items = collected(sources(40), lambda path: image_of(path, (1 + min(int(path), 29), 4)), 4, 1)
    assert names(items)[0] == ["29", "30", "31"]


def test_large_images_make_small_batches(monkeypatch):
    monkeypatch.setattr(batches, "_MOST_PIXELS", 70)
    items = collected(sources(5), lambda path: image_of(path, (5, 6) if int(path) < 4 else (9, 9)), 8, 2)
    assert names(items) == [["0", "1"], ["2", "3"], ["4"]]


def test_failures_come_in_their_place_and_the_rest_goes_on():
    errors = {"1": ValueError("damaged"), "2": FileNotFoundError(2, "No such file or directory", "2")}

    def load(path):
        if path in errors:
            raise errors[path]
        return image_of(path, (4, 4))

    items = collected(sources(4), load, 8, 2)
    assert {item.source.name: item.error for item in items if isinstance(item, Failure)} == errors
    assert names(items) == [["0", "3"]]


@pytest.mark.parametrize("threads", [1, 3])
def test_decoded_images_that_wait_are_bounded(monkeypatch, threads):
    size = 10 * 10 * 3
    monkeypatch.setattr(batches, "_MOST_WAITING", 4 * size)
    lock, begun, given, most = threading.Lock(), 0, 0, 0

    def load(path):
        nonlocal begun, most
        with lock:
            begun += 1
            most = max(most, begun - given)
        return image_of(path, (10, 10))

    with closing(Batches(sources(60), load, 16, threads).run()) as items:
        for item in items:
            # Slow computing: the decoders have all the time to run ahead.
            time.sleep(0.01)
            with lock:
                given += len(item.sources)
    assert given == 60
    # Five in the hands of the computation (the bound is passed by one), four that wait, one that each thread has begun
    # before they were four, and the one without which nothing goes on.
    assert most <= 5 + 4 + threads + 1, most


def test_a_run_that_ends_early_leaves_no_thread():
    before = threading.active_count()
    done = []

    def load(path):
        done.append(path)
        return image_of(path, (4, 4))

    with closing(Batches(sources(200), load, 2, 4).run()) as items:
        next(items)
    assert threading.active_count() == before
    assert len(done) < 20


def test_what_is_no_error_of_an_image_is_not_hidden():
    def load(path):
        raise TypeError("a fault of the program")

    with pytest.raises(TypeError, match="a fault"):
        collected(sources(3), load, 2, 2)
