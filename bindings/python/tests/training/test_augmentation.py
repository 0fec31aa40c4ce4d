# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Random crops and flips: the distribution of their parameters, and the pixels for given ones."""

import math

import numpy as np
import pytest
from PIL import Image

from backbone.training import Box, Draws, Purpose, View, random_box

# Height and width; of the last two many crops do not fit, and the centre is taken.
SHAPES = [(375, 500), (64, 64), (30, 200), (7, 5)]
COUNT = 2500


def ours(height, width, count=COUNT):
    return np.array([random_box(height, width, Draws(3, Purpose.AUGMENTATION, 2, index)) for index in range(count)])


def described(height, width, count=COUNT):
    """The documented procedure of RandomResizedCrop, from NumPy's own random numbers."""
    rng = np.random.default_rng(11)
    boxes = []
    for _ in range(count):
        for _ in range(10):
            area = height * width * rng.uniform(0.08, 1)
            ratio = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
            w, h = int(np.rint(np.sqrt(area * ratio))), int(np.rint(np.sqrt(area / ratio)))
            if 0 < w <= width and 0 < h <= height:
                boxes.append((rng.integers(0, height - h + 1), rng.integers(0, width - w + 1), h, w))
                break
        else:
            w = min(width, round(height * 4 / 3))
            h = min(height, round(width / (3 / 4)))
            boxes.append(((height - h) // 2, (width - w) // 2, h, w))
    return np.array(boxes)


def distance(left, right):
    """The statistic of Kolmogorov and Smirnov, over that of the 0.1 % quantile: 1 or less for one distribution."""
    grid = np.unique(np.concatenate([left, right]))
    gaps = [np.searchsorted(np.sort(values), grid, "right") / len(values) for values in (left, right)]
    bound = math.sqrt(-math.log(0.001 / 2) / 2 * (1 / len(left) + 1 / len(right)))
    return np.abs(gaps[0] - gaps[1]).max() / bound


def assert_same_distribution(boxes, expected):
    for name, column in zip(Box._fields, range(4), strict=True):
        assert distance(boxes[:, column], expected[:, column]) < 1, name
    # Not each for itself alone: area, ratio, and how far the place is from the middle.
    for combined in (
        lambda b: b[:, 2] * b[:, 3],
        lambda b: b[:, 3] / b[:, 2],
        lambda b: np.abs(2 * b[:, 0] + b[:, 2]) + 1000 * b[:, 1],
    ):
        assert distance(combined(boxes), combined(expected)) < 1


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_crops_have_the_described_distribution(height, width):
    assert_same_distribution(ours(height, width), described(height, width))


@pytest.mark.parity
@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_crops_have_the_distribution_of_torchvision(height, width, torch, torchvision_resnet):
    from torchvision.transforms import RandomResizedCrop

    torch.manual_seed(5)
    image = Image.new("RGB", (width, height))
    expected = [RandomResizedCrop.get_params(image, [0.08, 1.0], [3 / 4, 4 / 3]) for _ in range(COUNT)]
    assert_same_distribution(ours(height, width), np.array(expected))


def test_the_comparison_sees_small_differences():
    left, right = described(375, 500), described(375, 500)
    right[:, 2] = right[:, 2] * 0.93
    assert distance(left[:, 2], right[:, 2]) > 1


def picture(height=53, width=71, mode="RGB"):
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.mark.parity
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pixels_of_a_crop_are_those_of_torchvision(mode, torch, torchvision_resnet):
    from torchvision.transforms import functional

    image = picture(mode=mode)
    mirrored = 0
    for index in range(20):
        box = random_box(image.height, image.width, Draws(0, Purpose.AUGMENTATION, 0, index))
        expected = functional.resized_crop(image, *box, [32, 32]).convert("RGB")
        draws = Draws(0, Purpose.AUGMENTATION, 0, index)
        actual = View(32, 36).augmented(image, draws)
        is_mirrored = not np.array_equal(actual, np.asarray(expected))
        if is_mirrored:
            expected = functional.hflip(expected)
        np.testing.assert_array_equal(actual, np.asarray(expected))
        mirrored += is_mirrored
    assert 4 <= mirrored <= 16


@pytest.mark.parity
@pytest.mark.parametrize("shape", [(32, 32), (32, 47), (20, 31)])
def test_pixels_of_a_padded_crop_are_those_of_torchvision(shape, torch, torchvision_resnet):
    from torchvision.transforms import CenterCrop, Compose, Resize, functional

    image = picture(*shape)
    view = View(32, 32, "padded-crop", flip=False)
    padded = functional.pad(Compose([Resize(32), CenterCrop(32)])(image), [4])
    found = set()
    for index in range(300):
        actual = view.augmented(image, Draws(0, Purpose.AUGMENTATION, 0, index))
        draws = Draws(0, Purpose.AUGMENTATION, 0, index)
        place = draws.below(9), draws.below(9)
        np.testing.assert_array_equal(actual, np.asarray(functional.crop(padded, *place, 32, 32)))
        found.add(place)
    # Of 81 places, 300 draws leave out 2 on average.
    assert len(found) > 70


@pytest.mark.parity
def test_pixels_of_the_evaluation_are_those_of_torchvision(torch, torchvision_resnet):
    from torchvision.transforms import CenterCrop, Compose, Resize

    image = picture(300, 411)
    expected = Compose([Resize(256), CenterCrop(224)])(image)
    np.testing.assert_array_equal(View(224, 256).evaluated(image), np.asarray(expected))


def test_pixels_of_a_crop_are_those_of_pillow():
    image = picture()
    view = View(24, 28, flip=False)
    for index in range(10):
        top, left, height, width = random_box(53, 71, Draws(9, Purpose.AUGMENTATION, 1, index))
        part = image.crop((left, top, left + width, top + height)).resize((24, 24), Image.Resampling.BILINEAR)
        actual = view.augmented(image, Draws(9, Purpose.AUGMENTATION, 1, index))
        np.testing.assert_array_equal(actual, np.asarray(part))


def test_half_of_the_images_are_mirrored():
    image = picture(16, 16)
    view = View(16, 16, "flip")
    plain = np.asarray(image)
    seen = [view.augmented(image, Draws(0, Purpose.AUGMENTATION, 0, index)) for index in range(1000)]
    mirrored = sum(np.array_equal(pixels, plain[:, ::-1]) for pixels in seen)
    assert mirrored + sum(np.array_equal(pixels, plain) for pixels in seen) == 1000
    # 4.7 standard deviations.
    assert abs(mirrored - 500) < 75
    never = View(16, 16, "none")
    for index in range(20):
        np.testing.assert_array_equal(never.augmented(image, Draws(0, Purpose.AUGMENTATION, 0, index)), plain)


def test_draws_depend_on_their_place_alone():
    def words(*place):
        draws = Draws(*place)
        return tuple(draws.uniform() for _ in range(4))

    assert words(1, Purpose.AUGMENTATION, 2, 3) == words(1, Purpose.AUGMENTATION, 2, 3)
    places = [
        (seed, purpose, epoch, index) for seed in (0, 1) for purpose in Purpose for epoch in (0, 1) for index in (0, 1)
    ]
    assert len({words(*place) for place in places}) == len(places)


def test_draws_are_the_same_with_every_numpy():
    # The known answer of Philox 4x64-10 for zeros (Random123); NumPy counts up before the first word.
    words = [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]
    assert np.random.Philox(key=0, counter=2**256 - 1).random_raw(4).tolist() == words
    # Written down, as a training that is resumed with another version must go on with the same numbers.
    assert Draws(7, Purpose.AUGMENTATION, 2, 3).below(1000) == 422
    assert Draws(7, Purpose.ORDER, 2).permutation(8).tolist() == [4, 1, 3, 2, 6, 5, 0, 7]


def test_integers_and_orders_are_evenly_distributed():
    draws = Draws(4, Purpose.ORDER)
    counts = np.bincount([draws.below(7) for _ in range(7000)], minlength=7)
    # Chi-squared with 6 degrees of freedom: 22.5 is the 0.1 % quantile.
    assert ((counts - 1000) ** 2 / 1000).sum() < 22.5
    firsts = np.bincount([Draws(4, Purpose.ORDER, epoch).permutation(5)[0] for epoch in range(5000)], minlength=5)
    assert ((firsts - 1000) ** 2 / 1000).sum() < 18.5
    assert sorted(Draws(4, Purpose.ORDER, 9).permutation(1000)) == list(range(1000))
