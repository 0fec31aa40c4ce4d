# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone classify` and `features --pooled`: against the library and softmax in NumPy, and what is refused."""

import numpy as np
import pytest
from command_runner import RESNET18, error_of, network, noise, run, run_json, write_image
from PIL import Image

import backbone

NAMES = ["cat", "dog", "a long name", "ship"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A network of four classes that are about as likely."""
    path = tmp_path_factory.mktemp("weights") / "x.pth"
    with backbone.ResNet("seresnet18", base_channels=8, outputs=("logits",), num_classes=4) as net:
        net.save_weights(path)
    return path


@pytest.fixture
def photos(tmp_path):
    for index, name in enumerate(("b.png", "a.png", "deep/c.png")):
        write_image(tmp_path / "photos" / name, noise(*((50, 70), (64, 48))[index % 2], index))
    return tmp_path / "photos"


@pytest.fixture
def names(tmp_path):
    (tmp_path / "names.txt").write_text("\n".join(NAMES) + "\n")
    return tmp_path / "names.txt"


def probabilities(weights, path, **options):
    image = np.asarray(Image.open(path).convert("RGB"))
    with network(weights, outputs=("logits",), **options) as net:
        logits = net.logits(image.transpose(2, 0, 1)[None])[0].astype(np.float64)
    return np.exp(logits) / np.exp(logits).sum()


@pytest.mark.parametrize("batch", [1, 8])
def test_classes_by_their_probability(photos, weights, names, batch):
    result = run_json("classify", photos, "-w", weights, "--classes", names, "--top", 3, "--batch", batch)
    network = {"architecture": "seresnet18", "title": "seresnet18", "num_classes": 4}
    assert result["network"] == network | {"mean": list(backbone.IMAGENET_MEAN), "std": list(backbone.IMAGENET_STD)}
    assert [row["image"] for row in result["images"]] == [str(photos / p) for p in ("a.png", "b.png", "deep/c.png")]
    for row in result["images"]:
        expected = probabilities(weights, row["image"])
        order = np.argsort(-expected)[:3]
        assert [best["index"] for best in row["classes"]] == order.tolist()
        assert [best["name"] for best in row["classes"]] == [NAMES[index] for index in order]
        np.testing.assert_allclose([best["probability"] for best in row["classes"]], expected[order], rtol=1e-9)


def test_classes_for_people(photos, weights, names):
    path = photos / "a.png"
    expected = probabilities(weights, path)
    lines = run("classify", path, "-w", weights, "--classes", names).stdout.splitlines()
    order = np.argsort(-expected)
    assert lines == [str(path), *(f"  {100 * expected[index]:6.2f} %  {NAMES[index]}" for index in order)]
    lines = run("classify", path, "-w", weights, "--top", 1).stdout.splitlines()
    assert lines[1:] == [f"  {100 * expected[order[0]]:6.2f} %  {order[0]}"]


def test_a_name_says_what_the_file_cannot(photos, tmp_path):
    with backbone.ResNet("resnetblur18", base_channels=8, outputs=("logits",), num_classes=4) as net:
        net.save_weights(tmp_path / "blur.pth")
    path = photos / "a.png"
    results = []
    for options in ((), ("--architecture", "resnetblur18")):
        result = run_json("classify", path, "-w", tmp_path / "blur.pth", *options)
        results.append({best["index"]: best["probability"] for best in result["images"][0]["classes"]})
    expected = probabilities(tmp_path / "blur.pth", path, architecture="resnetblur18")
    np.testing.assert_allclose([results[1][index] for index in range(4)], expected, rtol=1e-9)
    assert results[0] != results[1]
    assert "'resnet51' is unknown; pass one of resnet10t, " in error_of(
        "classify", path, "-w", tmp_path / "blur.pth", "--architecture", "resnet51", status=2
    )


def test_what_is_refused(photos, weights, names):
    message = error_of("classify", photos, "-w", RESNET18, status=1)
    assert "'fc.weight'" in message and "--allow-missing" in message
    names.write_text("one\ntwo\n")
    message = error_of("classify", photos, "-w", weights, "--classes", names, status=1)
    assert f"{names} has 2 names, but the network has 4 classes; it must have a line for each" in message
    assert "No such file" in error_of("classify", photos, "-w", weights, "--classes", "absent.txt", status=1)


def test_images_that_fail_are_reported_at_the_end(photos, weights):
    (photos / "broken.png").write_bytes(b"no image")
    result = run("classify", photos, "-w", weights, "--top", 1, expect=1)
    assert result.stdout.count("%") == 3
    normalised, failed = result.stderr.splitlines()
    assert "ImageNet" in normalised
    assert failed.startswith("error: ") and "broken.png" in failed
    assert run_json("classify", photos, "-w", weights, expect=1)["failed"][0]["image"] == str(photos / "broken.png")


@pytest.mark.parametrize(
    ("options", "outputs"),
    [(("--pooled",), ("pooled",)), (("--pooled", "--stages", "C3,C5"), ("C3", "C5", "pooled"))],
)
def test_features_with_the_pooled_vector(tmp_path, photos, weights, options, outputs):
    run("features", photos, "-w", weights, "-o", tmp_path / "out", *options)
    with network(weights, outputs=outputs) as net:
        for name in ("a.png", "b.png", "deep/c.png"):
            image = np.asarray(Image.open(photos / name).convert("RGB"))
            with np.load(tmp_path / "out" / f"{name}.npz") as arrays:
                assert tuple(arrays) == outputs and arrays["pooled"].shape == (64,)
                for output, expected in zip(outputs, net(image.transpose(2, 0, 1)[None]), strict=True):
                    actual = arrays[output]
                    np.testing.assert_array_equal(actual, expected[0].reshape(actual.shape))
    # Other arrays are other settings.
    assert "stages" in error_of("features", photos, "-w", weights, "-o", tmp_path / "out", status=1)


def test_features_of_three_stages(tmp_path, photos):
    with backbone.ResNet("resnet20", base_channels=16, outputs=("logits",)) as net:
        net.save_weights(tmp_path / "x.pth")
    run("features", photos, "-w", tmp_path / "x.pth", "-o", tmp_path / "out")
    with np.load(tmp_path / "out/a.png.npz") as arrays:
        assert {name: array.shape[0] for name, array in arrays.items()} == {"C2": 4, "C3": 8, "C4": 16}
    assert run("heatmap", photos / "a.png", "-w", tmp_path / "x.pth", "-o", tmp_path / "x.png").stdout.count("C") > 3


def test_inspect_says_classes_and_assumptions(weights):
    lines = [line.split(maxsplit=1) for line in run("inspect", weights).stdout.splitlines()]
    rows = {line[0]: line[1].strip() for line in lines if len(line) == 2}
    assert (rows["network"], rows["classes"]) == ("seresnet18", "4")
    assert rows["assumed"] == "no dilation, no anti-aliasing, activation relu, max pooling after the stem"


def test_times_of_a_network_by_its_name():
    result = run_json("bench", "--architecture", "resnet20", "--size", 32, "--repeat", 1, "--warm-up", 1)
    assert (result["architecture"], result["input"]) == ("resnet20", [1, 3, 32, 32])
