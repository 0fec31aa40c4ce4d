# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What is stored: the networks, their inputs, and how a feature is shortened. Shared by the generator and the tests."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from weight_formula import images, pixels, positions

MODELS = Path(__file__).resolve().parent / "models"

# Features of more values than this are stored as samples.
_WHOLE = 4096


@dataclass(frozen=True)
class Case:
    """One input, by formula. For uint8 the network normalises with `statistics`, and reverses the channels if told."""

    name: str
    batch: int
    height: int
    width: int
    uint8: bool = False
    reverse: bool = False

    def input(self, in_channels):
        shape = (self.batch, in_channels, self.height, self.width)
        return pixels(self.name, shape) if self.uint8 else images(self.name, shape)


FULL_SIZE = (
    Case("224x224", 1, 224, 224),
    Case("215x215", 1, 215, 215, uint8=True),
    Case("33x65", 3, 33, 65, uint8=True, reverse=True),
    Case("1x1", 1, 1, 1),
)

NARROW = (
    Case("224x224", 3, 224, 224, uint8=True),
    Case("215x215", 1, 215, 215),
    Case("33x65", 3, 33, 65),
    Case("33x65-pixels", 1, 33, 65, uint8=True, reverse=True),
    Case("1x1", 3, 1, 1),
)


@dataclass(frozen=True)
class Checkpoint:
    """A narrow network that is stored as torch.save writes it, each in another way that people save theirs."""

    in_channels: int
    base_channels: int
    dtype: str = "float32"
    wrapper: str = ""
    prefix: str = ""
    channels_last: bool = False
    tracked: bool = True


CHECKPOINTS = {
    18: Checkpoint(3, 4),
    34: Checkpoint(1, 4, "float16", wrapper="state_dict", prefix="module."),
    50: Checkpoint(3, 4, wrapper="model", channels_last=True),
    101: Checkpoint(5, 2, "bfloat16", prefix="module."),
    152: Checkpoint(3, 2, "float16", wrapper="state_dict", tracked=False),
}

# Networks with other options and the weights of a stored checkpoint, by depth: (name, options).
VARIANTS = {
    18: [("eps", {"norm_eps": 0.05})],
    50: [("caffe", {"style": "caffe"}), ("caffe-eps", {"style": "caffe", "norm_eps": 1e-3})],
    101: [("caffe", {"style": "caffe"})],
}

# What num_batches_tracked holds in the checkpoints that have it.
TRACKED = 7

# Training: three forward passes of other images, from the stored checkpoint, with (frozen_stages, norm_eval).
TRAINING = {
    18: [(-1, False), (0, False), (1, False), (2, False), (3, False), (4, False), (-1, True)],
    50: [(-1, False), (1, False), (3, False)],
}
TRAINING_FORWARDS = 3
TRAINING_SHAPE = (3, 3, 49, 70)


def training_input(step):
    return images(f"training/{step}", TRAINING_SHAPE)


def training_name(frozen_stages, norm_eval):
    return "norm_eval" if norm_eval else f"frozen{frozen_stages}"


def statistics(in_channels):
    """mean and std for uint8 inputs of that many channels: ImageNet's, repeated and changed a little each time."""
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    return [mean[c % 3] + c // 3 for c in range(in_channels)], [std[c % 3] + c // 3 for c in range(in_channels)]


def summary(name, feature, whole=_WHOLE):
    """What is stored of a feature: values (all of them, or samples), largest value, sum."""
    flat = np.asarray(feature, np.float64).ravel()
    values = flat if flat.size <= whole else flat[positions(flat.size)]
    return {
        f"{name}/shape": np.array(feature.shape, np.int32),
        f"{name}/values": values.astype(np.float32),
        f"{name}/max_sum": np.array([np.abs(flat).max(), np.abs(flat).sum()]),
    }


def relative_errors(stored, name, feature):
    """max |a - b| / max |b| over the stored values, and |sum a - sum b| / sum b."""
    shape = tuple(stored[f"{name}/shape"].tolist())
    if feature.shape != shape:
        raise AssertionError(f"{name}: shape {feature.shape}, expected {shape}")
    flat = np.asarray(feature, np.float64).ravel()
    values, (largest, total) = stored[f"{name}/values"], stored[f"{name}/max_sum"]
    picked = flat if flat.size == values.size else flat[positions(flat.size)]
    return np.abs(picked - values).max() / largest, abs(np.abs(flat).sum() - total) / total
