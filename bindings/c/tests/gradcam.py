# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Compares the maps of the example with NumPy and the Python package, and checks its picture and its messages.

At the last stage the gradient of a logit is known: the classifier's weights, divided by the number of positions. Other
stages are compared with backbone.explain, which the parity tests compare with PyTorch.

Usage: gradcam.py [VALGRIND OPTION...] GRADCAM-PROGRAM PHOTO.jpg
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import backbone
import numpy as np
from backbone import explain
from PIL import Image

*program, photo = sys.argv[1:]
owner = tempfile.TemporaryDirectory(prefix="gradcam-")
folder = Path(owner.name)
# Decoded by the same libjpeg.
pixels = np.asarray(Image.open(photo).convert("RGB"))
height, width = pixels.shape[:2]
HEAD = re.compile(r"class (\d+), probability ([\d.]+) %\nstrongest at row (\d+), column (\d+) of (\d+) x (\d+)\n")
STATISTICS = {"mean": backbone.IMAGENET_MEAN, "std": backbone.IMAGENET_STD}


def run(*words):
    return subprocess.run([*program, *map(str, words)], cwd=folder, capture_output=True, text=True, timeout=600)


def expect(status, text, *words):
    """The program ends with this status and says this text in one line, or prints how it is used."""
    result = run(*words)
    assert result.returncode == status and text in result.stdout + result.stderr, (words, result)
    assert "Usage:" in result.stdout + result.stderr or result.stderr.count("\n") == 1, result.stderr


def make(name, path, **options):
    """Write a network whose features have many sizes: its norms shift, by arbitrary weights."""
    random = np.random.default_rng(5)
    with backbone.ResNet(name, base_channels=8, outputs=("logits",), num_classes=5, **options) as net:
        for _, entry in net.named_parameters():
            if entry.name.endswith(".bias"):
                entry.data = random.normal(0, 0.2, entry.shape).astype(np.float32)
        net.save_weights(folder / path)


def check(path, layer, number):
    """Compare the map, its largest value, the class and the picture; the largest value."""
    words = ("--weights", path, "--values", "--output", "out.ppm")
    if layer:
        words += ("--layer", layer)
    if number is not None:
        words += ("--class", number)
    result = run(photo, *words)
    assert result.returncode == 0 and not result.stderr, result
    match = HEAD.match(result.stdout)
    heat = np.array([list(map(float, line.split())) for line in result.stdout[match.end() :].splitlines()])
    chosen, probability, row, column, rows, columns = map(float, match.groups())
    names = ("C2", "C3", "C4", "C5")
    with backbone.ResNet.from_file(folder / path, outputs=(*names, "logits"), **STATISTICS) as net:
        stage = names[layer - 1] if layer else explain.last_stage(net)
        outputs = dict(zip(net.outputs, net(pixels.transpose(2, 0, 1)[None]), strict=True))
        feature, logits = outputs[stage][0].astype(np.float64), outputs["logits"].ravel().astype(np.float64)
        # In pre-activation networks a norm and a ReLU are in between.
        if stage == explain.last_stage(net) and not net.architecture.startswith("resnetv2"):
            weights = net.state_dict()["fc.weight"][int(chosen)] / feature[0].size
            expected = np.maximum(np.einsum("c,chw->hw", weights.astype(np.float64), feature), 0)
        else:
            expected = explain.gradcam(net, pixels.transpose(2, 0, 1)[None], int(chosen), stage).heat[0]
        stride = net.out_strides[names.index(stage)]
    assert heat.shape == expected.shape, (path, stage, heat.shape)
    np.testing.assert_allclose(heat, expected, rtol=0, atol=1e-4 * expected.max(), err_msg=f"{path} {stage}")
    assert chosen == (logits.argmax() if number is None else number)
    exact = 100 * np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    assert abs(probability - exact[int(chosen)]) < 0.02, (probability, exact)
    assert (rows, columns) == (height, width)
    assert (row, column) == tuple(stride * index for index in np.unravel_index(heat.argmax(), heat.shape))
    check_picture(heat, stride)
    return expected.max()


