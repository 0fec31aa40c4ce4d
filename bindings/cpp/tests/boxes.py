# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The boxes of bindings/cpp/detector in numpy and float64, written from the description at the top of detector.hpp.

Decisions (a score above the threshold, an overlap above half, an order) must not hang on a rounding: how close they are
is checked too.
"""

from pathlib import Path

import backbone
import numpy as np

MODEL = Path(__file__).resolve().parents[3] / "Tests/Fixtures/models/resnet18.pth"
WIDTH, CLASSES, SEED = 16, 3, 1


def stages(pixels):
    """C3 to C5 of an image of shape (H, W, 3), RGB, from the Python package."""
    with backbone.ResNet(18, base_channels=4, mean=backbone.IMAGENET_MEAN, std=backbone.IMAGENET_STD) as net:
        net.load_weights(MODEL, strict=True)
        return [feature[0].astype(np.float64) for feature in net(pixels.transpose(2, 0, 1)[None])[1:]]


def splitmix64(seed, count):
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def make_weights(shapes):
    """Matrices from one stream, uniform in ±sqrt(3 / columns)."""
    numbers = (splitmix64(SEED, sum(rows * columns for rows, columns in shapes)) >> np.uint64(40)) / 2.0**23 - 1
    parts = np.split(numbers, np.cumsum([rows * columns for rows, columns in shapes])[:-1])
    return [part.reshape(shape) * np.sqrt(3 / shape[1]) for part, shape in zip(parts, shapes, strict=True)]


def enlarge(x, height, width):
    rows = np.arange(height) * x.shape[1] // height
    columns = np.arange(width) * x.shape[2] // width
    return x[:, rows][:, :, columns]


def overlaps(box, others):
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    area = np.prod(box[2:] - box[:2]) + np.prod(others[:, 2:] - others[:, :2], axis=1) - shared
    return np.divide(shared, area, out=np.zeros_like(shared), where=area > 0)


def clear(values, limit, margin):
    """Checks that no value is so close to a limit that a rounding could take it over."""
    distance = np.abs(np.asarray(values) - limit)
    assert distance.size == 0 or distance.min() > margin, f"{distance.min()} from {limit}"


def reference(features, size, threshold):
    """Labels, scores and boxes, the best first."""
    *laterals, logits, distances = make_weights(
        [(WIDTH, feature.shape[0]) for feature in features] + [(CLASSES, WIDTH), (4, WIDTH)]
    )
    level, labels, scores, boxes = None, [], [], []
    for index in (2, 1, 0):
        lateral = np.tensordot(laterals[index], features[index], 1)
        level = lateral if level is None else lateral + enlarge(level, *lateral.shape[1:])
        stride = 8 << index
        score = 1 / (1 + np.exp(-np.tensordot(logits, level, 1)))
        clear(score, threshold, 1e-6)
        reach = stride * np.exp(np.clip(np.tensordot(distances, level, 1), -3, 3))
        y, x = (np.indices(level.shape[1:]) + 0.5) * stride
        box = np.stack([x - reach[0], y - reach[1], x + reach[2], y + reach[3]], -1)
        box = np.clip(box, 0, [size[0], size[1], size[0], size[1]])
        where = np.argwhere(score.transpose(1, 2, 0) > threshold)
        # Finer levels come first.
        labels.insert(0, where[:, 2])
        scores.insert(0, score[where[:, 2], where[:, 0], where[:, 1]])
        boxes.insert(0, box[where[:, 0], where[:, 1]])
    labels, scores, boxes = map(np.concatenate, (labels, scores, boxes))
    order = np.argsort(-scores, kind="stable")[:201]
    clear(np.diff(scores[order]), 0, 1e-7)
    order = order[:200]
    kept = []
    while order.size:
        best, order = order[0], order[1:]
        kept.append(best)
        overlap = overlaps(boxes[best], boxes[order])
        same = labels[order] == labels[best]
        clear(overlap[same], 0.5, 1e-4)
        order = order[~(same & (overlap > 0.5))]
    return labels[kept], scores[kept], boxes[kept]
