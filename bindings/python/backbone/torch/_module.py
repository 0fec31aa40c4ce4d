# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The module."""

from __future__ import annotations

import copy
import os
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, SupportsIndex

import numpy as np
import torch

from .._errors import MismatchError
from .._loading import split_options
from .._options import architectures
from .._report import LoadReport
from .._resnet import ResNet
from ._features import OUTPUTS, FeatureInfo, modules_of
from ._passes import Features, Pass, TapePool
from ._weights import Part, Weights

_LAYERS = ("layer1", "layer2", "layer3", "layer4")


class Backbone(torch.nn.Module):
    """A libbackbone ResNet as a `torch.nn.Module`, like torchvision's ResNet after `create_feature_extractor`.

    Parameters, buffers and their names are those of torchvision, without `fc` (which loaded state dicts may contain).
    They are trained as those of any module: with the optimisers of PyTorch, with DistributedDataParallel, and by
    accumulating gradients. `freeze` sets `requires_grad` of its parameters. Like every module it starts in training
    mode; it may be pickled and copied.

    Differences from other modules:

    - It computes on the CPU in float32: moving it to another device or dtype does nothing, and features are float32
      under autocast too.
    - Its parts (`body.layer1`, ...) hold parameters only. They cannot be called or replaced, and have no mode of their
      own: `norm_eval=True` keeps BatchNorms at their running statistics, `freeze` those of whole stages.
    - Code that looks for layers by their class finds none: loops over `BatchNorm2d`, `convert_sync_batchnorm` and
      `swa_utils.update_bn` do nothing. The last one is replaced by `collect_statistics`.
    - Parameters of frozen stages cannot be trained; `freeze` unfreezes them.
    - `load_state_dict` also accepts the names of other libraries, as `ResNet.load_weights` does, and refuses
      `assign=True`.
    - A second backward pass through the same features needs `retain_graph=True` of the constructor. Gradients of
      gradients are not computed: a backward pass with `create_graph=True` raises RuntimeError.
    - In evaluation mode without grad mode, a change of few values through `Tensor.data` may go unnoticed; changes under
      `torch.no_grad()` are always noticed.
    - In grad mode, as in other modules, a forward pass keeps activations unless no parameter needs a gradient: for
      inference use `torch.no_grad()` or `torch.inference_mode()`.

    Args:
        name: "resnet50", ...; `backbone.architectures()` lists them.
        weights: a checkpoint or its bytes, as for `ResNet.load_weights`; or a mapping of tensors, or weights of
            torchvision (`ResNet50_Weights.DEFAULT`), as for `load_state_dict`; None: new weights.
        out_stages: which of "C1" (of the stem) and "layer1" (C2) to "layer4" (C5) to return, in ascending order; or a
            mapping of them to the keys of the result. None: all stages of the network.
        out_indices: instead of that, as timm counts: 0 for C1, 1 for C2, to 4 for C5. The result is then a list.
        frozen_stages: as for `freeze`.
        retain_graph: several backward passes can follow a forward pass (`loss.backward(retain_graph=True)`), which
            costs memory.
        recompute: the backward pass recomputes the activations within each block instead of keeping them: less
            memory for up to one more forward pass, and the same gradients.
        options: in_channels, threads, norm_eval, mean, std, channel_order, arithmetic, ..., as for `ResNet`; and for a
            checkpoint key, prefix and input_channels, as for `ResNet.load_weights`.

    Raises: the errors of `ResNet` and of loading `weights`.
    """

    def __init__(
        self,
        name: str = "resnet50",
        weights: str | os.PathLike[str] | Mapping[str, Any] | Any | None = None,
        *,
        out_stages: Sequence[str] | Mapping[str, str] | None = None,
        out_indices: Sequence[SupportsIndex] | None = None,
        frozen_stages: SupportsIndex = -1,
        retain_graph: bool = False,
        recompute: bool = False,
        **options: Any,
    ) -> None:
        super().__init__()
        if name not in architectures():
            raise ValueError(f"name is {name!r}; it must be one of {', '.join(architectures())}")
        self._is_list = out_indices is not None
        if out_indices is not None:
            if out_stages is not None:
                raise ValueError(f"out_stages is {out_stages!r} and out_indices {out_indices!r}; give one of them")
            out_stages = modules_of(out_indices)
        stages = _LAYERS if out_stages is None else tuple(out_stages)
        if isinstance(out_stages, str) or not stages or list(stages) != [name for name in OUTPUTS if name in stages]:
            text = ", ".join(OUTPUTS)
            raise ValueError(f"out_stages is {out_stages!r}; it must be some of {text}, in this order")
        self.name = name
        load, options = split_options(options)
        self._options = dict(options, outputs=tuple(OUTPUTS[stage] for stage in stages))
        self._net = ResNet(name, frozen_stages=frozen_stages, **self._options).train(self.training)
        self.retain_graph = bool(retain_graph)
        self.recompute = bool(recompute)
        lacking = [stage for stage in stages if OUTPUTS[stage] not in self._net.outputs]
        if lacking and out_stages is not None:
            raise ValueError(f"{'out_indices' if self._is_list else 'out_stages'} has {lacking[0]}; {name} has none")
        self._modules_out = tuple(stage for stage in stages if stage not in lacking)
        self._keys = tuple(out_stages.values()) if isinstance(out_stages, Mapping) else self._modules_out
        self.report: LoadReport | None = None
        self._adopt()
        if isinstance(weights, (str, os.PathLike, bytes, bytearray, memoryview)):
            self.report = self._net.load_weights(weights, **load)
            self._weights.pull()
        elif load:
            raise TypeError(f"{', '.join(load)}: these are for weights from a file, not {type(weights).__name__}")
        elif weights is not None:
            state = weights.get_state_dict(progress=False) if hasattr(weights, "get_state_dict") else weights
            self.load_state_dict(state)

    def _adopt(self) -> None:
        """Create the state that belongs to the network."""
        self._weights = Weights(self, self._net)
        self._pool = TapePool(self._net)

    # ---- Features ----

    def forward(self, x: torch.Tensor) -> OrderedDict[str, torch.Tensor] | list[torch.Tensor]:
        """The features of a batch of images.

        Args:
            x: of shape (N, in_channels, H, W) on the CPU, float32 or uint8, in any strides; not copied.

        Returns:
            The tensors of `out_stages` under their keys, or a list of those of `out_indices`; channels last in memory
            if `x` is.

        Raises:
            TypeError, ValueError: `x` is not such a tensor; and what `ResNet.forward` raises.
            RuntimeError: a parameter of a frozen stage needs a gradient, or a parameter was removed.

        A backward pass raises StaleError if parameters were changed since the forward pass, or if `freeze` was called;
        and RuntimeError if it is the second one. Changes through `Tensor.data` go unnoticed, as in other modules.
        """
        if not isinstance(x, torch.Tensor):
            raise TypeError(f"x is a {type(x).__name__}; it must be a torch.Tensor")
        if x.device.type != "cpu":
            raise ValueError(f"x is on {x.device}; libbackbone computes on the CPU: use x.cpu()")
        if x.dtype in (torch.bfloat16, torch.float16) and _is_autocast():
            x = x.float()
        channels_last = x.dim() == 4 and not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        parameters = self._weights.parameters()
        is_tracked = torch.is_grad_enabled() and (
            x.requires_grad or any(parameter.requires_grad for parameter in parameters)
        )
        self._weights.push(is_exact=is_tracked or self.training)
        if is_tracked:
            self._check_frozen(parameters)
            features = Features.apply(self._pass(x, layout), x, *parameters)
        else:
            x = x.detach()
            shapes = self._net.output_shapes(tuple(x.shape))
            features = self._net(x, [torch.empty(shape, memory_format=layout) for shape in shapes])
        if self.training:
            self._weights.pull_statistics()
        return list(features) if self._is_list else OrderedDict(zip(self._keys, features, strict=True))

    def _check_frozen(self, parameters: Sequence[torch.Tensor]) -> None:
        for parameter, place in zip(parameters, self._weights.offsets, strict=True):
            if place is None and parameter.requires_grad:
                name = next(name for name, value in self.named_parameters() if value is parameter)
                raise RuntimeError(
                    f"{name} needs a gradient, but frozen_stages is {self.frozen_stages}: call freeze(-1) on the "
                    f"Backbone to train it, or set its requires_grad to False"
                )

    def _pass(self, x: torch.Tensor, layout: torch.memory_format) -> Pass:
        scale, is_reversed = None, False
        if self._options.get("normalize") == "all":
            std = self._options.get("std")
            scale = None if std is None else 1 / torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1)
            is_reversed = self._options.get("channel_order") == "reversed"
        versions = self._weights.versions()
        offsets = self._weights.offsets
        options = (self.retain_graph, self.recompute)
        return Pass(self._net, self._pool, x, layout, versions, offsets, scale, is_reversed, *options)

    @property
    def feature_info(self) -> FeatureInfo:
        """Information on each feature, as in timm."""
        return FeatureInfo(self._modules_out, self._net.out_channels, self._net.out_strides)

    @property
    def out_channels(self) -> tuple[int, ...]:
        """Channels of each feature."""
        return self._net.out_channels

    # ---- Freezing and modes ----

    @property
    def frozen_stages(self) -> int:
        """The last value set by `freeze`."""
        return self._net.frozen_stages

    def freeze(self, frozen_stages: SupportsIndex) -> Backbone:
        """Freeze nothing (-1), the stem (0), or the stem and the first 1 to 4 stages, as `ResNet.freeze`.

        `requires_grad` becomes False for parameters that this freezes and True for those that it unfreezes. The
        parameters of other stages keep theirs.
        """
        self._net.freeze(frozen_stages)
        self._weights.follow()
        return self

    def train(self, mode: bool = True) -> Backbone:
        """Enter or leave training mode. BatchNorms of frozen stages keep to their running statistics."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for child in self.children():
            if isinstance(child, Part):
                for part in child.modules():
                    part.training = mode
            else:
                child.train(mode)
        self._net.train(mode)
        if not mode:
            # Evaluation checks fewer values: changes made in training mode must not be missed.
            self._weights.push(is_exact=True)
            self._pool.clear()
        return self

    def collect_statistics(self, batches: Iterable[torch.Tensor]) -> int:
        """Replace the running statistics of BatchNorms by those of new images, as `ResNet.collect_statistics`.

        It replaces PyTorch's `swa_utils.update_bn`: call it on an averaged model.

        Args:
            batches: inputs as for `forward`, of at least one image each.

        Returns:
            The number of batches. After a failure, in `batches` too, the statistics are as before.
        """
        self._weights.push(is_exact=True)
        count = self._net.collect_statistics(x.detach() for x in batches)
        self._weights.pull_statistics()
        return count

    def _apply(self, fn: Any, recurse: bool = True) -> Backbone:
        # Children that were added to it are moved as usual; the network stays where it is.
        for child in self.children():
            if not isinstance(child, Part):
                child._apply(fn)
        self._weights.apply(fn)
        return self

    # ---- Weights ----

    def save_weights(self, path: str | os.PathLike[str]) -> None:
        """Write the weights to a file, as `ResNet.save_weights`."""
        self._weights.push(is_exact=True)
        self._net.save_weights(path)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, torch.Tensor],
        prefix: str,
        local_metadata: Mapping[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        # `load_state_dict` calls this before the same of the parts, with a dict of its own. The network loads first, by
        # the library's rules; then the dict gets the result, for the parts to take.
        others = tuple(f"{prefix}{name}." for name, child in self.named_children() if not isinstance(child, Part))
        names = [name for name in state_dict if name.startswith(prefix) and not name.startswith(others)]
        ours = {name[len(prefix) :]: _array(state_dict.pop(name)) for name in names}
        self._weights.push(is_exact=True)
        missing: Sequence[str] = ()
        if local_metadata.get("assign_to_params_buffers", False):
            error_msgs.append(f"{prefix.rstrip('.') or self.name}: a Backbone keeps its own memory; use assign=False")
        else:
            report = self._loaded(ours, strict, prefix, error_msgs)
            missing = report.missing if report is not None else ()
            if strict and report is not None:
                unexpected_keys += [prefix + name for name in report.unexpected]
        for name, array in self._net.state_dict().items():
            if name not in missing:
                state_dict[prefix + name] = torch.from_numpy(array)

    def _loaded(
        self, ours: Mapping[str, Any], strict: bool, prefix: str, error_msgs: list[str]
    ) -> LoadReport | None:
        """Load into the network; None after an error, with which nothing is loaded."""
        for ignore_modules in (not strict, True):
            try:
                # PyTorch judges names by itself, after all modules: missing ones are not an error here.
                return self._net.load_state_dict(ours, strict=False, allow_missing=True, ignore_modules=ignore_modules)
            except MismatchError as error:
                report = error.report
                if report is None or report.mismatched:
                    error_msgs.append(f"{prefix.rstrip('.') or self.name}: {error}")
                    return None
                if not report.loaded:
                    break
        # PyTorch judges a mapping without any of our names: it reports them as missing.
        return report

    # ---- Copies, for other processes too ----

    def __getstate__(self) -> dict[str, Any]:
        self._weights.push(is_exact=True)
        state = self.__dict__.copy()
        del state["_weights"], state["_pool"]
        state["_modules"] = {name: child for name, child in self.named_children() if not isinstance(child, Part)}
        flags = [parameter.requires_grad for parameter in self._weights.parameters()]
        state["_net"] = (self.frozen_stages, self._net.state_dict(), flags, list(self._modules))
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        frozen_stages, weights, flags, children = state["_net"]
        super().__setstate__({name: value for name, value in state.items() if name != "_net"})
        self._net = ResNet(self.name, frozen_stages=frozen_stages, **self._options).train(self.training)
        self._net.load_state_dict(weights)
        self._adopt()
        parts = dict(self.named_children())
        self.__dict__["_modules"] = {name: parts[name] for name in children}
        for parameter, flag in zip(self._weights.parameters(), flags, strict=True):
            parameter.requires_grad_(flag)

    def __deepcopy__(self, memo: dict[int, Any]) -> Backbone:
        other = type(self).__new__(type(self))
        memo[id(self)] = other
        other.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        other._weights.adopt(memo, self._weights)
        # Optimisers that are copied with it, before it or after it, have the new parameters then.
        for old, new in zip(self._weights.parameters(), other._weights.parameters(), strict=True):
            memo[id(old)] = new
        return other

    def extra_repr(self) -> str:
        """The text of `repr`."""
        return f"{self.name}, frozen_stages={self.frozen_stages}, out={', '.join(self._keys)}"


def _array(value: Any) -> Any:
    """A tensor of a type that NumPy supports: it has no bfloat16."""
    if not isinstance(value, torch.Tensor):
        return value
    value = value.detach().cpu()
    return np.asarray(value.float() if value.is_floating_point() else value)


def _is_autocast() -> bool:
    # PyTorch before 2.4 has the second alone.
    try:
        return bool(torch.is_autocast_enabled("cpu"))
    except TypeError:
        return bool(torch.is_autocast_cpu_enabled())
