# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Optimisers, a loss, and schedules of learning rates, for training on NumPy alone.

Example::

    from backbone import optim

    optimizer = optim.SGD(net, lr=0.01, momentum=0.9, weight_decay=1e-4)
    schedule = optim.WarmUp(optim.Cosine(0.01, steps=1000), steps=50)
    tape = net.train().tape()
    for step, (images, labels) in enumerate(batches):
        (logits,) = net.forward_train(images, tape)
        loss, gradient = optim.cross_entropy(logits, labels)
        gradients = net.backward(tape, [gradient])
        optim.clip_gradients(net, gradients, max_norm=10)
        optimizer.lr = schedule(step)
        optimizer.step(gradients)
    optimizer.save("training.pth")
"""

from ._losses import IGNORED_LABEL, cross_entropy
from ._optimizers import SGD, AdamW, Group, Optimizer, clip_gradients
from ._schedules import Cosine, MultiStep, OneCycle, Schedule, Step, WarmUp

__all__ = [
    "IGNORED_LABEL",
    "SGD",
    "AdamW",
    "Cosine",
    "Group",
    "MultiStep",
    "OneCycle",
    "Optimizer",
    "Schedule",
    "Step",
    "WarmUp",
    "clip_gradients",
    "cross_entropy",
]
