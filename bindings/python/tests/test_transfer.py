# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""scripts/transfer: data in IDX files, which parts each way trains, going on after an interruption, refusals."""

import csv
import gzip
import json
import struct

import numpy as np
import pytest
from test_degradation import images_of
from theory import idx, transfer
from theory.data import DataError
from theory.transfer import WAYS, Plan

import backbone

PLAN = Plan(epochs=3, learning_rate=0.05, batch=12)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A narrow network for CIFAR-10 with measured statistics."""
    path = tmp_path_factory.mktemp("weights") / "resnet20.pth"
    with backbone.ResNet(architecture="resnet20", base_channels=16, outputs=("logits",)) as net:
        net.init_weights(seed=5)
        net.train()
        for _ in range(20):
            net(np.random.default_rng(1).standard_normal((16, 3, 8, 8), dtype=np.float32))
        net.save_weights(path)
    return path


def write_idx(folder, name, array):
    magic = 0x08 << 8 | array.ndim
    header = struct.pack(f">{1 + array.ndim}I", magic, *array.shape)
    with gzip.open(folder / name, "wb") as file:
        file.write(header + array.tobytes())


@pytest.fixture
def mnist(tmp_path):
    """Gray images of three classes, by where they are bright."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    generator = np.random.default_rng(3)
    for name, count in (("train", 48), ("t10k", 24)):
        labels = (np.arange(count) % 3).astype(np.uint8)
        pixels = generator.integers(0, 60, (count, 8, 8))
        for label in range(3):
            pixels[labels == label, 2 * label : 2 * label + 3] += 150
        write_idx(folder, f"{name}-images-idx3-ubyte.gz", pixels.astype(np.uint8))
        write_idx(folder, f"{name}-labels-idx1-ubyte.gz", labels)
    return folder


def test_idx_files_are_read(mnist):
    train, test = idx.read_idx(mnist, 10, None)
    assert (len(train), len(test)) == (10, 24)
    assert train.labels.tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]
    content = gzip.decompress((mnist / "train-images-idx3-ubyte.gz").read_bytes())
    # Row 2, column 3 of image 4, by hand: 16 bytes of header, 64 for each image.
    assert {int(train.pixels[4, c, 2, 3]) for c in range(3)} == {content[16 + 4 * 64 + 2 * 8 + 3]}


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda content: content[:20], "install it again"),
        (lambda content: b"plain", "Not a gzipped file"),
        (lambda content: gzip.compress(gzip.decompress(content)[:-1]), "is not an IDX file"),
        (lambda content: gzip.compress(b"\0\0\x0d" + gzip.decompress(content)[3:]), "is not an IDX file"),
        (lambda content: gzip.compress(b"\0"), "too short"),
    ],
)
def test_damaged_idx_files(mnist, damage, text):
    path = mnist / "train-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=text) as caught:
        idx.read_idx(mnist, None, None)
    assert str(path) in str(caught.value)


def test_idx_files_that_contradict_each_other(mnist):
    write_idx(mnist, "t10k-labels-idx1-ubyte.gz", np.full(24, 7, np.uint8))
    with pytest.raises(DataError, match="a class of the test images"):
        idx.read_idx(mnist, None, None)
    write_idx(mnist, "t10k-labels-idx1-ubyte.gz", np.zeros(5, np.uint8))
    with pytest.raises(DataError, match="24 t10k images and 5 labels"):
        idx.read_idx(mnist, None, None)


