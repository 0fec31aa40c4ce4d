# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The network."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar, overload

import numpy as np
import numpy.typing as npt

from . import _library
from ._arguments import Checkpoint, encoded_path, encoded_text, int32, integer
from ._arrays import FloatArray, NewOutputs, check_disjoint, input_tensor, output_array, output_tensor
from ._choices import OUTPUTS, STRIDES, Choices
from ._entries import Buffer, Entry, Parameter, entries_of
from ._errors import CheckpointError, MismatchError, check
from ._handle import Closing, Handle
from ._library import lib
from ._loading import (
    InputChannels,
    LoadOptions,
    MatchOptions,
    call_with_checkpoint,
    load_options,
    match_options,
    split_options,
    stream_content,
)
from ._options import NORMALIZATIONS, STYLES, Arithmetic, ChannelOrder, Normalize, Style, network_options
from ._profile import Layer, layer_of
from ._report import LoadReport
from ._state_dict import of_mapping, safetensors_of
from ._training import Training
from ._warnings import ForwardWarnings, issue

if TYPE_CHECKING:
    from typing_extensions import Unpack

_Out = TypeVar("_Out")

# The names of the arrays of a forward pass in errors.
_LABELS = ("the input", *(f"out[{index}]" for index in range(len(OUTPUTS))))

# The depth assumed for networks that have none of their own, to estimate their time.
_DEEPEST = 152


