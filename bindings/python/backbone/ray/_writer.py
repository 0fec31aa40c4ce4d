# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The folder of Parquet files that a job writes, and the actor that writes them."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet
import ray

from ._extractor import Extractor, check_columns

# Limit of failures in a file's report and a summary; the files have all.
LISTED = 100

# Bytes that an actor collects before it writes a row group.
_GROUP_BYTES = 64 << 20


class Writer:
    """An actor: computes the features of a batch, writes them to a file, and reports it in one row."""

    def __init__(self, weights: Any, done: Any, out: str, settings: dict[str, Any]) -> None:
        self._extractor = Extractor(weights, **settings)
        self._id_column = settings["id_column"]
        self._done: frozenset[Any] = ray.get(done)
        self._files, self._folder = pyarrow.fs.FileSystem.from_uri(out)
        self._files.create_dir(self._folder)

    def __call__(self, table: pa.Table) -> pa.Table:
        identities = table[self._id_column].to_pylist()
        new = [identity not in self._done for identity in identities]
        table = table.filter(pa.array(new, pa.bool_()))
        failures: list[dict[str, Any]] = []
        if table.num_rows:
            # The same rows have the same name: if Ray repeats a task, it replaces the file of the first one.
            name = hashlib.sha256(repr(table[self._id_column].to_pylist()).encode()).hexdigest()[:32]
            failures = self._write(self._extractor(table), f"{self._folder}/{name}.parquet")
        row = {
            "actor": f"{socket.gethostname()}:{os.getpid()}",
            "rows": table.num_rows,
            "failed": len(failures),
            "skipped": len(identities) - table.num_rows,
            "failures": failures[:LISTED],
        }
        kind = pa.list_(pa.struct({"id": table.schema.field(self._id_column).type, "error": pa.string()}))
        return pa.table({key: pa.array([value], kind if key == "failures" else None) for key, value in row.items()})

    def _write(self, parts: Iterator[pa.Table], path: str) -> list[dict[str, Any]]:
        """Write a file, and return its failures."""
        failures: list[dict[str, Any]] = []
        # Readers of Parquet folders skip names that begin with a dot. If Ray repeats a task, the first one may still be
        # writing.
        name = f".{os.path.basename(path)}.{secrets.token_hex(4)}.tmp"
        temporary = os.path.join(os.path.dirname(path), name)
        waiting = [next(parts)]
        with pyarrow.parquet.ParquetWriter(temporary, waiting[0].schema, filesystem=self._files) as file:
            for part in parts:
                waiting.append(part)
                if sum(table.nbytes for table in waiting) > _GROUP_BYTES:
                    failures += self._write_group(file, waiting)
                    waiting = []
            failures += self._write_group(file, waiting)
        self._files.move(temporary, path)
        return failures

    def _write_group(self, file: Any, tables: list[pa.Table]) -> list[dict[str, Any]]:
        if not tables:
            return []
        table = pa.concat_tables(tables)
        file.write_table(table)
        pairs = zip(table[self._id_column].to_pylist(), table["error"].to_pylist(), strict=True)
        return [{"id": identity, "error": error} for identity, error in pairs if error is not None]


def identities_in(out: str, id_column: str) -> frozenset[Any] | None:
    """The ids of the rows that are in a folder already; None if it has no Parquet files."""
    files, folder = pyarrow.fs.FileSystem.from_uri(out)
    if files.get_file_info(folder).type == pyarrow.fs.FileType.File:
        raise FileExistsError(f"{out} is a file; out must be a folder")
    selector = pyarrow.fs.FileSelector(folder, allow_not_found=True)
    paths = [info.path for info in files.get_file_info(selector) if info.path.endswith(".parquet")]
    if not paths:
        return None
    found = pyarrow.dataset.dataset(paths, filesystem=files, format="parquet")
    check_columns(found.schema.names, id_column)
    return frozenset(found.to_table(columns=[id_column])[id_column].to_pylist())
