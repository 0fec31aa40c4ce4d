# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Trains on a few small images with one process and with several over MPI, and compares the weights.

Usage: distributed.py MPIRUN DISTRIBUTED-PROGRAM FINETUNE-PROGRAM
"""

import itertools
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import backbone
import numpy as np
from PIL import Image

mpirun, distributed, finetune = sys.argv[1:]
owner = tempfile.TemporaryDirectory(prefix="distributed-")
folder = Path(owner.name)
EPOCHS = 3
# What differs after 9 steps is rounding: of the largest value of each entry. The weights change by up to 125 % of it.
BOUND = 1e-5
COMMON = ["data", "--size", "32", "--batch", "8", "--flip", "--learning-rate", "0.002", "--frozen-stages", "1"]
# Open MPI: as root, in a container, with more processes than cores.
ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    **os.environ,
}


def run(*command):
    return subprocess.run(
        list(map(str, command)), cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=600
    )


def train(program, *words, epochs=EPOCHS):
    """Train to the end; what is printed, without the speed."""
    result = run(*program, *COMMON, "--epochs", epochs, *words)
    assert result.returncode == 0, (program, words, result)
    return [re.sub(r" +[\d.]+ images/s", "", line) for line in result.stdout.splitlines()]


def ranks(count):
    return [mpirun, "-n", count, distributed]


def weights(path):
    with backbone.ResNet.from_file(folder / path, outputs=("logits",)) as net:
        return net.state_dict()


def difference(left, right, names):
    """The largest difference of any entry in units of its largest value."""
    pairs = [(left[name].astype(np.float64), right[name].astype(np.float64)) for name in names]
    return max(np.abs(a - b).max() / max(np.abs(b).max(), 1e-30) for a, b in pairs)


def make_files():
    """23 images: the last batch of eight has seven, which two ranks cannot share evenly."""
    random = np.random.default_rng(0)
    for channel, name, count in ((0, "cats", 12), (2, "dogs", 11)):
        (folder / "data" / name).mkdir(parents=True)
        for number in range(count):
            pixels = random.integers(0, 60, (37, 45, 3))
            pixels[..., channel] += 150
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"data/{name}/{number}.jpg")
    with backbone.ResNet(18, base_channels=8) as net:
        net.save_weights(folder / "tiny.pth")


def check_norm_eval():
    """Two and three ranks equal one process within rounding; one rank equals it to the bit."""
    options = ["--weights", "tiny.pth", "--norm-eval", "--validation", "data"]
    train([finetune], *options, "--output", "one")
    one, first = weights(f"one/epoch-{EPOCHS}.pth"), weights("one/epoch-1.pth")
    names = [name for name, value in one.items() if value.dtype == np.float32]
    trained = [name for name in names if not np.array_equal(first[name], one[name])]
    assert len(trained) > 40 and difference(first, one, trained) > 0.1
    for count in (2, 3):
        batch = ("--batch", 9) if count == 3 else ()
        if count == 3:
            # Three ranks leave out a rest of fewer than six images, one process does not: this avoids a rest.
            for path in sorted((folder / "data/dogs").iterdir())[:5]:
                path.unlink()
            train([finetune], *options, *batch, "--output", "one")
            one = weights(f"one/epoch-{EPOCHS}.pth")
        lines = train(ranks(count), *options, *batch, "--output", f"several-{count}")
        assert len(lines) == 1 + EPOCHS, lines
        several = weights(f"several-{count}/epoch-{EPOCHS}.pth")
        error = difference(several, one, names)
        assert error < BOUND, error
        print(f"{count} ranks: {error:.1e} of the largest value of an entry, at most {BOUND} allowed")
    alone = train(ranks(1), *options, *batch, "--output", "alone")
    assert alone == train([finetune], *options, *batch, "--output", "one")
    assert (folder / "alone/epoch-3.pth").read_bytes() == (folder / "one/epoch-3.pth").read_bytes()


def check_resuming():
    """A resumed run prints the numbers, and writes the bytes, of one that was not interrupted."""
    options = ["--validation", "data"]
    whole = train(ranks(2), "--weights", "tiny.pth", *options, "--output", "whole")
    parts = train(ranks(2), "--resume", "whole/epoch-2.pth", *options, "--output", "parts")
    assert parts == [whole[0], whole[3]]
    assert (folder / "parts/epoch-3.pth").read_bytes() == (folder / "whole/epoch-3.pth").read_bytes()
    before, after = weights("whole/epoch-2.pth"), weights("whole/epoch-3.pth")
    assert not np.array_equal(before["layer2.0.bn1.running_mean"], after["layer2.0.bn1.running_mean"])


def check_whose_statistics():
    """One step on four images by two ranks: the file has the statistics of the two that rank 0 has."""
    paths = [folder / "data" / name / f"{number}.jpg" for name in ("cats", "dogs") for number in (6, 7)]
    pictures = [path.read_bytes() for path in paths]

    def statistics(program, name, chosen):
        for position, index in enumerate(chosen):
            place = folder / name / "ab"[position % 2]
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{index}.jpg").write_bytes(pictures[index])
        options = ["--size", 32, "--batch", 4, "--epochs", 1, "--weights", "tiny.pth", "--frozen-stages", 1]
        result = run(*program, name, *options, "--output", f"{name}-out")
        assert result.returncode == 0, result
        state = weights(f"{name}-out/epoch-1.pth")
        return {entry: state[entry] for entry in state if re.match(r"layer[2-4].*running_(mean|var)", entry)}

    saved = statistics(ranks(2), "four", range(4))
    errors = {
        pair: difference(saved, statistics([finetune], f"pair-{pair[0]}{pair[1]}", pair), saved)
        for pair in itertools.combinations(range(4), 2)
    }
    assert len(saved) == 30 and sorted(error < 1e-5 for error in errors.values()) == [False] * 5 + [True], errors


def check_messages():
    """What is wrong for all ranks is said once; ranks that differ are found out."""

    def expect(text, *command, count=1):
        result = run(*command)
        output = result.stdout + result.stderr
        assert result.returncode != 0 and output.count(text) == count, output

    start = ("--weights", "tiny.pth", "--size", 32)
    expect("distributed: missing: No such file", *ranks(2), "missing", *start)
    expect("--batch is 9; it must be a multiple of the 2 processes", *ranks(2), "data", *start, "--batch", 9)
    expect("distributed: unknown option '--epoch'", *ranks(2), "data", "--epoch", 1)
    expect("distributed: weights: none.pth: ", *ranks(2), "data", "--weights", "none.pth")
    expect("distributed: four: 4 images; expected two for each of 3 processes", *ranks(3), "four", *start, "--batch", 9)
    assert run(*ranks(2), "--help").stdout.count("Usage: mpirun -n N distributed") == 1

    def differing(first, second):
        return ["-n", 1, distributed, *COMMON, *start, *first, ":", "-n", 1, distributed, *COMMON, *start, *second]

    expect("rank 1 has other weights than rank 0", mpirun, *differing((), ("--learning-rate", "0.003")))
    expect("; give all ranks the same folder", mpirun, *differing((), ("--frozen-stages", 4)))
    (folder / "data/cats/broken.jpg").write_text("no image")
    expect("broken.jpg: Not a JPEG file", *ranks(2), *COMMON, *start)


make_files()
check_norm_eval()
check_resuming()
check_whose_statistics()
check_messages()
print("Several ranks train as one process does.")
