# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Compressed records that become much more than the file: what is unpacked of them, and in how much memory."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backbone

sys.path.append(str(Path(__file__).parents[3] / "Tests" / "Fixtures"))

import forge  # noqa: E402

MEGABYTE = 1 << 20
SHAPE = (64, 3, 7, 7)
COUNT = 64 * 3 * 7 * 7


def checkpoint(path: Path, records: dict[str, dict[str, Any]], *tensors: tuple[str, bytes]) -> Path:
    pickle = forge.PROTO2 + forge.dict_of(*tensors) + forge.STOP
    members = [forge.member(f"a/data/{key}", **fields) for key, fields in records.items()]
    path.write_bytes(forge.archive([forge.member("a/data.pkl", pickle), *members]))
    return path


def record(size: int, *parts: tuple[bytes, int], crc: int = 1) -> dict[str, Any]:
    """A record of `size` bytes with a checksum that is wrong unless another is given."""
    return {"data": forge.deflated(*parts), "method": 8, "size": size, "crc": crc}


def conv1(count: int, offset: int = 0, strides: tuple[int, ...] = (147, 49, 7, 1), key: str = "0") -> bytes:
    return forge.tensor(SHAPE, strides, offset, forge.storage(key, count))


def numbers(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(COUNT, np.float32)


def load(path: Path) -> tuple[float, str]:
    """By how many megabytes a process grows that loads a file, and what it is told."""
    program = """
import sys
import backbone

def status(name):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024

net = backbone.ResNet(18, base_channels=64, out_indices=(0,), threads=1)
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
before = status("VmRSS")
try:
    net.load_weights(sys.argv[1], allow_missing=True)
    message = "loaded"
except backbone.CheckpointError as error:
    message = str(error)
print(status("VmHWM") - before)
print(message)
"""
    result = subprocess.run(
        [sys.executable, "-c", program, path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    grown, message = result.stdout.split("\n", 1)
    return float(grown), message.strip()


def loaded(path: Path) -> np.ndarray:
    net = backbone.ResNet(18, out_indices=(0,), threads=1)
    net.load_weights(path, allow_missing=True)
    return net.state_dict()["conv1.weight"]


@pytest.mark.parametrize("method", [0, 8])
def test_a_tensor_whose_elements_are_far_apart(tmp_path: Path, method: int) -> None:
    # 40 MB, of which every 1111th number is wanted: more than is held at a time.
    step, offset = 1111, 5
    count = (COUNT - 1) * step + offset + 1
    data = np.zeros(count, np.float32)
    data[offset::step] = numbers(1)
    raw = data.tobytes()
    fields = record(len(raw), (raw, 1)) if method else {"data": raw}
    fields["crc"] = zlib.crc32(raw)
    # Rows of one dimension, and of others in another order than in memory.
    for strides in ((147, 49, 7, 1), (1, 64, 192, 1344), (7, 448, 1, 1344)):
        scaled = tuple(step * stride for stride in strides)
        path = checkpoint(tmp_path / "x.pth", {"0": fields}, ("conv1.weight", conv1(count, offset, scaled)))
        bytes_strides = tuple(4 * stride for stride in scaled)
        expected = np.lib.stride_tricks.as_strided(data[offset:], SHAPE, bytes_strides)
        assert np.array_equal(loaded(path), expected)
        assert load(path)[0] < 32


def test_nothing_after_the_last_number_is_unpacked(tmp_path: Path) -> None:
    # 4 GB in four megabytes.
    values, size = numbers(2), 4 * COUNT + (4095 << 20)
    parts = (values.tobytes(), 1), (bytes(MEGABYTE), 4095)
    records = {"0": record(size, *parts)}
    path = checkpoint(tmp_path / "x.pth", records, ("conv1.weight", conv1(size // 4)))
    assert np.array_equal(loaded(path).ravel(), values)
    grown, message = load(path)
    assert message == "loaded" and grown < 32
    # The same for a tensor in another order than its storage.
    path = checkpoint(tmp_path / "y.pth", records, ("conv1.weight", conv1(size // 4, 0, (1, 64, 192, 1344))))
    assert np.array_equal(loaded(path), values.reshape(7, 7, 3, 64).transpose(3, 2, 1, 0))
    assert load(path)[0] < 32


@pytest.mark.parametrize("strides", [(147, 49, 7, 1), (1, 64, 192, 1344)])
def test_numbers_after_much_else_are_refused(tmp_path: Path, strides: tuple[int, ...]) -> None:
    # At most 64 MB and 8 bytes for each byte of the tensor.
    values = numbers(3)
    limit = 64 * MEGABYTE + 8 * 4 * COUNT
    for lead, is_loaded in ((limit - 4 * COUNT, True), (limit - 4 * COUNT + 4, False), (4 << 30, False)):
        parts = [(bytes(MEGABYTE), lead >> 20), (bytes(lead % MEGABYTE), 1), (values.tobytes(), 1)]
        size = lead + 4 * COUNT
        crc = zlib.crc32(bytes(lead) + values.tobytes()) if is_loaded else 1
        path = checkpoint(
            tmp_path / "x.pth",
            {"0": record(size, *parts, crc=crc) if size < 1 << 32 else wide(size, *parts)},
            ("conv1.weight", conv1(size // 4, lead // 4, strides)),
        )
        grown, message = load(path)
        assert grown < 32
        if is_loaded:
            assert message == "loaded"
        else:
            assert f"would unpack to {size} bytes for tensors of {4 * COUNT} bytes" in message
            assert "'conv1.weight'" in message and f"more than {limit}" in message


def wide(size: int, *parts: tuple[bytes, int]) -> dict[str, Any]:
    """A record with more bytes than 32 bits can count."""
    fields = record(0, *parts)
    extra = struct.pack("<HHQ", 1, 8, size)
    return fields | {"size": 2**32 - 1, "extra": extra, "local_extra": extra}


def test_the_limit_is_one_for_all_records_of_a_load(tmp_path: Path) -> None:
    lead = 40 * MEGABYTE
    fields = record(lead + 4 * COUNT, (bytes(MEGABYTE), 40), (numbers(4).tobytes(), 1))
    norm = record(lead + 256, (bytes(MEGABYTE), 40), (bytes(256), 1))
    fields["crc"] = zlib.crc32(bytes(lead) + numbers(4).tobytes())
    tensors = [
        ("conv1.weight", conv1(fields["size"] // 4, lead // 4)),
        ("bn1.bias", forge.tensor((64,), (1,), lead // 4, forge.storage("1", norm["size"] // 4))),
    ]
    assert load(checkpoint(tmp_path / "x.pth", {"0": fields}, tensors[0]))[1] == "loaded"
    message = load(checkpoint(tmp_path / "y.pth", {"0": fields, "1": norm}, *tensors))[1]
    assert f"would unpack to {2 * lead + 4 * COUNT + 256} bytes" in message


def test_checksums_of_compressed_records(tmp_path: Path) -> None:
    # Where at least half of a record is needed, all of it is read and its checksum checked.
    values = numbers(5)
    for rest, is_read in ((0, True), (4 * COUNT, True), (4 * COUNT + 4, False)):
        data = values.tobytes() + bytes(rest)
        for crc in (zlib.crc32(data), 1):
            path = checkpoint(
                tmp_path / "x.pth",
                {"0": record(len(data), (data, 1), crc=crc)},
                ("conv1.weight", conv1(len(data) // 4)),
            )
            if crc == 1 and is_read:
                with pytest.raises(backbone.CheckpointError, match="'conv1.weight' is damaged: its checksum is wrong"):
                    loaded(path)
            else:
                assert np.array_equal(loaded(path).ravel(), values)


def test_a_compressed_pickle_is_bounded(tmp_path: Path) -> None:
    filler = forge.PROTO2 + b"B" + struct.pack("<L", 60 * MEGABYTE)
    fields = record(len(filler) + 60 * MEGABYTE + 2, (filler, 1), (bytes(MEGABYTE), 60), (b"0.", 1))
    path = tmp_path / "x.pth"
    path.write_bytes(forge.archive([forge.member("a/data.pkl", **fields)]))
    grown, message = load(path)
    assert grown < 32
    assert f"its compressed record 'a/data.pkl' has {fields['size']} bytes, more than {16 * MEGABYTE}" in message
