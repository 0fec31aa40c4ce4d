# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone heatmap`: colours, positions and scales, in the PNG that is read back."""

import numpy as np
import pytest
from command_runner import RESNET18, RESNET50, STAGES, error_of, network, noise, run, run_json, write_image
from PIL import Image

from backbone.command.colours import colour_map, coloured
from backbone.command.heat import HeatMap
from backbone.command.sheet import NARROW, THEMES, Layout, Panel, compose, sheet_of, short


def panels_of(path, height, width, count):
    """The pictures of a sheet of so many cells with colour bars, in their own size, from its pixels."""
    sheet = np.asarray(Image.open(path))
    layout = Layout.of(count, (height, width), bars=True)
    assert sheet.shape[1::-1] == layout.size(count)
    times = layout.width // width
    assert (layout.height, layout.width) == (times * height, times * width)
    panels = []
    for index in range(count):
        x, y = layout.corner(index)
        enlarged = sheet[y : y + layout.height, x : x + layout.width]
        panel = enlarged[::times, ::times]
        panels.append(panel)
    return panels


def gray_of(pixels):
    """Luma of ITU-R BT.601, as a picture of three equal channels."""
    return (pixels @ [0.299, 0.587, 0.114])[..., None].repeat(3, axis=-1)


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


def test_one_position_that_responds_is_bright_around_its_centre_and_the_rest_dark(tmp_path):
    height, width = 96, 160
    picture = noise(height, width, 1)
    feature = np.zeros((5, 12, 20), np.float32)
    feature[2, 3, 7] = -9
    heat = HeatMap.of(feature, 8)
    assert heat.strength[3, 7] == 9 and heat.strength.sum() == 9
    path = tmp_path / "sheet.png"
    # Of 240 positions percentile 99.5 is between the two largest values.
    assert 0 <= heat.high < 9
    heat = HeatMap(heat.strength, 0.0, 9.0, 8)
    sheet_of(picture, {"C3": heat}, 0.75, pixelated=True).save(path)
    original, panel, _ = panels_of(path, height, width, 3)
    np.testing.assert_array_equal(original, picture)
    expected = np.broadcast_to(colour_map()[0], panel.shape).copy()
    # Its centre is at (24, 56), and the next ones are 8 pixels away.
    expected[20:28, 52:60] = colour_map()[255]
    # Luma is rounded once more.
    assert np.abs(panel - (0.25 * gray_of(picture) + 0.75 * expected)).max() <= 0.75
    smooth = heat.over(np.zeros_like(picture), 1)
    weights = np.maximum(1 - np.abs(np.arange(-24, 72)[:, None]) / 8, 0) * np.maximum(
        1 - np.abs(np.arange(-56, 104)) / 8, 0
    )
    np.testing.assert_array_equal(smooth, coloured(weights))


def test_constant_features_are_of_one_colour(tmp_path):
    for value in (0, 3):
        heat = HeatMap.of(np.full((4, 3, 3), value, np.float32), 32)
        np.testing.assert_array_equal(heat.over(noise(70, 90, 2), 1), np.broadcast_to(colour_map()[0], (70, 90, 3)))
    gray = np.asarray(Image.fromarray(noise(70, 90, 2)).convert("L"))
    np.testing.assert_array_equal(heat.over(noise(70, 90, 2), 0), gray[..., None].repeat(3, axis=-1))


def test_measures_and_scale():
    feature = np.random.default_rng(4).standard_normal((6, 20, 30)).astype(np.float32)
    wide = feature.astype(np.float64)
    norm, mean = np.linalg.norm(wide, axis=0), np.abs(wide).sum(0) / 6
    for measure, strength in (("l2", norm), ("mean", mean)):
        heat = HeatMap.of(feature, 4, measure)
        np.testing.assert_allclose(heat.strength, strength, rtol=1e-12)
        ordered = np.sort(strength.ravel())
        assert ordered[5] <= heat.low <= ordered[6] and ordered[-4] <= heat.high <= ordered[-3]
    # A ramp over the positions is the colour map itself.
    ramp = np.arange(256, dtype=np.float64).reshape(16, 16)
    heat = HeatMap(ramp, 0.0, 255.0, 4)
    middle = heat.over(np.zeros((64, 64, 3), np.uint8), 1)[::4, ::4]
    np.testing.assert_array_equal(middle.reshape(256, 3), colour_map())


