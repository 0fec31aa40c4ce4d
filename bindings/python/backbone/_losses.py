# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Losses with their gradients."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _library
from ._arrays import FloatArray, as_array, input_tensor, output_tensor
from ._errors import check
from ._library import lib

IGNORED_LABEL = _library.IGNORED_LABEL


def cross_entropy(logits: Any, labels: npt.ArrayLike, label_smoothing: float = 0.0) -> tuple[float, FloatArray]:
    """Compute the mean cross entropy of logits and its gradient: PyTorch's `F.cross_entropy`.

    Args:
        logits: float32, of shape (N, classes) or, as a network gives them, (N, classes, 1, 1).
        labels: N integers: classes from 0, or IGNORED_LABEL (-100) for an ignored image.
        label_smoothing: from 0 to 1; 0 for none.

    Returns:
        The loss, and its gradient in the shape of `logits`, to be passed to `ResNet.backward`.

    Raises:
        ValueError: a shape does not fit, a label is not a class, all labels are ignored, or `label_smoothing` is out of
            range.
        TypeError: `logits` is not of float32, or labels are not integers.
    """
    array = as_array(logits, "logits")
    if array.dtype != np.float32:
        raise TypeError(f"logits has dtype {array.dtype}; it must be float32")
    if array.ndim == 2:
        array = array[:, :, None, None]
    tensor, array = input_tensor(array, "logits")
    classes = np.asarray(labels)
    if classes.dtype.kind not in "iu":
        raise TypeError(f"labels has dtype {classes.dtype}; it must be integers")
    if classes.ndim != 1:
        raise ValueError(f"labels has shape {classes.shape}; it must have one dimension")
    classes = np.ascontiguousarray(classes, np.int64)
    loss = ctypes.c_double()
    gradient = np.empty(array.shape, np.float32)
    check(
        lib.backbone_cross_entropy(
            ctypes.byref(tensor),
            classes.ctypes.data_as(ctypes.POINTER(ctypes.c_int64)),
            classes.size,
            label_smoothing,
            ctypes.byref(loss),
            ctypes.byref(output_tensor(gradient)),
        )
    )
    return loss.value, gradient.reshape(np.shape(logits))
