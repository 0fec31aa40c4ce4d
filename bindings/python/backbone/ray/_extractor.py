# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The class that actors run: rows with images in, rows with features out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import ray

from .._arguments import Checkpoint
from .._arrays import global_average
from .._decoding import MAX_PIXELS, checked_limit, decoded, pixels_of
from .._library import IMAGENET_MEAN, IMAGENET_STD_DEV
from .._report import LoadReport
from .._resnet import ResNet
from ..images import Pixels, Rounding, Size, prepare

# The names of stages here, and the outputs of a network.
_STAGES = {
    "stem": "C1",
    "layer1": "C2",
    "layer2": "C3",
    "layer3": "C4",
    "layer4": "C5",
    "pooled": "pooled",
    "logits": "logits",
}

# Rows whose decoded images are in memory at once.
_WINDOW = 16

# An image costs the same time alone as in a batch, on one thread and on two; a batch only uses more memory.
_PIXELS_AT_ONCE = 4 * 224 * 224


class _Image(NamedTuple):
    """A row's image, ready for the network, or why it could not be prepared."""

    pixels: Pixels | None
    height: int | None = None
    width: int | None = None
    error: str | None = None


class Extractor:
    """A network and the preparation of its images, as a class for `ray.data.Dataset.map_batches`.

    A table with a column of images in gives tables with `id_column`, the columns of `keep`, and

    - `height`, `width`: of the decoded image;
    - for each stage a column of its name: with `pool` a list of C values; without it the values of (C, H, W) in C
      order, and H and W depend on the image: a column `layer4_shape` beside `layer4` has them;
    - `error`: null, or why this image has no features; then all columns of features are null.

    An image that cannot be read, decoded or computed is a row with an error, never an exception. The order of rows is
    not kept. Features have the bits of `ResNet.forward` on that image alone; pooling sums in float64.

    Args:
        weights: a checkpoint, its bytes, or a `ray.ObjectRef` of them (`ray.put(numpy.fromfile(path, numpy.uint8))`),
            which all actors of a node map.
        stages: some of "stem" (C1), "layer1" (C2) to "layer4" (C5), "pooled" and "logits".
        pool: "avg" for the mean over rows and columns; None for the whole feature map.
        size: as for `backbone.images.prepare`, and so are `crop`, `max_size` and `rounding`. These defaults are
            torchvision's evaluation transforms; `size=800, crop=None, max_size=1333` are those of usual detectors.
        max_pixels: an image that still has more after this is an error. The network needs about 200 bytes for each.
        max_file_pixels: an image file with more is an error, before it is decoded; None: any number.
        image_column: the encoded bytes of an image file, a path, an array of uint8 of shape (H, W, 3) or (H, W), or a
            struct of `bytes` and `path`, as Hugging Face writes them.
        id_column: the column that identifies rows.
        keep: further columns to carry over.
        threads: threads for decoding and for one forward pass: `num_cpus` of the actor.
        root: the folder that paths are relative to.
        options: as for `ResNet.from_file`: key, prefix, strict, style, ...; `mean` and `std` are by default ImageNet's,
            where `ResNet` has 0 and 1.

    Raises: what `ResNet.from_file` and `prepare` do; ValueError for a network that does not take three channels.
    """

    def __init__(
        self,
        weights: Checkpoint | Any,
        *,
        stages: Sequence[str] = ("layer4",),
        pool: Literal["avg"] | None = "avg",
        size: Size | None = 256,
        crop: Size | None = 224,
        max_size: int | None = None,
        rounding: Rounding | None = None,
        max_pixels: int = 2**24,
        max_file_pixels: int | None = MAX_PIXELS,
        image_column: str = "image",
        id_column: str = "path",
        keep: Sequence[str] = (),
        threads: int = 1,
        root: str | os.PathLike[str] = "",
        **options: Any,
    ) -> None:
        if isinstance(stages, str) or not stages or any(stage not in _STAGES for stage in stages):
            raise ValueError(f"stages is {stages!r}; it must be some of {', '.join(_STAGES)}")
        if pool not in ("avg", None):
            raise ValueError(f"pool is {pool!r}; it must be 'avg' or None")
        # Reports wrong sizes now, not once for each image.
        prepare(np.zeros((8, 8, 3), np.uint8), size, crop, max_size, rounding=rounding)
        self._preparation = (size, crop, max_size)
        self._rounding: Rounding | None = rounding
        self._max_pixels = max_pixels
        self._max_file_pixels = checked_limit(max_file_pixels, "max_file_pixels")
        self._image_column = image_column
        self._kept = list(dict.fromkeys([id_column, *keep]))
        self._root = root
        self._pool = pool
        self._stages = [stage for stage in _STAGES if stage in stages]
        options = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD_DEV} | options
        self.mean, self.std = (None if options[name] is None else tuple(options[name]) for name in ("mean", "std"))
        options["outputs"] = [_STAGES[stage] for stage in self._stages]
        if isinstance(weights, ray.ObjectRef):
            weights = ray.get(weights)
        self._net = ResNet.from_file(weights, threads=threads, **options)
        if self._net.in_channels != 3:
            raise ValueError(f"the network takes {self._net.in_channels} channels; images have 3: see input_channels")
        self._decoders = ThreadPoolExecutor(threads)

    @property
    def report(self) -> LoadReport | None:
        """The report of loading the weights."""
        return self._net.report

    def __call__(self, table: pa.Table) -> Iterator[pa.Table]:
        """The rows of `table` with features, a few at a time.

        Raises:
            ValueError: the table lacks a column.
        """
        check_columns(table.column_names, self._image_column, *self._kept)
        for start in range(0, table.num_rows, _WINDOW):
            yield from self._of_window(table.slice(start, _WINDOW))

    def _of_window(self, rows: pa.Table) -> Iterator[pa.Table]:
        images = list(self._decoders.map(self._image, rows[self._image_column]))
        kept = rows.select(self._kept)
        groups: dict[tuple[int, ...] | None, list[int]] = {}
        for index, image in enumerate(images):
            groups.setdefault(None if image.pixels is None else image.pixels.shape, []).append(index)
        for shape, members in groups.items():
            count = len(members) if shape is None else max(1, _PIXELS_AT_ONCE // (shape[0] * shape[1]))
            for start in range(0, len(members), count):
                indices = members[start : start + count]
                yield self._table(kept.take(indices), [images[index] for index in indices])

    def _image(self, cell: pa.Scalar) -> _Image:
        try:
            image = self._decoded(cell)
            height, width = image.shape[:2]
            pixels = prepare(image, *self._preparation, rounding=self._rounding)
            if pixels.shape[0] * pixels.shape[1] > self._max_pixels:
                size = f"{pixels.shape[0]} x {pixels.shape[1]} pixels"
                raise ValueError(f"the image has {size}; max_pixels is {self._max_pixels}")
            return _Image(pixels, height, width)
        except Exception as error:
            return _Image(None, error=str(error) or type(error).__name__)

    def _decoded(self, cell: pa.Scalar) -> Pixels:
        value = cell.to_numpy() if hasattr(cell, "to_numpy") else cell.as_py()
        if isinstance(value, dict):
            value = value.get("bytes") or value.get("path")
        if value is None:
            raise ValueError(f"the column {self._image_column} is null")
        if isinstance(value, bytes):
            return self._file(value)
        if isinstance(value, str):
            return self._file(os.path.join(self._root, value))
        if isinstance(value, list) and _element(cell.type) == pa.uint8():
            value = np.array(value, np.uint8)
        if not isinstance(value, np.ndarray) or value.dtype != np.uint8:
            raise TypeError(
                f"the column {self._image_column} is {cell.type}; it must have encoded bytes, paths or uint8 arrays"
            )
        return np.stack([value] * 3, axis=2) if value.ndim == 2 else value

    def _file(self, source: str | bytes) -> Pixels:
        return pixels_of(decoded(source, self._max_file_pixels, "max_file_pixels"))

    def _table(self, kept: pa.Table, images: list[_Image]) -> pa.Table:
        """The rows of images that have no pixels, or all have them in the same size."""
        try:
            pixels = [image.pixels for image in images if image.pixels is not None]
            features = self._net(np.stack(pixels).transpose(0, 3, 1, 2)) if pixels else None
        except Exception as error:
            # Probably memory: one at a time may work.
            if len(images) > 1:
                singles = [self._table(kept.slice(index, 1), [image]) for index, image in enumerate(images)]
                return pa.concat_tables(singles)
            images = [_Image(None, error=str(error) or type(error).__name__)]
            features = None
        table = kept.append_column("height", pa.array([image.height for image in images], pa.int32()))
        table = table.append_column("width", pa.array([image.width for image in images], pa.int32()))
        for index, (stage, channels) in enumerate(zip(self._stages, self._net.out_channels, strict=True)):
            columns = self._columns(stage, channels, len(images), None if features is None else features[index])
            for name, column in columns.items():
                table = table.append_column(name, column)
        return table.append_column("error", pa.array([image.error for image in images], pa.string()))

    def _columns(
        self, stage: str, channels: int, rows: int, feature: npt.NDArray[np.float32] | None
    ) -> dict[str, pa.Array]:
        """A stage of shape (rows, C, H, W) as columns, or nulls."""
        if self._pool is not None:
            kind = pa.list_(pa.float32(), channels)
            if feature is None:
                return {stage: pa.nulls(rows, kind)}
            means = np.stack([global_average(image) for image in feature])
            return {stage: pa.FixedSizeListArray.from_arrays(pa.array(means.ravel()), type=kind)}
        # 64-bit offsets: a block of C2 of large images has more than 2**31 values.
        kind, shape_kind = pa.large_list(pa.float32()), pa.list_(pa.int32(), 3)
        if feature is None:
            return {stage: pa.nulls(rows, kind), f"{stage}_shape": pa.nulls(rows, shape_kind)}
        offsets = np.arange(rows + 1, dtype=np.int64) * feature[0].size
        shapes = np.tile(np.array(feature.shape[1:], np.int32), rows)
        return {
            stage: pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(feature.ravel())),
            f"{stage}_shape": pa.FixedSizeListArray.from_arrays(pa.array(shapes), type=shape_kind),
        }


def check_columns(names: Sequence[str], *wanted: str) -> None:
    """Raise ValueError with the existing columns if a wanted one is missing."""
    missing = [name for name in wanted if name not in names]
    if missing:
        raise ValueError(f"missing column: {', '.join(missing)}; the columns are: {', '.join(names)}")


def _element(kind: pa.DataType) -> pa.DataType:
    """The type of the elements of lists of lists."""
    while hasattr(kind, "value_type"):
        kind = kind.value_type
    return kind
