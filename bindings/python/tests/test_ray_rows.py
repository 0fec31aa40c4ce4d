# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What an actor of backbone.ray computes, in this process: rows with images in, rows with features out."""

import os
import subprocess
import sys

import numpy as np
import pytest
from dataset_jobs import assert_same_bits, encoded, picture, pooled, rows_by_id

import backbone


def output_of(program):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return result.stdout + result.stderr


def test_without_ray_the_error_names_the_extra():
    output = output_of("import sys; sys.modules['ray'] = None; import backbone; import backbone.ray")
    assert "ImportError: backbone.ray needs Ray Data" in output
    assert "pip install 'backbone[ray]'" in output


def test_only_its_module_imports_ray():
    assert output_of("import sys, backbone; print({'ray', 'pyarrow'} & set(sys.modules))") == "set()\n"


@pytest.mark.ray
def test_images_of_every_kind_of_column(job, weights, direct, tmp_path):
    import pyarrow as pa

    images = [picture(seed) for seed in range(3)]
    for seed, image in enumerate(images):
        (tmp_path / f"{seed}.png").write_bytes(encoded(image))
    nested = pa.list_(pa.list_(pa.list_(pa.uint8())))
    columns = {
        "bytes": [encoded(image) for image in images],
        "paths": [f"{seed}.png" for seed in range(3)],
        "bytes of a struct": [{"bytes": encoded(image), "path": None} for image in images],
        "path of a struct": [{"bytes": None, "path": f"{seed}.png"} for seed in range(3)],
        "lists": pa.array([image.tolist() for image in images], nested),
        "tensors": pa.FixedShapeTensorArray.from_numpy_ndarray(np.stack(images)),
    }
    table = pa.table(columns | {"path": ["a", "b", "c"], "label": [5, 6, 7]})
    for name in columns:
        extractor = job.Extractor(
            weights, image_column=name, keep=["label"], size=None, crop=32, stages=["layer4", "layer2"], root=tmp_path
        )
        tables = list(extractor(table))
        assert tables[0].column_names == ["path", "label", "height", "width", "layer2", "layer4", "error"]
        rows = rows_by_id(tables, "path")
        for index, (identity, image) in enumerate(zip("abc", images, strict=True)):
            row = rows[identity]
            assert (row["label"], row["height"], row["width"], row["error"]) == (5 + index, 40, 48, None), name
            expected = direct(image[4:36, 8:40])
            assert_same_bits(row["layer2"], pooled(expected[1]))
            assert_same_bits(row["layer4"], pooled(expected[3]))


@pytest.mark.ray
@pytest.mark.parametrize("threads", [1, 2])
def test_whole_features_of_many_sizes(job, weights, direct, threads):
    import pyarrow as pa

    # More than a window, more of a size than go at once, gray ones, and one that goes alone.
    shapes = [(1, 1), (33, 65), (40, 48), (250, 900)]
    images = [picture(seed, *shapes[seed % 3]) for seed in range(40)] + [picture(9, *shapes[3])]
    gray = picture(50)[:, :, 0]
    cells = [encoded(image) for image in images] + [encoded(gray)]
    extractor = job.Extractor(weights, size=None, crop=None, pool=None, stages=["layer1", "layer3"], threads=threads)
    rows = rows_by_id(extractor(pa.table({"image": cells, "path": list(range(len(cells)))})), "path")
    for index, image in enumerate([*images, np.stack([gray] * 3, 2)]):
        row = rows[index]
        assert (row["height"], row["width"], row["error"]) == (*image.shape[:2], None)
        for stage, expected in zip(("layer1", "layer3"), direct(image)[::2], strict=True):
            assert tuple(row[f"{stage}_shape"]) == expected.shape
            assert_same_bits(row[stage], expected)


@pytest.mark.ray
def test_the_pooled_vector_and_logits(job, tmp_path):
    import pyarrow as pa

    image = picture(3)
    path = tmp_path / "x.safetensors"
    with backbone.ResNet("seresnet18", base_channels=8, outputs=("logits",), num_classes=7) as net:
        net.save_weights(path)
    extractor = job.Extractor(path, size=None, crop=None, stages=["logits", "stem", "pooled"])
    (table,) = extractor(pa.table({"image": [encoded(image)], "path": ["a"]}))
    assert table.column_names == ["path", "height", "width", "stem", "pooled", "logits", "error"]
    row = rows_by_id([table], "path")["a"]
    with backbone.ResNet.from_file(
        path, outputs=("C1", "pooled", "logits"), mean=backbone.IMAGENET_MEAN, std=backbone.IMAGENET_STD
    ) as net:
        stem, vector, logits = net(image.transpose(2, 0, 1)[None])
    assert_same_bits(row["stem"], pooled(stem[0]))
    assert_same_bits(row["pooled"], vector[0, :, 0, 0])
    assert_same_bits(row["logits"], logits[0, :, 0, 0])


