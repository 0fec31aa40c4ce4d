# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Passes of a network as nodes of PyTorch's graph."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from .._errors import StaleError
from .._resnet import ResNet
from .._tape import Tape

# Tapes that wait for their next use.
_POOLED = 4

_SECOND = (
    "a second backward pass through the same features of a Backbone: the memory of the first was reused. Create the "
    "Backbone with retain_graph=True"
)
_CHANGED = (
    "a parameter of a Backbone was changed since the forward pass of these features: call the Backbone again, or "
    "change parameters after all backward passes"
)

_CREATE_GRAPH = (
    "a backward pass with create_graph=True through a Backbone: it computes no gradients of gradients. For losses that "
    "are made of gradients use a network of torchvision"
)


class _Vectors:
    """Memory for gradients, which is used again when no tensor is left in it: fresh memory would cost page faults."""

    def __init__(self) -> None:
        self._memory: npt.NDArray[np.float32] | None = None
        # The array that the tensors in the memory keep alive.
        self._user: weakref.ref[Any] | None = None

    def take(self, count: int) -> torch.Tensor:
        """A tensor of so many values."""
        is_used = self._user is not None and self._user() is not None
        if self._memory is None or self._memory.size != count or is_used:
            self._memory = np.empty(count, np.float32)
        user = self._memory.view()
        self._user = weakref.ref(user)
        return torch.from_numpy(user)


class TapePool:
    """Tapes of a network that are not in use, and memory for the gradients of its parameters."""

    def __init__(self, net: ResNet) -> None:
        self._net = net
        self._tapes: list[Tape] = []
        self._vectors = _Vectors()
        # The garbage collector may free a pass, which returns its tape, while it is held.
        self._lock = threading.RLock()

    def vector(self, count: int) -> torch.Tensor:
        """Uninitialised memory for the gradients of the parameters."""
        with self._lock:
            return self._vectors.take(count)

    def take(self, input_gradient: bool, retain: bool, recompute: bool) -> Tape:
        """A tape with these options."""
        wanted = (input_gradient, retain, recompute)
        with self._lock:
            for position, tape in enumerate(self._tapes):
                if (tape.input_gradient, tape.retain, tape.recompute) == wanted:
                    return self._tapes.pop(position)
        return self._net.tape(*wanted)

    def give(self, tape: Tape) -> None:
        """Return a tape to the pool."""
        with self._lock:
            if len(self._tapes) < _POOLED:
                self._tapes.append(tape)
                return
        tape.close()

    def clear(self) -> None:
        """Free the memory of all tapes that are not in use."""
        with self._lock:
            tapes, self._tapes = self._tapes, []
            self._vectors = _Vectors()
        for tape in tapes:
            tape.close()


class Pass:
    """One forward pass and its backward pass.

    Args:
        net: the network.
        pool: its tapes.
        x: the input.
        layout: of the features.
        versions: the trainable parameters and their versions.
        offsets: of each parameter the place of its gradient and its length; None if it is frozen.
        input_scale: the factor of the gradient of the input; None for 1.
        is_reversed: whether the network's channels are those of the input in reverse.
        retain: whether several backward passes may follow.
        recompute: whether the backward pass recomputes activations.
    """

    def __init__(
        self,
        net: ResNet,
        pool: TapePool,
        x: torch.Tensor,
        layout: torch.memory_format,
        versions: Sequence[tuple[torch.Tensor, int]],
        offsets: Sequence[tuple[int, int] | None],
        input_scale: torch.Tensor | None,
        is_reversed: bool,
        retain: bool,
        recompute: bool,
    ) -> None:
        self._net = net
        self._pool = pool
        self._shape = x.shape
        self._layout = layout
        self._versions = versions
        self._offsets = offsets
        self._input_scale = input_scale
        self._is_reversed = is_reversed
        self._retain = retain
        self._recompute = recompute
        self._tape: Tape | None = None

    def forward(self, x: torch.Tensor, wants_input: bool) -> tuple[torch.Tensor, ...]:
        """Compute the features."""
        x = x.detach()
        shapes = self._net.output_shapes(tuple(x.shape))
        out = [torch.empty(shape, memory_format=self._layout) for shape in shapes]
        if x.shape[0] == 0:
            return self._net.forward(x, out)
        tape = self._pool.take(wants_input, self._retain, self._recompute)
        try:
            features = self._net.forward_train(x, tape, out)
        except BaseException:
            self._pool.give(tape)
            raise
        self._tape = tape
        return features

    def backward(
        self, gradients: Sequence[torch.Tensor | None], wants_input: bool, wanted: Sequence[bool]
    ) -> tuple[torch.Tensor | None, ...]:
        """The gradients of the input and of each parameter; None for those that are not wanted."""
        if self._shape[0] == 0:
            vector = torch.zeros(self._net.trainable_count)
            of_input = torch.zeros(self._shape) if wants_input else None
        else:
            vector, of_input = self._go_back(gradients, wants_input, any(wanted))
        parts: list[torch.Tensor | None] = []
        for place, is_wanted in zip(self._offsets, wanted, strict=True):
            if place is None or not is_wanted or vector is None:
                parts.append(None)
            else:
                parts.append(vector[place[0] : place[0] + place[1]])
        return of_input, *parts

    def _go_back(
        self, gradients: Sequence[torch.Tensor | None], wants_input: bool, wants_parameters: bool
    ) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        tape = self._tape
        if tape is None:
            raise RuntimeError(_SECOND)
        # The library computes with the memory of the parameters.
        if any(tensor._version != version for tensor, version in self._versions):
            raise StaleError(_CHANGED)
        of_input = torch.empty(self._shape) if wants_input else None
        vector = self._pool.vector(self._net.trainable_count) if wants_parameters else None
        if vector is not None:
            self._net.backward(tape, gradients, vector.numpy(), input_gradient=of_input)
        else:
            self._net.input_gradient(tape, gradients, of_input)
        if not self._retain:
            self.release()
        return vector, None if of_input is None else self._of_caller(of_input)

    def _of_caller(self, gradient: torch.Tensor) -> torch.Tensor:
        """From the gradient of normalised values to that of the input."""
        if self._input_scale is not None:
            gradient *= self._input_scale
        return gradient.flip(1) if self._is_reversed else gradient

    def release(self) -> None:
        """Return the tape."""
        tape, self._tape = self._tape, None
        if tape is not None:
            self._pool.give(tape)

    def __del__(self) -> None:
        if getattr(self, "_tape", None) is not None:
            self.release()


class Features(torch.autograd.Function):
    """The features of a network as a function of the input and the parameters."""

    @staticmethod
    def forward(ctx: Any, this: Pass, x: torch.Tensor, *parameters: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Compute them, with a tape."""
        ctx.set_materialize_grads(False)
        ctx.this = this
        ctx.shapes = [parameter.shape for parameter in parameters]
        return tuple(this.forward(x, ctx.needs_input_grad[1]))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor | None) -> Any:
        """The gradients of the input and of all parameters.

        Raises:
            RuntimeError: these would need gradients themselves. Otherwise a loss made of them would be trained without
                its own gradient: PyTorch's once_differentiable only checks `gradients`.
        """
        if torch.is_grad_enabled():
            raise RuntimeError(_CREATE_GRAPH)
        _, wants_input, *wanted = ctx.needs_input_grad
        of_input, *parts = ctx.this.backward(gradients, wants_input, wanted)
        shaped = [part if part is None else part.view(shape) for part, shape in zip(parts, ctx.shapes, strict=True)]
        return None, of_input, *shaped
