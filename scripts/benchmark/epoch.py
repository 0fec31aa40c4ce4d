# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""An epoch of `backbone train` and the same in PyTorch, by turns: `scripts/bench --epoch [FOLDER]`.

Both read the same JPEG files: a random resized crop of 224 x 224, a flip, mean and standard deviation; a ResNet whose
stem and layer1 are frozen, cross entropy, and SGD with momentum and weight decay. Here two threads decode; there
torchvision's transforms run in the two workers of a DataLoader, which stay from epoch to epoch. Two threads compute.
What counts is the ratio within a round, since machines drift. Validation and checkpoints are left out.

Both begin with the same weights, and their losses in the first epoch are compared: crops differ, but an engine that
trains on something else would show.
"""

from __future__ import annotations

import argparse
import os
import statistics
from pathlib import Path

from .arguments import choices, positive
from .children import Child, ChildError, end_all, python, run
from .page import Page
from .photographs import write_photographs

FILES = Path(__file__).resolve().parents[2] / ".build" / "bench" / "epoch"
TIMEOUT = 1200.0
ROUNDS = 5
BATCH = 8
ENGINES = {"ours": "backbone train", "pytorch": "PyTorch, DataLoader, channels_last"}
CASES = {
    f"resnet{depth}-{norms}": (depth, norms) for depth in (50, 18) for norms in ("norm_eval", "batch")
}
# Of the mean loss of the first epoch, as a part of it.
LOSSES_DIFFER = 0.15


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench --epoch", usage="see scripts/bench --help")
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--runs", type=positive)
    parser.add_argument("--only", type=choices("case", CASES), default=list(CASES))
    parser.add_argument("--images", type=positive, default=160)
    parser.add_argument("--batch", type=positive, default=BATCH)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--save", action="store_true")
    arguments = parser.parse_args()
    rounds = arguments.runs or (1 if arguments.quick else ROUNDS)
    FILES.mkdir(parents=True, exist_ok=True)
    folder = arguments.folder or write_photographs(FILES, 48 if arguments.quick else arguments.images)
    environment = dict(os.environ, BACKBONE_LIBRARY=str(arguments.library), OMP_NUM_THREADS="2")
    page = Page("scripts/bench --epoch", rounds)
    page.write(
        "| network | norms | engine | images | s/epoch | images/s | of PyTorch | loss of epoch 1 |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |",
    )
    try:
        for case in arguments.only[-2:] if arguments.quick else arguments.only:
            page.write(*measure(folder, *CASES[case], arguments.batch, rounds, environment))
    except ChildError as error:
        raise SystemExit(f"error: {error}") from None
    finally:
        end_all()
    if arguments.save:
        page.save("epoch.md", "Training epochs")


def measure(
    folder: Path, depth: int, norms: str, batch: int, rounds: int, environment: dict[str, str]
) -> list[str]:
    """The rows of a case."""
    common = [str(depth), norms, folder, str(batch), str(rounds), FILES]
    run(python("epoch_worker", "weights", *common), environment, FILES / "weights.log", TIMEOUT)
    children = {}
    for name in ENGINES:
        log = FILES / f"{name}-{depth}-{norms}.log"
        children[name] = Child(python("epoch_worker", name, *common), environment, log)
        children[name].answer(TIMEOUT)
        children[name].stop()
    epochs: dict[str, list[dict[str, float]]] = {name: [] for name in ENGINES}
    # The first is not timed.
    for _ in range(1 + rounds):
        for name, child in children.items():
            child.go_on()
            epochs[name].append(child.ask("epoch", TIMEOUT))
            child.stop()
    for child in children.values():
        child.end()
    firsts = {name: rows[0] for name, rows in epochs.items()}
    losses = [row["loss"] for row in firsts.values()]
    if max(losses) - min(losses) > LOSSES_DIFFER * min(losses):
        raise ChildError(f"the engines do not train alike: their losses in the first epoch are {losses}")
    if len({row["images"] for row in firsts.values()}) > 1:
        raise ChildError(f"the engines do not train with the same number of images: {firsts}")
    rows = []
    for name, label in ENGINES.items():
        timed = epochs[name][1:]
        seconds = statistics.median(row["seconds"] for row in timed)
        pairs = zip(timed, epochs["pytorch"][1:], strict=True)
        ratio = statistics.median(own["seconds"] / other["seconds"] for own, other in pairs)
        images = firsts[name]["images"]
        rows.append(
            f"| ResNet-{depth} | {norms} | {label} | {images} | {seconds:.2f} | {images / seconds:.1f} | {ratio:.2f} "
            f"| {firsts[name]['loss']:.3f} |"
        )
    return rows


if __name__ == "__main__":
    main()
