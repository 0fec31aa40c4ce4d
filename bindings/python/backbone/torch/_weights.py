# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Parameters and buffers of PyTorch that mirror those of a network."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from .._entries import Entry, Parameter
from .._errors import check
from .._library import lib
from .._resnet import ResNet

# Values of each parameter that are compared to see whether it was changed through Tensor.data.
_SAMPLES = 16
# Pairs of values that are summed together, each times an odd factor of its own: values that change places change the
# sum too, and so does every change of one pair.
_CHUNK = 1 << 14
_FACTORS = np.random.default_rng(0).integers(1 << 63, size=_CHUNK, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


class Part(torch.nn.Module):
    """A layer or block of a `Backbone`. It only holds parameters and buffers under the names of torchvision."""

    def forward(self, *_: Any) -> Any:
        """Refused.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("a part of a Backbone computes nothing by itself; call the Backbone")

    def train(self, mode: bool = True) -> Part:
        """Refused, unless it changes nothing: a Backbone has one mode.

        Raises:
            RuntimeError: the mode is another one.
        """
        if mode != self.training:
            raise RuntimeError(
                "a part of a Backbone has no mode of its own: use frozen_stages, or norm_eval=True for all BatchNorms"
            )
        return self

    def _apply(self, fn: Any, recurse: bool = True) -> Part:
        return self

    def extra_repr(self) -> str:
        """What `repr` shows."""
        return ", ".join(f"{name}={tuple(value.shape)}" for name, value in self._parameters.items())


class _Slot:
    """The places of one entry of the network: in PyTorch and in the flat tensor that the library reads."""

    __slots__ = ("copied", "index", "key", "seen", "segment", "tensors")

    def __init__(self, index: int, key: str, tensors: dict[str, Any], segment: torch.Tensor) -> None:
        self.index = index
        self.key = key
        # _parameters or _buffers of a Part.
        self.tensors = tensors
        self.segment = segment
        # The values that the library has, while PyTorch has them outside of the segment: a new Parameter, or those of
        # functional_call, after which the segment is used again.
        self.copied: torch.Tensor | None = None
        # The version of the parameter that the library has.
        self.seen = 0

    @property
    def tensor(self) -> torch.Tensor:
        """The current parameter or buffer."""
        value = self.tensors.get(self.key)
        if value is None:
            raise RuntimeError(f"a parameter or buffer {self.key!r} of this Backbone was removed; it needs all of them")
        return value

    @property
    def source(self) -> torch.Tensor:
        """The memory to write to the library."""
        return self.segment if self.copied is None else self.copied

    def gather(self) -> bool:
        """Find the values in PyTorch; return whether they have moved or, outside, changed."""
        value = self.tensor
        if value.data_ptr() == self.segment.data_ptr() and value.is_contiguous():
            was_outside, self.copied = self.copied is not None, None
            return was_outside
        value = value.detach()
        if value.shape != self.segment.shape:
            raise RuntimeError(
                f"{self.key!r} of this Backbone has shape {tuple(value.shape)}; it must be {tuple(self.segment.shape)}"
            )
        value = value.to("cpu", self.segment.dtype)
        if self.copied is not None and torch.equal(value, self.copied):
            return False
        self.copied = value.clone(memory_format=torch.contiguous_format)
        return True

    def scatter(self) -> None:
        """Give PyTorch the values that were read, if it has its own outside."""
        if self.copied is not None:
            self.tensor.detach().copy_(self.copied)


class _Places:
    """The places in the flat tensor to check for changes."""

    def __init__(self, slots: Sequence[_Slot]) -> None:
        starts = np.array([slot.segment.storage_offset() for slot in slots])
        lasts = np.array([slot.segment.numel() - 1 for slot in slots])
        # Values of each parameter, spread over it.
        steps = np.arange(_SAMPLES) * lasts[:, None] // (_SAMPLES - 1)
        self.samples = starts[:, None] + steps
        # The chunks that each parameter has values in.
        self.first_chunks = starts // 2 // _CHUNK
        self.last_chunks = (starts + lasts) // 2 // _CHUNK


class _Marks:
    """Detects changes of parameters.

    Args:
        flat: their values, an even number of them.
        places: where to look.
        with_sums: whether to check all values.
    """

    def __init__(self, flat: npt.NDArray[np.float32], places: _Places, with_sums: bool) -> None:
        self._places = places
        # Bits, because NaN differs from itself.
        self.samples = flat.view(np.uint32)[places.samples]
        self.sums = _sums(flat.view(np.uint64)) if with_sums else None

    def differing(self, before: _Marks) -> set[int]:
        """The parameters that have changed, and those that share a chunk with one that has."""
        differ = (self.samples != before.samples).any(axis=1)
        if self.sums is not None and before.sums is not None:
            changes = np.concatenate(([0], np.cumsum(self.sums != before.sums)))
            differ |= changes[self._places.last_chunks + 1] > changes[self._places.first_chunks]
        return set(np.flatnonzero(differ).tolist())


def _sums(pairs: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The sum of each chunk."""
    whole = pairs.size // _CHUNK * _CHUNK
    rest = pairs[whole:]
    rows = pairs[:whole].reshape(-1, _CHUNK)
    # One pass over memory, without arrays in between.
    return np.append(np.einsum("ij,j->i", rows, _FACTORS), np.einsum("i,i", rest, _FACTORS[: rest.size]))


class Weights:
    """The parameters and buffers of a module, and their exchange with the network.

    All parameters are views of one flat tensor in the order of the state dict, and the library computes with this
    memory: no copy exists. Only while PyTorch has parameters elsewhere, as within `functional_call`, has the library
    memory of its own. Buffers are copied. Each view counts its changes by itself.
    """

    def __init__(self, module: torch.nn.Module, net: ResNet) -> None:
        self._net = net
        self._lock = threading.Lock()
        entries = list(enumerate(net._entries()))
        # Tensors of inference mode count no changes.
        with torch.inference_mode(False):
            self._flat, self._parameters = _views(module, [e for e in entries if isinstance(e[1], Parameter)], True)
            floats = [e for e in entries if not isinstance(e[1], Parameter) and e[1].dtype.kind == "f"]
            self._statistics, self._float_buffers = _views(module, floats, False)
            counts = [e for e in entries if e[1].dtype.kind != "f"]
            self._counts, self._count_buffers = _views(module, counts, False)
            self._known = self._statistics.clone(), self._counts.clone()
        self._places = _Places(self._parameters)
        # Where the library has the parameters; None while it has memory of its own.
        self._address: int | None = None
        self.follow()
        self.pull()

    def adopt(self, memo: Mapping[int, Any], others: Weights) -> None:
        """Take over the copies of another module's parameters that a deep copy made before it came to the module."""
        for slot, other in zip(self._parameters, others._parameters, strict=True):
            copied = memo.get(id(other.tensor))
            if isinstance(copied, torch.nn.Parameter):
                copied.data = slot.segment.data
                copied.requires_grad_(slot.tensor.requires_grad)
                slot.tensors[slot.key] = copied

    @property
    def _buffers(self) -> list[_Slot]:
        return self._float_buffers + self._count_buffers

    def parameters(self) -> list[torch.Tensor]:
        """All current parameters, in the order of the state dict."""
        return [slot.tensor for slot in self._parameters]

    # ---- What is trainable ----

    def follow(self) -> None:
        """Set `requires_grad` of the parameters that have just been frozen or unfrozen."""
        before = getattr(self, "offsets", None)
        entries = self._net._entries()
        by_name = {entry.name: (offset, count) for entry, offset, count in self._net._slots()}
        # Of each parameter the place of its gradient and its length; None if it is frozen.
        self.offsets = [by_name.get(entries[slot.index].name) for slot in self._parameters]
        for position, (slot, place) in enumerate(zip(self._parameters, self.offsets, strict=True)):
            if before is None or (before[position] is None) != (place is None):
                slot.tensor.requires_grad_(place is not None)

    # ---- To the network ----

    def push(self, is_exact: bool) -> None:
        """Make the network use the changes in PyTorch since the last time.

        PyTorch counts the changes of a parameter, but not those through `Tensor.data` and through arrays that share the
        memory. These are found by comparing some values of each parameter.

        Args:
            is_exact: compare sums of all values too, which costs 7 ms for 100 MB.
        """
        with self._lock:
            changed = {
                position
                for position, slot in enumerate(self._parameters)
                if slot.gather() or slot.tensor._version != slot.seen
            }
            self._bind(all(slot.copied is None for slot in self._parameters))
            marks = self._marks(is_exact or bool(changed))
            changed |= marks.differing(self._seen)
            if changed:
                self._write(changed)
                self._remember(marks if marks.sums is not None else self._marks(True))
            self._push_buffers()

    def _marks(self, with_sums: bool) -> _Marks:
        return _Marks(self._flat.numpy(), self._places, with_sums)

    def _remember(self, marks: _Marks) -> None:
        self._seen = marks
        for slot in self._parameters:
            slot.seen = slot.tensor._version

    def _bind(self, is_inside: bool) -> None:
        """Make the library keep the parameters in the flat tensor, or, if some are outside, in memory of its own."""
        address = self._flat.data_ptr()
        # `share_memory_` moves it.
        if self._address != address and (is_inside or self._address is not None):
            self._bind_to(address)
        if not is_inside and self._address is not None:
            self._bind_to(None)

    def _bind_to(self, address: int | None) -> None:
        count = sum(slot.segment.numel() for slot in self._parameters)
        with self._net._handle as net:
            check(lib.backbone_bind_parameters(net, address, count))
        # The memory must live as long as the network.
        self._net._bound = None if address is None else self._flat
        self._address = address

    def _write(self, changed: set[int]) -> None:
        slots = [self._parameters[position] for position in sorted(changed)]
        if self._address is None:
            return self._write_entries(slots)
        entries = (ctypes.c_size_t * len(slots))(*(slot.index for slot in slots))
        with self._net._handle as net:
            check(lib.backbone_parameters_changed(net, entries, len(slots)))

    def _write_entries(self, slots: Iterable[_Slot]) -> None:
        with self._net._handle as net:
            for slot in slots:
                check(lib.backbone_write_entry(net, slot.index, slot.source.data_ptr(), slot.source.nbytes))

    def _push_buffers(self) -> None:
        changed = {slot.index for slot in self._buffers if slot.gather()}
        statistics, counts = self._known
        if not changed and _same(self._statistics, statistics) and _same(self._counts, counts):
            return
        for slots, known in ((self._float_buffers, statistics), (self._count_buffers, counts)):
            self._write_entries(slot for slot in slots if slot.index in changed or not _is_known(slot.segment, known))
        self._remember_buffers()

    def _remember_buffers(self) -> None:
        self._known[0].copy_(self._statistics)
        self._known[1].copy_(self._counts)

    # ---- From the network ----

    def pull(self) -> None:
        """Read everything."""
        with self._lock:
            self._read(self._parameters)
            self._remember(self._marks(True))
            self._read(self._buffers)
            self._remember_buffers()

    def versions(self) -> list[tuple[torch.Tensor, int]]:
        """The trainable parameters, and the number of PyTorch's changes of each."""
        tensors = (slot.tensor for slot, place in zip(self._parameters, self.offsets, strict=True) if place)
        return [(tensor, tensor._version) for tensor in tensors]

    def pull_statistics(self) -> None:
        """Read the buffers, which a forward pass in training mode has changed."""
        with self._lock:
            self._read(self._buffers)
            self._remember_buffers()

    def _read(self, slots: Sequence[_Slot]) -> None:
        with self._net._handle as net, torch.no_grad():
            for slot in slots:
                check(lib.backbone_read_entry(net, slot.index, slot.source.data_ptr(), slot.source.nbytes))
                slot.scatter()

    # ---- Both ----

    def apply(self, fn: Any) -> None:
        """Let a function of `Module._apply` work on the memory, if it changes neither type nor device."""
        for tensor in (self._flat, self._statistics, self._counts):
            probe = tensor[:0]
            if fn(probe) is probe:
                fn(tensor)


def _views(
    module: torch.nn.Module, entries: Sequence[tuple[int, Entry]], are_parameters: bool
) -> tuple[torch.Tensor, list[_Slot]]:
    """One flat tensor for some entries, and a view of it for each in the module."""
    sizes = [torch.Size(entry.shape).numel() for _, entry in entries]
    is_float = not entries or entries[0][1].dtype.kind == "f"
    # An even number of values, which can be read in pairs.
    count = sum(sizes)
    flat = torch.zeros(count + count % 2, dtype=torch.float32 if is_float else torch.int64)
    slots = []
    for (index, entry), segment in zip(entries, flat[:count].split(sizes), strict=True):
        path, _, key = entry.name.rpartition(".")
        part = _part(module, path)
        segment = segment.view(entry.shape)
        if are_parameters:
            # Through .data, so that the parameter's version is its own.
            part.register_parameter(key, torch.nn.Parameter(segment.data))
        else:
            part.register_buffer(key, segment.data)
        slots.append(_Slot(index, key, part._parameters if are_parameters else part._buffers, segment))
    return flat, slots


def _part(module: torch.nn.Module, path: str) -> torch.nn.Module:
    for name in path.split("."):
        if name not in module._modules:
            module.register_module(name, Part())
            module._modules[name].training = module.training
        module = module._modules[name]
    return module


def _is_known(segment: torch.Tensor, known: torch.Tensor) -> bool:
    start = segment.storage_offset()
    return _same(segment.flatten(), known[start : start + segment.numel()])


def _same(left: torch.Tensor, right: torch.Tensor) -> bool:
    """Whether two contiguous tensors have the same bits: NaN differs from itself."""
    return bool(torch.equal(left.view(torch.uint8), right.view(torch.uint8)))
