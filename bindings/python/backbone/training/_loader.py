# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Images decoded by threads ahead of the computation, in the order of the batches."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from .._decoding import ImageError, Pixels

# Bytes of decoded images that wait, beyond one batch and one image for each thread.
_MOST_WAITING = 256 << 20

# Errors that concern a single file. Others (too many open files, an input/output error, a folder that is no longer
# mounted) concern the machine, and would make every image look damaged.
_OF_THE_FILE = (errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG)


@dataclass
class Batch:
    """Images of one step.

    Attributes:
        images: uint8, of shape (N, H, W, 3).
        indices: which of the examples they are.
        failed: the examples of this step that could not be decoded, with the error of each.
    """

    images: Pixels
    indices: list[int]
    failed: list[tuple[int, Exception]] = field(default_factory=list)


def batches(
    groups: Sequence[Sequence[int]], load: Callable[[int], Pixels], size: int, threads: int
) -> Generator[Batch, None, None]:
    """Decode the images of each step.

    Which images share a batch, and their order, depends on `groups` alone: not on time, nor on the number of threads.

    Args:
        groups: for each step the indices of its images.
        load: from an index to an image of shape (size, size, 3); it runs on other threads. ImageError, and an OSError
            that only concerns this file, are put into `Batch.failed`; all other errors end the generator.
        size: height and width of an image.
        threads: how many decode.
    """
    largest = max((len(group) for group in groups), default=0)
    # Two batches ahead, or fewer where they are large.
    ahead = min(2 * largest, max(largest, _MOST_WAITING // (3 * size * size))) + threads
    flat: Iterator[int] = (index for group in groups for index in group)
    waiting: deque[Future[Pixels]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    try:
        for group in groups:
            batch = Batch(np.empty((len(group), size, size, 3), np.uint8), [])
            for index in group:
                while len(waiting) < ahead and (following := next(flat, None)) is not None:
                    waiting.append(pool.submit(load, following))
                try:
                    image = waiting.popleft().result()
                except ImageError as error:
                    batch.failed.append((index, error))
                except OSError as error:
                    if error.errno not in _OF_THE_FILE:
                        raise
                    batch.failed.append((index, error))
                else:
                    batch.images[len(batch.indices)] = image
                    batch.indices.append(index)
            batch.images = batch.images[: len(batch.indices)]
            yield batch
    finally:
        pool.shutdown(cancel_futures=True)
