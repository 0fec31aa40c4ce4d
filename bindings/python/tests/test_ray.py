# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Jobs of backbone.ray with two actors, on a cluster of this machine."""

import json
import os
import signal
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from dataset_jobs import assert_same_bits, encoded, local_cluster, mapping_at, picture, pooled, rows_by_id

import backbone


@pytest.fixture(scope="module")
def cluster(job):
    with local_cluster() as ray:
        yield ray


@pytest.mark.ray
def test_files_with_two_actors_then_more_from_parquet(job, cluster, weights, direct, tmp_path, monkeypatch):
    import pyarrow as pa
    import pyarrow.compute
    import pyarrow.parquet

    monkeypatch.chdir(tmp_path)
    folder = Path("photos #1%20") / "deep"
    folder.mkdir(parents=True)
    pictures = {str(folder / f"{seed}.png"): picture(seed) for seed in range(24)}
    for name, pixels in pictures.items():
        Path(name).write_bytes(encoded(pixels))
    (folder / "nonsense.JPG").write_bytes(b"nonsense")
    (folder / "truncated.png").write_bytes(encoded(picture(1))[:-200])
    (folder / "notes.txt").write_text("no image")
    out = tmp_path / "features #1%20"
    settings = {"size": None, "crop": 32, "actors": 2}

    summary = job.extract(folder.parent, out, weights, **settings)
    assert (summary.rows, summary.failed, summary.skipped) == (26, 2, 0)
    assert len(summary.actors) == 2 and all(summary.actors.values()) and sum(summary.actors.values()) == 26
    assert str(os.getpid()) not in {actor.split(":")[-1] for actor in summary.actors}
    assert {name for name, _ in summary.errors} == {str(folder / "nonsense.JPG"), str(folder / "truncated.png")}
    assert "26 images" in str(summary) and "2 failed" in str(summary) and "nonsense.JPG" in str(summary)
    assert summary.report is not None and summary.report.depth == 18

    # As the documentation reads it.
    table = pyarrow.parquet.read_table(out, filters=pyarrow.compute.field("error").is_null())
    features = table["layer4"].combine_chunks().flatten().to_numpy().reshape(table.num_rows, -1)
    assert sorted(table["path"].to_pylist()) == sorted(pictures)
    for name, feature in zip(table["path"].to_pylist(), features, strict=True):
        assert_same_bits(feature, pooled(direct(pictures[name][4:36, 8:40])[3]))

    # The same folder again, with the leftovers of a killed job; half of the outputs exist.
    (out / ".left.parquet.tmp").write_bytes(b"PAR1")
    (tmp_path / "in").mkdir()
    for part in range(4):
        seeds = range(18 + 3 * part, 21 + 3 * part)
        cells = [encoded(picture(seed)) if seed != 29 else b"nonsense" for seed in seeds]
        table = pa.table({"jpeg": cells, "more": [1, 1, 1], "path": [str(folder / f"{seed}.png") for seed in seeds]})
        pyarrow.parquet.write_table(table, tmp_path / "in" / f"{part}.parquet")
    settings["image_column"] = "jpeg"
    with pytest.raises(FileExistsError, match="resume=True"):
        job.extract("in", out, weights, **settings)
    with pytest.raises(ValueError, match="missing column: picture; the columns are: jpeg, more, path"):
        job.extract("in", out, weights, resume=True, **settings | {"image_column": "picture"})
    with pytest.raises(ValueError, match="actors is 3 and threads 1, but 2 such actors .* the 3 CPUs .* to read"):
        job.extract("in", out, weights, resume=True, **settings | {"actors": 3})
    summary = job.extract("in", out, weights, resume=True, rows_per_file=3, **settings)
    assert (summary.rows, summary.failed, summary.skipped) == (6, 1, 6)
    assert summary.errors[0][0] == str(folder / "29.png")
    rows = rows_by_id(out, "path")
    assert len(rows) == 32
    for seed in range(29):
        expected = pooled(direct(picture(seed)[4:36, 8:40])[3])
        assert_same_bits(rows[str(folder / f"{seed}.png")]["layer4"], expected)


@pytest.mark.ray
def test_arrays_of_a_dataset_with_shared_weights_and_an_actor_that_dies(
    job, cluster, weights, direct, tmp_path, monkeypatch
):
    notes = tmp_path / "notes"
    notes.mkdir()

    class Witness(job._job.Writer):
        """Notes down where the bytes are that its network is loaded from. The first that is to compute dies."""

        def __init__(self, *arguments):
            load = backbone.ResNet.from_file

            def noting(view, **options):
                place = mapping_at(np.frombuffer(view, np.uint8).ctypes.data)
                (notes / f"{os.getpid()}.json").write_text(json.dumps(place))
                return load(view, **options)

            with mock.patch.object(backbone.ResNet, "from_file", noting):
                super().__init__(*arguments)

        def __call__(self, table):
            try:
                (notes / "dead").mkdir()
            except FileExistsError:
                return super().__call__(table)
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(job._job, "Writer", Witness)
    images = [picture(seed, 40 + 8 * (seed % 2)) for seed in range(12)]
    items = [{"path": seed, "image": image, "label": f"l{seed}"} for seed, image in enumerate(images)]
    dataset = cluster.data.from_items(items, override_num_blocks=4)
    settings = {"size": None, "crop": None, "pool": None, "stages": ["layer2", "layer4"], "keep": ["label"]}
    # Weights in memory, and a folder by its address.
    out = (tmp_path / "out").as_uri()
    summary = job.extract(dataset, out, weights.read_bytes(), actors=2, rows_per_file=3, **settings)
    assert (summary.rows, summary.failed, sum(summary.actors.values())) == (12, 0, 12)
    rows = rows_by_id(tmp_path / "out", "path")
    for seed, image in enumerate(images):
        expected = direct(image)
        assert (rows[seed]["label"], rows[seed]["height"]) == (f"l{seed}", image.shape[0])
        for stage, feature in (("layer2", expected[1]), ("layer4", expected[3])):
            assert tuple(rows[seed][f"{stage}_shape"]) == feature.shape
            assert_same_bits(rows[seed][stage], feature)

    # Two actors, and the one in the place of the dead one.
    places = [json.loads(note.read_text()) for note in notes.glob("*.json")]
    assert len(places) == 3
    assert "plasma" in places[0]["file"] and places[0]["shared"]
    # One inode, one offset: the same pages in all.
    assert all(place == places[0] for place in places)