@pytest.mark.parametrize("theme", THEMES)
def test_labels_above_and_values_below_each_picture(theme):
    pictures = [Panel("one", noise(40, 200, 1)), Panel("", noise(40, 200, 2), (0.0, 2.5)), Panel("", None, text=["x"])]
    sheet = np.asarray(compose(pictures, theme))
    layout = Layout.of(3, (40, 200), bars=True)
    background = np.array([int(THEMES[theme].background[i : i + 2], 16) for i in (1, 3, 5)])
    drawn = (sheet != background).any(-1)
    (left, y), (middle, _), (right, _) = (layout.corner(index) for index in range(3))
    above, below = slice(0, y), slice(y + layout.height, None)
    cells = [slice(x, x + layout.width) for x in (left, middle, right)]
    assert [drawn[above, cell].any() for cell in cells] == [True, False, False]
    assert [drawn[below, cell].any() for cell in cells] == [False, True, False]
    assert drawn[y : y + layout.height, cells[2]].any() and not drawn[:, : layout.margin].any()
    bar = sheet[y + layout.height + layout.font_size // 3, cells[1]]
    np.testing.assert_array_equal(bar, coloured(np.linspace(0, 1, 200)))


@pytest.mark.parametrize(
    ("value", "largest", "text"),
    [
        (51, 63.7, "51.0"),
        (0, 0.0123, "0.0000"),
        (0.00614, 0.0123, "0.0061"),
        (1129.4, 1129.4, "1129"),
        (0.5, 1.0, "0.50"),
        (0, 0, "0"),
        (-0.25, 0, "-0"),
        (2e-9, 3e-9, "2e-09"),
    ],
)
def test_values_have_three_digits_of_the_largest(value, largest, text):
    assert short(value, largest) == text


def test_narrow_sheets_have_rows_of_three():
    shape = (100, 150)
    assert Layout.of(6, shape, True, NARROW).columns == 6
    assert Layout.of(6, shape, True, NARROW - 1).columns == 3
    assert Layout.of(2, shape, True, 400).columns == 2
    assert Layout.of(6, shape, True, 1400, columns=3).columns == 3
    for width in (100, 640, 899, 900, 1600):
        layout = Layout.of(6, shape, True, width)
        assert width - 21 <= layout.size(6)[0] <= width + 1
        assert abs(layout.height / layout.width - 2 / 3) <= 0.5 / layout.width
    # Cells do not overlap.
    corners = [layout.corner(index) for index in range(6)]
    assert len(set(corners)) == 6
    narrow = Layout.of(6, shape, True, 800)
    assert narrow.corner(3)[1] - narrow.corner(0)[1] == narrow.cell_height


def test_the_picture_of_a_network(tmp_path):
    image = noise(100, 150, 3)
    path = write_image(tmp_path / "x.png", image)
    out = tmp_path / "deep/heat.png"
    report = run_json("heatmap", path, "-w", RESNET50, "-o", out, "--opacity", "0.5", "--pixelated")
    assert report["size"] == [100, 150] and report["out"] == str(out)
    original, *panels, _ = panels_of(out, 100, 150, 6)
    np.testing.assert_array_equal(original, image)
    with network(RESNET50) as net:
        features = net(image.transpose(2, 0, 1)[None])
    assert len(panels) == 4
    for stage, feature, panel in zip(STAGES, features, panels, strict=True):
        row = report["stages"][stage]
        assert row["shape"] == list(feature.shape[1:])
        strength = np.linalg.norm(feature[0].astype(np.float64), axis=0)
        np.testing.assert_allclose([row["low"], row["high"]], np.percentile(strength, [1, 99.5]), rtol=1e-6)
        # The strongest position is of the brightest colour.
        y, x = (index * row["stride"] for index in np.unravel_index(strength.argmax(), strength.shape))
        assert np.abs(panel[y, x] - (0.5 * gray_of(image)[y, x] + 0.5 * colour_map()[255])).max() <= 0.75


def test_options_and_where_it_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "photos/wide.png", noise(40, 900, 3))
    result = run("heatmap", "photos/wide.png", "-w", RESNET18, "--stages", "C4,C2")
    assert "written: wide-heatmap.png" in result.stdout and "(4, 7, 160)" in result.stdout
    # Long ones are scaled down to 640: int(640 * 40 / 900) rows.
    panels_of("wide-heatmap.png", 28, 640, 4)
    run("heatmap", "photos/wide.png", "-w", RESNET18, "-o", "x.png", "--crop", "40x80", "--measure", "mean")
    panels_of("x.png", 40, 80, 6)
    small = write_image(tmp_path / "small.png", noise(9, 7, 3))
    run("heatmap", small, "-w", RESNET18)
    np.testing.assert_array_equal(panels_of("small-heatmap.png", 9, 7, 6)[0], noise(9, 7, 3))
    run("heatmap", "photos/wide.png", "-w", RESNET18, "-o", "y.png", "--width", "800", "--theme", "dark")
    sheet = Image.open("y.png")
    assert sheet.width == 800 and sheet.getpixel((0, 0)) == (13, 17, 23)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["absent.png"], 1, "absent.png: No such file or directory"),
        ([__file__], 1, f"{__file__}: not an image"),
        (["x.png", "-o", "x.jpg"], 2, "it must end in .png"),
        (["x.png", "--opacity", "2"], 2, "--opacity"),
        (["x.png", "--opacity", "nan"], 2, "nan is not a number from 0 to 1"),
        (["x.png", "--width", "99"], 2, "--width"),
        (["x.png", "--theme", "blue"], 2, "--theme"),
        (["x.png", "-o", "x.png/y.png"], 1, "x.png"),
    ],
)
def test_errors(tmp_path, monkeypatch, arguments, status, message):
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "x.png", noise(40, 90, 3))
    assert message in error_of("heatmap", *arguments, "-w", RESNET18, status=status)
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]
