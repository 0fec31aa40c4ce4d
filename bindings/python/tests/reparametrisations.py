# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What torch.nn.utils writes in place of the weights of convolutions, by its documented formulas in float64."""

import numpy as np


def _change(state, parts):
    """The state dict of the network, and of the file: `parts` makes of a weight the true one and parts by name."""
    rng, true, stored = np.random.default_rng(5), {}, {}
    for name, array in state.items():
        if array.ndim != 4:
            true[name] = stored[name] = array
            continue
        true[name], named = parts(array, rng)
        module = name.removesuffix("weight")
        stored |= {module + part: value.astype(np.float32) for part, value in named.items()}
    return true, stored


def pruned(state):
    """`weight_orig` times `weight_mask`."""

    def parts(weight, rng):
        mask = rng.random(weight.shape) < 0.6
        return weight * mask, {"weight_orig": weight, "weight_mask": mask}

    return _change(state, parts)


def weight_norm(dim, new=False):
    """`g * v / |v|`, with a norm for each slice along `dim`, or one for all."""
    prefix = "parametrizations.weight.original"
    names = (f"{prefix}0", f"{prefix}1") if new else ("weight_g", "weight_v")

    def parts(weight, rng):
        v = (weight * rng.uniform(0.5, 2)).astype(np.float32)
        axes = None if dim is None else tuple(axis for axis in range(4) if axis != dim)
        norm = np.sqrt(np.sum(v.astype(np.float64) ** 2, axes, keepdims=dim is not None))
        g = np.asarray(norm * rng.uniform(0.5, 1.5, norm.shape)).astype(np.float32)
        return (g * v / norm).astype(np.float32), {names[0]: g, names[1]: v}

    return lambda state: _change(state, parts)


def spectral_norm(new=False):
    """The weight over `u . (W v)`, where u and v are what iterations of the power method have come to."""
    prefix = "parametrizations.weight." if new else ""
    names = ("original", "0._u", "0._v") if new else ("weight_orig", "weight_u", "weight_v")

    def parts(weight, rng):
        matrix = weight.reshape(len(weight), -1).astype(np.float64)
        u = rng.standard_normal(len(matrix))
        for _ in range(3):
            v = matrix.T @ u
            v /= np.linalg.norm(v)
            u = matrix @ v
            u /= np.linalg.norm(u)
        u, v = u.astype(np.float32), v.astype(np.float32)
        sigma = u.astype(np.float64) @ matrix @ v
        named = dict(zip(names, (weight, u, v), strict=True))
        return (weight / sigma).astype(np.float32), {prefix + name: value for name, value in named.items()}

    return lambda state: _change(state, parts)
