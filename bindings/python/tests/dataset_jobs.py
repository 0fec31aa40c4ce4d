# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What the tests of backbone.ray share: a cluster of this machine, images, and rows of features."""

import contextlib
import io
import logging
import os
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

# In the environment of all processes of a cluster.
MARK = "BACKBONE_TEST_CLUSTER"


@contextlib.contextmanager
def local_cluster():
    """Ray with three CPUs: two for actors, one for reading. Nothing of it may be left at the end."""
    import ray

    # Ray hands the environment down, and asks no one outside. Its sockets want short paths.
    folder = tempfile.mkdtemp(prefix="ray-")
    settings = {
        MARK: secrets.token_hex(8),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "RAY_AUTH_MODE": "disabled",
        # Processes that import PyTorch take their time where the machine is busy.
        "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "600",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        ray.init(
            num_cpus=3,
            include_dashboard=False,
            object_store_memory=100 << 20,
            logging_level="error",
            log_to_driver=False,
            _temp_dir=folder,
        )
        logging.getLogger("ray.data").setLevel(logging.WARNING)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        # One actor would be done before the other has started.
        context.wait_for_min_actors_s = 120
        try:
            yield ray
        finally:
            ray.shutdown()
    deadline = time.monotonic() + 120
    while (left := processes_with(settings[MARK])) and time.monotonic() < deadline:
        time.sleep(0.1)
    shutil.rmtree(folder, ignore_errors=True)
    assert not left


def processes_with(mark):
    """Processes that have a text in the environment that they were started with."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and mark.encode() in (process / "environ").read_bytes():
                found.append((process.name, (process / "cmdline").read_text().replace("\0", " ")))
        except OSError:
            pass
    return found


def pooled(feature):
    return feature.mean(axis=(1, 2), dtype=np.float64).astype(np.float32)


def picture(seed, height=40, width=48):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def encoded(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def rows_by_id(tables, column):
    """Rows of tables, or of all files of a folder, as dicts by id."""
    import pyarrow
    import pyarrow.parquet

    if isinstance(tables, Path):
        tables = [pyarrow.parquet.read_table(file) for file in tables.glob("*.parquet")]
    rows = pyarrow.concat_tables(tables).to_pylist()
    found = {row[column]: row for row in rows}
    assert len(found) == len(rows)
    return found


def assert_same_bits(values, expected):
    np.testing.assert_array_equal(np.array(values, np.float32).view(np.uint32), expected.ravel().view(np.uint32))


def mapping_at(address):
    """What is mapped to an address of this process, and where in it the address is."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, permissions, offset, device, inode, *file = line.split(maxsplit=5)
        start, end = (int(number, 16) for number in span.split("-"))
        if start <= address < end:
            position = int(offset, 16) + address - start
            return {"file": "".join(file), "shared": permissions[3] == "s", "at": [device, inode, position]}
    raise AssertionError("nothing is mapped there")
