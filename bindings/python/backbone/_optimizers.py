# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Optimisers."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import _library
from ._arguments import encoded_path, encoded_text
from ._arrays import FloatArray
from ._entries import Entry
from ._errors import check
from ._handle import Closing, Owned
from ._library import lib
from ._loading import reported
from ._report import LoadReport
from ._resnet import ResNet
from ._training import flat_vector

_KINDS = {
    "weights": _library.PARAMETERS_WEIGHTS,
    "norms": _library.PARAMETERS_NORMS,
    "biases": _library.PARAMETERS_BIASES,
}


@dataclass(frozen=True)
class Group:
    """Parameters with a learning rate or a weight decay of their own.

    A parameter belongs to the first group that matches both its name and its kind, if any.

    Attributes:
        prefix: prefix of their names ("layer4.", "fc."); "" for any name.
        kinds: some of "weights" (of convolutions and the classifier), "norms" (weights and biases of norms) and
            "biases" (of convolutions and the classifier); empty for all.
        lr_factor: multiplies the learning rate; at least 0.
        weight_decay: replaces that of the optimiser; None for the same.
    """

    prefix: str = ""
    kinds: Sequence[str] = ()
    lr_factor: float = 1.0
    weight_decay: float | None = None

    def __post_init__(self) -> None:
        wrong = [kind for kind in self.kinds if kind not in _KINDS]
        if isinstance(self.kinds, str) or wrong:
            raise ValueError(f"kinds is {self.kinds!r}; it must be some of {', '.join(_KINDS)}")


