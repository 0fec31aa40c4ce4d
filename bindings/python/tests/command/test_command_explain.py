# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone gradcam` and `saliency`: numbers, pictures that are read back, and what is refused."""

import numpy as np
import pytest
from command_runner import RESNET18, STAGES, error_of, network, noise, run, run_json, write_image
from PIL import Image
from test_command_heatmap import gray_of, panels_of

import backbone
from backbone import explain
from backbone.command.colours import coloured
from backbone.command.heat import smoothed

NAMES = ["cat", "dog", "grey cat", "ship", "7", "ship"]
METHODS = ("gradcam", "saliency")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A network of six classes."""
    path = tmp_path_factory.mktemp("weights") / "x.pth"
    with backbone.ResNet("resnet18", base_channels=8, outputs=("logits",), num_classes=len(NAMES)) as net:
        net.save_weights(path)
    return path


@pytest.fixture
def image(tmp_path):
    return write_image(tmp_path / "x.png", noise(96, 320, 1))


@pytest.fixture
def names(tmp_path):
    (tmp_path / "names.txt").write_text("\n".join(NAMES) + "\n")
    return tmp_path / "names.txt"


def input_of(path):
    return np.asarray(Image.open(path).convert("RGB")).transpose(2, 0, 1)[None]


def softmax(logits):
    powers = np.exp(logits.astype(np.float64) - logits.max())
    return powers / powers.sum()


def test_smoothed_maps_are_those_of_pillow():
    """With centres at stride * i Pillow needs a map whose first pixel has its centre at 0."""
    heat = np.random.default_rng(0).random((5, 7)).astype(np.float32)
    wide = smoothed(heat, 8, (40, 56))
    np.testing.assert_allclose(wide[::8, ::8], heat, rtol=1e-6)
    box = (0.5 - 1 / 16, 0.5 - 1 / 16, 6.5 - 1 / 16, 4.5 - 1 / 16)
    expected = np.asarray(Image.fromarray(heat).resize((48, 32), Image.Resampling.BILINEAR, box=box))
    np.testing.assert_allclose(wide[:32, :48], expected, atol=1e-5)
    # Beyond the last centre it is constant.
    np.testing.assert_allclose(wide[33:], np.broadcast_to(wide[32], (7, 56)))


@pytest.mark.parametrize("stage", [None, "C3"])
def test_gradcam_of_a_class(tmp_path, image, weights, names, stage):
    options = ["--stage", stage.lower()] if stage else []
    report = run_json(
        "gradcam", image, "-w", weights, "--classes", names, "--class", "dog", *options, "-o", tmp_path / "out.png"
    )
    with network(weights, outputs=(*STAGES, "logits")) as net:
        found = explain.gradcam(net, input_of(image), 1, stage)
        stride = net.out_strides[net.outputs.index(stage or "C5")]
    heat = found.heat[0]
    assert report["stage"] == (stage or "C5") and report["stride"] == stride
    assert report["shape"] == list(heat.shape) and report["size"] == [96, 320]
    assert report["network"]["architecture"] == "resnet18"
    np.testing.assert_allclose(report["largest"], heat.max(), rtol=1e-6)
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert report["at"] == [row * stride, column * stride]
    described = report["class"]
    assert (described["index"], described["name"]) == (1, "dog")
    np.testing.assert_allclose(described["logit"], found.scores[0], rtol=1e-5)
    np.testing.assert_allclose(described["probability"], softmax(found.logits[0])[1], rtol=1e-4)
    original, panel = panels_of(tmp_path / "out.png", 96, 320, 2)
    pixels = np.asarray(Image.open(image))
    np.testing.assert_array_equal(original, pixels)
    colours = coloured(smoothed(heat, stride, (96, 320)) / (heat.max() or 1))
    # A colour's neighbour in the map differs by up to 4.
    assert np.abs(panel - (0.4 * gray_of(pixels) + 0.6 * colours)).max() <= 4


@pytest.mark.parametrize("target", [("--class", 3), ("--feature", "c4:5"), ()])
def test_saliency(tmp_path, image, weights, target):
    report = run_json("saliency", image, "-w", weights, *target, "-o", tmp_path / "out.png")
    wanted = {"--class": 3, "--feature": explain.Feature("C4", 5), None: None}[target[0] if target else None]
    with network(weights, outputs=("C4", "logits")) as net:
        found = explain.saliency(net, input_of(image), wanted)
    heat = found.heat[0]
    np.testing.assert_allclose(report["largest"], heat.max(), rtol=1e-3)
    assert heat[tuple(report["at"])] >= 0.999 * heat.max() and report["shape"] == [96, 320]
    if isinstance(wanted, explain.Feature):
        assert report["feature"]["stage"] == "C4" and report["feature"]["channel"] == 5
        np.testing.assert_allclose(report["feature"]["mean"], found.scores[0], rtol=1e-4)
    else:
        assert report["class"]["index"] == found.targets[0] == (3 if wanted else found.logits[0].argmax())
    _, panel = panels_of(tmp_path / "out.png", 96, 320, 2)
    colours = coloured((heat / np.percentile(heat, 99.5)).astype(np.float64))
    # Rounding may choose a neighbouring colour.
    assert np.abs(panel - colours.astype(float)).max() <= 8


def test_a_feature_needs_no_classifier(tmp_path, image, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = run_json("gradcam", image, "-w", RESNET18, "--feature", "C3:7")
    with network(RESNET18) as net:
        feature = net(input_of(image))[1][0, 7]
    assert report["stage"] == "C3"
    # Of a feature at its own stage: the channel itself, over the number of positions.
    np.testing.assert_allclose(report["largest"], max(feature.max(), 0) / feature.size, rtol=1e-3)
    np.testing.assert_allclose(report["feature"]["mean"], feature.mean(), rtol=1e-3)
    assert (tmp_path / "x-gradcam.png").exists()
    early = run_json("gradcam", image, "-w", RESNET18, "--feature", "C3:7", "--stage", "C2")
    assert early["stage"] == "C2" and early["stride"] == 4
    for method in METHODS:
        message = error_of(method, image, "-w", RESNET18, status=1)
        assert message.startswith(f"{RESNET18} has no classifier") and "--feature" in message


def test_classes_by_name_and_number(tmp_path, image, weights, names, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for text, index in (("grey cat", 2), (" dog ", 1), ("0", 0), ("7", 4)):
        report = run_json("saliency", image, "-w", weights, "--classes", names, "--class", text)
        assert (report["class"]["index"], report["class"]["name"]) == (index, NAMES[index])
    output = run("gradcam", image, "-w", weights, "--classes", names).stdout
    with network(weights, outputs=("logits",)) as net:
        logits = net.logits(input_of(image))[0]
    best = int(logits.argmax())
    assert f"class: {NAMES[best]} ({100 * softmax(logits)[best]:.1f} %)" in output
    assert "strongest: " in output and "written: x-gradcam.png" in output


def test_small_images_are_enlarged(tmp_path, weights):
    pixels = noise(32, 24, 4)
    run("saliency", write_image(tmp_path / "small.png", pixels), "-w", weights, "-o", tmp_path / "out.png")
    assert Image.open(tmp_path / "out.png").width > 2 * 160
    original, _ = panels_of(tmp_path / "out.png", 32, 24, 2)
    np.testing.assert_array_equal(original, pixels)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["absent.png"], 1, "absent.png: No such file or directory"),
        ([__file__], 1, f"{__file__}: not an image"),
        (["cut.png"], 1, "cut.png"),
        (["x.png", "-o", "x.jpg"], 2, "it must end in .png"),
        (["x.png", "-o", "x.png/y.png"], 1, "x.png"),
        (["x.png", "--opacity", "nan"], 2, "nan is not a number from 0 to 1"),
        (["x.png", "--class", "cat"], 2, "--class is 'cat'; names need --classes FILE"),
        (["x.png", "--class", "6"], 2, "--class is 6; the network has classes 0 to 5"),
        (["x.png", "--class", "-1"], 2, "--class is -1; the network has classes 0 to 5"),
        (["x.png", "--classes", "names.txt", "--class", "gray cat"], 2, "did you mean 'grey cat'"),
        (["x.png", "--classes", "names.txt", "--class", "zebra"], 2, "pass one of them or a number"),
        (["x.png", "--classes", "names.txt", "--class", "ship"], 2, "names the classes 3, 5 of names.txt"),
        (["x.png", "--classes", "absent.txt"], 1, "absent.txt: No such file"),
        (["x.png", "--classes", "short.txt"], 1, "short.txt has 2 names, but the network has 6 classes"),
        (["x.png", "--feature", "C4"], 2, "'C4' is not a stage"),
        (["x.png", "--feature", "C6:1"], 2, "'C6:1' is not a stage"),
        (["x.png", "--feature", "C4:32"], 1, "channel 32 of C4, which has channels 0 to 31"),
        (["x.png", "--feature", "C4:1", "--class", "1"], 2, "--feature excludes --class and --classes"),
        (["x.png", "-w", "nan.pth"], 1, "NaN or infinite; check the weights"),
        (["x.png", "-w", "text.pth"], 1, "text.pth"),
    ],
)
def test_errors(tmp_path, monkeypatch, image, weights, names, method, arguments, status, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short.txt").write_text("one\ntwo\n")
    (tmp_path / "text.pth").write_text("no weights")
    (tmp_path / "cut.png").write_bytes(image.read_bytes()[:500])
    if "nan.pth" in arguments:
        with backbone.ResNet.from_file(weights, outputs=("logits",)) as net:
            dict(net.named_parameters())["conv1.weight"].data = np.full((8, 3, 7, 7), np.nan, np.float32)
            net.save_weights("nan.pth")
    before = sorted(path.name for path in tmp_path.iterdir())
    if "nan.pth" in arguments:
        # It comes with warnings, of the file and of the features.
        result = run(method, *arguments, expect=status)
        assert message in result.stderr.splitlines()[-1] and result.stderr.splitlines()[-1].startswith("error: ")
    else:
        given = arguments if "-w" in arguments else [*arguments, "-w", weights]
        assert message in error_of(method, *given, status=status)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_stages_that_the_network_lacks(tmp_path, image):
    with backbone.ResNet("resnet20", outputs=("logits",)) as net:
        net.save_weights(tmp_path / "cifar.pth")
    message = error_of("gradcam", image, "-w", tmp_path / "cifar.pth", "--stage", "C5", status=1)
    assert "layer is 'C5'; the network has C2, C3, C4" in message
    assert "does not depend on C4" in error_of(
        "gradcam", image, "-w", tmp_path / "cifar.pth", "--stage", "C4", "--feature", "C2:1", status=1
    )
    assert run_json("gradcam", image, "-w", tmp_path / "cifar.pth", "-o", tmp_path / "y.png")["stage"] == "C4"
