# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Images decoded by threads ahead of the computation, in batches of one size."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..images import Pixels
from .inputs import Source

# Limit of bytes of decoded images that wait: the largest photographs have 300 MB each.
_MOST_WAITING = 256 << 20

# Pixels of a batch: more are not faster, and C2 alone needs 64 bytes for each.
_MOST_PIXELS = 1 << 21


@dataclass
class Batch:
    """Images of the same size: uint8, of shape (N, H, W, 3)."""

    sources: list[Source]
    images: Pixels


@dataclass
class Failure:
    """An image that could not be loaded."""

    source: Source
    error: Exception


class Batches:
    """Images decoded ahead, in batches. Which share a batch depends on their sizes alone, not on time.

    Args:
        sources: the images.
        load: from a path to the prepared image; it runs on other threads.
        size: images in a batch; fewer where they are large.
        threads: how many decode.
    """

    def __init__(self, sources: Sequence[Source], load: Callable[[str], Pixels], size: int, threads: int) -> None:
        self._sources = enumerate(sources)
        self._load = load
        self._size = size
        self._threads = threads
        self._decoding: deque[tuple[int, Source, Future[Pixels]]] = deque()
        self._groups: dict[tuple[int, ...], list[tuple[Source, Pixels]]] = {}
        # Guarded by `_room`: bytes decoded and not yet passed on, and the image that the next batch waits for.
        self._room = threading.Condition()
        self._held = 0
        self._wanted = -1
        self._closed = False

    def run(self) -> Generator[Batch | Failure, None, None]:
        """Batches and failures as they come; close the generator to end early."""
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="decode")
        try:
            while self._top_up(pool):
                index, source, future = self._decoding.popleft()
                with self._room:
                    self._wanted = index
                    self._room.notify_all()
                try:
                    image = future.result()
                except (OSError, ValueError, MemoryError) as error:
                    yield Failure(source, error)
                    continue
                self._groups.setdefault(image.shape, []).append((source, image))
                if len(self._groups[image.shape]) >= self._fitting(image):
                    yield self._taken(image.shape)
                elif self._grouped() > _MOST_WAITING or sum(map(len, self._groups.values())) >= 8 * self._size:
                    # Images of many sizes: the fullest batch is passed on incomplete.
                    yield self._taken(max(self._groups, key=lambda shape: len(self._groups[shape])))
            for shape in list(self._groups):
                yield self._taken(shape)
        finally:
            with self._room:
                self._closed = True
                self._room.notify_all()
            pool.shutdown(cancel_futures=True)

    def _top_up(self, pool: ThreadPoolExecutor) -> bool:
        """Decode images ahead, a batch and one for each thread; return whether any is left."""
        for index, source in itertools.islice(self._sources, self._size + self._threads - len(self._decoding)):
            self._decoding.append((index, source, pool.submit(self._decoded, index, source.path)))
        return bool(self._decoding)

    def _decoded(self, index: int, path: str) -> Pixels:
        with self._room:
            self._room.wait_for(lambda: self._held < _MOST_WAITING or index <= self._wanted or self._closed)
            if self._closed:
                raise CancelledError
        image = self._load(path)
        with self._room:
            self._held += image.nbytes
        return image

    def _fitting(self, image: Pixels) -> int:
        pixels: int = image.shape[0] * image.shape[1]
        return min(self._size, max(1, _MOST_PIXELS // pixels))

    def _grouped(self) -> int:
        return sum(image.nbytes for group in self._groups.values() for _, image in group)

    def _taken(self, shape: tuple[int, ...]) -> Batch:
        sources, images = zip(*self._groups.pop(shape), strict=True)
        batch = Batch(list(sources), np.stack(images))
        with self._room:
            self._held -= batch.images.nbytes
            self._room.notify_all()
        return batch