class ResNet(Training, Closing):
    """A ResNet backbone: images in, the features C2 to C5 out, on a CPU.

    Parameters, buffers and their names are those of torchvision, for deep stems those of timm. A new network is in
    evaluation mode.

    Args:
        depth: 18, 34, 50, 101 or 152, or the name of an architecture; None: 50, unless `architecture` is given.
        in_channels: channels of the input.
        frozen_stages: as for `freeze`.
        threads: threads that one forward pass may use; None: the CPUs that the process may use by affinity mask and CPU
            quota.
        base_channels: scales all widths by base_channels / 64; in most networks the width of the stem (first
            convolution). Stage i then has base_channels * 2**i channels, times 4 in networks of Bottlenecks.
        out_indices: which of C2 (0) to C5 (3) to return, ascending. Stages after the last one are not built: they have
            no parameters and cost nothing.
        norm_eval: every BatchNorm uses its running statistics in training mode too.
        zero_init_residual: `init_weights` sets the weight of the last BatchNorm of each block to 0.
        mean: one value per channel to subtract from the inputs that `normalize` names (`backbone.IMAGENET_MEAN`);
            None: 0.
        std: one value per channel to divide the differences by (`backbone.IMAGENET_STD`); None: 1. The command
            `backbone` and `backbone.ray` use ImageNet's mean and std by default.
        channel_order: "reversed" if channel c of the network is channel in_channels - 1 - c of those inputs: BGR
            pixels for an RGB network. `mean` and `std` are in the network's order.
        normalize: the inputs that `mean`, `std` and `channel_order` apply to. "uint8": uint8 inputs alone; float32
            inputs are used unchanged. "all": float32 inputs as well.
        arithmetic: "fast": computes 3x3 convolutions by Winograd's minimal filtering where that is faster. Only
            rounding differs: relative to the largest value of an output C2 may be off by 5e-5, C3 and C4 by 1e-4 and C5
            by 3e-4. "direct": computes every convolution by its definition.
        style: which convolution of a Bottleneck (depth 50 and above) has the stride. "pytorch": the 3x3 convolution.
            "caffe": the first 1x1 convolution, for weights of MSRA, Caffe2 and Detectron.
        norm_eps: added to the variances in every norm.
        architecture: the name of the network, as torchvision and timm have it; `backbone.architectures()` lists them.
            "custom": `choices` describe it.
        outputs: what to return, instead of out_indices: any of "C1" (of the stem), "C2" to "C5", "pooled" (the mean of
            each channel after the last stage) and "logits", in this order.
        choices: `num_classes`, `output_stride` and all others of `Choices`: what to build instead of the architecture's
            own values.
        pretrained: a checkpoint, as for `init_weights`.

    Raises:
        ValueError: an argument is out of range.
        TypeError: an argument is of the wrong type.

    Threads: many threads may call every method at once on one network. Forward passes in evaluation mode and methods
    that only read run side by side, with the interpreter's lock released. Methods that change the network, and forward
    passes in training mode, take an exclusive lock. `cancel` ends calls that take too long, and so does Ctrl-C on the
    main thread: it raises KeyboardInterrupt there, or whatever the handler of SIGINT does; if that raises nothing, the
    call starts again. After `os.fork` the child can go on using the network; fork while no other thread is inside a
    call on it.

    Memory is released by `close`, at the end of a `with` block, or with the last reference. After that every method
    raises ValueError.
    """

    def __init__(
        self,
        depth: SupportsIndex | str | None = None,
        in_channels: SupportsIndex = 3,
        frozen_stages: SupportsIndex = -1,
        threads: SupportsIndex | None = None,
        *,
        base_channels: SupportsIndex = 64,
        out_indices: Sequence[SupportsIndex] = (0, 1, 2, 3),
        norm_eval: bool = False,
        zero_init_residual: bool = False,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        channel_order: ChannelOrder = "as_given",
        arithmetic: Arithmetic = "fast",
        style: Style = "pytorch",
        norm_eps: float = 1e-5,
        normalize: Normalize = "uint8",
        architecture: str | None = None,
        outputs: Sequence[str] | None = None,
        pretrained: str | os.PathLike[str] | None = None,
        **choices: Unpack[Choices],
    ) -> None:
        if pretrained is not None:
            encoded_path("pretrained", pretrained)
        options = network_options(
            depth,
            base_channels,
            architecture=architecture,
            in_channels=in_channels,
            frozen_stages=frozen_stages,
            threads=threads,
            out_indices=out_indices,
            norm_eval=norm_eval,
            zero_init_residual=zero_init_residual,
            mean=mean,
            std=std,
            channel_order=channel_order,
            arithmetic=arithmetic,
            style=style,
            norm_eps=norm_eps,
            normalize=normalize,
            outputs=outputs,
            **choices,
        )
        pointer = ctypes.c_void_p()
        check(lib.backbone_create(ctypes.byref(options), ctypes.byref(pointer)))
        self._own(pointer)
        if pretrained is not None:
            try:
                self.load_weights(pretrained)
            except BaseException:
                self.close()
                raise

    def _own(self, pointer: ctypes.c_void_p) -> None:
        """Take over a network that the library has created."""
        assert pointer.value is not None
        self._owned = self._handle = Handle(pointer.value)
        options = self._options()
        self._depth: int = options.depth
        self._architecture: str = options.architecture.decode()
        self._in_channels: int = options.in_channels
        self._outputs = tuple(name for name, bit in OUTPUTS.items() if options.out_stages & bit)
        self._out_indices = tuple(index for index in range(4) if f"C{index + 2}" in self._outputs)
        self._entry_table: tuple[Entry, ...] | None = None
        self._report: LoadReport | None = None
        self._warnings = ForwardWarnings(pointer.value)
        # Cached by input shape and layout: computing it would be most of the time that Python adds to a small forward
        # pass.
        self._known_outputs: dict[tuple[tuple[int, ...], bool], NewOutputs] = {}
        # Smaller forward passes end within about a millisecond; only the first one has weights to draw and to pack.
        self._least_watched = 10_000_000 // ((self._depth or _DEEPEST) * options.base_channels**2) * self._in_channels
        self._is_prepared = False

    @classmethod
    def from_file(cls, path: Checkpoint, *, strict: bool = False, **options: Any) -> ResNet:
        """Create the network that a checkpoint describes, and load it. `report` then is the report of the load.

        The constructor of a subclass is not called.

        Args:
            path: the file, or its bytes in memory, as for `load_weights`.
            strict: as for `load_weights`.
            options: `key`, `prefix`, `input_channels` and the other options of `load_weights`; and those of the
                constructor except `depth` and `base_channels`, which the file decides. It also decides the
                architecture, unless `architecture` names it, as is needed for properties that files do not record, such
                as anti-aliasing. It decides `in_channels` if that is not given, unless `input_channels` converts the
                stem: "sum" makes it 1, a sequence its length, "repeat" 3.

        Raises: as `inspect`, the constructor and `load_weights` do.
        """
        load, rest = split_options(options)
        requested = load_options(strict, **load)
        path = stream_content(path, load.get("max_stream_bytes"))
        conversion = load.get("input_channels", "exact")
        is_demanded = rest.get("in_channels") is not None and isinstance(conversion, str) and conversion == "exact"
        if rest.get("in_channels") is None:
            rest["in_channels"] = _implied_channels(conversion, rest)
        if is_demanded:
            requested.input_channels = _library.INPUT_CHANNELS_FIXED
        # The file decides base_channels, and options not given here.
        described = network_options(None, 64, **rest)
        pointer = ctypes.c_void_p()
        arguments = ctypes.byref(described), ctypes.byref(requested), ctypes.byref(pointer)
        report = call_with_checkpoint(path, lib.backbone_create_from_file, lib.backbone_create_from_memory, *arguments)
        net = cls.__new__(cls)
        net._own(pointer)
        net._report = report
        return net

    # ---- What it is ----

    @property
    def report(self) -> LoadReport | None:
        """The report of the last file that was loaded."""
        return self._report

    @property
    def style(self) -> str:
        """ "pytorch" or "caffe": which convolution of a Bottleneck has the stride."""
        return next(name for name, value in STYLES.items() if value == self._options().style)

    @property
    def norm_eps(self) -> float:
        """The value added to the variances in every norm."""
        return float(self._options().norm_eps)

    @property
    def normalize(self) -> str:
        """ "uint8" or "all": the inputs that `mean`, `std` and `channel_order` apply to."""
        return next(name for name, value in NORMALIZATIONS.items() if value == self._options().normalization)

    @property
    def depth(self) -> int:
        """18, 34, 50, 101 or 152; 0 for a network that has no depth of its own, see `architecture`."""
        return self._depth

    @property
    def architecture(self) -> str:
        """ "resnet50", "wide_resnet50_2", ...; "custom" for a network that only its file describes."""
        return self._architecture

    @property
    def in_channels(self) -> int:
        """Channels of the input."""
        return self._in_channels

    @property
    def out_indices(self) -> tuple[int, ...]:
        """Which of C2 (0) to C5 (3) a forward pass returns."""
        return self._out_indices

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs of a forward pass: "C1" to "C5", "pooled" and "logits"."""
        return self._outputs

    @property
    def num_classes(self) -> int:
        """Classes of the head, if the network has one."""
        return int(self._options().num_classes)

    @property
    def out_channels(self) -> tuple[int, ...]:
        """Channels of each output of a forward pass."""
        return tuple(shape[1] for shape in self.output_shapes((1, self._in_channels, 32, 32)))

    @property
    def out_strides(self) -> tuple[int, ...]:
        """Pixels of the input per pixel of each output of a forward pass: 4 for C2 to 32 for C5, without dilation.

        0 for "pooled" and "logits", which have a single pixel.
        """
        side = 1 << 10
        shapes = self.output_shapes((1, self._in_channels, side, side))
        named = zip(self._outputs, shapes, strict=True)
        return tuple(side // shape[2] if name in STRIDES else 0 for name, shape in named)

    @property
    def frozen_stages(self) -> int:
        """The last value set by `freeze`."""
        return int(self._options().frozen_stages)

    @property
    def threads(self) -> int:
        """Threads that one forward pass may use."""
        return int(self._options().threads)

    @property
    def training(self) -> bool:
        """Whether the network is in training mode."""
        value = ctypes.c_int32()
        with self._handle as net:
            check(lib.backbone_get_training(net, ctypes.byref(value)))
        return bool(value.value)

    # ---- Weights ----

    def init_weights(
        self, pretrained: str | os.PathLike[str] | None = None, seed: SupportsIndex = 0
    ) -> LoadReport | None:
        """Draw new weights, or load those of `pretrained`.

        Without a checkpoint, convolutions are drawn from a normal distribution of mean 0 and standard deviation
        sqrt(2 / (out_channels * height * width)) (Kaiming, fan-out), the same for the same `seed` (0 to 2**64 - 1) on
        every machine; BatchNorms become weight 1 (or 0, see zero_init_residual), bias 0, mean 0, variance 1. Frozen
        stages are set too.

        Returns:
            With a checkpoint the report of `load_weights(pretrained)`, whose errors apply; else None.

        Raises:
            TypeError: `pretrained` is neither a path nor None.
        """
        if pretrained is not None:
            encoded_path("pretrained", pretrained)
            return self.load_weights(pretrained)
        number = integer("seed", seed, 64, signed=False)
        check(self._handle.run(lambda net: int(lib.backbone_init_weights(net, number))))
        return None

    def load_weights(self, path: Checkpoint, strict: bool = False, **options: Unpack[LoadOptions]) -> LoadReport:
        """Load a `.pth` of any PyTorch, a pickle of NumPy arrays or a safetensors file. Nothing in it is executed.

        Names may be those of torchvision, mmdetection and timm, of detectron2, or of Caffe2. Everything is checked
        first: a failed load changes nothing.

        Args:
            path: the file, or its bytes in memory: `bytes`, `bytearray`, or anything with a contiguous buffer, of which
                no copy is made and nothing is kept. Its content decides the format.
            strict: unexpected names are errors too.
            key: the keys that lead to the dict of tensors, joined by dots ("model.state_dict"; "" for the object
                itself); None: found by the names.
            prefix: prefix of the backbone's names ("backbone.", "" for none); None: found by the names.
            input_channels: loading a stem for F input channels into a network for N. "exact": refuse it.
                "sum": N is 1; the sum over the channels. "repeat": channel c becomes F/N times the file's channel c mod
                F. A sequence: channel c becomes the file's channel input_channels[c], zeros for -1; (2, 1, 0) turns
                weights for BGR into weights for RGB.
            allow_missing: entries that the file lacks keep their values. Otherwise the file must have every weight and
                running statistic of the network.
            ignore_modules: load a file whose network has modules in its stem or blocks that this one does not compute
                (SE, deformable convolutions, ...), with a warning. Otherwise they are an error.
            max_stream_bytes: limit of bytes to read from a path that is not a regular file (a pipe, /dev/stdin); None:
                4 GiB.

        All of them are also options of `from_file` and `backbone.inspect`.

        Raises:
            FileNotFoundError, OSError: the file cannot be opened or read.
            CheckpointError: it is damaged, not a supported format, or has several ResNets.
            ValueError: it has no such key or prefix, or the channels do not fit.
            MismatchError: shapes differ, no name matches, names are missing, the file's network has other modules, or
                what `strict` adds; `.report` lists the names.
        """
        requested = ctypes.byref(load_options(strict, **options))

        def from_file(name: bytes, *rest: Any) -> int:
            # The bytes read from a pipe are gone.
            return self._handle.run(
                lambda net: int(lib.backbone_load_weights_with(net, name, *rest)), repeatable=os.path.isfile(name)
            )

        def from_memory(*rest: Any) -> int:
            return self._handle.run(lambda net: int(lib.backbone_load_weights_from_memory(net, *rest)))

        report = call_with_checkpoint(path, from_file, from_memory, requested)
        self._report = report
        return report

    def save_weights(self, path: str | os.PathLike[str], names: str | None = None) -> None:
        """Write all parameters and buffers to a file, which appears only when it is complete.

        Args:
            path: ending in .pth, .pt, .bin or .pth.tar: a zip .pth that `torch.load` reads (PyTorch 1.6 and later, with
                weights_only=True too). Else: a safetensors file. The same weights give the same bytes.
            names: the project whose names to write: "detectron2", "huggingface" or another `dialect` of reports; None:
                the names of `state_dict`.

        Raises:
            ValueError: that project has no name for some tensor.
            FileNotFoundError, OSError: the file cannot be written; an existing one is unchanged.
        """
        encoded = encoded_path("path", path)
        with self._handle as net:
            check(lib.backbone_save_weights_with(net, encoded, None if names is None else encoded_text("names", names)))

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of all parameters and buffers by name, in PyTorch's order: float32, num_batches_tracked int64."""
        return {entry.name: entry.data for entry in self._entries()}

    def load_state_dict(
        self, state_dict: Mapping[str, npt.ArrayLike], strict: bool = True, **options: Unpack[MatchOptions]
    ) -> LoadReport:
        """Load the arrays of a mapping, as `load_weights` loads the tensors of a file.

        The rules are those of `load_weights`, except that `strict` is the default, as in PyTorch.

        Args:
            state_dict: arrays by name.
            strict: as for `load_weights`, and so are `allow_missing` and `ignore_modules`.

        Raises:
            MismatchError: as for `load_weights`; `.report` lists the names.
            TypeError: weights or statistics that are not floating-point numbers.
        """
        match_options(strict, **options)
        floats = {entry.name for entry in self._entries() if entry.dtype.kind == "f"}
        content = safetensors_of(state_dict, floats)
        try:
            report = self.load_weights(content, strict, **options)
        except (CheckpointError, MismatchError) as error:
            text = str(error).removeprefix(f"memory of {len(content)} bytes: ")
            mapped = type(error)(f"the mapping: {text}")
            if isinstance(mapped, MismatchError) and isinstance(error, MismatchError):
                mapped.report = error.report and of_mapping(error.report)
            raise mapped from None
        self._report = of_mapping(report)
        return self._report

    def parameters(self) -> Iterator[Parameter]:
        """All weights and biases, in PyTorch's order."""
        return (entry for entry in self._entries() if isinstance(entry, Parameter))

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """All weights and biases with their names."""
        return ((parameter.name, parameter) for parameter in self.parameters())

    def buffers(self) -> Iterator[Buffer]:
        """All running statistics and num_batches_tracked, in PyTorch's order."""
        return (entry for entry in self._entries() if isinstance(entry, Buffer))

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """All running statistics and num_batches_tracked with their names."""
        return ((buffer.name, buffer) for buffer in self.buffers())

    def get_entry(self, name: str) -> Entry:
        """The parameter or buffer of that name.

        Raises:
            KeyError: the name is unknown.
        """
        index = ctypes.c_size_t()
        # A name with a zero byte would end there for the library, and perhaps be found.
        encoded = name.replace("\0", "\\0").encode(errors="backslashreplace")
        with self._handle as net:
            check(lib.backbone_find_entry(net, encoded, ctypes.byref(index)))
        return self._entries()[index.value]

    # ---- Freezing and modes ----

    def freeze(self, frozen_stages: SupportsIndex) -> ResNet:
        """Freeze nothing (-1), the stem (0), or the stem and the first 1 to 4 stages. Returns the network.

        Each call replaces the setting: a lower number unfreezes. Parameters of frozen stages have `requires_grad`
        False, and their BatchNorms use and never update their running statistics, whatever `train` says.

        Raises:
            ValueError: not from -1 to 4.
        """
        number = int32("frozen_stages", frozen_stages)
        with self._handle as net:
            check(lib.backbone_freeze(net, number))
        return self

    def train(self, mode: bool = True) -> ResNet:
        """Enter training mode (or leave it, with False). Returns the network.

        In training mode BatchNorms outside of frozen stages, unless norm_eval is set, normalise with the statistics of
        the batch and update their running statistics (momentum 0.1) at every forward pass.
        """
        with self._handle as net:
            check(lib.backbone_set_training(net, bool(mode)))
        return self

    def eval(self) -> ResNet:
        """Enter evaluation mode. Returns the network."""
        return self.train(False)

    # ---- Forward ----

    def output_shapes(self, input_shape: Sequence[SupportsIndex]) -> tuple[tuple[int, int, int, int], ...]:
        """The shapes (N, C, H, W) of the features for an input of shape (N, in_channels, H, W).

        Raises:
            ValueError: not an input shape of this network.
        """
        sizes = [integer(f"input_shape[{axis}]", size, 64) for axis, size in enumerate(input_shape)]
        if len(sizes) != 4:
            raise ValueError(f"input_shape is {tuple(sizes)}; it must be (N, C, H, W)")
        count = len(self._outputs)
        out = (ctypes.c_int64 * (4 * count))()
        with self._handle as net:
            check(lib.backbone_output_shapes(net, (ctypes.c_int64 * 4)(*sizes), out, count))
        return tuple((out[i], out[i + 1], out[i + 2], out[i + 3]) for i in range(0, 4 * count, 4))

    @overload
    def forward(self, x: Any, out: None = None, *, channels_last: bool = False) -> tuple[FloatArray, ...]: ...

    @overload
    def forward(self, x: Any, out: Sequence[_Out], *, channels_last: bool = False) -> tuple[_Out, ...]: ...

    def forward(self, x: Any, out: Sequence[Any] | None = None, *, channels_last: bool = False) -> tuple[Any, ...]:
        """Compute the features of a batch of images. `net(x)` is the same.

        In evaluation mode the features of an image have the same bits for every number of threads and in every batch.

        Args:
            x: a NumPy array, a PyTorch tensor on the CPU, or anything that shares its memory by `__array_interface__`
                or `__dlpack__`; of shape (N, in_channels, H, W), any N >= 0, H >= 1 and W >= 1. uint8, which is
                normalised with `mean`, `std` and `channel_order`, or float32, used unchanged; with `normalize="all"`
                normalised like uint8. It is not copied, whatever its strides, negative and zero ones
                too: an image of shape (H, W, 3) goes in as `image.transpose(2, 0, 1)[None]`. (Only elements at odd
                addresses, as in fields of packed records, are copied.)
            out: arrays to write to, one for each of out_indices: of the same kinds as `x`, of float32, of the shapes
                that `output_shapes` gives and in positive strides; they may share memory neither with each other nor
                with `x`. (By DLPack only with NumPy 2.1 or later: to older ones it is read-only.) None: new arrays.
            channels_last: the memory of new arrays is in the order (N, H, W, C). Their shape is still (N, C, H, W).

        Returns:
            One array for each of out_indices, always as a tuple; the elements of `out` if that is given.

        Raises:
            TypeError: an array has another dtype, or is not an array.
            ValueError: a shape or layout does not fit; a tensor is not on the CPU or needs a gradient; in training
                mode, a BatchNorm with one value per channel.
            MemoryError: the contents of `out` are then undefined.

        Warns:
            BackboneWarning: the input is not on the scale that the network expects, or has NaN or infinities, by a
                sample of its values. Each kind once for a network; see backbone_warning_count.
        """
        tensor, alive = input_tensor(x)
        count = len(self._outputs)
        result, outputs = self._arranged_outputs(alive, tensor, out, channels_last)
        if self._is_prepared and alive.size < self._least_watched:
            with self._handle as net:
                status = lib.backbone_forward(net, ctypes.byref(tensor), outputs, count)
        else:
            status = self._handle.run(lambda net: int(lib.backbone_forward(net, ctypes.byref(tensor), outputs, count)))
            self._is_prepared = True
        check(status)
        self._warn()
        return result

    def _arranged_outputs(
        self, x: npt.NDArray[Any], tensor: _library.Tensor, out: Sequence[Any] | None, channels_last: bool
    ) -> tuple[tuple[Any, ...], Any]:
        """The outputs of a forward pass of this input, and their descriptors: `backbone_tensor[]`."""
        if out is None:
            arrays, outputs = self._new_outputs(x.shape, channels_last)
            return tuple(arrays), outputs
        outputs = self._given_outputs(out, x, tensor)
        return tuple(out), outputs

    def _new_outputs(self, input_shape: tuple[int, ...], channels_last: bool) -> tuple[list[FloatArray], Any]:
        known = self._known_outputs.get((input_shape, channels_last))
        if known is None:
            known = NewOutputs(self.output_shapes(input_shape), channels_last)
            if len(self._known_outputs) >= 64:
                self._known_outputs.clear()
            self._known_outputs[input_shape, channels_last] = known
        return known.make()

    def _given_outputs(self, out: Sequence[Any], x: npt.NDArray[Any], x_tensor: _library.Tensor) -> Any:
        if hasattr(out, "__array_interface__") or hasattr(out, "__dlpack__"):
            raise TypeError("out is an array; it must be a sequence of arrays, one for each of out_indices")
        count = len(self._outputs)
        if len(out) != count:
            given = f"out_indices {self._out_indices}"
            if len(self._out_indices) != count:
                given = f"outputs {self._outputs}"
            raise ValueError(f"out has {len(out)} arrays; {given} need {count}")
        arrays = list(map(output_array, out, _LABELS[1:]))
        tensors = list(map(output_tensor, arrays))
        check_disjoint(_LABELS[: count + 1], [x, *arrays], [x_tensor, *tensors])
        return (_library.Tensor * count)(*tensors)

    def pooled(self, x: Any) -> FloatArray:
        """The mean of each channel after the last stage, of shape (N, C), if "pooled" is among the outputs.

        Computes all outputs of the network.

        Args:
            x: as for `forward`.

        Raises:
            ValueError: it is not among the outputs; and what `forward` raises.
        """
        return self._vector("pooled", x)

    def logits(self, x: Any) -> FloatArray:
        """The result of the classifier, of shape (N, num_classes), if "logits" is among the outputs.

        See `pooled`.
        """
        return self._vector("logits", x)

    def _vector(self, name: str, x: Any) -> FloatArray:
        if name not in self._outputs:
            raise ValueError(f"the network gives {', '.join(self._outputs)}; create it with {name!r} among its outputs")
        result: FloatArray = self.forward(x)[self._outputs.index(name)]
        return result.reshape(result.shape[:2])

    def profile(self, x: Any) -> list[Layer]:
        """Compute the features of a batch as `forward` does, and report the time of each layer.

        The first forward pass with a shape packs weights before the first layer; profile the second one.

        Args:
            x: as for `forward`.

        Returns:
            A `Layer` for each step, in the order of computation.
        """
        tensor, alive = input_tensor(x)
        # The arrays must live as long as the library writes to them.
        arrays, outputs = self._new_outputs(alive.shape, channels_last=False)
        count = ctypes.c_size_t()
        arguments = (ctypes.byref(tensor), outputs, len(arrays))
        with self._handle as net:
            check(lib.backbone_profile(net, *arguments, None, 0, ctypes.byref(count)))
        rows = (_library.Layer * count.value)()
        check(
            self._handle.run(
                lambda net: int(lib.backbone_profile(net, *arguments, rows, count.value, ctypes.byref(count)))
            )
        )
        self._warn()
        return [layer_of(row) for row in rows]

    @overload
    def __call__(self, x: Any, out: None = None, *, channels_last: bool = False) -> tuple[FloatArray, ...]: ...

    @overload
    def __call__(self, x: Any, out: Sequence[_Out], *, channels_last: bool = False) -> tuple[_Out, ...]: ...

    def __call__(self, x: Any, out: Sequence[Any] | None = None, *, channels_last: bool = False) -> tuple[Any, ...]:
        """As `forward`."""
        return self.forward(x, out, channels_last=channels_last)

    # ---- Lifetime ----

    def cancel(self) -> None:
        """End forward passes, loads and other long calls in progress on this network in other threads.

        They raise CancelledError within about 50 milliseconds. The contents of `out` are then undefined; the network is
        unchanged. Later calls are not affected. Any thread may call this.
        """
        self._handle.cancel()

    def __reduce__(self) -> Any:
        raise TypeError("a ResNet cannot be copied or pickled; create another and give it this one's state_dict()")

    def __repr__(self) -> str:
        if self._handle.closed:
            return f"<closed ResNet({self._depth or self._architecture!r})>"
        return (
            f"ResNet({self._depth or self._architecture!r}, in_channels={self._in_channels}, "
            f"frozen_stages={self.frozen_stages}, threads={self.threads}, out_indices={self._out_indices}, "
            f"training={self.training})"
        )

    def _warn(self) -> None:
        """Issue the warnings of the last forward passes."""
        with self._handle as net:
            texts = self._warnings.take(net)
        if texts:
            issue(texts)

    def _options(self) -> _library.Options:
        options = _library.Options(struct_size=ctypes.sizeof(_library.Options))
        with self._handle as net:
            check(lib.backbone_get_options(net, ctypes.byref(options)))
        return options

    def _entries(self) -> tuple[Entry, ...]:
        if self._entry_table is None:
            self._entry_table = entries_of(self._handle)
        return self._entry_table


def _implied_channels(conversion: InputChannels, options: Mapping[str, Any]) -> int:
    """`in_channels` of a network that is created from a file, if it is not given."""
    if not isinstance(conversion, str):
        return len(conversion) if isinstance(conversion, Sequence) else 3
    if conversion == "sum":
        return 1
    for name in ("mean", "std"):
        if np.ndim(options.get(name, 0)) == 1:
            return len(options[name])
    # The file's, unless the stem is converted.
    return 3