def check_picture(heat, stride):
    """At the centres the colour is that of the value."""
    picture = np.asarray(Image.open(folder / "out.ppm"))
    assert picture.shape == pixels.shape
    gray = 0.5 * (pixels @ [0.299, 0.587, 0.114])[::stride, ::stride]
    share = heat / (heat.max() or 1)
    colour = np.stack([np.minimum(2 * share, 1), np.maximum(2 * share - 1, 0), np.zeros_like(share)], -1)
    assert np.abs(picture[::stride, ::stride] - (gray[..., None] + 127 * colour)).max() <= 1
    if stride > 1:
        # Halfway between two centres: their mean.
        half = stride // 2
        share = (share[:, 1:] + share[:, :-1]) / 2
        gray = 0.5 * (pixels @ [0.299, 0.587, 0.114])[::stride, half::stride][:, : share.shape[1]]
        red = picture[::stride, half::stride, 0][:, : share.shape[1]]
        assert np.abs(red - (gray + 127 * np.minimum(2 * share, 1))).max() <= 1


make("resnet18", "18.pth")
make("resnet50", "50.safetensors")
make("resnet20", "20.pth")
make("seresnet18", "se.pth")
make("resnetv2_18", "v2.pth")
make("resnet50d", "d.pth")
make("resnet18", "c.pth", shortcut="everywhere")
for number in (None, 4):
    check("18.pth", 0, number)
check("v2.pth", 3, 1)
# Valgrind takes its time, and finds nothing new in more networks.
if len(program) == 1:
    for path in ("18.pth", "50.safetensors", "20.pth", "se.pth", "v2.pth", "d.pth", "c.pth"):
        for layer in (0, 2, 3):
            # Where a class has nothing for it the map is 0 everywhere, which does not tell much.
            assert max(check(path, layer, number) for number in range(5)) > 0

with backbone.ResNet(18, base_channels=8) as net:
    net.save_weights(folder / "bare.pth")
with backbone.ResNet.from_file(folder / "18.pth", outputs=("logits",)) as net:
    for _, entry in net.named_parameters():
        if entry.name == "fc.bias":
            entry.data = np.full(5, np.nan, np.float32)
    net.save_weights(folder / "nan.pth")
(folder / "text.jpg").write_text("no picture")
expect(0, "Usage:", "--help")
expect(2, "no image given", "--weights", "18.pth")
expect(2, "no --weights given", photo)
expect(2, "unknown option '--clas'", photo, "--clas", 3)
expect(2, "--class needs a whole number from 0 to 2147483647, not '-3'", photo, "--weights", "18.pth", "--class", -3)
expect(2, "--class needs a value", photo, "--weights", "18.pth", "--class")
expect(2, "more than one image", photo, photo)
expect(1, "the network has classes 0 to 4", photo, "--weights", "18.pth", "--class", 5)
expect(2, "--layer needs a whole number from 1 to 4, not '5'", photo, "--weights", "18.pth", "--layer", 5)
expect(1, "the network has layers 1 to 3", photo, "--weights", "20.pth", "--layer", 4)
expect(1, "'fc.weight'", photo, "--weights", "bare.pth")
expect(1, "check the weights in nan.pth", photo, "--weights", "nan.pth")
expect(1, "Not a JPEG file", "text.jpg", "--weights", "18.pth")
expect(1, "nothing.pth", photo, "--weights", "nothing.pth")
expect(1, "nowhere/x.ppm: No such file", photo, "--weights", "18.pth", "--output", "nowhere/x.ppm")
if Path("/dev/full").exists():
    expect(1, "/dev/full: No space left", photo, "--weights", "18.pth", "--output", "/dev/full")
print("The example's maps are those of NumPy and of the Python package.")
