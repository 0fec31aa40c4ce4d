# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Tables and pictures: their values, and names of classes that hold anything."""

import csv
import logging
import os
import sys

import numpy as np
import pytest
from PIL import Image

from backbone.command.classes import names_of
from backbone.training import PlotError, _plots, plot_confusion, plot_curves, write_classes, write_confusion

STRANGE = ["two\nlines", 'a, "b"', "$x^$", "図", " space ", os.fsdecode(b"\xff"), "x" * 200]


class Network:
    num_classes = len(STRANGE)


def test_tables_keep_every_name(tmp_path):
    confusion = np.arange(49).reshape(7, 7)
    write_confusion(tmp_path / "c.csv", confusion, STRANGE)
    with (tmp_path / "c.csv").open(newline="", errors="surrogateescape") as file:
        table = list(csv.reader(file))
    assert table[0] == ["class", *STRANGE] and [row[0] for row in table[1:]] == STRANGE
    np.testing.assert_array_equal(np.array([row[1:] for row in table[1:]], int), confusion)


def test_a_line_for_each_class_whatever_its_name(tmp_path):
    write_classes(tmp_path / "classes.txt", STRANGE)
    names = names_of(str(tmp_path / "classes.txt"), Network)
    assert names == ["two\\nlines", 'a, "b"', "$x^$", "図", "space", "\\udcff", "x" * 200]


@pytest.fixture
def figures(monkeypatch):
    """The figures that are saved."""
    found = []
    save = _plots._save

    def kept(path, figure):
        found.append(figure)
        save(path, figure)

    monkeypatch.setattr(_plots, "_save", kept)
    return found


def test_the_picture_of_a_confusion_matrix(tmp_path, figures, recwarn, caplog):
    confusion = np.diag(np.arange(1, 8)) * 3
    confusion[2, 4] = 7
    confusion[6] = 0
    with caplog.at_level(logging.WARNING):
        plot_confusion(tmp_path / "c.png", confusion, STRANGE)
    assert not recwarn.list and not caplog.records
    axes, _ = figures[0].axes
    shares = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    np.testing.assert_array_equal(axes.images[0].get_array(), shares)
    assert [text.get_text() for text in axes.texts] == [str(count) for count in confusion.ravel()]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[:3] == ["two\\nlines", 'a, "b"', "$x^$"] and len(labels[-1]) == 24
    assert axes.images[0].get_clim() == (0, 1)
    # The picture is drawn: five cells of the darkest colour, and one of that of 7 / 16.
    pixels = np.asarray(Image.open(tmp_path / "c.png").convert("RGB"))
    areas = [(np.abs(pixels / 255 - axes.images[0].cmap(share)[:3]).max(2) < 0.004).sum() for share in (1, 7 / 16)]
    assert areas[0] > 5 * 0.9 * areas[1] > 1000


def test_many_classes_have_no_names(tmp_path, figures):
    plot_confusion(tmp_path / "c.png", np.eye(300, dtype=np.int64), [f"class {index}" for index in range(300)])
    axes, _ = figures[0].axes
    assert not axes.texts and "class 1" not in {label.get_text() for label in axes.get_yticklabels()}
    assert Image.open(tmp_path / "c.png").size[0] < 2500


def test_the_picture_of_curves(tmp_path, figures):
    def row(epoch, loss, accuracy, held_loss, held_accuracy):
        return {
            "epoch": epoch,
            "loss": loss,
            "accuracy": accuracy,
            "validation_loss": held_loss,
            "validation_accuracy": held_accuracy,
        }

    history = [row(1, 2.0, 0.25, 2.5, 0.2), row(2, 1.0, 0.5, None, None), row(3, 0.5, 0.75, 0.75, 0.7)]
    plot_curves(tmp_path / "curves.png", history)
    losses, errors = ([np.array(line.get_xydata()) for line in axes.lines] for axes in figures[0].axes)
    np.testing.assert_array_equal(losses[0], [[1, 2.0], [2, 1.0], [3, 0.5]])
    np.testing.assert_array_equal(losses[1], [[1, 2.5], [3, 0.75]])
    np.testing.assert_allclose(errors[0], [[1, 75], [2, 50], [3, 25]])
    np.testing.assert_allclose(errors[1], [[1, 80], [3, 30]])
    assert [axes.get_ylabel() for axes in figures[0].axes] == ["loss", "error (%)"]


def test_without_matplotlib(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(PlotError, match=r"Matplotlib is missing; install it with: pip install 'backbone\[train\]'"):
        plot_confusion(tmp_path / "c.png", np.eye(2, dtype=np.int64), ["a", "b"])
    assert not list(tmp_path.iterdir())
