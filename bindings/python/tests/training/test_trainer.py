# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The loop: against one that is written down here, and the same bits in spite of threads, stops and damage."""

import csv
import resource
import zipfile

import numpy as np
import pytest
from PIL import Image
from striped_folders import write_folders

import backbone
from backbone import optim
from backbone.training import Draws, Observer, Purpose, Recipe, StateError, Stopped, Trainer, read_dataset, read_notes

CLASSES = {"a": 14, "b": 11}
RECIPE = Recipe(
    epochs=2, batch=6, size=16, lr=0.05, weight_decay=1e-3, head_factor=2, label_smoothing=0.1, clip=1.0, seed=3
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return read_dataset(write_folders(tmp_path_factory.mktemp("data") / "all", CLASSES, height=18, width=22))


def new_net(classes=2, **options):
    options = {"mean": backbone.IMAGENET_MEAN, "std": backbone.IMAGENET_STD, "threads": 1} | options
    return backbone.ResNet("resnet20", base_channels=16, outputs=("logits",), num_classes=classes, **options)


def state_of(path):
    """All tensors of a .pth, those of the optimiser included."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if "/data" in name}


def assert_same(actual, expected):
    assert set(actual) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value, err_msg=name)


def train(data, output, recipe=RECIPE, resume=False, net_options=None, **options):
    with new_net(len(data.classes), **(net_options or {})) as net:
        trainer = Trainer(net, data, recipe, output, **options)
        rows = trainer.run(resume=resume)
        return rows, net.state_dict(), trainer


def looped(data, net):
    """The same training by hand, but for the draws. Rows of loss and accuracy, and the weights."""
    groups = (
        optim.Group("fc.", ("weights",), 2),
        optim.Group("fc.", ("biases",), 2, 0),
        optim.Group(kinds=("norms", "biases"), weight_decay=0),
    )
    optimizer = optim.SGD(net, 0.05, 0.9, weight_decay=1e-3, groups=groups)
    steps = len(data.train) // 6 + (len(data.train) % 6 > 1)
    rows, states = [], []

    def view(example):
        image = Image.open(example.path).convert("RGB")
        scale = 16 / min(image.size)
        image = image.resize((int(image.width * scale), int(image.height * scale)), Image.Resampling.BILINEAR)
        top, left = round((image.height - 16) / 2), round((image.width - 16) / 2)
        return np.asarray(image)[top : top + 16, left : left + 16]

    for epoch in range(2):
        net.train()
        losses, correct = [], 0
        order = Draws(3, Purpose.ORDER, epoch).permutation(len(data.train))
        for step in range(steps):
            pixels, labels = [], []
            for index in order[6 * step : 6 * step + 6]:
                draws = Draws(3, Purpose.AUGMENTATION, epoch, index)
                padded = np.zeros((20, 20, 3), np.uint8)
                padded[2:18, 2:18] = view(data.train[index])
                top, left = draws.below(5), draws.below(5)
                crop = padded[top : top + 16, left : left + 16]
                pixels.append(crop[:, ::-1] if draws.uniform() < 0.5 else crop)
                labels.append(data.train[index].label)
            with net.tape() as tape:
                (logits,) = net.forward_train(np.stack(pixels).transpose(0, 3, 1, 2), tape)
                loss, gradient = optim.cross_entropy(logits, labels, 0.1)
                gradients = net.backward(tape, [gradient])
            optim.clip_gradients(net, gradients, 1.0)
            optimizer.lr = 0.05 * (1 + np.cos(np.pi * (epoch * steps + step) / (2 * steps))) / 2
            optimizer.step(gradients)
            losses += [loss] * len(labels)
            correct += int((logits[:, :, 0, 0].argmax(1) == labels).sum())
        net.eval()
        held = net.logits(np.stack([view(example) for example in data.validation]).transpose(0, 3, 1, 2))
        wanted = np.array([example.label for example in data.validation])
        held_loss = optim.cross_entropy(held, wanted)[0]
        rows.append((np.mean(losses), correct / len(losses), held_loss, (held.argmax(1) == wanted).mean()))
        states.append(net.state_dict())
    return rows, states


def test_the_loop_is_the_one_written_here(tmp_path, data):
    rows, weights, trainer = train(data, tmp_path / "out")
    with new_net() as net:
        expected, states = looped(data, net)
    assert_same(weights, states[-1])
    names = ("loss", "accuracy", "validation_loss", "validation_accuracy")
    np.testing.assert_allclose([[row[name] for name in names] for row in rows], expected, rtol=1e-6)
    with (tmp_path / "out/curves.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [[float(row[name]) for name in names] for row in table] == [[row[name] for name in names] for row in rows]
    assert [row["epoch"] for row in table] == ["1", "2"]
    assert (tmp_path / "out/classes.txt").read_text() == "a\nb\n"
    assert Image.open(tmp_path / "out/curves.png").size[0] > 500
    # best.pth has the weights of the epoch with the best validation.
    best = max(range(2), key=lambda epoch: (expected[epoch][3], -expected[epoch][2]))
    assert trainer.progress.best == rows[best]
    with backbone.ResNet.from_file(tmp_path / "out/best.pth", outputs=("logits",), num_classes=2) as net:
        assert_same(net.state_dict(), states[best])


def test_threads_and_saves_change_no_bit(tmp_path, data):
    train(data, tmp_path / "one", decoders=1, save_every=0)
    train(data, tmp_path / "three", decoders=3, save_every=1, net_options={"threads": 2})
    for name in ("last.pth", "best.pth"):
        assert state_of(tmp_path / "one" / name) == state_of(tmp_path / "three" / name)
    train(data, tmp_path / "seed", Recipe(**{**vars(RECIPE), "seed": 4}))
    assert state_of(tmp_path / "one/last.pth") != state_of(tmp_path / "seed/last.pth")


class StopAfter(Observer):
    """Stops after so many questions."""

    def __init__(self, count):
        self.left = count
        self.rows = []

    def is_stopped(self):
        self.left -= 1
        return self.left < 0

    def on_epoch_end(self, row):
        self.rows.append(row["epoch"])


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_stopped_after_every_step_and_resumed_it_ends_with_the_same_bits(tmp_path, data, optimizer):
    recipe = Recipe(**{**vars(RECIPE), "optimizer": optimizer})
    whole, weights, _ = train(data, tmp_path / "whole", recipe)
    stops = 0
    while True:
        try:
            # A step, and the batch of the validation, ask once each.
            rows, resumed, _ = train(data, tmp_path / "parts", recipe, resume=True, observer=StopAfter(1))
            break
        except Stopped as stop:
            assert "step" in str(stop)
            stops += 1
    assert stops >= 4
    assert state_of(tmp_path / "parts/last.pth") == state_of(tmp_path / "whole/last.pth")
    assert state_of(tmp_path / "parts/best.pth") == state_of(tmp_path / "whole/best.pth")
    assert_same(resumed, weights)
    for row, expected in zip(rows, whole, strict=True):
        assert {**row, "seconds": 0} == {**expected, "seconds": 0}
    lines = [(tmp_path / folder / "curves.csv").read_text().splitlines() for folder in ("parts", "whole")]
    assert [line.rsplit(",", 1)[0] for line in lines[0]] == [line.rsplit(",", 1)[0] for line in lines[1]]


def test_pytorch_loads_the_file_with_its_notes(tmp_path, data):
    torch = pytest.importorskip("torch")
    _, weights, _ = train(data, tmp_path / "out")
    loaded = torch.load(tmp_path / "out/last.pth", weights_only=True)
    assert set(loaded) == {"state_dict", "optimizer"}
    assert_same({name: value.numpy() for name, value in loaded["state_dict"].items()}, weights)
    assert loaded["optimizer"]["param_groups"][0]["lr"] > 0
    assert read_notes(tmp_path / "out/last.pth")["network"]["classes"] == ["a", "b"]


class Names(Observer):
    def __init__(self):
        self.damaged = []

    def on_damaged(self, path, error):
        self.damaged.append((path, str(error)))


def damaged_folder(tmp_path):
    folder = write_folders(tmp_path / "damaged", {"a": 14, "b": 13}, height=16, width=16)
    for name in ("a/003.png", "b/002.png"):
        path = folder / name
        path.write_bytes(path.read_bytes()[:200])
    (folder / "b/005.png").unlink()
    (folder / "b/005.png").symlink_to("nowhere.png")
    return folder


def test_damaged_images_are_named_once_and_skipped(tmp_path):
    folder = damaged_folder(tmp_path)
    data = read_dataset(folder, fraction=0)
    observer = Names()
    rows, weights, trainer = train(data, tmp_path / "out", observer=observer)
    expected = {str(folder / name) for name in ("a/003.png", "b/002.png", "b/005.png")}
    assert {path for path, _ in observer.damaged} == expected and len(observer.damaged) == 3
    assert all(path in text for path, text in observer.damaged)
    assert [row["images"] for row in rows] == [24, 24]
    assert set(trainer.progress.damaged) == expected
    # Stopped and resumed it skips the same ones, and names none again.
    again = Names()
    again.is_stopped = StopAfter(3).is_stopped
    with pytest.raises(Stopped):
        train(data, tmp_path / "parts", observer=again)
    named = list(again.damaged)
    again.is_stopped = lambda: False
    train(data, tmp_path / "parts", resume=True, observer=again)
    assert len(again.damaged) == 3 >= len(named)
    assert state_of(tmp_path / "parts/last.pth") == state_of(tmp_path / "out/last.pth")


def test_no_image_that_can_be_decoded(tmp_path):
    folder = tmp_path / "all"
    for name in ("a/1.png", "a/2.png", "b/1.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"none of 3 images could be decoded; the first: .*/\w/\d.png"):
        train(read_dataset(folder, fraction=0), tmp_path / "out")


def test_a_training_that_failed_before_its_first_step_is_begun_again(tmp_path, data):
    class Failing(Observer):
        def on_epoch_begin(self, epoch, step):
            raise OSError("no images today")

    with pytest.raises(OSError, match="no images today"):
        train(data, tmp_path / "out", Recipe(**{**vars(RECIPE), "seed": 5}), observer=Failing())
    assert read_notes(tmp_path / "out/last.pth")["progress"]["step"] == 0
    # With other settings, too: nothing that was trained is lost.
    train(data, tmp_path / "out")
    train(data, tmp_path / "whole")
    assert state_of(tmp_path / "out/last.pth") == state_of(tmp_path / "whole/last.pth")


def test_resuming_with_something_else_is_refused_by_name(tmp_path, data):
    train(data, tmp_path / "out")
    before = (tmp_path / "out/last.pth").read_bytes()
    with pytest.raises(StateError, match=r"last.pth: the training has other settings \(lr: 0.05, now 0.1, seed: 3, n"):
        train(data, tmp_path / "out", Recipe(**{**vars(RECIPE), "lr": 0.1, "seed": 5}), resume=True)
    other = read_dataset(write_folders(tmp_path / "other", CLASSES, seed=1))
    with pytest.raises(StateError, match=r"\(images: 23 \+ 2 in 2 classes, .*, now 23 \+ 2 in 2 classes"):
        train(other, tmp_path / "out", resume=True)
    with pytest.raises(StateError, match="has a training"):
        train(data, tmp_path / "out")
    assert (tmp_path / "out/last.pth").read_bytes() == before
    with new_net() as net:
        net.save_weights(tmp_path / "foreign.pth")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign.pth").rename(tmp_path / "foreign/last.pth")
    with pytest.raises(StateError, match="not the last.pth of a training"):
        train(data, tmp_path / "foreign", resume=True)
    with pytest.raises(StateError, match="has a training"):
        train(data, tmp_path / "foreign")


def test_a_folder_belongs_to_one_training_at_a_time(tmp_path, data):
    class Second(Observer):
        error = None

        def on_epoch_begin(self, epoch, step):
            try:
                train(data, tmp_path / "out", resume=True)
            except StateError as error:
                self.error = str(error)

    second = Second()
    train(data, tmp_path / "out", observer=second)
    assert "another training writes to this folder" in second.error


class FullDisk(Observer):
    """After the first epoch no file may become larger than 10 kB."""

    def __init__(self):
        self.limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def on_epoch_end(self, row):
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, self.limits[1]))


def test_a_disk_that_becomes_full_leaves_the_last_state(tmp_path, data):
    disk = FullDisk()
    try:
        with pytest.raises(OSError, match="cannot be written: .*File too large") as caught:
            train(data, tmp_path / "out", observer=disk)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, disk.limits)
    assert caught.value.filename in (str(tmp_path / "out/last.pth"), str(tmp_path / "out/best.pth"))
    assert caught.value.strerror == "cannot be written: File too large"
    assert read_notes(tmp_path / "out/last.pth")["progress"]["epoch"] == 1
    assert not list((tmp_path / "out").glob(".*"))
    train(data, tmp_path / "out", resume=True)
    train(data, tmp_path / "whole")
    assert state_of(tmp_path / "out/last.pth") == state_of(tmp_path / "whole/last.pth")


def test_a_network_for_other_classes_is_refused(tmp_path, data):
    with new_net(3) as net, pytest.raises(ValueError, match="logits for 3 classes; it must give logits for the 2"):
        Trainer(net, data, RECIPE, tmp_path / "out")


def test_a_training_that_diverges_leaves_the_last_state(tmp_path, data):
    recipe = Recipe(**{**vars(RECIPE), "lr": 1e6, "clip": None, "weight_decay": 0.5, "epochs": 30})
    with (
        pytest.warns(backbone.BackboneWarning, match="not finite"),
        pytest.raises(FloatingPointError, match=r"epoch \d+, (step \d+|validation): [^;]*; the training diverged: lo"),
    ):
        train(data, tmp_path / "out", recipe)
    with backbone.ResNet.from_file(tmp_path / "out/last.pth", outputs=("logits",), num_classes=2) as net:
        assert all(np.isfinite(value).all() for value in net.state_dict().values())