@pytest.mark.parametrize("way", WAYS)
def test_what_each_way_begins_with_and_trains(weights, way):
    with backbone.ResNet.from_file(weights, outputs=("logits",)) as net:
        original = net.state_dict()
    net = transfer.new_network(weights, WAYS[way], 3, seed=1, threads=1)
    assert transfer.stages_of(net) == 3
    before = net.state_dict()
    is_same = {name: np.array_equal(before[name], value) for name, value in original.items() if "fc" not in name}
    assert all(is_same.values()) == (way != "random")
    assert before["fc.weight"].shape[0] == 3 and before["fc.weight"].std() > 0
    other = transfer.new_network(weights, WAYS[way], 3, seed=2, threads=1)
    assert not np.array_equal(before["fc.weight"], other.state_dict()["fc.weight"])
    rows = transfer.fit(net, PLAN, images_of(48), images_of(30, seed=1), seed=1)
    assert len(rows) == 3 and rows[-1]["loss"] < rows[0]["loss"]
    after = net.state_dict()
    changed = {name.split(".")[0] for name in before if not np.array_equal(before[name], after[name])}
    everything = {"conv1", "bn1", "layer1", "layer2", "layer3", "fc"}
    assert changed == {"random": everything, "probe": {"fc"}, "last": {"layer3", "fc"}, "all": everything}[way]
    # The accuracy is that of the network as it is now.
    test = images_of(30, seed=1)
    expected = (net.logits(test.pixels).argmax(1) == test.labels).mean()
    assert rows[-1]["accuracy"] == pytest.approx(expected, abs=1e-12)


def arguments_of(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["transfer", "--threads", "1", *map(str, arguments)])


def test_an_interrupted_run_goes_on(weights, mnist, tmp_path, monkeypatch, capsys):
    arguments = (weights, mnist, "--epochs", 2, "--seeds", 2, "--batch", 12, "--output")
    arguments_of(monkeypatch, *arguments, tmp_path / "whole")
    assert transfer.main() == 0
    printed = capsys.readouterr().out
    whole = json.loads((tmp_path / "whole/transfer.json").read_text())
    assert len(whole["curves"]) == 8
    compute, calls = transfer.curve, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return compute(*arguments)

    monkeypatch.setattr(transfer, "curve", interrupted)
    arguments_of(monkeypatch, *arguments, tmp_path / "parts")
    assert transfer.main() == 130
    assert transfer.main() == 0
    assert len(calls) == 4 + 5
    assert json.loads((tmp_path / "parts/transfer.json").read_text()) == whole
    with open(tmp_path / "parts/transfer.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    last = [100 * float(row["accuracy"]) for row in rows if row["way"] == "probe" and row["epoch"] == "2"]
    assert f"| linear probe | {np.mean(last):.2f} ± {np.std(last, ddof=1):.2f} |" in printed
    assert (tmp_path / "parts/transfer.png").stat().st_size > 1000


def test_what_is_refused(weights, mnist, tmp_path, monkeypatch, capsys):
    def error(*arguments):
        capsys.readouterr()
        arguments_of(monkeypatch, *arguments, "--output", tmp_path / "out")
        assert transfer.main() == 1
        lines = capsys.readouterr().err.splitlines()
        lines = [line for line in lines if line.startswith("error: ")]
        assert len(lines) == 1
        return lines[0]

    fits = ("--batch", 12)
    assert "none.pth" in error(tmp_path / "none.pth", mnist, *fits)
    assert "needs folders train and test" in error(weights, tmp_path)
    assert "do not fill a batch" in error(weights, mnist, "--batch", 49)
    (tmp_path / "text.pth").write_text("no checkpoint")
    assert "text.pth" in error(tmp_path / "text.pth", mnist, *fits)
    (tmp_path / "out/transfer.json").write_text("{}")
    assert "remove it" in error(weights, mnist, *fits)
    (tmp_path / "out/transfer.json").write_text('{"settings": 1, "curves": []}')
    assert "another --output" in error(weights, mnist, *fits)
    (tmp_path / "out/transfer.json").unlink()
    assert "lower --learning-rate" in error(weights, mnist, *fits, "--learning-rate", 1e30)
    with backbone.ResNet(architecture="resnet20", base_channels=16, in_channels=1, outputs=("logits",)) as net:
        net.save_weights(tmp_path / "gray.pth")
    message = error(tmp_path / "gray.pth", mnist, *fits)
    assert "expected 1, the channels of the file's stem; give other weights" in message
