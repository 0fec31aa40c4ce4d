# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Training of classifiers on folders of images, resumable to the same bits.

Example::

    import backbone
    from backbone import training

    data = training.read_dataset("flowers")
    net = backbone.ResNet.from_file(
        "resnet18.pth",
        outputs=("logits",),
        num_classes=len(data.classes),
        head="new",
        frozen_stages=1,
        mean=backbone.IMAGENET_MEAN,
        std=backbone.IMAGENET_STD,
    )
    recipe = training.Recipe(epochs=10, lr=0.01)
    rows = training.Trainer(net, data, recipe, "trained").run(resume=True)
    print(rows[-1]["validation_accuracy"])

The commands `backbone train` and `backbone evaluate` are made of it. It needs Pillow, and Matplotlib for pictures.
"""

from ._augment import AUGMENTS, Augment, Box, View, random_box
from ._evaluation import Evaluation, evaluate
from ._folders import Dataset, Example, FolderError, parts_of, read_classes, read_dataset
from ._observer import Observer, Stopped
from ._plots import PlotError, plot_confusion, plot_curves
from ._random import Draws, Purpose
from ._recipe import OPTIMIZERS, SCHEDULES, Recipe
from ._state import Progress, StateError, read_notes
from ._tables import write_classes, write_confusion, write_curves
from ._trainer import Trainer

__all__ = [
    "AUGMENTS",
    "OPTIMIZERS",
    "SCHEDULES",
    "Augment",
    "Box",
    "Dataset",
    "Draws",
    "Evaluation",
    "Example",
    "FolderError",
    "Observer",
    "PlotError",
    "Progress",
    "Purpose",
    "Recipe",
    "StateError",
    "Stopped",
    "Trainer",
    "View",
    "evaluate",
    "parts_of",
    "plot_confusion",
    "plot_curves",
    "random_box",
    "read_classes",
    "read_dataset",
    "read_notes",
    "write_classes",
    "write_confusion",
    "write_curves",
]