@pytest.mark.ray
@pytest.mark.parametrize("pool", ["avg", None])
def test_failures_are_rows(job, weights, tmp_path, pool):
    import pyarrow as pa

    truncated = encoded(picture(1))[:-200]
    cells = {
        "good": encoded(picture(0)),
        "nonsense": b"nonsense",
        "truncated": truncated,
        "null": None,
        "large": encoded(np.zeros((101, 100, 3), np.uint8)),
        "empty": b"",
    }
    reasons = {
        "nonsense": "not an image",
        "truncated": "damaged",
        "null": "the column image is null",
        "large": "the image has 101 x 100 pixels; max_pixels is 10000",
        "empty": "not an image",
    }
    extractor = job.Extractor(weights, size=None, crop=None, pool=pool, max_pixels=10000, root=tmp_path)
    rows = rows_by_id(extractor(pa.table({"image": list(cells.values()), "path": list(cells)})), "path")
    assert rows.keys() == cells.keys()
    assert rows["good"]["error"] is None and len(rows["good"]["layer4"]) == (64 if pool else 64 * 2 * 2)
    for name, reason in reasons.items():
        assert reason in rows[name]["error"]
        assert rows[name]["layer4"] is None
    tables = {
        "No such file": pa.table({"image": ["missing.png"], "path": [1]}),
        "it must have encoded bytes, paths or uint8 arrays": pa.table({"image": [1.5], "path": [1]}),
        "the column image is list<": pa.table({"image": [[1]], "path": [1]}),
    }
    for reason, table in tables.items():
        assert reason in rows_by_id(extractor(table), "path")[1]["error"]


@pytest.mark.ray
def test_memory_that_a_batch_lacks_is_tried_for_image_by_image(job, weights, direct, monkeypatch):
    import pyarrow as pa

    def forward(net, x):
        if len(x) > 1 or x.shape[2] == 41:
            raise MemoryError("out of memory")
        return net.forward(x)

    monkeypatch.setattr(backbone.ResNet, "__call__", forward)
    images = [picture(0), picture(1), picture(2, 41)]
    table = pa.table({"image": [encoded(image) for image in images], "path": [0, 1, 2]})
    rows = rows_by_id(job.Extractor(weights, size=None, crop=None)(table), "path")
    assert [rows[index]["error"] for index in range(3)] == [None, None, "out of memory"]
    monkeypatch.undo()
    for index in range(2):
        assert_same_bits(rows[index]["layer4"], pooled(direct(images[index])[3]))


@pytest.mark.ray
def test_wrong_arguments_are_refused_before_anything_starts(job, weights, tmp_path):
    import pyarrow as pa
    import ray

    started = ray.is_initialized()
    (tmp_path / "0.png").write_bytes(encoded(picture(0)))
    (tmp_path / "empty").mkdir()
    one, out = tmp_path / "0.png", tmp_path / "out"
    for settings, error, message in [
        ({"stages": "layer4"}, ValueError, "stages is 'layer4'; it must be some of stem, layer1, layer2,"),
        ({"stages": []}, ValueError, r"stages is \[\]"),
        ({"pool": "max"}, ValueError, "pool is 'max'; it must be 'avg' or None"),
        ({"crop": 0}, ValueError, "crop is 0"),
        ({"actors": 0}, ValueError, "actors is 0; it must be at least 1"),
        ({"threads": 1.5}, TypeError, "threads is a float; it must be an int"),
        ({"mean": [1, 2]}, ValueError, "std has shape"),
        ({"in_channels": 1, "mean": None, "std": None, "input_channels": "sum"}, ValueError, "takes 1 channels"),
    ]:
        with pytest.raises(error, match=message):
            job.extract(one, out, weights, **settings)
    for source, error, message in [
        (tmp_path / "none", FileNotFoundError, "none'; the file or folder does not exist"),
        (str(tmp_path / "*.jpg"), FileNotFoundError, "must contain images or Parquet files"),
        (tmp_path / "empty", FileNotFoundError, "must contain images or Parquet files"),
        (5, TypeError, "source is a int; it must be a path, a sequence of paths, or a ray.data.Dataset"),
    ]:
        with pytest.raises(error, match=message):
            job.extract(source, out, weights)
    with pytest.raises(FileNotFoundError, match=r"none\.pth"):
        job.extract(one, out, tmp_path / "none.pth")
    with pytest.raises(backbone.CheckpointError):
        job.extract(one, out, one)
    assert ray.is_initialized() == started
    with pytest.raises(ValueError, match="missing column: image; the columns are: jpeg, path"):
        list(job.Extractor(weights)(pa.table({"jpeg": [b""], "path": [1]})))
