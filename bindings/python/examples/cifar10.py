# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The accuracy of a classifier on a zip archive of images in a folder for each class.

Written for the ResNets of He et al. 2015, section 4.2, that https://github.com/akamaster/pytorch_resnet_cifar10 trained
for CIFAR-10, and for the 32x32 images of its test set:

    python cifar10.py --weights resnet20-12fca82f.th --images test.zip

Any classifier does whose classes are the folders in the order of their names, and that was trained on RGB images
normalised with ImageNet's mean and standard deviation. The images of a batch must have the same size.
"""

from __future__ import annotations

import argparse
import sys
import time
import zipfile
from collections.abc import Iterator
from itertools import islice

import numpy as np
import numpy.typing as npt

import backbone
from backbone.images import load_image


def main() -> int:
    """Print the accuracy, of each class and of all."""
    parser = argparse.ArgumentParser(description="Measure the accuracy of a classifier on images in a zip archive.")
    parser.add_argument("--weights", required=True, metavar="FILE", help="a checkpoint with a head")
    parser.add_argument("--images", required=True, metavar="ZIP", help="CLASS/NAME.jpg, .png, ... for each image")
    parser.add_argument("--architecture", metavar="NAME", help="where the file cannot tell it, as plain20")
    parser.add_argument("--batch", type=int, default=100, metavar="N", help="images computed together (default 100)")
    parser.add_argument("--threads", type=int, metavar="N", help="threads that compute (default: the CPUs)")
    parser.add_argument("--predictions", metavar="FILE", help="write a line with path and class for each image")
    arguments = parser.parse_args()

    with zipfile.ZipFile(arguments.images) as archive:
        paths = [name for name in archive.namelist() if not name.endswith("/")]
        classes = sorted({class_of(path) for path in paths})
        net = backbone.ResNet.from_file(
            arguments.weights,
            architecture=arguments.architecture,
            outputs=("logits",),
            mean=backbone.IMAGENET_MEAN,
            std=backbone.IMAGENET_STD,
            threads=arguments.threads,
        )
        if net.num_classes != len(classes):
            sys.exit(f"{arguments.weights} has {net.num_classes} classes, {arguments.images} {len(classes)} folders")
        started = time.perf_counter()
        predictions = [
            int(index)
            for batch in batches(paths, arguments.batch)
            for index in net.logits(pixels(archive, batch)).argmax(1)
        ]
        seconds = time.perf_counter() - started

    if arguments.predictions:
        with open(arguments.predictions, "w") as file:
            file.writelines(f"{path}\t{classes[index]}\n" for path, index in zip(paths, predictions, strict=True))
    labels = np.array([classes.index(class_of(path)) for path in paths])
    is_right = labels == predictions
    for index, name in enumerate(classes):
        print(f"{name:12} {100 * is_right[labels == index].mean():6.2f} %")
    print(f"{net.architecture}: {is_right.sum()} of {len(paths)} images, {100 * is_right.mean():.2f} %")
    print(f"{len(paths) / seconds:.0f} images/s, decoding included", file=sys.stderr)
    return 0


def class_of(path: str) -> str:
    """The folder that an image is in."""
    return path.split("/")[-2]


def batches(paths: list[str], size: int) -> Iterator[list[str]]:
    """The paths in lists of a size."""
    rest = iter(paths)
    while batch := list(islice(rest, size)):
        yield batch


def pixels(archive: zipfile.ZipFile, paths: list[str]) -> npt.NDArray[np.uint8]:
    """Images as the network takes them: of shape (N, 3, H, W)."""
    images = [load_image(archive.read(path)) for path in paths]
    return np.stack(images).transpose(0, 3, 1, 2)


if __name__ == "__main__":
    sys.exit(main())
