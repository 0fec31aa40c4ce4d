# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The time of each layer of a forward pass."""

from __future__ import annotations

from dataclasses import dataclass

from . import _library

Shape = tuple[int, int, int, int]


@dataclass(frozen=True)
class Layer:
    """One step of a forward pass.

    Attributes:
        name: "layer1.0.conv1", "input", "maxpool" or "output.C2".
        kernel: the kernel that computed it: "convolutionF32_winograd4_avx2".
        input_shape: (N, C, H, W).
        output_shape: (N, C, H, W).
        operations: arithmetic operations by the definition of a convolution, the classifier or an ECA: two for each
            product with a weight; 0 for other layers.
        bytes: bytes of activations and packed weights read or written, each counted once.
        seconds: its time.
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
