# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone heatmap`: colours, places and scales, in the PNG that is read back."""

import numpy as np
import pytest
from command_runner import RESNET18, RESNET50, STAGES, error_of, network, noise, run, run_json, write_image
from PIL import Image

from backbone.command.colours import colour_map, coloured
from backbone.command.heat import MARGIN, HeatMap, compose, heading, sheet_of


def panels_of(path, height, width):
    """The panels of a sheet, from its pixels."""
    sheet = np.asarray(Image.open(path))
    top, _ = heading(width)
    assert sheet.shape[0] == top + height + MARGIN
    count = (sheet.shape[1] - MARGIN) // (width + MARGIN)
    assert sheet.shape[1] == MARGIN + count * (width + MARGIN)
    lefts = [MARGIN + index * (width + MARGIN) for index in range(count)]
    return [sheet[top : top + height, left : left + width] for left in lefts]


def lightness(colours):
    """CIE L* of sRGB, 0 to 100 (IEC 61966-2-1 and CIE 15)."""
    values = colours / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    y = linear @ [0.2126, 0.7152, 0.0722]
    return np.where(y > (6 / 29) ** 3, 116 * np.cbrt(y) - 16, y * (29 / 3) ** 3)


def test_the_colour_map_rises_evenly_from_dark_violet_to_pale_yellow():
    colours = colour_map()
    steps = np.diff(lightness(colours.astype(float)))
    # Rounding to 8 bits moves a step by a few tenths.
    assert steps.min() > 0 and steps.max() < 1
    parts = np.diff(lightness(colours[::51].astype(float)))
    assert parts.min() > 0.75 * parts.mean() and parts.max() < 1.25 * parts.mean()
    red, green, blue = colours[0].astype(int)
    assert max(red, green, blue) == blue and blue < 64
    red, green, blue = colours[-1].astype(int)
    assert red > 230 and green > 220 and blue < 200
    # No colour is cut off by what a screen can show: neighbours differ little in every channel.
    assert np.abs(np.diff(colours.astype(int), axis=0)).max() <= 4
    np.testing.assert_array_equal(coloured(np.array([-1, 0, 0.5, 1, 7])), colours[[0, 0, 128, 255, 255]])


def test_one_place_that_responds_is_bright_around_its_centre_and_the_rest_dark(tmp_path):
    height, width = 96, 128
    picture = noise(height, width, 1)
    feature = np.zeros((5, 12, 16), np.float32)
    feature[2, 3, 7] = -9
    heat = HeatMap.of(feature, 8)
    assert heat.strength[3, 7] == 9 and heat.strength.sum() == 9
    path = tmp_path / "sheet.png"
    sheet_of(picture, {"C3": heat}, 0.75).save(path)
    original, panel = panels_of(path, height, width)
    np.testing.assert_array_equal(original, picture)
    expected = np.broadcast_to(colour_map()[0], panel.shape).copy()
    # Its centre is at (24, 56), and the next ones are 8 pixels away.
    expected[20:28, 52:60] = colour_map()[255]
    assert np.abs(panel - (0.25 * picture + 0.75 * expected)).max() <= 0.5


def test_constant_features_are_of_one_colour(tmp_path):
    for value in (0, 3):
        heat = HeatMap.of(np.full((4, 3, 3), value, np.float32), 32)
        np.testing.assert_array_equal(heat.over(noise(70, 90, 2), 1), np.broadcast_to(colour_map()[0], (70, 90, 3)))
    np.testing.assert_array_equal(heat.over(noise(70, 90, 2), 0), noise(70, 90, 2))


def test_measures_and_scale():
    feature = np.random.default_rng(4).standard_normal((6, 20, 30)).astype(np.float32)
    wide = feature.astype(np.float64)
    norm, mean = np.linalg.norm(wide, axis=0), np.abs(wide).sum(0) / 6
    for measure, strength in (("l2", norm), ("mean", mean)):
        heat = HeatMap.of(feature, 4, measure)
        np.testing.assert_allclose(heat.strength, strength, rtol=1e-12)
        ordered = np.sort(strength.ravel())
        assert ordered[5] <= heat.low <= ordered[6] and ordered[-4] <= heat.high <= ordered[-3]
    # A ramp over the places is the colour map itself.
    ramp = np.arange(256, dtype=np.float64).reshape(16, 16)
    heat = HeatMap(ramp, 0.0, 255.0, 4)
    middle = heat.over(np.zeros((64, 64, 3), np.uint8), 1)[::4, ::4]
    np.testing.assert_array_equal(middle.reshape(256, 3), colour_map())


def test_labels_are_drawn_above_each_panel():
    sheet = np.asarray(compose([("one", noise(40, 200, 1)), ("", noise(40, 200, 2))]))
    top, _ = heading(200)
    labels = sheet[:top]
    assert (labels[:, : 200 + MARGIN] < 128).any()
    assert (labels[:, 200 + 2 * MARGIN :] == 255).all()


def test_the_picture_of_a_network(tmp_path):
    image = noise(100, 150, 3)
    path = write_image(tmp_path / "x.png", image)
    out = tmp_path / "deep/heat.png"
    report = run_json("heatmap", path, "-w", RESNET50, "-o", out, "--opacity", "0.5")
    assert report["size"] == [100, 150] and report["out"] == str(out)
    original, *panels = panels_of(out, 100, 150)
    np.testing.assert_array_equal(original, image)
    with network(RESNET50) as net:
        features = net(image.transpose(2, 0, 1)[None])
    assert len(panels) == 4
    for stage, feature, panel in zip(STAGES, features, panels, strict=True):
        row = report["stages"][stage]
        assert row["shape"] == list(feature.shape[1:])
        strength = np.linalg.norm(feature[0].astype(np.float64), axis=0)
        np.testing.assert_allclose([row["low"], row["high"]], np.percentile(strength, [1, 99.5]), rtol=1e-6)
        # The strongest place is of the brightest colour.
        y, x = (index * row["stride"] for index in np.unravel_index(strength.argmax(), strength.shape))
        assert np.abs(panel[y, x] - (0.5 * image[y, x] + 0.5 * colour_map()[255])).max() <= 0.5


def test_options_and_where_it_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "photos/wide.png", noise(40, 900, 3))
    result = run("heatmap", "photos/wide.png", "-w", RESNET18, "--stages", "C4,C2")
    assert "written: wide-heatmap.png" in result.stdout and "(4, 7, 160)" in result.stdout
    # Long ones are scaled down to 640: int(640 * 40 / 900) rows.
    assert len(panels_of("wide-heatmap.png", 28, 640)) == 3
    run("heatmap", "photos/wide.png", "-w", RESNET18, "-o", "x.png", "--crop", "40x80", "--measure", "mean")
    assert len(panels_of("x.png", 40, 80)) == 5
    small = write_image(tmp_path / "small.png", noise(9, 7, 3))
    run("heatmap", small, "-w", RESNET18)
    assert len(panels_of("small-heatmap.png", 9, 7)) == 5


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["absent.png"], 1, "absent.png: No such file or directory"),
        ([__file__], 1, f"{__file__}: no image"),
        (["x.png", "-o", "x.jpg"], 2, "it must end in .png"),
        (["x.png", "--opacity", "2"], 2, "--opacity"),
        (["x.png", "--opacity", "nan"], 2, "nan is not a number from 0 to 1"),
        (["x.png", "-o", "x.png/y.png"], 1, "x.png"),
    ],
)
def test_errors(tmp_path, monkeypatch, arguments, status, message):
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "x.png", noise(40, 90, 3))
    assert message in error_of("heatmap", *arguments, "-w", RESNET18, status=status)
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]
