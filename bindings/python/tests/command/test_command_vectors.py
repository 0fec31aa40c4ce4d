# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone features --out vectors.npy`: rows against the library's vectors, order, failures, replacing."""

import json

import numpy as np
import pytest
from command_runner import RESNET18, error_of, network, noise, run, run_json, write_image
from PIL import Image

import backbone


@pytest.fixture
def photos(tmp_path):
    """A folder of images of two sizes, in other batches than the order of their names."""
    for index, name in enumerate(("a/x.png", "a/y.png", "b/x.png", "x.png", "y.png")):
        write_image(tmp_path / "photos" / name, noise(*((50, 70), (64, 48))[index % 2], index))
    return tmp_path / "photos"


def loaded(path):
    """The array, and the images of its rows."""
    return np.load(path), json.loads(path.with_suffix(".json").read_text())["images"]


@pytest.mark.parametrize(
    ("options", "output", "channels"),
    [(["--pooled"], "pooled", 32), (["--stages", "C3", "--pool", "avg"], "C3", 8)],
    ids=["pooled", "C3"],
)
def test_rows_are_the_vectors_of_the_images_in_order(tmp_path, photos, options, output, channels):
    out = tmp_path / "new/vectors.npy"
    report = run_json("features", photos, "-w", RESNET18, "-o", out, "--batch", 2, *options)
    assert (report["images"], report["computed"], report["skipped"], report["failed"]) == (5, 5, 0, [])
    vectors, images = loaded(out)
    assert vectors.dtype == np.float32 and vectors.shape == (5, channels)
    assert images == [str(photos / name) for name in ("x.png", "y.png", "a/x.png", "a/y.png", "b/x.png")]
    with network(outputs=(output,)) as net:
        for vector, image in zip(vectors, images, strict=True):
            (feature,) = net(np.asarray(Image.open(image)).transpose(2, 0, 1)[None])
            np.testing.assert_allclose(vector, feature[0].astype(np.float64).mean((1, 2)), rtol=1e-6)
    assert json.loads(out.with_suffix(".json").read_text())["settings"]["stages"] == [output]
    assert sorted(path.name for path in out.parent.iterdir()) == ["vectors.json", "vectors.npy"]


def test_images_that_fail_have_no_row(tmp_path, photos):
    (photos / "a/text.png").write_text("no image")
    out = tmp_path / "vectors.npy"
    result = run("features", photos, "-w", RESNET18, "-o", out, "--pooled", expect=1)
    assert "6 images: 5 computed" in result.stdout and "1 failed" in result.stdout
    (error,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert error.startswith(f"error: {photos}/a/text.png: ")
    vectors, images = loaded(out)
    assert len(vectors) == len(images) == 5 and str(photos / "a/text.png") not in images
    run("features", photos / "a/text.png", "-w", RESNET18, "-o", tmp_path / "none.npy", "--pooled", expect=1)
    assert not (tmp_path / "none.npy").exists() and not (tmp_path / "none.json").exists()


@pytest.mark.parametrize("existing", ["vectors.npy", "vectors.json"])
def test_what_exists_is_replaced_only_on_request(tmp_path, photos, existing):
    (tmp_path / existing).write_text("mine")
    arguments = ("features", photos, "-w", RESNET18, "-o", tmp_path / "vectors.npy", "--pooled")
    message = error_of(*arguments, status=1)
    assert message.startswith(f"{tmp_path / existing} ") and "--overwrite" in message
    assert (tmp_path / existing).read_text() == "mine"
    run(*arguments, "--overwrite")
    assert len(loaded(tmp_path / "vectors.npy")[0]) == 5


@pytest.mark.parametrize(
    "options", [[], ["--stages", "C5"], ["--stages", "C4,C5", "--pool", "avg"], ["--stages", "C5", "--pooled"]]
)
def test_more_than_a_vector_per_image_is_refused(tmp_path, photos, options):
    message = error_of("features", photos, "-w", RESNET18, "-o", tmp_path / "x.npy", *options, status=2)
    assert "x.npy" in message and "--pooled" in message
    assert not (tmp_path / "x.npy").exists()


def test_an_interruption_writes_nothing(tmp_path, photos, monkeypatch):
    real, calls = backbone.ResNet.forward, []

    def forward(self, x, out=None, **options):
        calls.append(x.shape)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(self, x, out, **options)

    monkeypatch.setattr(backbone.ResNet, "__call__", forward)
    out = tmp_path / "vectors.npy"
    message = error_of("features", photos, "-w", RESNET18, "-o", out, "--pooled", "--batch", 1, status=130)
    assert str(out) in message and len(calls) == 2
    assert not out.exists() and not out.with_suffix(".json").exists()
