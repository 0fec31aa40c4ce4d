# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Which images a folder has, of which classes, and how they are divided."""

import os
import shutil

import pytest
from striped_folders import write_folders

from backbone.training import FolderError, read_dataset


def names(examples):
    return [os.sep.join(example.path.split(os.sep)[-2:]) for example in examples]


def test_a_tenth_of_each_class_is_held_out(tmp_path):
    folder = write_folders(tmp_path / "all", {"a": 30, "b": 11, "c": 1})
    (folder / "notes.txt").write_text("no image")
    (folder / ".hidden").mkdir()
    (folder / "a/text.txt").write_text("no image")
    (folder / "a/deeper").mkdir()
    (folder / "a/000.png").rename(folder / "a/deeper/x.PNG")
    data = read_dataset(folder)
    assert data.classes == ("a", "b", "c") and data.is_split
    held = [example.label for example in data.validation]
    # The only image of a class is one to train with.
    assert [held.count(label) for label in range(3)] == [3, 1, 0]
    assert sorted(names(data.train) + names(data.validation)) == sorted(
        ["deeper/x.PNG", *(f"a/{i:03d}.png" for i in range(1, 30)), *(f"b/{i:03d}.png" for i in range(11)), "c/000.png"]
    )
    labels = {name: example.label for name, example in zip(names(data.train), data.train, strict=True)}
    assert labels.pop("deeper/x.PNG", 0) == 0
    assert all(label == "abc".index(name[0]) for name, label in labels.items())
    assert read_dataset(folder) == data
    assert read_dataset(folder, seed=1).validation != data.validation
    assert len(read_dataset(folder, fraction=0.5).validation) == 15 + 6
    assert read_dataset(folder, fraction=0).validation == ()


def test_pipes_and_devices_are_no_images(tmp_path):
    """A training that opened the pipe would wait for ever."""
    folder = write_folders(tmp_path / "all", {"a": 2, "b": 2})
    os.mkfifo(folder / "a/pipe.png")
    (folder / "a/zero.png").symlink_to("/dev/zero")
    (folder / "b/nowhere.png").symlink_to("absent.png")
    (folder / "b/link.png").symlink_to("000.png")
    found = names(read_dataset(folder, fraction=0).train)
    assert found == ["a/000.png", "a/001.png", "b/000.png", "b/001.png", "b/link.png", "b/nowhere.png"]


@pytest.mark.parametrize("name", ["val", "valid", "validation", "test"])
def test_folders_of_train_and_validation(tmp_path, name):
    write_folders(tmp_path / "all/train", {"a": 3, "b": 4})
    write_folders(tmp_path / f"all/{name}", {"b": 2})
    data = read_dataset(tmp_path / "all")
    assert names(data.train) == ["a/000.png", "a/001.png", "a/002.png", *(f"b/{i:03d}.png" for i in range(4))]
    assert names(data.validation) == ["b/000.png", "b/001.png"] and not data.is_split
    # The label is that of the images to train with.
    assert [example.label for example in data.validation] == [1, 1]


def test_another_folder_for_validation_and_none(tmp_path):
    write_folders(tmp_path / "all/train", {"a": 9, "b": 9})
    held = write_folders(tmp_path / "elsewhere", {"a": 2, "b": 1})
    data = read_dataset(tmp_path / "all", validation=held)
    assert (len(data.train), len(data.validation)) == (18, 3)
    data = read_dataset(tmp_path / "all")
    assert (len(data.train), len(data.validation)) == (16, 2) and data.is_split


def test_a_class_may_be_called_train(tmp_path):
    data = read_dataset(write_folders(tmp_path / "vehicles", {"bus": 3, "train": 3}))
    assert data.classes == ("bus", "train")


def test_names_may_hold_anything(tmp_path):
    strange = ["two\nlines", " space", "$x$", "図", os.fsdecode(b"\xff")]
    data = read_dataset(write_folders(tmp_path / "all", dict.fromkeys(strange, 2)))
    assert data.classes == tuple(sorted(strange))
    assert len(data.digest) == 32


def test_what_changes_the_digest(tmp_path):
    folder = write_folders(tmp_path / "all", {"a": 3, "b": 3})
    digest = read_dataset(folder).digest
    moved = tmp_path / "moved"
    shutil.copytree(folder, moved)
    assert read_dataset(moved).digest == digest
    assert read_dataset(folder, fraction=0.5).digest != digest
    with (moved / "a/000.png").open("ab") as file:
        file.write(b"\0")
    assert read_dataset(moved).digest != digest
    (folder / "a/000.png").rename(folder / "a/9.png")
    assert read_dataset(folder).digest != digest


def test_folders_without_classes(tmp_path):
    def message(folder, **options):
        with pytest.raises(FolderError) as caught:
            read_dataset(folder, **options)
        return str(caught.value).replace(str(tmp_path), "T")

    (tmp_path / "empty").mkdir()
    assert message(tmp_path / "empty") == "T/empty: no folders; expected one folder of images per class"
    one = write_folders(tmp_path / "one", {"only": 2})
    assert message(one) == "T/one: one class, 'only'; a classifier needs at least 2 folders of images"
    hollow = write_folders(tmp_path / "hollow", {"a": 2, "b": 2, "c": 0})
    assert message(hollow).startswith("T/hollow/c: the class has no images (")
    two = write_folders(tmp_path / "two", {"a": 2, "b": 2})
    other = write_folders(tmp_path / "other", {"a": 2, "z": 2})
    unknown = message(two, validation=other)
    assert unknown.startswith("T/other/z: not a class") and "('a', 'b')" in unknown
    (tmp_path / "bare/a").mkdir(parents=True)
    assert message(two, validation=tmp_path / "bare").startswith("T/bare: no images (")
    with pytest.raises(FileNotFoundError):
        read_dataset(tmp_path / "absent")
    with pytest.raises(NotADirectoryError):
        read_dataset(two / "a/000.png")
    for options in ({"fraction": 1}, {"fraction": float("nan")}, {"seed": -1}):
        with pytest.raises(ValueError, match=next(iter(options))):
            read_dataset(two, **options)