class Optimizer(Closing):
    """Updates the trainable parameters of a network from their gradients: SGD or AdamW.

    It becomes stale when other parameters become trainable (`ResNet.freeze`, `ResNet.set_trainable`): its methods then
    raise StaleError until `follow`. Memory is released by `close`, at the end of a `with` block, or with the last
    reference.

    Attributes:
        net: the network.
    """

    def __init__(
        self, net: ResNet, kind: int, lr: float, weight_decay: float, groups: Sequence[Group], **fields: Any
    ) -> None:
        options = _library.OptimizerOptions()
        check(lib.backbone_optimizer_options_init(ctypes.byref(options), ctypes.sizeof(options), kind))
        for name, value in fields.items():
            setattr(options, name, value)
        options.weight_decay = weight_decay
        array = (_library.ParameterGroup * len(groups))()
        for row, group in zip(array, groups, strict=True):
            row.prefix = encoded_text("prefix", group.prefix) if group.prefix else None
            row.kinds = sum({_KINDS[kind] for kind in group.kinds})
            row.learning_rate_factor = group.lr_factor
            row.weight_decay = weight_decay if group.weight_decay is None else group.weight_decay
        options.groups = array
        options.group_count = len(groups)
        pointer = ctypes.c_void_p()
        with net._handle as handle:
            check(lib.backbone_optimizer_create(handle, ctypes.byref(options), ctypes.byref(pointer)))
        assert pointer.value is not None
        self.net = net
        self.lr = lr
        self._owned = Owned(pointer.value, lib.backbone_optimizer_free, type(self).__name__)
        self._weight_decay = weight_decay
        self._groups = tuple(groups)

    @property
    def lr(self) -> float:
        """The learning rate of the next step; may be set to any number; a step refuses numbers below 0."""
        return self._lr

    @lr.setter
    def lr(self, value: float) -> None:
        self._lr = float(value)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """A dict for each group that has parameters, then one for the parameters outside of all groups, as in PyTorch.

        Each has "params", the names of the trainable parameters in it, "lr" and "weight_decay".
        """
        entries = {entry.name: entry for entry, *_ in self.net._slots()}
        members: dict[int, list[str]] = {}
        groups = (*self._groups, Group())
        for name in entries:
            kind = _kind(name, entries)
            for index, group in enumerate(groups):
                if name.startswith(group.prefix) and (not group.kinds or kind in group.kinds):
                    members.setdefault(index, []).append(name)
                    break
        return [
            {
                "params": members[index],
                "lr": self.lr * group.lr_factor,
                "weight_decay": self._weight_decay if group.weight_decay is None else group.weight_decay,
            }
            for index, group in enumerate(groups)
            if index in members
        ]

    def step(self, gradients: FloatArray, *, allow_not_finite: bool = False) -> None:
        """Update all trainable parameters. Tapes that are filled become stale.

        Args:
            gradients: as `ResNet.backward` returns them.
            allow_not_finite: accept gradients that are NaN or infinite.

        Raises:
            FloatingPointError: a gradient is NaN or infinite; the message names the parameter. Nothing has changed.
            StaleError: other parameters are trainable now: call `follow`.
            ValueError: another number of gradients, or `lr` is out of range.
        """
        vector = flat_vector("gradients", gradients, is_written=False)
        flags = _library.STEP_ALLOW_NOT_FINITE if allow_not_finite else 0
        with self.net._handle as net, self._owned as optimizer:
            check(lib.backbone_optimizer_step(net, optimizer, vector.ctypes.data, vector.size, self.lr, flags))

    def follow(self) -> None:
        """Adapt the optimiser to the parameters that are trainable now.

        Those that were trainable before keep their state; the others begin with their next gradient.
        """
        with self.net._handle as net, self._owned as optimizer:
            check(lib.backbone_optimizer_follow(net, optimizer))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the weights of the network and the state of the optimiser to one file.

        `torch.load` gives a dict of "state_dict" and "optimizer", for `load_state_dict` of a PyTorch optimiser with the
        trainable parameters in the groups of `param_groups`.

        Args:
            path: ending in .pth, .pt, .bin or .pth.tar.

        Raises:
            ValueError: another ending.
            FileNotFoundError, OSError: the file cannot be written; an existing one is unchanged.
        """
        encoded = encoded_path("path", path)
        with self.net._handle as net, self._owned as optimizer:
            check(lib.backbone_save_training(net, optimizer, encoded, self.lr))

    def load(self, path: str | os.PathLike[str]) -> LoadReport:
        """Load the weights of the network and the state of the optimiser from a file of `save` or of PyTorch.

        The file is what `torch.save({"state_dict": ..., "optimizer": ...}, path)` writes. Options in it, including the
        learning rate, are ignored: this optimiser keeps its own, and `warnings` of the report name differences other
        than the learning rate. It loads both or changes nothing.

        Returns:
            The report; its `optimizer` says which parameters the state is for.

        Raises:
            MismatchError: weights or state do not fit; `.report` is None if it is the state.
            CheckpointError, FileNotFoundError, OSError: as for `ResNet.load_weights`.
        """
        encoded = encoded_path("path", path)
        with self._owned as optimizer:
            report = reported(
                lambda out: self.net._handle.run(
                    lambda net: int(lib.backbone_load_training(net, optimizer, encoded, out)),
                    repeatable=os.path.isfile(encoded),
                )
            )
        self.net._report = report
        return report

    def __reduce__(self) -> str:
        raise TypeError(f"a {type(self).__name__} cannot be copied or pickled; see its save and load")


class SGD(Optimizer):
    """Stochastic gradient descent as in `torch.optim.SGD`, with the same bits as its CPU implementation.

    Args:
        net: the network; at least one parameter must be trainable.
        lr: the learning rate.
        momentum: at least 0.
        dampening: of the momentum.
        weight_decay: for parameters outside of all groups, including norms and biases.
        nesterov: Nesterov momentum, which needs momentum and no dampening.
        groups: parameters with options of their own.

    Raises:
        ValueError: an option is out of range, or everything is frozen.
    """

    def __init__(
        self,
        net: ResNet,
        lr: float,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        groups: Sequence[Group] = (),
    ) -> None:
        super().__init__(
            net,
            _library.OPTIMIZER_SGD,
            lr,
            weight_decay,
            groups,
            momentum=momentum,
            dampening=dampening,
            nesterov=bool(nesterov),
        )


class AdamW(Optimizer):
    """Adam with decoupled weight decay, as `torch.optim.AdamW` without amsgrad.

    Args:
        net: the network; at least one parameter must be trainable.
        lr: the learning rate.
        betas: of the averages of gradients and of their squares, at least 0 and less than 1.
        eps: added to the root of the second average.
        weight_decay: for parameters outside of all groups, including norms and biases.
        groups: parameters with options of their own.

    Raises:
        ValueError: an option is out of range, or everything is frozen.
    """

    def __init__(
        self,
        net: ResNet,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        *,
        groups: Sequence[Group] = (),
    ) -> None:
        beta1, beta2 = betas
        super().__init__(
            net, _library.OPTIMIZER_ADAMW, lr, weight_decay, groups, beta1=beta1, beta2=beta2, epsilon=eps
        )


def clip_gradients(net: ResNet, gradients: FloatArray, max_norm: float) -> float:
    """Scale a vector of gradients in place so that its Euclidean norm is at most `max_norm`: `clip_grad_norm_`.

    Args:
        net: whose threads to use.
        gradients: as `ResNet.backward` returns them; scaled by max_norm / (norm + 1e-6) if that is less than 1.
        max_norm: at least 0; `math.inf` to only compute the norm.

    Returns:
        The norm before scaling. As in PyTorch, a norm that is not finite is not an error.
    """
    vector = flat_vector("gradients", gradients, is_written=True)
    norm = ctypes.c_double()
    with net._handle as handle:
        check(lib.backbone_clip_gradients(handle, vector.ctypes.data, vector.size, max_norm, ctypes.byref(norm)))
    return norm.value


def _kind(name: str, entries: Mapping[str, Entry]) -> str:
    """Which of `_KINDS` a parameter is."""
    module, _, role = name.rpartition(".")
    # Only weights of norms have one dimension.
    if len(entries[f"{module}.weight"].shape) == 1:
        return "norms"
    return "biases" if role == "bias" else "weights"
