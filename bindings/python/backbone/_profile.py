# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What each layer of a forward took."""

from __future__ import annotations

from dataclasses import dataclass

from . import _library

Shape = tuple[int, int, int, int]


@dataclass(frozen=True)
class Layer:
    """One step of a forward.

    Attributes:
        name: "layer1.0.conv1", "input", "maxpool" or "output.C2".
        kernel: how it was computed: "convolutionF32_winograd4_avx2".
        input_shape: (N, C, H, W).
        output_shape: (N, C, H, W).
        operations: of the definition of a convolution, of the classifier or of an ECA: two for each product with a
            weight; 0 for other layers.
        bytes: activations and packed weights that are read or written, each once.
        seconds: what it took.
    """

    name: str
    kernel: str
    input_shape: Shape
    output_shape: Shape
    operations: int
    bytes: int
    seconds: float


def layer_of(row: _library.Layer) -> Layer:
    """A row that the library has written."""
    n, c, h, w = row.input_shape
    out_n, out_c, out_h, out_w = row.output_shape
    return Layer(
        name=row.name.decode(),
        kernel=row.kernel.decode(),
        input_shape=(n, c, h, w),
        output_shape=(out_n, out_c, out_h, out_w),
        operations=row.operations,
        bytes=row.bytes,
        seconds=row.nanoseconds / 1e9,
    )
