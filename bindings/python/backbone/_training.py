# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The methods of a network that train it."""

from __future__ import annotations

import ctypes
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import numpy as np
import numpy.typing as npt

from . import _library
from ._arrays import FloatArray, as_array, input_tensor, output_array, output_tensor
from ._entries import Entry
from ._errors import check
from ._handle import Handle
from ._library import lib
from ._tape import Tape

if TYPE_CHECKING:
    from typing_extensions import Self

_Out = TypeVar("_Out")

Trainable = Literal["all", "norms", "head"]

_TRAINABLE = {"all": _library.TRAINABLE_ALL, "norms": _library.TRAINABLE_NORMS, "head": _library.TRAINABLE_HEAD}


class Training:
    """The training part of `ResNet`.

    The gradients of all trainable parameters are one flat vector of float32, in the order of the state dict;
    `named_slices` gives them by name. A training step::

        net.train()
        with net.tape() as tape:
            for images, targets in batches:
                features = net.forward_train(images, tape)
                gradients = net.backward(tape, loss_gradients(features, targets))
                optimizer.step(gradients)
    """

    _handle: Handle
    _outputs: tuple[str, ...]
    # Keeps bound parameters alive: see backbone_bind_parameters.
    _bound: Any = None

    if TYPE_CHECKING:
        # Attributes of ResNet.
        def _entries(self) -> tuple[Entry, ...]: ...

        def _arranged_outputs(
            self, x: npt.NDArray[Any], tensor: _library.Tensor, out: Sequence[Any] | None, channels_last: bool
        ) -> tuple[tuple[Any, ...], Any]: ...

        def output_shapes(self, input_shape: Sequence[int]) -> tuple[tuple[int, int, int, int], ...]: ...

        def _warn(self) -> None: ...

    # ---- Passes ----

    def tape(self, input_gradient: bool = False, retain: bool = False, recompute: bool = False) -> Tape:
        """Create an empty tape for this network. Large memory is only allocated by its first pass.

        Args:
            input_gradient: the gradient of the input can be computed too, also through frozen stages, which then keep
                their activations. Otherwise frozen stages run as in inference and keep nothing.
            retain: several backward passes can follow a forward pass. Otherwise the backward pass reuses the memory of
                the forward pass and leaves the tape empty.
            recompute: the backward pass recomputes the activations within each block instead of keeping them: less
                memory for up to one more forward pass, and the same gradients to the bit.
        """
        return Tape(self._handle, input_gradient, retain, recompute)

    @overload
    def forward_train(
        self, x: Any, tape: Tape, out: None = None, *, channels_last: bool = False
    ) -> tuple[FloatArray, ...]: ...

    @overload
    def forward_train(
        self, x: Any, tape: Tape, out: Sequence[_Out], *, channels_last: bool = False
    ) -> tuple[_Out, ...]: ...

    def forward_train(
        self, x: Any, tape: Tape, out: Sequence[Any] | None = None, *, channels_last: bool = False
    ) -> tuple[Any, ...]:
        """Compute the outputs of a batch as `forward` does, and fill the tape.

        In training mode BatchNorms use and update statistics as `train` describes; in evaluation mode they use the
        running ones, and their weights and biases can still be trained. Frozen stages are always computed as in
        evaluation mode. The same bits for every number of threads; they can differ from those of `forward` within the
        accuracy of the arithmetic.

        Args:
            x: as for `forward`, of at least one image.
            tape: created by `tape`.
            out: as for `forward`.
            channels_last: as for `forward`.

        Raises: as `forward`; and
            StaleError: the tape belongs to another network.
            ValueError: all parameters are frozen and the tape has no `input_gradient`; or the tape is closed.

        After a failure the tape is empty and the contents of `out` are undefined.
        """
        tensor, alive = input_tensor(x)
        result, outputs = self._arranged_outputs(alive, tensor, out, channels_last)
        with _owned(tape) as pointer:
            check(
                self._handle.run(
                    lambda net: int(
                        lib.backbone_forward_train(net, pointer, ctypes.byref(tensor), outputs, len(self._outputs))
                    )
                )
            )
        tape._input_shape = alive.shape
        self._warn()
        return result

    @overload
    def backward(
        self,
        tape: Tape,
        output_gradients: Sequence[Any],
        out: FloatArray | None = None,
        *,
        accumulate: bool = False,
        input_gradient: None = None,
    ) -> FloatArray: ...

    @overload
    def backward(
        self,
        tape: Tape,
        output_gradients: Sequence[Any],
        out: FloatArray | None = None,
        *,
        accumulate: bool = False,
        input_gradient: Literal[True],
    ) -> tuple[FloatArray, FloatArray]: ...

    @overload
    def backward(
        self,
        tape: Tape,
        output_gradients: Sequence[Any],
        out: FloatArray | None = None,
        *,
        accumulate: bool = False,
        input_gradient: _Out,
    ) -> tuple[FloatArray, _Out]: ...

    def backward(
        self,
        tape: Tape,
        output_gradients: Sequence[Any],
        out: FloatArray | None = None,
        *,
        accumulate: bool = False,
        input_gradient: Any = None,
    ) -> Any:
        """Compute the gradients of all trainable parameters from those of the outputs.

        The definitions are PyTorch's: max pooling passes the gradient to the first maximum of a window, ReLU passes 0
        where its result is 0, and NaN and infinities are passed on. The same bits for every number of threads.

        Args:
            tape: as `forward_train` filled it. Afterwards it is empty, unless it was created with `retain`.
            output_gradients: one for each output of `forward_train`, with its shape, float32, any strides; "pooled" and
                "logits" may also have shape (N, C). None stands for zeros.
            out: the vector to write to: contiguous, float32, of `trainable_count` values. None: a new one.
            accumulate: add to `out` instead of replacing its values.
            input_gradient: the array for the gradient of the input, with its shape; True: a new one. The
                tape needs `input_gradient`. It is the gradient with respect to the values that the network computes
                with: for inputs that the library normalises, the normalised values, with channels in the network's
                order.

        Returns:
            The vector. With `input_gradient`: the vector and the gradient of the input.

        Raises:
            StaleError: the tape is empty or of another network; or since its forward pass weights were written or other
                stages were frozen. Nothing has changed.
            ValueError: a shape does not fit, or the tape has no `input_gradient`.
            TypeError: an array has another dtype, or is not an array.
            CancelledError: the call was cancelled; the gradients are then undefined. Ctrl-C raises KeyboardInterrupt.
        """
        if accumulate and out is None:
            raise ValueError("accumulate needs out, the vector to add to")
        vector = np.empty(self.trainable_count, np.float32) if out is None else flat_vector("out", out, is_written=True)
        result, given = self._input_gradient(tape, input_gradient)
        flags = _library.BACKWARD_ACCUMULATE if accumulate else 0
        self._go_back(tape, output_gradients, given, vector, flags)
        vector = vector if out is None else out
        return vector if input_gradient is None else (vector, result)

    @overload
    def input_gradient(self, tape: Tape, output_gradients: Sequence[Any], out: None = None) -> FloatArray: ...

    @overload
    def input_gradient(self, tape: Tape, output_gradients: Sequence[Any], out: _Out) -> _Out: ...

    def input_gradient(self, tape: Tape, output_gradients: Sequence[Any], out: Any = None) -> Any:
        """Compute only the gradient of the input, faster than `backward`: for saliency, for example.

        Args:
            tape: as for `backward`, created with `input_gradient`.
            output_gradients: as for `backward`.
            out: the array to write to; None: a new one.

        Returns:
            The gradient, see `backward`, whose errors apply.
        """
        result, given = self._input_gradient(tape, True if out is None else out)
        self._go_back(tape, output_gradients, given, None, 0)
        return result

    def feature_gradients(
        self, tape: Tape, output_gradients: Sequence[Any], wanted: Sequence[str] | None = None
    ) -> tuple[FloatArray, ...]:
        """Compute gradients with respect to outputs, such as those of a class's logit with respect to C5 for Grad-CAM.

        It computes neither the gradients of parameters and input nor anything before the first wanted output.

        Args:
            tape: as for `backward`. For outputs before which nothing is trained, as in frozen stages, it needs
                `input_gradient`.
            output_gradients: as for `backward`.
            wanted: names from `outputs`; None: all.

        Returns:
            For each wanted output a float32 array of its shape: its own gradient from `output_gradients` plus the
            gradient from later outputs. In networks whose blocks begin with norms, a stage's output is that of its last
            block, before the next norm.

        Raises: as `backward`; and
            ValueError: a name in `wanted` is not an output.
        """
        owned = _owned(tape)
        names = self._outputs if wanted is None else tuple(wanted)
        for name in names:
            if name not in self._outputs:
                raise ValueError(f"wanted has {name!r}; the network gives {', '.join(self._outputs)}")
        # Without a pass the library refuses the tape.
        shapes = self.output_shapes(tape._input_shape) if tape._input_shape else ((1, 1, 1, 1),) * len(self._outputs)
        arrays = {name: np.empty(shapes[self._outputs.index(name)], np.float32) for name in names}
        features = (_library.Tensor * len(self._outputs))()
        for name, array in arrays.items():
            features[self._outputs.index(name)] = output_tensor(array)
        tensors, alive = self._gradient_tensors(output_gradients)
        with owned as pointer:
            self._run_backward(
                lambda net: int(lib.backbone_feature_gradients(net, pointer, tensors, len(alive), features)),
                is_repeatable=tape.retain,
            )
        return tuple(arrays[name] for name in names)

    def _input_gradient(self, tape: Tape, wanted: Any) -> tuple[Any, FloatArray | None]:
        """The value to return, and the array to write."""
        if wanted is None:
            return None, None
        if wanted is not True:
            return wanted, output_array(wanted, "input_gradient")
        # Without a pass the library refuses the tape.
        array = np.empty(tape._input_shape or (1, 1, 1, 1), np.float32)
        return array, array

    def _go_back(
        self, tape: Tape, gradients: Sequence[Any], of_input: FloatArray | None, vector: FloatArray | None, flags: int
    ) -> None:
        tensors, alive = self._gradient_tensors(gradients)
        of_input_tensor = None if of_input is None else ctypes.byref(output_tensor(of_input))
        address, count = (None, 0) if vector is None else (vector.ctypes.data, vector.size)
        with _owned(tape) as pointer:

            def call(net: int) -> int:
                return int(
                    lib.backbone_backward(net, pointer, tensors, len(alive), of_input_tensor, address, count, flags)
                )

            self._run_backward(call, is_repeatable=tape.retain and not flags)

    def _run_backward(self, call: Callable[[int], int], is_repeatable: bool) -> None:
        # A call that empties the tape cannot be made again: it continues to its end if Ctrl-C raises nothing.
        if is_repeatable or signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            status = self._handle.run(call, repeatable=is_repeatable)
        else:
            with self._handle as net:
                status = call(net)
        check(status)

    def _gradient_tensors(self, gradients: Sequence[Any]) -> tuple[Any, list[npt.NDArray[Any] | None]]:
        """Describe gradients of outputs; the second value must stay alive as long as the first is in use."""
        if hasattr(gradients, "__array_interface__") or hasattr(gradients, "__dlpack__"):
            raise TypeError("output_gradients is an array; it must be a sequence of them, one for each output")
        count = len(self._outputs)
        if len(gradients) != count:
            raise ValueError(f"output_gradients has {len(gradients)} values; outputs {self._outputs} need {count}")
        tensors = (_library.Tensor * count)()
        alive: list[npt.NDArray[Any] | None] = []
        for index, (name, gradient) in enumerate(zip(self._outputs, gradients, strict=True)):
            if gradient is None:
                alive.append(None)
                continue
            label = f"output_gradients[{index}]"
            array = as_array(gradient, label)
            if array.ndim == 2 and name in ("pooled", "logits"):
                array = array[:, :, None, None]
            if array.dtype != np.float32:
                raise TypeError(f"{label} has dtype {array.dtype}; it must be float32")
            tensors[index], array = input_tensor(array, label)
            alive.append(array)
        return tensors, alive

    def collect_statistics(self, batches: Iterable[Any]) -> int:
        """Replace the running statistics of BatchNorms by those of new images, without gradients.

        This adapts a network to another kind of images (AdaBN), or gives it the statistics of its present weights
        (precise BatchNorm). BatchNorms of frozen stages keep their statistics; the mode and `norm_eval` do not matter.
        The result is mean and variance over all values of all batches. Each batch is normalised by its own statistics,
        so use batches as large and as mixed as in training. Tapes become stale.

        Args:
            batches: inputs as for `forward_train`. One call at a time collects on a network.

        Returns:
            The number of batches. After a failure, in `batches` too, the statistics are as before.

        Raises:
            ValueError: no batches, everything is frozen, or what `forward_train` raises.
        """
        count = 0
        with self._handle as net:
            check(lib.backbone_statistics_begin(net))
        try:
            for x in batches:
                self._add_statistics(x)
                count += 1
            with self._handle as net:
                check(lib.backbone_statistics_commit(net))
        except BaseException:
            with self._handle as net:
                lib.backbone_statistics_cancel(net)
            raise
        return count

    def _add_statistics(self, x: Any) -> None:
        tensor, alive = input_tensor(x)
        check(self._handle.run(lambda net: int(lib.backbone_statistics_add(net, ctypes.byref(tensor)))))
        del alive

    # ---- Trainable parameters ----

    def set_trainable(self, which: Trainable) -> Self:
        """Choose which parameters outside of the frozen stages are trained. Returns the network.

        Modes of BatchNorms do not change.

        Tapes and optimisers become stale, the latter until their `follow`.

        Args:
            which: "all": the default; "norms": weights and biases of norms, for adapting to new images (TENT); "head":
                weight and bias of the classifier (linear probe), before which `forward_train` then computes everything
                as in inference while no BatchNorm uses batch statistics.

        Raises:
            ValueError: another text, or "head" of a network without logits.
        """
        if which not in _TRAINABLE:
            raise ValueError(f"which is {which!r}; it must be one of {', '.join(_TRAINABLE)}")
        with self._handle as net:
            check(lib.backbone_set_trainable(net, _TRAINABLE[which]))
        return self

    @property
    def trainable_count(self) -> int:
        """The total number of values of all trainable parameters: the length of gradients."""
        count = ctypes.c_size_t()
        with self._handle as net:
            check(lib.backbone_trainable_count(net, ctypes.byref(count)))
        return count.value

    def named_slices(self, vector: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        """Views of a vector of all trainable parameters, or of their gradients, by name and in their shapes.

        Raises:
            ValueError: not of `trainable_count` values in one dimension.
        """
        if vector.shape != (self.trainable_count,):
            raise ValueError(f"vector has shape {vector.shape}; it must be ({self.trainable_count},)")
        return {
            entry.name: vector[offset : offset + count].reshape(entry.shape) for entry, offset, count in self._slots()
        }

    def read_trainable(self, out: FloatArray | None = None) -> FloatArray:
        """Copy all trainable parameters to a vector, laid out like gradients.

        Args:
            out: the vector to write to, as for `backward`; None: a new one.
        """
        vector = np.empty(self.trainable_count, np.float32) if out is None else flat_vector("out", out, is_written=True)
        with self._handle as net:
            check(lib.backbone_read_trainable(net, vector.ctypes.data, vector.size))
        return vector

    def write_trainable(self, vector: FloatArray) -> None:
        """Copy a vector, laid out like gradients, to all trainable parameters. Tapes that are filled become stale.

        Raises:
            ValueError: not of `trainable_count` values.
            TypeError: not of float32.
        """
        values = flat_vector("vector", vector, is_written=False)
        with self._handle as net:
            check(lib.backbone_write_trainable(net, values.ctypes.data, values.size))

    def _slots(self) -> Iterator[tuple[Entry, int, int]]:
        """Each trainable parameter with its place in a vector and its number of values."""
        offset, count = ctypes.c_size_t(), ctypes.c_size_t()
        entries = self._entries()
        with self._handle as net:
            for index, entry in enumerate(entries):
                check(lib.backbone_trainable_slot(net, index, ctypes.byref(offset), ctypes.byref(count)))
                if count.value:
                    yield entry, offset.value, count.value


def _owned(tape: Tape) -> Any:
    if not isinstance(tape, Tape):
        raise TypeError(f"tape is a {type(tape).__name__}; it must be a Tape: see ResNet.tape")
    return tape._owned


def flat_vector(label: str, value: Any, is_written: bool) -> FloatArray:
    """A flat vector for the library, which checks its length.

    Raises:
        TypeError: not an array, or not float32.
        ValueError: not one block of memory, more than one dimension, or read-only.
    """
    array = as_array(value, label)
    if array.dtype != np.float32:
        raise TypeError(f"{label} has dtype {array.dtype}; it must be float32")
    if array.ndim != 1 or not array.flags.c_contiguous or not array.flags.aligned:
        raise ValueError(f"{label} has shape {array.shape}; it must be one contiguous vector")
    if is_written and not array.flags.writeable:
        raise ValueError(f"{label} is read-only; pass a writable array")
    return array
