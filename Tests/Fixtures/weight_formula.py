# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Weights and images by formula: the generator and the tests make the same numbers, so only results are stored.

Every number comes from an integer hash of a name and an index, and from single roundings of IEEE arithmetic on it: all
machines and NumPy versions give the same bits. Needs NumPy alone.
"""

import math
import zlib

import numpy as np

# Depth: expansion of a block, blocks of the four stages.
DEPTHS = {
    18: (1, (2, 2, 2, 2)),
    34: (1, (3, 4, 6, 3)),
    50: (4, (3, 4, 6, 3)),
    101: (4, (3, 4, 23, 3)),
    152: (4, (3, 8, 36, 3)),
}

# Elements hashed at a time: they stay in the cache.
_CHUNK = 1 << 16


def hashes(name, count, start=0):
    """32 pseudo-random bits for each index from `start`: two rounds of multiply and xor-shift on it and the name."""
    seed = np.uint32(zlib.crc32(name.encode()))
    x = np.arange(start, start + count, dtype=np.uint32)
    x *= np.uint32(0x9E3779B1)
    x ^= seed
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    return x


def uniform(name, count, scale=1.0, offset=0.0):
    """`count` float32 values, uniform in offset ± scale: multiples of scale / 2**23."""
    result = np.empty(count, np.float32)
    step, base = np.float32(scale * 2.0**-23), np.float32(offset)
    for start in range(0, count, _CHUNK):
        part = result[start : start + _CHUNK]
        part[:] = (hashes(name, part.size, start) >> np.uint32(8)).view(np.int32) - (1 << 23)
        part *= step
        if offset:
            part += base
    return result


def layout(depth, in_channels=3, base_channels=64):
    """Names and shapes of the state dict, in PyTorch's order, without fc.*."""
    shapes = {}

    def norm(name, channels):
        for entry in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{entry}"] = (channels,)
        shapes[f"{name}.num_batches_tracked"] = ()

    expansion, blocks = DEPTHS[depth]
    shapes["conv1.weight"] = (base_channels, in_channels, 7, 7)
    norm("bn1", base_channels)
    inplanes = base_channels
    for stage, count in enumerate(blocks):
        planes = base_channels << stage
        kernels = [(planes, 1), (planes, 3), (planes * 4, 1)] if expansion == 4 else [(planes, 3), (planes, 3)]
        for block in range(count):
            prefix, channels = f"layer{stage + 1}.{block}", inplanes
            for number, (out_channels, side) in enumerate(kernels, 1):
                shapes[f"{prefix}.conv{number}.weight"] = (out_channels, channels, side, side)
                norm(f"{prefix}.bn{number}", out_channels)
                channels = out_channels
            if block == 0 and (stage > 0 or inplanes != channels):
                shapes[f"{prefix}.downsample.0.weight"] = (channels, inplanes, 1, 1)
                norm(f"{prefix}.downsample.1", channels)
            inplanes = channels
    return shapes


def weight(name, shape):
    """A convolution's weight of Kaiming's fan-out variance, or a norm's: some are negative, as trained ones are.

    The last norm of a Bottleneck is small, as it is after training. With larger ones a random network of 152 layers
    magnifies rounding errors so much that no computation in float32 is within the bounds that the tests ask for.
    """
    count = math.prod(shape)
    if len(shape) == 4:
        bound = math.sqrt(6.0 / (shape[0] * shape[2] * shape[3]))
        return uniform(name, count, bound).reshape(shape)
    if name.endswith("bn3.weight"):
        return uniform(name, count, 0.5, 0.25)
    if name.endswith("weight"):
        return uniform(name, count, 1.0, 0.75)
    if name.endswith("bias"):
        return uniform(name, count, 0.25)
    raise ValueError(f"{name} is calibrated, not given by a formula")


def state_dict(depth, running_mean, running_var, in_channels=3, base_channels=64):
    """The state dict by formula, with the calibrated statistics of all norms one after another."""
    result, position = {}, 0
    for name, shape in layout(depth, in_channels, base_channels).items():
        if name.endswith("running_mean"):
            result[name] = running_mean[position : position + shape[0]].astype(np.float32)
        elif name.endswith("running_var"):
            result[name] = running_var[position : position + shape[0]].astype(np.float32)
            position += shape[0]
        elif name.endswith("num_batches_tracked"):
            result[name] = np.array(0, np.int64)
        else:
            result[name] = weight(name, shape)
    if position != len(running_mean) or position != len(running_var):
        raise ValueError(f"ResNet-{depth} has {position} channels in its norms, not {len(running_mean)}")
    return result


def images(name, shape):
    """float32 images of about unit variance with structure of all sizes, as photographs have it: noise in octaves."""
    n, c, height, width = shape
    total = np.zeros(shape, np.float32)
    for octave in range(6):
        side = 1 << octave
        rows, columns = -(-height // side), -(-width // side)
        noise = uniform(f"{name}/{octave}", n * c * rows * columns).reshape(n, c, rows, columns)
        total += noise.repeat(side, 2).repeat(side, 3)[:, :, :height, :width]
    return total * np.float32(0.75)


def pixels(name, shape):
    """uint8 images of the same kind."""
    return np.clip(np.float32(128) + np.float32(55) * images(name, shape), 0, 255).astype(np.uint8)


def positions(size, count=384):
    """Where in a flattened array of `size` elements its stored samples are."""
    return np.unique(hashes("positions", count).astype(np.int64) % size)
