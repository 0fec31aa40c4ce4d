# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The data that a forward pass keeps for the backward pass."""

from __future__ import annotations

import ctypes

from . import _library
from ._errors import check
from ._handle import Closing, Handle, Owned
from ._library import lib


class Tape(Closing):
    """The data that `ResNet.forward_train` keeps for `ResNet.backward`; created by `ResNet.tape`.

    A tape can be used for any number of passes, one after the other, and keeps its memory until it is closed: by
    `close`, at the end of a `with` block, or with the last reference. Several tapes keep several passes. Calls with the
    same tape wait for each other.

    Attributes:
        input_gradient: whether the gradient of the input can be computed.
        retain: whether several backward passes can follow a forward pass.
        recompute: whether the backward pass recomputes activations within a block.
    """

    def __init__(self, handle: Handle, input_gradient: bool, retain: bool, recompute: bool) -> None:
        flags = (bool(input_gradient), bool(retain), bool(recompute))
        options = _library.TapeOptions(ctypes.sizeof(_library.TapeOptions), *flags)
        pointer = ctypes.c_void_p()
        with handle as net:
            check(lib.backbone_tape_create(net, ctypes.byref(options), ctypes.byref(pointer)))
        assert pointer.value is not None
        self.input_gradient, self.retain, self.recompute = flags
        self._handle = handle
        self._owned = Owned(pointer.value, lib.backbone_tape_free, "Tape")
        # Of the last forward pass.
        self._input_shape: tuple[int, ...] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the tape uses; 0 before its first pass."""
        count = ctypes.c_size_t()
        with self._handle as net, self._owned as tape:
            check(lib.backbone_tape_bytes(net, tape, ctypes.byref(count)))
        return count.value

    def __reduce__(self) -> str:
        raise TypeError("a Tape cannot be copied or pickled")

    def __repr__(self) -> str:
        if self._owned.closed:
            return "<closed Tape>"
        return f"Tape(input_gradient={self.input_gradient}, retain={self.retain}, recompute={self.recompute})"
