# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""One network, from PyTorch's weights to the errors of the library."""

from __future__ import annotations

import gc
import time
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import backbone
import numpy as np
import torch
from accuracy import BOUNDS, relative_error
from weight_formula import images

from .catalogue import OUTPUTS, Network, reference
from .weights import prepare

ARITHMETICS = ("direct", "fast")

# Of the largest value of an output. Fast arithmetic: what include/backbone.h promises of C2 to C5. C1 is held to the
# bound of C2, and what follows C5 to that of C5.
ALLOWED = {
    "direct": dict.fromkeys(OUTPUTS, 1e-4),
    "fast": dict(zip(OUTPUTS, (BOUNDS[0], *BOUNDS, BOUNDS[3], BOUNDS[3]), strict=True)),
}

_STAGES = ("C2", "C3", "C4", "C5")


@dataclass
class Result:
    """What came of a comparison.

    Attributes:
        network: which.
        parameters: of PyTorch's model.
        architecture: the name that the library gives it; "" if it did not open it.
        errors: by arithmetic and output, relative to the output's largest value.
        failure: why it failed, in one line; "" if it did not.
        seconds: how long all of it took.
    """

    network: Network
    parameters: int = 0
    architecture: str = ""
    errors: dict[str, dict[str, float]] = field(default_factory=dict)
    failure: str = ""
    seconds: float = 0.0

    @property
    def opened(self) -> str:
        """What the library was given."""
        options = self.network.options
        if "architecture" in options:
            return "file and name"
        return ", ".join(["file", *(f"{name}={value!r}" for name, value in options.items())])


def library_outputs(
    path: Path, outputs: Sequence[str], options: dict[str, Any], arithmetic: str, x: np.ndarray
) -> tuple[str, dict[str, np.ndarray]]:
    """The name of a file's network, and its outputs by name: all that is known here of how the library is called."""
    if set(outputs) <= set(_STAGES):
        asked: dict[str, Any] = {"out_indices": [_STAGES.index(name) for name in outputs]}
    else:
        asked = {"outputs": outputs}
    with warnings.catch_warnings():
        # That anti-aliasing cannot be seen, say; whether the guess is right is what is compared.
        warnings.simplefilter("ignore", backbone.BackboneWarning)
        with backbone.ResNet.from_file(path, arithmetic=arithmetic, **asked, **options) as net:
            return net.architecture, dict(zip(outputs, net(x), strict=True))


def compare(
    network: Network,
    folder: Path,
    outputs: Sequence[str] = OUTPUTS,
    shape: tuple[int, int, int, int] | None = None,
) -> Result:
    """Make a network's weights, open them with the library and compare; a failure is part of the result.

    Args:
        network: which.
        folder: where to write its weights, which are deleted afterwards.
        outputs: those to compare, of the ones that it has.
        shape: of the input; None: the network's.
    """
    result = Result(network)
    started = time.monotonic()
    path = folder / f"{network.key.replace('/', '-')}.pth"
    try:
        _compare(result, path, [name for name in network.outputs if name in outputs], shape or network.shape)
    except Exception as error:
        # The library names the file, which is gone by then.
        message = str(error).replace(f"{path}: ", "")
        result.failure = " ".join(f"{type(error).__name__}: {message}".split())
    finally:
        path.unlink(missing_ok=True)
        # A model that failed is in a circle with its traceback.
        gc.collect()
    result.seconds = time.monotonic() - started
    return result


def _compare(result: Result, path: Path, outputs: list[str], shape: tuple[int, int, int, int]) -> None:
    network = result.network
    seed = zlib.crc32(network.key.encode())
    torch.manual_seed(seed)
    model = prepare(network.build(), seed, network.side)
    result.parameters = sum(parameter.numel() for parameter in model.parameters())
    torch.save(model.state_dict(), path)
    x = images(network.key, shape)
    single = reference(model, torch.from_numpy(x))
    expected = reference(model.double(), torch.from_numpy(x).double())
    del model
    failures = []
    for arithmetic in ARITHMETICS:
        result.architecture, actual = library_outputs(path, outputs, network.options, arithmetic, x)
        errors = result.errors[arithmetic] = {}
        for name in outputs:
            if actual[name].shape != expected[name].shape:
                failures.append(f"{name} is {_by(actual[name].shape)}, expected {_by(expected[name].shape)}")
                continue
            errors[name] = relative_error(actual[name], expected[name])
            if errors[name] > ALLOWED[arithmetic][name]:
                own = relative_error(single[name], expected[name])
                failures.append(
                    f"{arithmetic} {name}: {errors[name]:.1e} of the largest value, allowed "
                    f"{ALLOWED[arithmetic][name]:.0e}, PyTorch in float32 {own:.1e}"
                )
    result.failure = "; ".join(dict.fromkeys(failures))


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
