# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The result of a load, name by name."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from . import _library
from ._errors import check
from ._library import lib

# The number of names of a class that texts list.
_LISTED = 8


class Mismatch(NamedTuple):
    """A name with different shapes in network and checkpoint."""

    name: str
    expected: tuple[int, ...]
    """The shape in the network."""
    actual: tuple[int, ...]
    """The shape in the checkpoint (of more than 8 dimensions the first 8)."""

    def __str__(self) -> str:
        return f"{self.name} (network {_shape_text(self.expected)}, checkpoint {_shape_text(self.actual)})"


@dataclass(frozen=True, repr=False)
class LoadReport:
    """The result of a load. `print(report)` shows it in a few lines.

    Attributes:
        loaded: names in both, whose values were loaded, or would have been if the load had not failed.
        missing: names of the network that the checkpoint lacks; with `allow_missing` they keep their values.
        unexpected: names of the checkpoint that the network lacks, including modules that `ignore_modules` leaves out.
        ignorable: names without effect: `num_batches_tracked` that the checkpoint lacks, statistics that
            checkpoints of its dialect lack, names outside of the prefix, `fc.*`, biases of convolutions that are zero,
            and stages that this network does not build.
        mismatched: names in both with different shapes; any such name fails the load.
        container: "zip", "legacy" (PyTorch 0.1.10 to 1.5), "tar" (before), "pickle" or "safetensors"; "mapping" for
            `load_state_dict`.
        wrapper: the keys under which the checkpoint has its tensors, "state_dict" or "model.state_dict"; or "".
        prefix: the prefix removed from the names, "module." or "backbone."; or "".
        succeeded: whether the values were loaded; False in the report of a MismatchError.
        dialect: whose names the checkpoint has: "torchvision" (mmdetection, timm), "convmodule" (OpenMMLab),
            "huggingface", "detectron2", "maskrcnn_benchmark", "caffe2", "cifar", "layer0", "sequential" or
            "paddledetection".
        depth: of the checkpoint's network, from its names; None if they do not tell, or if the network has no depth.
        architecture: of the checkpoint's network, from names and shapes: "resnet50", "wide_resnet50_2", ...; "custom"
            for a network without a name, "" if they describe none.
        base_channels: of the checkpoint's stem; None if it has none.
        input_channels: of the checkpoint's stem; None if it has none.
        dtype: of the convolutions' weights in the checkpoint: "float32", "float16", ..., or "mixed".
        style: "pytorch" or "caffe", which convolution of the checkpoint's Bottlenecks had the stride; "" if unknown.
            The weights do not record it: it is inferred from names, marks in the file, and the scale of the stem.
        num_classes: of the checkpoint's head; None if it has none.
        assumed: assumptions about the network that a checkpoint describes, where neither names nor shapes decide; "" if
            it was loaded into an existing network.
        optimizer: after loading an optimiser: the parameters that the state in the file is for; "" after other loads.
        input_conversion: "sum", "repeat" or "map" if the stem was converted; else "".
        tensors: the number of tensors of known types in the checkpoint's dict, under any names.
        warnings: reasons to doubt that the network computes what was trained.
        json: the whole report with all shapes as a JSON object, see backbone_report_to_json; "" for `load_state_dict`.
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    ignorable: tuple[str, ...]
    mismatched: tuple[Mismatch, ...]
    container: str
    wrapper: str
    prefix: str
    succeeded: bool = True
    dialect: str = "torchvision"
    depth: int | None = None
    base_channels: int | None = None
    input_channels: int | None = None
    dtype: str = ""
    style: str = ""
    input_conversion: str = ""
    tensors: int = 0
    warnings: tuple[str, ...] = ()
    json: str = ""
    architecture: str = ""
    num_classes: int | None = None
    assumed: str = ""
    optimizer: str = ""

    def __str__(self) -> str:
        origin = self.container
        if self.wrapper:
            origin += f", tensors under {self.wrapper!r}"
        if self.prefix:
            origin += f", prefix {self.prefix!r} removed"
        outcome = "loaded" if self.succeeded else "fit, none was loaded"
        if self.dialect != "torchvision":
            origin += f", names of {self.dialect}"
        if self.input_conversion:
            origin += f", input channels converted by {self.input_conversion!r}"
        lines = [f"{origin}: {len(self.loaded)} {outcome}"]
        for title in ("mismatched", "missing", "unexpected", "ignorable"):
            names = [str(item) for item in getattr(self, title)]
            if names:
                lines.append(f"  {len(names)} {title}: {listed(names)}")
        lines += [f"  warning: {warning}" for warning in self.warnings]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return (
            f"<LoadReport {self.container}: {len(self.loaded)} loaded, {len(self.missing)} missing, "
            f"{len(self.unexpected)} unexpected, {len(self.ignorable)} ignorable, {len(self.mismatched)} mismatched"
            f"{'' if self.succeeded else ', failed'}>"
        )


def listed(names: Sequence[str]) -> str:
    """The first names, and the number of the others."""
    more = f", and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def take_report(pointer: ctypes.c_void_p, succeeded: bool) -> LoadReport:
    """Copy a report of the library into Python and free it."""
    try:
        return LoadReport(
            loaded=_names(pointer, _library.REPORT_LOADED),
            missing=_names(pointer, _library.REPORT_MISSING),
            unexpected=_names(pointer, _library.REPORT_UNEXPECTED),
            ignorable=_names(pointer, _library.REPORT_IGNORABLE),
            mismatched=tuple(
                Mismatch(
                    _text(entry.name),
                    tuple(entry.expected_shape[: max(entry.expected_ndim, 0)]),
                    tuple(entry.actual_shape[: max(entry.actual_ndim, 0)]),
                )
                for entry in _entries(pointer, _library.REPORT_MISMATCHED)
            ),
            container=_property(pointer, _library.REPORT_CONTAINER),
            wrapper=_property(pointer, _library.REPORT_WRAPPER),
            prefix=_property(pointer, _library.REPORT_PREFIX),
            succeeded=succeeded,
            dialect=_property(pointer, _library.REPORT_DIALECT),
            depth=_number(pointer, _library.REPORT_DEPTH),
            architecture=_property(pointer, _library.REPORT_ARCHITECTURE),
            num_classes=_number(pointer, _library.REPORT_CLASSES),
            assumed=_property(pointer, _library.REPORT_ASSUMED),
            optimizer=_property(pointer, _library.REPORT_OPTIMIZER),
            base_channels=_number(pointer, _library.REPORT_BASE_CHANNELS),
            input_channels=_number(pointer, _library.REPORT_INPUT_CHANNELS),
            dtype=_property(pointer, _library.REPORT_DTYPE),
            style=_property(pointer, _library.REPORT_STYLE),
            input_conversion=_property(pointer, _library.REPORT_INPUT_CONVERSION),
            tensors=_number(pointer, _library.REPORT_TENSORS) or 0,
            warnings=_warnings(pointer),
            json=_json(pointer),
        )
    finally:
        lib.backbone_report_free(pointer)


def _names(pointer: ctypes.c_void_p, name_class: int) -> tuple[str, ...]:
    return tuple(_text(entry.name) for entry in _entries(pointer, name_class))


def _entries(pointer: ctypes.c_void_p, name_class: int) -> list[_library.ReportEntry]:
    count = ctypes.c_size_t()
    check(lib.backbone_report_count(pointer, name_class, ctypes.byref(count)))
    entries = [_library.ReportEntry() for _ in range(count.value)]
    for index, entry in enumerate(entries):
        check(lib.backbone_report_get_entry(pointer, name_class, index, ctypes.byref(entry)))
    return entries


def _property(pointer: ctypes.c_void_p, which: int) -> str:
    value = ctypes.c_char_p()
    check(lib.backbone_report_get_property(pointer, which, ctypes.byref(value)))
    return _text(value.value)


def _number(pointer: ctypes.c_void_p, which: int) -> int | None:
    text = _property(pointer, which)
    return int(text) if text else None


def _json(pointer: ctypes.c_void_p) -> str:
    value = ctypes.c_char_p()
    check(lib.backbone_report_to_json(pointer, ctypes.byref(value)))
    return _text(value.value)


def _warnings(pointer: ctypes.c_void_p) -> tuple[str, ...]:
    count, value, texts = ctypes.c_size_t(), ctypes.c_char_p(), []
    check(lib.backbone_report_warning_count(pointer, ctypes.byref(count)))
    for index in range(count.value):
        check(lib.backbone_report_get_warning(pointer, index, ctypes.byref(value)))
        texts.append(_text(value.value))
    return tuple(texts)


def _text(value: bytes | None) -> str:
    # Names come from files: bytes that are not UTF-8 are shown, not a second error.
    return (value or b"").decode(errors="backslashreplace")


def _shape_text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"
