# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The network as a module of PyTorch, in the place of a feature extractor of torchvision's.

Example::

    from backbone.torch import Backbone

    body = Backbone("resnet50", weights="resnet50.pth", frozen_stages=1).eval()
    features = body(images)  # {"layer1": C2, ..., "layer4": C5}
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, SupportsIndex

import numpy as np
import torch

from ._errors import MismatchError
from ._loading import split_options
from ._report import LoadReport
from ._resnet import ResNet

_DEPTHS = {f"resnet{depth}": depth for depth in (18, 34, 50, 101, 152)}
_LAYERS = ("layer1", "layer2", "layer3", "layer4")

_NO_BACKWARD = (
    "libbackbone computes no gradients yet. To use its features as they are: freeze(4), eval(), or torch.no_grad(); "
    "and an input that needs a gradient as x.detach()."
)


class Backbone(torch.nn.Module):
    """A ResNet of libbackbone as a `torch.nn.Module`: what `create_feature_extractor` makes of torchvision's.

    It has no parameters of PyTorch's: the weights lie in the library. `state_dict` and `load_state_dict` copy them,
    under torchvision's names and without `fc` (which may be there in what is loaded), also as a part of a larger
    module; moving the module to another device or dtype does nothing. Like every module it starts in training mode. It
    may be pickled and copied.

    Args:
        name: "resnet18", "resnet34", "resnet50", "resnet101" or "resnet152".
        weights: a checkpoint or its bytes, as for `ResNet.load_weights`; or a mapping of tensors, or weights of
            torchvision (`ResNet50_Weights.DEFAULT`), as for `load_state_dict`; None: new weights.
        out_stages: which of "layer1" (C2) to "layer4" (C5) to return, in ascending order; or a mapping of them to the
            keys that they get.
        frozen_stages: as for `freeze`.
        options: in_channels, threads, norm_eval, mean, std, channel_order, arithmetic, ..., as for `ResNet`; and for a
            checkpoint key, prefix and input_channels, as for `ResNet.load_weights`.

    Raises: what `ResNet` and the loading of `weights` do.
    """

    def __init__(
        self,
        name: str = "resnet50",
        weights: str | os.PathLike[str] | Mapping[str, Any] | Any | None = None,
        *,
        out_stages: Sequence[str] | Mapping[str, str] = _LAYERS,
        frozen_stages: SupportsIndex = -1,
        **options: Any,
    ) -> None:
        super().__init__()
        if name not in _DEPTHS:
            raise ValueError(f"name is {name!r}; it must be one of {', '.join(_DEPTHS)}")
        if isinstance(out_stages, str) or any(stage not in _LAYERS for stage in out_stages):
            raise ValueError(f"out_stages is {out_stages!r}; it must be some of {', '.join(_LAYERS)}")
        self.name = name
        self._keys = tuple(out_stages.values() if isinstance(out_stages, Mapping) else out_stages)
        load, options = split_options(options)
        self._options = dict(options, out_indices=tuple(_LAYERS.index(stage) for stage in out_stages))
        self._net = ResNet(_DEPTHS[name], frozen_stages=frozen_stages, **self._options).train(self.training)
        self.report: LoadReport | None = None
        if isinstance(weights, (str, os.PathLike, bytes, bytearray, memoryview)):
            self.report = self._net.load_weights(weights, **load)
        elif load:
            raise TypeError(f"{', '.join(load)}: these are for weights from a file, not {type(weights).__name__}")
        elif weights is not None:
            state = weights.get_state_dict(progress=False) if hasattr(weights, "get_state_dict") else weights
            self.load_state_dict(state)

    # ---- Features ----

    def forward(self, x: torch.Tensor) -> OrderedDict[str, torch.Tensor]:
        """The features of a batch of images.

        Args:
            x: of shape (N, in_channels, H, W) on the CPU, float32 or uint8, in any strides; not copied.

        Returns:
            The tensors of `out_stages` under their keys; channels last in memory if `x` is.

        Raises:
            RuntimeError: `x` needs a gradient. (In training mode, where PyTorch would give the weights of stages that
                are not frozen a gradient, the error comes with the backward.)
            TypeError, ValueError: `x` is no such tensor.
        """
        if not isinstance(x, torch.Tensor):
            raise TypeError(f"x is a {type(x).__name__}; it must be a torch.Tensor")
        if x.device.type != "cpu":
            raise ValueError(f"x is on {x.device}; libbackbone computes on the CPU: use x.cpu()")
        if torch.is_grad_enabled() and x.requires_grad:
            raise RuntimeError(f"x needs a gradient. {_NO_BACKWARD}")
        channels_last = x.dim() == 4 and not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        x = x.detach()
        shapes = self._net.output_shapes(tuple(x.shape))
        features = self._net(x, [torch.empty(shape, memory_format=layout) for shape in shapes])
        if torch.is_grad_enabled() and self.training and self.frozen_stages <= self._net.out_indices[-1]:
            features = _Refusal.apply(torch.empty(0, requires_grad=True), *features)
        return OrderedDict(zip(self._keys, features, strict=True))

    @property
    def out_channels(self) -> tuple[int, ...]:
        """Channels of each feature."""
        return self._net.out_channels

    # ---- Freezing and modes ----

    @property
    def frozen_stages(self) -> int:
        """What `freeze` set last."""
        return self._net.frozen_stages

    def freeze(self, frozen_stages: SupportsIndex) -> Backbone:
        """Freeze nothing (-1), the stem (0), or the stem and the first 1 to 4 stages, as `ResNet.freeze`."""
        self._net.freeze(frozen_stages)
        return self

    def train(self, mode: bool = True) -> Backbone:
        """Enter or leave training mode. BatchNorms of frozen stages keep to their running statistics."""
        super().train(mode)
        self._net.train(mode)
        return self

    # ---- Weights ----

    def save_weights(self, path: str | os.PathLike[str]) -> None:
        """Write the weights to a file, as `ResNet.save_weights`."""
        self._net.save_weights(path)

    # These two are what `state_dict` and `load_state_dict` of this module and of those around it call.

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        for name, array in self._net.state_dict().items():
            destination[prefix + name] = torch.from_numpy(array)

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, torch.Tensor],
        prefix: str,
        local_metadata: Mapping[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        ours = {name[len(prefix) :]: _array(value) for name, value in state_dict.items() if name.startswith(prefix)}
        try:
            # PyTorch judges names by itself, after all modules: those that are missing are no error here, and without
            # `strict` neither are modules that this network lacks.
            report = self._net.load_state_dict(ours, strict=False, allow_missing=True, ignore_modules=not strict)
        except MismatchError as error:
            # A mapping without any of our names is for PyTorch to judge: to it they are missing.
            if error.report is None or error.report.mismatched:
                error_msgs.append(f"{prefix.rstrip('.') or self.name}: {error}")
                return
            report = error.report
        missing_keys += [prefix + name for name in report.missing]
        if strict:
            unexpected_keys += [prefix + name for name in report.unexpected]

    # ---- Copies, for other processes too ----

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state["_net"] = (self.frozen_stages, self._net.state_dict())
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        frozen_stages, weights = state["_net"]
        super().__setstate__(state)
        self._net = ResNet(_DEPTHS[self.name], frozen_stages=frozen_stages, **self._options).train(self.training)
        self._net.load_state_dict(weights)

    def extra_repr(self) -> str:
        """What `repr` shows."""
        return f"{self.name}, frozen_stages={self.frozen_stages}, out={', '.join(self._keys)}"


class _Refusal(torch.autograd.Function):
    """Nothing to the features, and an error to who asks for the gradients that PyTorch would have computed."""

    @staticmethod
    def forward(ctx: Any, _: torch.Tensor, *features: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return features

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        raise RuntimeError(_NO_BACKWARD)


def _array(value: Any) -> Any:
    """A tensor as what NumPy knows: it has no bfloat16."""
    if not isinstance(value, torch.Tensor):
        return value
    value = value.detach().cpu()
    return np.asarray(value.float() if value.is_floating_point() else value)
