# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Folders of images with one folder per class, as torchvision's ImageFolder reads them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..images import SUFFIXES, files_in
from ._random import Draws, Purpose

# Possible names of the folder of validation images beside `train`; the first existing one is used.
VALIDATION_NAMES = ("val", "valid", "validation", "test")


class FolderError(ValueError):
    """A folder has no classes, or not those that were expected; the message names it."""


@dataclass(frozen=True)
class Example:
    """An image with its class.

    Attributes:
        path: of the file.
        label: index of its class.
    """

    path: str
    label: int


@dataclass(frozen=True)
class Dataset:
    """Images to train with and to validate with.

    Attributes:
        folder: where they are from.
        classes: names of the classes, in the order of labels.
        train: in the order of classes and names.
        validation: the same; empty for none.
        is_split: whether `validation` is a part of the folder that `train` is from.
    """

    folder: str
    classes: tuple[str, ...]
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    is_split: bool = False
    _digests: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def digest(self) -> str:
        """A hash of the classes, and of the names, sizes and labels of all images, without the folder's own path.

        Raises:
            OSError: a folder has disappeared.
        """
        if "all" not in self._digests:
            hasher = hashlib.sha256()
            _add(hasher, *self.classes)
            for name, examples in (("train", self.train), ("validation", self.validation)):
                _add(hasher, name)
                for example in examples:
                    # The names of the class and of the file: the folders above may be mounted elsewhere later.
                    tail = os.path.relpath(example.path, self.folder)
                    _add(hasher, tail if not tail.startswith("..") else os.path.basename(example.path))
                    _add(hasher, str(example.label), str(_size(example.path)))
            self._digests["all"] = hasher.hexdigest()[:32]
        return self._digests["all"]


def read_dataset(
    folder: str | os.PathLike[str],
    *,
    validation: str | os.PathLike[str] | None = None,
    fraction: float = 0.1,
    seed: int = 0,
) -> Dataset:
    """Find the images of a folder, and divide them.

    The folder has `train` and one of `val`, `valid`, `validation` and `test`, each with one folder per class; or it has
    the folders of classes itself, and a part of each class is taken for validation. Images are found by their suffixes,
    in the folder of the class and in those below it; hidden ones are left out.

    Args:
        folder: of the images.
        validation: another folder of classes for validation, in place of what `folder` has.
        fraction: of each class, for validation, where no folder holds images for it; 0 for none. Each class keeps at
            least one image to train with.
        seed: of the selection of images, which depends only on it and on their order.

    Raises:
        FolderError: no folders of classes, a single class, a class without images, or a class of the validation images
            that is not one to train with.
        ValueError: `fraction` or `seed` is out of range.
        OSError: a folder cannot be read.
    """
    root = os.fspath(folder)
    if not 0 <= fraction < 1:
        raise ValueError(f"fraction is {fraction}; it must be at least 0 and less than 1")
    if not 0 <= seed < 1 << 63:
        raise ValueError(f"seed is {seed}; it must be from 0 to 2**63 - 1")
    parts = parts_of(root)
    top, held = (root, validation) if parts is None else (parts[0], validation or parts[1])
    classes, train = read_classes(top)
    if len(classes) < 2:
        raise FolderError(f"{top}: one class, {classes[0]!r}; a classifier needs at least 2 folders of images")
    if held is not None:
        return Dataset(root, classes, tuple(train), tuple(read_classes(os.fspath(held), classes)[1]))
    kept, taken = _split(train, len(classes), fraction, seed)
    return Dataset(root, classes, kept, taken, is_split=True)


def parts_of(root: str) -> tuple[str, str | None] | None:
    """The folders of `train` and of the validation images (None without any); None for a folder of classes.

    Raises:
        OSError: a folder cannot be read.
    """
    top = os.path.join(root, "train")
    # A folder of photographs of trains is a class: it holds images, not folders.
    if not os.path.isdir(top) or not _folders_in(top) or _has_images(top):
        return None
    held = (os.path.join(root, name) for name in VALIDATION_NAMES)
    return top, next((path for path in held if os.path.isdir(path)), None)


def read_classes(top: str, expected: Sequence[str] | None = None) -> tuple[tuple[str, ...], list[Example]]:
    """The classes of a folder of classes, and its images.

    Args:
        top: the folder.
        expected: the allowed classes, in the order of labels; some may be missing. None: those of the folder.

    Raises:
        FolderError: no classes, one without images, or one that is not expected.
        OSError: a folder cannot be read.
    """
    found = _folders_in(top)
    if not found:
        raise FolderError(f"{top}: no folders; expected one folder of images per class")
    classes = tuple(found) if expected is None else tuple(expected)
    labels = {name: label for label, name in enumerate(classes)}
    examples: list[Example] = []
    for name in found:
        path = os.path.join(top, name)
        if name not in labels:
            raise FolderError(
                f"{path}: not a class of the network or of the images to train with ({_some(classes)}); "
                "rename or remove the folder"
            )
        files = files_in(path)
        if not files and expected is None:
            raise FolderError(f"{path}: the class has no images ({' '.join(sorted(SUFFIXES))}); remove the folder")
        examples += [Example(file, labels[name]) for file in files]
    if not examples:
        raise FolderError(f"{top}: no images ({' '.join(sorted(SUFFIXES))}); put some into its folders")
    return classes, examples


def _folders_in(path: str) -> list[str]:
    with os.scandir(path) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def _has_images(path: str) -> bool:
    with os.scandir(path) as entries:
        return any(os.path.splitext(entry.name)[1].lower() in SUFFIXES for entry in entries if entry.is_file())


def _split(
    examples: Sequence[Example], classes: int, fraction: float, seed: int
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """The same share of each class for validation."""
    taken: set[int] = set()
    members: list[list[int]] = [[] for _ in range(classes)]
    for index, example in enumerate(examples):
        members[example.label].append(index)
    for label, indices in enumerate(members):
        count = min(max(round(fraction * len(indices)), 1 if fraction else 0), len(indices) - 1)
        order = Draws(seed, Purpose.SPLIT, index=label).permutation(len(indices))
        taken |= {indices[position] for position in order[:count]}
    kept = tuple(example for index, example in enumerate(examples) if index not in taken)
    return kept, tuple(examples[index] for index in sorted(taken))


def _add(hasher: hashlib._Hash, *texts: str) -> None:
    for text in texts:
        data = os.fsencode(text)
        hasher.update(len(data).to_bytes(8, "little") + data)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        # A broken link.
        return -1


def _some(names: Iterable[str]) -> str:
    listed = [repr(name) for name in names]
    return ", ".join(listed[:5]) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "")
