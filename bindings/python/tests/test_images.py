# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Decoding against the pixels that were written, and resizing against the filter as it is defined."""

import io
import struct
import threading
import zlib

import numpy as np
import pytest
from PIL import Image, features

from backbone._decoding import _picture, decoded
from backbone.images import ImageError, load_image, prepare, prepare_picture, resized_shape


def pixels(height=13, width=21, channels=3, seed=5):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


# ---- Decoding ----


def test_rgb_comes_as_it_was_written_from_path_and_bytes(tmp_path):
    image = pixels()
    data = encoded(Image.fromarray(image))
    path = tmp_path / "a picture.png"
    path.write_bytes(data)
    for source in (path, str(path), data, bytearray(data), memoryview(data)):
        loaded = load_image(source)
        assert loaded.dtype == np.uint8 and loaded.flags.writeable and loaded.flags.c_contiguous
        np.testing.assert_array_equal(loaded, image)


def test_gray_becomes_three_equal_channels():
    gray = pixels()[..., 0]
    for image in (Image.fromarray(gray), Image.fromarray(np.stack([gray, gray // 2], -1), "LA")):
        np.testing.assert_array_equal(load_image(encoded(image)), np.stack([gray] * 3, -1))
    bits = np.where(gray > 127, 255, 0).astype(np.uint8)
    np.testing.assert_array_equal(load_image(encoded(Image.fromarray(bits).convert("1"))), np.stack([bits] * 3, -1))


def test_palettes_give_their_colours():
    colours, indices = pixels(256, 1)[:, 0], pixels()[..., 0]
    image = Image.fromarray(indices, "P")
    image.putpalette(colours.tobytes())
    for options in ({}, {"transparency": 3}):
        np.testing.assert_array_equal(load_image(encoded(image, **options)), colours[indices])


def test_alpha_is_left_out():
    image = pixels(channels=4)
    np.testing.assert_array_equal(load_image(encoded(Image.fromarray(image, "RGBA"))), image[..., :3])


def test_cmyk_becomes_rgb():
    image = pixels(channels=4)
    ink, black = image[..., :3].astype(int), image[..., 3:].astype(int)
    expected = (255 - ink) * (255 - black) / 255
    loaded = load_image(encoded(Image.fromarray(image, "CMYK"), "TIFF"))
    assert np.abs(loaded - expected).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bits_become_the_nearest_8(kind):
    deep = np.random.default_rng(8).integers(0, 65536, (13, 21)).astype(np.uint16)
    deep[0, :4] = 0, 65535, 128, 129
    if kind == "PPM":
        data = b"P5 21 13 65535\n" + deep.astype(">u2").tobytes()
    else:
        data = encoded(Image.fromarray(deep), kind)
    loaded = load_image(data)
    np.testing.assert_array_equal(loaded, np.stack([np.rint(deep / 257)] * 3, -1))
    assert loaded[0, :4, 0].tolist() == [0, 255, 0, 1]


def test_16_bits_of_colour():
    """Pillow itself writes none."""
    deep = np.random.default_rng(8).integers(0, 65536, (4, 5, 3)).astype(np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 5, 4, 16, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert np.abs(load_image(data) - deep / 257).max() <= 1


# How a viewer turns the stored pixels (EXIF 2.32, tag 0x0112).
UPRIGHT = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: x[::-1, ::-1].transpose(1, 0, 2),
    8: lambda x: np.rot90(x, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_cameras_pictures_come_upright(orientation):
    image = pixels()
    exif = Image.Exif()
    exif[0x0112] = orientation
    loaded = load_image(encoded(Image.fromarray(image), exif=exif))
    np.testing.assert_array_equal(loaded, UPRIGHT[orientation](image))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_notes_beside_a_picture_do_no_harm():
    image = pixels()
    for exif in (
        b"Exif\0\0",
        b"Exif\0\0garbage",
        b"Exif\0\0II*\0\xff\xff\xff\x7f",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\1\x12",
    ):
        np.testing.assert_array_equal(load_image(encoded(Image.fromarray(image), exif=exif)), image)


def test_of_many_pictures_it_is_the_first():
    first, second = Image.fromarray(pixels(seed=1)), Image.fromarray(pixels(seed=2))
    data = encoded(first, "TIFF", save_all=True, append_images=[second])
    np.testing.assert_array_equal(load_image(data), np.asarray(first))


# ---- What is refused ----


def test_errors_name_the_file(tmp_path):
    whole = encoded(Image.fromarray(pixels(64, 64)))
    jpeg = encoded(Image.fromarray(pixels(64, 64)), "JPEG")
    float32 = encoded(Image.fromarray(pixels()[..., 0].astype(np.float32)), "TIFF")
    cases = {
        "empty.png": (b"", "not an image"),
        "text.png": (b"hello" * 100, "not an image"),
        "cut.png": (whole[: len(whole) // 2], "damaged"),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "damaged"),
        "flipped.png": (whole[:60] + bytes([whole[60] ^ 255]) + whole[61:], "damaged"),
        "float.tiff": (float32, "32-bit values have no scale"),
    }
    for name, (data, message) in cases.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(ImageError, match=message) as caught:
            load_image(path)
        assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
        with pytest.raises(ImageError, match=f"^the image in memory: .*{message}"):
            load_image(data)


def test_the_most_pixels_are_those_of_the_call(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(encoded(Image.fromarray(pixels(40, 50))))
    for limit in (1, 1999):
        with pytest.raises(ImageError) as caught:
            load_image(path, max_pixels=limit)
        assert str(caught.value) == (
            f"{path}: the image has 40 x 50 pixels, 2000; max_pixels is {limit}: raise it if the file can be trusted"
        )
    for limit in (2000, None):
        np.testing.assert_array_equal(load_image(path, max_pixels=limit), pixels(40, 50))
    for limit, message in ((0, "max_pixels is 0; it must be at least 1"), (1.5, "max_pixels is a float"), (2**63, "2")):
        with pytest.raises((TypeError, ValueError), match=message):
            load_image(path, max_pixels=limit)
        with pytest.raises((TypeError, ValueError), match=message):
            prepare(pixels(40, 50), 20, max_pixels=limit)


# Decoders that look at the limit of Pillow themselves, after or before `Image.open` does.
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "MPO", "GIF", "JPEG2000"])
@pytest.mark.filterwarnings("error::PIL.Image.DecompressionBombWarning")
def test_the_limit_of_pillow_is_neither_used_nor_changed(monkeypatch, kind):
    if kind == "JPEG2000" and not features.check("jpg_2000"):
        # A build of Pillow without it refuses by another name.
        kind = "PNG"
    image = Image.fromarray(pixels(40, 50))
    data = encoded(image, kind, **({"save_all": True, "append_images": [image]} if kind == "MPO" else {}))
    shape = load_image(data).shape
    for limit in (300, 999):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        assert load_image(data).shape == shape
        with pytest.raises(ImageError, match="max_pixels is 999"):
            load_image(data, max_pixels=999)
        # The host program's own calls have the limit that it has set, also after an error.
        with pytest.raises(Image.DecompressionBombError, match="could be decompression bomb"):
            Image.open(io.BytesIO(data)).load()
        assert Image.MAX_IMAGE_PIXELS == limit


def test_the_limit_of_a_call_is_of_its_thread_alone(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 999)
    data, results = encoded(Image.fromarray(pixels(40, 50))), []

    class Slow(io.BytesIO):
        """While the decoder reads, another thread decodes with Pillow."""

        def read(self, *arguments):
            def other():
                try:
                    results.append(Image.open(io.BytesIO(data)).size)
                except Image.DecompressionBombError as error:
                    results.append(type(error))

            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
            return super().read(*arguments)

    assert _picture(Slow(data), "", None, "").size == (50, 40)
    assert results and set(results) == {Image.DecompressionBombError}


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
@pytest.mark.parametrize("options", [{}, {"size": 17}, {"size": (90, 80), "crop": 64}, {"max_size": 30}])
def test_pictures_of_every_mode_are_prepared_as_their_pixels_are(mode, options, monkeypatch):
    monkeypatch.setattr("backbone._decoding._STRIP", 100)
    image = Image.fromarray(pixels(41, 53)).convert("L" if mode == "I;16" else mode)
    image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257) if mode == "I;16" else image
    data = encoded(image, "TIFF")
    whole = load_image(data)
    assert whole.shape == (41, 53, 3)
    np.testing.assert_array_equal(prepare_picture(decoded(data, None), **options), prepare(whole, **options))
    if "size" in options:
        expected = prepare(whole, options["size"])
        height, width = expected.shape[:2]
        plain = Image.fromarray(whole).resize((width, height), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(expected, np.asarray(plain))


def test_what_the_system_refuses(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.png"):
        load_image(tmp_path / "absent.png")
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        load_image(tmp_path)
    with pytest.raises(ValueError, match="zero byte"):
        load_image("a\0b")
    with pytest.raises(TypeError, match="source is a int"):
        load_image(3)


# ---- Resizing ----


def triangle(length, wanted):
    """The matrix of the bilinear filter: a triangle as wide as new pixels are, normalised where borders cut it off."""
    scale = length / wanted
    width = max(scale, 1)
    places = np.arange(length) + 0.5
    weights = np.maximum(0, 1 - np.abs(places - (np.arange(wanted)[:, None] + 0.5) * scale) / width)
    return weights / weights.sum(1, keepdims=True)


def resized(image, height, width):
    # Pillow rounds between the two directions.
    rows = np.einsum("wx,yxc->ywc", triangle(image.shape[1], width), image.astype(np.float64))
    return np.einsum("hy,ywc->hwc", triangle(image.shape[0], height), rows)


@pytest.mark.parametrize(
    ("shape", "options", "expected"),
    [
        ((300, 400), {"size": 256}, (256, 341)),
        ((400, 300), {"size": 256}, (341, 256)),
        ((37, 23), {"size": 64}, (102, 64)),
        ((300, 400), {"size": (80, 70)}, (80, 70)),
        ((300, 400), {"size": [80, 70]}, (80, 70)),
        ((48, 64), {"size": 80, "max_size": 133}, (80, 107)),
        ((48, 64), {"size": 80, "max_size": 133, "rounding": "down"}, (80, 106)),
        ((64, 48), {"size": 80, "rounding": "nearest"}, (107, 80)),
        ((30, 64), {"size": 80, "max_size": 133}, (62, 133)),
        ((200, 430), {"max_size": 320, "rounding": "nearest"}, (149, 320)),
        ((200, 430), {"max_size": 320}, (148, 320)),
        ((1, 640), {"max_size": 320}, (1, 320)),
        ((30, 50), {}, (30, 50)),
    ],
)
def test_sizes_and_values_of_resized_images(shape, options, expected):
    image = pixels(*shape)
    result = prepare(image, **options)
    assert result.shape == (*expected, 3) and result.dtype == np.uint8
    assert resized_shape(shape, options.get("size"), options.get("max_size"), options.get("rounding")) == expected
    if expected == shape:
        assert result is image
    else:
        assert np.abs(result - resized(image, *expected)).max() <= 1.5


def rescale_size(h, w, size, max_size):
    """mmcv/image/geometric.py of mmcv 2.1, with `scale` (max_size, size)."""
    scale_factor = min(max_size / max(h, w), size / min(h, w))
    return int(h * float(scale_factor) + 0.5), int(w * float(scale_factor) + 0.5)


def output_shape(h, w, size, max_size):
    """ResizeShortestEdge.get_output_shape of detectron2 0.6, data/transforms/augmentation_impl.py."""
    size = size * 1.0
    scale = size / min(h, w)
    newh, neww = (size, scale * w) if h < w else (scale * h, size)
    if max(newh, neww) > max_size:
        scale = max_size * 1.0 / max(newh, neww)
        newh, neww = newh * scale, neww * scale
    return int(newh + 0.5), int(neww + 0.5)


@pytest.mark.parametrize(("size", "max_size"), [(800, 1333), (640, 1333), (600, 1000), (512, 896)])
def test_detectors_sizes_are_mmcvs_and_detectron2s(size, max_size):
    assert resized_shape((480, 640), 800, 1333) == (800, 1067)
    differing = 0
    for h in range(150, 1500, 7):
        for w in range(150, 1500, 11):
            shape = resized_shape((h, w), size, max_size)
            assert shape == rescale_size(h, w, size, max_size)
            differing += shape != output_shape(h, w, size, max_size)
    # Where a side ends in one half: the two scale in another order.
    assert differing < 20


@pytest.mark.parametrize(
    ("shape", "crop", "rows", "columns"),
    [
        ((20, 31), (8, 10), (6, 14), (10, 20)),
        # 4.5 and 5.5 are rounded to the even number.
        ((19, 19), (10, 8), (4, 14), (6, 14)),
        ((20, 31), 20, (0, 20), (6, 26)),
    ],
)
def test_crops_are_cut_from_the_centre(shape, crop, rows, columns):
    image = pixels(*shape)
    np.testing.assert_array_equal(prepare(image, crop=crop), image[slice(*rows), slice(*columns)])


def test_crops_beyond_the_image_are_black():
    image = pixels(6, 31)
    result = prepare(image, crop=(11, 21))
    np.testing.assert_array_equal(result[2:8], image[:, 5:26])
    assert not result[:2].any() and not result[8:].any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "size is 0; a length must be from 1 to 65535"),
        ({"size": (3, -1)}, "size is -1"),
        ({"size": (3, 4, 5)}, "must be a length or"),
        ({"crop": 65536}, "crop is 65536"),
        ({"size": "large"}, "size is a str; it must be an int"),
        ({"size": 2.5}, "size is a float"),
        ({"size": 8, "max_size": 8}, "max_size is 8 and size 8"),
        ({"size": 8, "rounding": "up"}, "rounding is 'up'; it must be 'down', 'nearest' or None"),
        ({"size": (8, 8), "max_size": 9}, "max_size is 9 where size is"),
    ],
)
def test_bad_sizes(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        prepare(pixels(), **arguments)


@pytest.mark.parametrize(
    "image", [pixels()[..., 0], pixels(channels=4), pixels().astype(np.float32), pixels().tolist(), pixels()[:0]]
)
def test_bad_images(image):
    with pytest.raises((TypeError, ValueError), match="image is "):
        prepare(image, 8)


def test_a_strip_does_not_become_gigabytes():
    with pytest.raises(ValueError, match=r"1 x 60000 would become one of 4000 x 240000000 .*max_pixels is 2684"):
        prepare(np.zeros((1, 60000, 3), np.uint8), 4000)
    image = pixels(4, 5)
    with pytest.raises(ValueError, match="would become one of 8 x 10 pixels, 80; max_pixels is 79$"):
        prepare(image, 8, max_pixels=79)
    for limit in (80, None):
        assert prepare(image, 8, max_pixels=limit).shape == (8, 10, 3)
    # An image that keeps its size becomes no larger.
    assert prepare(image, max_pixels=1) is image


# ---- Against torchvision ----


@pytest.mark.parity
def test_transforms_are_torchvisions_to_the_bit(torchvision_resnet):
    # After the fixture torchvision can be imported.
    from torchvision import transforms

    random = np.random.default_rng(11)
    cases = [{"size": 256, "crop": 224}, {"size": 232, "crop": 224}, {"crop": (90, 301)}, {"size": (41, 77)}]
    cases += [{"size": 100, "max_size": 133}, {"size": 31, "max_size": 40, "crop": 50}, {"size": 7, "crop": 8}]
    for options in cases:
        steps = []
        if "size" in options:
            steps.append(transforms.Resize(options["size"], max_size=options.get("max_size")))
            options = options | {"rounding": "down"}
        if "crop" in options:
            steps.append(transforms.CenterCrop(options["crop"]))
        transform = transforms.Compose(steps)
        for _ in range(8):
            image = random.integers(0, 256, (*random.integers(9, 333, 2), 3), np.uint8)
            expected = np.asarray(transform(Image.fromarray(image)))
            np.testing.assert_array_equal(prepare(image, **options), expected, err_msg=f"{options} {image.shape}")
