# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The files that engines read and results are compared with: made once, each in a process of its own.

    models/weights/resnet50/weights.pth       what libbackbone reads
    models/case/resnet50-224/input.npy, C2.npy ... C5.npy
    models/weights-trained, case-trained, weights-none, case-none
                                               the same with other numbers of zeros, see `engines.ZEROS`
    models/onnx/resnet50-224/model.onnx
    models/<engine>/...                        what its `convert` writes

Beside each is a note of its sources: if that changes, it is made again.

As a program, `python -m benchmark.artifacts MODELS KIND COLUMN` makes one, for `prepare`.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from pathlib import Path

from . import children
from .channel import Channel
from .columns import BY_KEY, Column
from .engines import VARIANTS, ZEROS, engine, zeros

_HERE = Path(__file__).parent
_TIMEOUT = 1200.0
_WITH_ZEROS = ("weights", "case")
_GENERIC = (*_WITH_ZEROS, "onnx")


def prepare(models: Path, kind: str, column: Column, environment: dict[str, str], log: Path) -> None:
    """Make an artifact of a column if it is missing: "weights", "case", both perhaps with "-trained" or "-none",
    "onnx", or that of an engine.

    Raises:
        ChildError: making it failed.
    """
    folder = _folder(models, kind, column)
    note = folder / "made-from"
    recipe = _recipe(kind, column)
    if note.exists() and note.read_text() == recipe:
        return
    print(f"==> making {folder.relative_to(models)}", file=sys.stderr)
    # Under another name until it is complete.
    partial = folder.with_name(folder.name + ".partial")
    for old in (partial, folder):
        shutil.rmtree(old, ignore_errors=True)
    partial.mkdir(parents=True)
    children.run(children.python("artifacts", models, kind, column.key), environment, log, _TIMEOUT)
    (partial / "made-from").write_text(recipe)
    partial.rename(folder)


def prepare_all(
    models: Path, names: list[str], columns: list[Column], environment: dict[str, str], logs: Path
) -> dict[str, str]:
    """Make the models of all engines; returns the engines for which that failed, with the reasons."""
    failures: dict[str, str] = {}
    broken: dict[str, str] = {}
    for column in columns:
        for kind in [_named(kind, which) for which in dict.fromkeys(map(zeros, names)) for kind in _WITH_ZEROS]:
            try:
                prepare(models, kind, column, environment, logs / f"make-{kind}.log")
            except children.ChildError as error:
                raise SystemExit(f"error: cannot make {kind} of {column.title}: {error}") from None
        for name in names:
            if name in VARIANTS:
                continue
            module = engine(name)
            kinds = [kind for kind in module.NEEDS if kind != "weights"]
            if hasattr(module, "convert"):
                kinds.append(name)
            for kind in kinds:
                if name in failures:
                    break
                try:
                    if kind in broken:
                        raise children.ChildError(broken[kind])
                    prepare(models, kind, column, environment, logs / f"make-{kind}.log")
                except children.ChildError as error:
                    broken[kind] = str(error)
                    failures[name] = f"{column.title} cannot be converted ({kind}): {error}"
                    print(f"    {engine(name).LABEL}: {failures[name]}", file=sys.stderr)
    return failures


def weights_file(models: Path, column: Column, zeros: str = ZEROS[0]) -> Path:
    """The checkpoint of a column's network."""
    return folder(models, "weights", column, zeros) / "weights.pth"


def folder(models: Path, kind: str, column: Column, zeros: str) -> Path:
    """Where the "weights" or the "case" of a column are."""
    return _folder(models, _named(kind, zeros), column)


def _named(kind: str, zeros: str) -> str:
    return kind if zeros == ZEROS[0] else f"{kind}-{zeros}"


def _split(kind: str) -> tuple[str, str]:
    """The kind that a name is of, and its zeros."""
    plain, _, zeros = kind.partition("-")
    return (plain, zeros) if zeros in ZEROS and plain in _WITH_ZEROS else (kind, ZEROS[0])


def _folder(models: Path, kind: str, column: Column) -> Path:
    return models / kind / (column.key if _is_per_column(kind) else column.network)


def _is_per_column(kind: str) -> bool:
    kind, _ = _split(kind)
    return kind in ("case", "onnx") or (kind != "weights" and engine(kind).PER_COLUMN)


def _recipe(kind: str, column: Column) -> str:
    files = ("models.py",) if _split(kind)[0] in _GENERIC else ("models.py", f"engines/{kind}.py")
    texts = [(_HERE / name).read_text() for name in files]
    packages = (_HERE.parent / "requirements-bench.txt").read_text()
    if _is_per_column(kind):
        texts.append(str(column.shape))
    texts.append(re.sub(r"\s*#.*", "", packages))
    return hashlib.sha256("\n".join(texts).encode()).hexdigest() + "\n"


def _make(models: Path, kind: str, column: Column) -> None:
    folder = _folder(models, kind, column)
    folder = folder.with_name(folder.name + ".partial")
    plain, zeros = _split(kind)
    if plain not in _GENERIC:
        engine(kind).convert(column, models, folder)
        return
    from . import models as networks

    if plain == "weights":
        networks.new_weights(column.network, folder / "weights.pth", zeros)
    elif plain == "case":
        networks.new_case(column, weights_file(models, column, zeros), folder)
    else:
        networks.new_onnx(column, weights_file(models, column), folder)


def main() -> int:
    channel = Channel()
    models, kind, key = sys.argv[1:]

    def work() -> None:
        _make(Path(models), kind, BY_KEY[key])
        channel.send(done=True)

    return channel.guarded(work)


if __name__ == "__main__":
    sys.exit(main())
