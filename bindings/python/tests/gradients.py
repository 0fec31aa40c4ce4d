# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Comparisons of gradients with those that PyTorch computes in float64.

Where an input of a ReLU is near 0, rounding decides whether it passes a gradient, and two correct results differ. So
the networks that are compared have norms whose outputs keep away from 0, on either side.
"""

import numpy as np
import torch
from torch import nn

# Of the largest value of a gradient. Those that are not nearly nothing are off by 9e-5 at most.
BOUNDS = {"direct": 1e-4, "fast": 3e-4}
# What a gradient that is 0 by its definition may be, as the bias of a norm before another norm has: values cancel. Of
# the largest gradient of all.
NOTHING = 1e-5
# The name of the gradient of the input.
INPUT = "the input"
# Where two values of a window of max pooling are nearly equal, rounding decides which gets the gradient. How far the
# gradient of an input may be from the exact one for that, by Euclidean norms, and in which share of its values.
TIES = 0.05
TIED = 0.01


@torch.no_grad()
def keep_away_from_zero(model, calibration, seed=5):
    """Shift the norms of a model by four deviations up or, one in four channels, down; then measure its statistics."""
    generator = torch.Generator().manual_seed(seed)
    norms = [module for module in model.modules() if isinstance(module, (nn.BatchNorm2d, nn.GroupNorm))]
    for norm in norms:
        sign = torch.where(torch.rand(norm.weight.shape, generator=generator) < 0.75, 1.0, -1.0)
        norm.bias.copy_(sign * 4 * norm.weight.abs() + norm.bias)
    batch_norms = [norm for norm in norms if isinstance(norm, nn.BatchNorm2d)]
    for norm in batch_norms:
        norm.reset_running_stats()
        norm.momentum = None
    was_training = model.training
    for module in model.modules():
        module.training = True
    for x in calibration:
        model(torch.from_numpy(x))
    model.train(was_training)
    for norm in batch_norms:
        norm.momentum = 0.1
    return model


def random_gradients(shapes, seed=0, subset=None):
    """A gradient for each output, of one weight each; None for those that are not in `subset`."""
    generator = np.random.default_rng(seed)
    result = []
    for index, shape in enumerate(shapes):
        values = generator.standard_normal(shape) / np.sqrt(np.prod(shape))
        result.append(values.astype(np.float32) if subset is None or index in subset else None)
    return result


def torch_gradients(outputs, output_gradients, x, parameters):
    """The gradients of the input and of each parameter; zeros where nothing depends on it."""
    given = [
        (y, torch.from_numpy(g).to(y.dtype).reshape(y.shape))
        for y, g in zip(outputs, output_gradients, strict=True)
        if g is not None
    ]
    names = list(parameters)
    values = torch.autograd.grad(
        [y for y, _ in given], [x, *parameters.values()], [g for _, g in given], allow_unused=True
    )
    arrays = [
        (np.zeros(tensor.shape) if value is None else value.numpy())
        for value, tensor in zip(values, [x, *parameters.values()], strict=True)
    ]
    return arrays[0], dict(zip(names, arrays[1:], strict=True))


def assert_gradients(actual, expected, bound, own=None):
    """Compare gradients by name: each within `bound` of its largest value.

    Args:
        actual: the library's.
        expected: in float64.
        bound: relative.
        own: computes PyTorch's in float32: where they are off by more, twice their error is allowed.
    """
    worst = 0.0
    scale = max(np.abs(values).max() for values in expected.values())
    for name, values in actual.items():
        exact = expected[name].reshape(values.shape)
        assert np.isfinite(values).all(), name
        errors, largest = np.abs(values - exact), np.abs(exact).max()
        allowed = max(bound * largest, NOTHING * scale)
        error = errors.max()
        if error > allowed and own is not None:
            allowed = max(allowed, 2 * np.abs(own()[name].reshape(values.shape) - exact).max())
        if name == INPUT and error > allowed:
            assert np.linalg.norm(errors) <= TIES * np.linalg.norm(exact), f"{name}: off by {error:.1e}"
            assert (errors > allowed).mean() <= TIED, f"{name}: off by {error:.1e}, the largest is {largest:.1e}"
            continue
        assert error <= allowed, f"{name}: off by {error:.1e}, the largest is {largest:.1e}"
        if largest > NOTHING * scale:
            worst = max(worst, error / largest)
    return worst
