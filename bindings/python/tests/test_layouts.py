# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The layout of arrays in memory: addresses, gaps, and the layout of new outputs."""

import numpy as np
import pytest

import backbone


@pytest.fixture(scope="module")
def net():
    with backbone.ResNet(18, base_channels=4, threads=1, mean=(90, 120, 100), std=(50, 60, 70)) as network:
        network.init_weights(seed=3)
        yield network


def values(shape, dtype, seed=0):
    random = np.random.default_rng(seed)
    return random.standard_normal(shape, np.float32) if dtype == np.float32 else random.integers(0, 256, shape, dtype)


def assert_same(left, right):
    for a, b in zip(left, right, strict=True):
        np.testing.assert_array_equal(a, b)


def test_layouts_by_turns_on_one_handle_are_as_asked(net):
    x, y = values((2, 3, 48, 40), np.float32), values((2, 3, 40, 48), np.float32)
    expected = {}
    for image in (x, y):
        expected[id(image)] = net(image, [np.empty(shape, np.float32) for shape in net.output_shapes(image.shape)])
    for image, channels_last in [(x, False), (x, True), (x, True), (y, True), (x, False), (y, False), (y, True)]:
        features = net(image, channels_last=channels_last)
        assert_same(features, expected[id(image)])
        for feature in features:
            rows = feature.transpose(0, 2, 3, 1) if channels_last else feature
            assert rows.flags.c_contiguous and not (feature.flags.c_contiguous and channels_last)


def test_new_outputs_are_new_every_time(net):
    x = values((1, 3, 32, 32), np.float32)
    first = net(x)
    kept = [feature.copy() for feature in first]
    net(values((1, 3, 32, 32), np.float32, 1))
    assert_same(first, kept)


def test_more_shapes_than_are_remembered(net):
    x = values((1, 3, 33, 130), np.float32)
    for width in [*range(32, 130), 40, 32]:
        for stage, feature in enumerate(net(x[..., :width])):
            assert feature.shape == (1, 4 << stage, *(-(-length // (4 << stage)) for length in (33, width)))
        # Every shape that ever came would be a leak.
        assert len(net._known_outputs) <= 64


@pytest.mark.parametrize("offset", [1, 2, 3])
@pytest.mark.parametrize("gaps", [False, True])
def test_float32_at_an_odd_address_has_the_bits_of_its_aligned_copy(net, offset, gaps):
    image = values((2, 3, 40, 44), np.float32)
    # With gaps: as a field of packed records, whose strides are not multiples of an element.
    memory = np.zeros(offset + image.size * (7 if gaps else 4) + 8, np.uint8)
    strides = [stride // 4 * (7 if gaps else 4) for stride in image.strides]
    odd = np.ndarray(image.shape, np.float32, memory.data, offset, strides)
    odd[...] = image
    assert not odd.flags.aligned and odd.flags.c_contiguous == (not gaps)
    before = memory.copy()
    assert_same(net(odd), net(image))
    assert [layer.name for layer in net.profile(odd)] == [layer.name for layer in net.profile(image)]
    np.testing.assert_array_equal(memory, before)


def test_an_output_at_an_odd_address_is_refused(net):
    x = values((1, 3, 32, 32), np.float32)
    out = [np.empty(shape, np.float32) for shape in net.output_shapes(x.shape)]
    memory = np.zeros(out[1].nbytes + 1, np.uint8)
    out[1] = np.ndarray(out[1].shape, np.float32, memory.data, 1)
    with pytest.raises(ValueError, match=r"out\[1\] has strides .* multiples of 4, and so its address"):
        net(x, out)
    assert not memory.any()


def test_axes_of_one_element_may_have_any_stride(net):
    """What NumPy leaves in them is never used: 0 after `[None]`, anything after a slice."""
    x = values((1, 3, 32, 32), np.float32)
    expected = net(x)
    out = []
    for n, c, h, w in net.output_shapes(x.shape):
        # A region of a larger image, one row of many, one image of a batch.
        out.append(np.zeros((c, h + 2, w + 3), np.float32)[None][:, :, :h, :w])
        assert out[-1].strides[0] == 0 and n == 1
    net(x, out)
    assert_same(out, expected)
    net(x, [np.zeros((5, *feature.shape[1:]), np.float32)[3:4] for feature in expected])
    tall = values((1, 3, 1, 1), np.float32)
    rows = [np.zeros(channels, np.float32) for channels in (4, 8, 16, 32)]
    outs = [np.lib.stride_tricks.as_strided(row, (1, row.size, 1, 1), (-4, 4, 0, 12)) for row in rows]
    net(tall, outs)
    assert_same(outs, net(tall))


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_views_give_the_bits_of_their_contiguous_copies(net, dtype):
    whole = values((3, 4, 60, 50), dtype)
    views = {
        "a region": whole[1:, :3, 7:45, 5:44],
        "every second row": whole[:, :3, ::2],
        "upside down and mirrored": whole[:, :3, ::-1, ::-1],
        "channels reversed": whole[:, 2::-1],
        "channels last": np.ascontiguousarray(whole[:, :3].transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2),
        "rows for columns": whole[:, :3].swapaxes(2, 3),
        "one image repeated": np.broadcast_to(whole[:1, :3], (2, 3, 60, 50)),
        "one channel repeated": np.broadcast_to(whole[:, :1], (3, 3, 60, 50)),
        "read-only": np.frombuffer(whole[:, :3].tobytes(), dtype).reshape(3, 3, 60, 50),
        "no image": whole[:0, :3],
    }
    for name, view in views.items():
        for left, right in zip(net(view), net(view.copy(order="C")), strict=True):
            np.testing.assert_array_equal(left, right, err_msg=name)


@pytest.mark.parametrize("dtype", [">f4", np.float64, np.float16, np.int8, bool])
def test_other_numbers_are_refused(net, dtype):
    with pytest.raises(TypeError, match="the input has dtype"):
        net(np.zeros((1, 3, 32, 32), dtype))
