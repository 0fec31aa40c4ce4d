# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Inputs and outputs in every layout, truncation, threads, fork. The numbers themselves are compared with PyTorch's."""

import math
import os
import signal
import threading
import warnings

import numpy as np
import pytest

import backbone

RNG_SEED = 17


def assert_same_bits(left, right):
    assert len(left) == len(right)
    for index, (a, b) in enumerate(zip(left, right, strict=True)):
        np.testing.assert_array_equal(a, b, err_msg=f"output {index}")


# ---- Shapes ----


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize(
    ("size", "sides"),
    [
        ((224, 224), [(56, 56), (28, 28), (14, 14), (7, 7)]),
        ((215, 215), [(54, 54), (27, 27), (14, 14), (7, 7)]),
        ((33, 65), [(9, 17), (5, 9), (3, 5), (2, 3)]),
        ((1, 1), [(1, 1)] * 4),
    ],
)
def test_output_shapes_are_those_of_pytorch(depth, size, sides):
    channels = [8, 16, 32, 64] if depth == 18 else [32, 64, 128, 256]
    with backbone.ResNet(depth, base_channels=8) as net:
        expected = tuple((3, c, *side) for c, side in zip(channels, sides, strict=True))
        assert net.output_shapes((3, 3, *size)) == expected
        assert net.out_channels == tuple(channels)
        for shape, stride in zip(expected, net.out_strides, strict=True):
            assert all(out <= math.ceil(side / stride) + 1 for out, side in zip(shape[2:], size, strict=True))


@pytest.mark.parametrize(
    "shape",
    [(1, 4, 8, 8), (1, 3, 0, 8), (1, 3, 8, -1), (-1, 3, 8, 8), (1, 3, 8), (1, 3, 2**63, 8), (1, 3, 2**62, 2**62)],
)
def test_input_shape_that_is_none_is_refused(shape):
    with backbone.ResNet(18, base_channels=8) as net, pytest.raises(ValueError):
        net.output_shapes(shape)


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_batch_is_preserved_and_all_is_finite(new_net, depth, batch):
    net = new_net(depth=depth)
    x = np.random.default_rng(RNG_SEED).standard_normal((batch, 3, 50, 38), dtype=np.float32)
    features = net(x)
    assert isinstance(features, tuple)
    assert tuple(f.shape for f in features) == net.output_shapes(x.shape)
    for feature in features:
        assert feature.dtype == np.float32
        assert np.isfinite(feature).all() and feature.min() >= 0 and feature.max() > 0


def test_batch_that_is_computed_in_shares_gives_the_bits_of_each_image():
    # No more than 96 MB of activations are kept at a time: a few images of this size.
    with backbone.ResNet(18) as net:
        x = np.random.default_rng(RNG_SEED).standard_normal((9, 3, 480, 640), dtype=np.float32)
        together = net(x)
        for index in (0, 3, 4, 8):
            assert_same_bits([stage[index : index + 1] for stage in together], net(x[index : index + 1]))
        # The last share has fewer, and leaves what follows the outputs alone.
        for count in (5, 7):
            memory = [np.full((count + 2, *stage.shape[1:]), -1, np.float32) for stage in together]
            net(x[:count], [block[:count] for block in memory])
            assert_same_bits([block[:count] for block in memory], [stage[:count] for stage in together])
            assert all((block[count:] == -1).all() for block in memory)


def test_empty_batch_gives_empty_features(new_net):
    net = new_net()
    features = net(np.empty((0, 3, 64, 32), np.float32))
    assert [f.shape for f in features] == [(0, 8, 16, 8), (0, 16, 8, 4), (0, 32, 4, 2), (0, 64, 2, 1)]
    assert [f.shape for f in net(np.empty((0, 3, 64, 32), np.uint8))] == [f.shape for f in features]


def test_every_image_has_the_bits_it_has_alone(new_net):
    x = np.random.default_rng(RNG_SEED).standard_normal((5, 3, 61, 47), dtype=np.float32)
    net = new_net(depth=50)
    together = net(x)
    for i in range(5):
        assert_same_bits([f[i : i + 1] for f in together], net(x[i : i + 1]))


# ---- Stages ----


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("out_indices", [(0,), (1,), (3,), (0, 1, 2), (0, 2), (1, 3), (2, 3)])
def test_truncated_networks_give_the_bits_of_the_full_one(new_net, images, depth, out_indices):
    full = new_net(depth=depth)(images)
    net = new_net(depth=depth, out_indices=out_indices)
    features = net(images)
    assert isinstance(features, tuple)
    assert_same_bits(features, [full[i] for i in out_indices])


@pytest.mark.parametrize("deepest", [0, 1, 2])
def test_stages_beyond_the_deepest_asked_for_are_not_built(deepest):
    with backbone.ResNet(50, base_channels=8, out_indices=(deepest,)) as net:
        stages = {name.split(".")[0] for name in net.state_dict()}
        assert stages == {"conv1", "bn1", *(f"layer{i}" for i in range(1, deepest + 2))}


@pytest.mark.parametrize("in_channels", [1, 3, 5])
def test_input_has_any_number_of_channels(in_channels):
    with backbone.ResNet(18, in_channels, base_channels=8) as net:
        assert net.get_entry("conv1.weight").shape == (8, in_channels, 7, 7)
        x = np.random.default_rng(RNG_SEED).standard_normal((1, in_channels, 40, 40), dtype=np.float32)
        assert all(np.isfinite(f).all() for f in net(x))
        with pytest.raises(ValueError, match=f"{in_channels + 1}.*{in_channels}|{in_channels}.*{in_channels + 1}"):
            net(np.zeros((1, in_channels + 1, 8, 8), np.float32))


# ---- Inputs ----


def layouts(x):
    """The same values in other strides."""
    n, c, h, w = x.shape
    yield "NHWC", np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    yield "Fortran order", np.asfortranarray(x)
    yield "negative strides", np.ascontiguousarray(x[::-1, ::-1, ::-1, ::-1])[::-1, ::-1, ::-1, ::-1]
    room = np.full((n, c + 1, h + 4, 2 * w + 3), np.array(99, x.dtype))
    region = room[:, 1:, 2 : 2 + h, 1 : 1 + 2 * w : 2]
    region[:] = x
    yield "every other pixel of a larger image", region
    packed = np.zeros((n, c, h, w), np.dtype([("tag", "u1"), ("value", x.dtype)]))
    packed["value"] = x
    yield "field of packed records", packed["value"]
    read_only = x.copy()
    read_only.flags.writeable = False
    yield "read-only", read_only


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_input_in_any_strides_gives_the_same_bits(new_net, dtype):
    net = new_net(mean=backbone.IMAGENET_MEAN, std=backbone.IMAGENET_STD)
    x = np.random.default_rng(RNG_SEED).integers(0, 256, (2, 3, 37, 44), np.uint8).astype(dtype)
    expected = net(x)
    for name, view in layouts(x):
        np.testing.assert_array_equal(view, x)
        before = view.copy()
        for left, right in zip(net(view), expected, strict=True):
            np.testing.assert_array_equal(left, right, err_msg=name)
        np.testing.assert_array_equal(view, before, err_msg=name)


def test_zero_strides_repeat_an_image_without_a_copy(new_net):
    net = new_net()
    plane = np.random.default_rng(RNG_SEED).standard_normal((1, 1, 30, 41), dtype=np.float32)
    view = np.broadcast_to(plane, (3, 3, 30, 41))
    assert view.strides[:2] == (0, 0)
    assert_same_bits(net(view), net(view.copy()))


@pytest.mark.parametrize("reverse", [False, True])
def test_uint8_is_normalised_as_documented(new_net, reverse):
    mean, std = backbone.IMAGENET_MEAN, backbone.IMAGENET_STD
    image = np.random.default_rng(RNG_SEED).integers(0, 256, (51, 40, 3), np.uint8)
    net = new_net(mean=mean, std=std, channel_order="reversed" if reverse else "as_given")
    rgb = image[..., ::-1] if reverse else image
    x = ((rgb.astype(np.float32) - np.float32(mean)) / np.float32(std)).transpose(2, 0, 1)[None]
    assert_same_bits(net(image.transpose(2, 0, 1)[None]), net(x))


def test_uint8_without_normalisation_is_taken_as_it_is(new_net):
    net = new_net()
    image = np.random.default_rng(RNG_SEED).integers(0, 256, (1, 3, 40, 33), np.uint8)
    assert_same_bits(net(image), net(image.astype(np.float32)))


@pytest.mark.parametrize(
    "x",
    [
        np.zeros((1, 3, 8, 8)),
        np.zeros((1, 3, 8, 8), np.float16),
        np.zeros((1, 3, 8, 8), np.int8),
        np.zeros((1, 3, 8, 8), ">f4"),
        [[[[0.0]]]],
        None,
    ],
)
def test_input_of_another_type_is_a_type_error_that_helps(new_net, x):
    with pytest.raises(TypeError, match=r"the input (has dtype .*astype|is a .*numpy\.ndarray)"):
        new_net()(x)


@pytest.mark.parametrize("shape", [(3, 8, 8), (8, 8), (1, 1, 3, 8, 8), ()])
def test_input_of_other_dimensions_is_refused(new_net, shape):
    with pytest.raises(ValueError, match=r"\(N, C, H, W\)"):
        new_net()(np.zeros(shape, np.float32))


@pytest.mark.parametrize("shape", [(1, 3, 0, 8), (1, 3, 8, 0), (1, 2, 8, 8), (1, 0, 8, 8)])
def test_input_of_another_shape_is_refused(new_net, shape):
    with pytest.raises(ValueError):
        new_net()(np.zeros(shape, np.float32))


@pytest.mark.parametrize("shape", [(2**40, 3, 64, 64), (1, 3, 2**31, 2**31), (2**20, 3, 2**20, 2**20)])
def test_input_beyond_all_memory_is_an_exception(new_net, images, shape):
    net = new_net()
    expected = net(images)
    with pytest.raises((MemoryError, ValueError)):
        net(np.broadcast_to(np.float32(0), shape))
    assert_same_bits(net(images), expected)


# ---- Outputs ----


def test_outputs_go_where_the_caller_says_and_nowhere_else(new_net, images):
    net = new_net()
    expected = net(images)
    shapes = net.output_shapes(images.shape)
    canary = np.float32(-12345)
    rooms = [np.full((n + 1, c + 2, h + 3, 2 * w + 5), canary) for n, c, h, w in shapes]
    outs = [room[:n, 1 : 1 + c, 2 : 2 + h, 3 : 3 + 2 * w : 2] for room, (n, c, h, w) in zip(rooms, shapes, strict=True)]
    result = net(images, out=outs)
    assert all(left is right for left, right in zip(result, outs, strict=True))
    assert_same_bits(outs, expected)
    for room, out in zip(rooms, outs, strict=True):
        out[:] = canary
        assert np.all(room == canary)


def test_outputs_channels_last_have_the_same_values(new_net, images):
    net = new_net()
    features = net(images, channels_last=True)
    assert_same_bits(features, net(images))
    for feature in features:
        assert feature.transpose(0, 2, 3, 1).flags.c_contiguous


def test_outputs_in_fortran_order_and_with_new_axes(new_net):
    net = new_net()
    x = np.random.default_rng(RNG_SEED).standard_normal((1, 3, 32, 32), dtype=np.float32)
    shapes = net.output_shapes(x.shape)
    expected = net(x)
    assert_same_bits(net(x, [np.empty(shape, np.float32, order="F") for shape in shapes]), expected)
    # NumPy gives the new axis the stride 0.
    assert_same_bits(net(x, [np.empty(shape[1:], np.float32)[None] for shape in shapes]), expected)


def test_outputs_that_do_not_fit_are_refused_and_untouched(new_net, images):
    net = new_net()
    good = [np.full(shape, 7, np.float32) for shape in net.output_shapes(images.shape)]
    n, c, h, w = good[1].shape
    read_only = good[1].copy()
    read_only.flags.writeable = False
    packed = np.zeros(good[1].shape, np.dtype([("tag", "u1"), ("value", np.float32)]))["value"]
    shared = np.empty((n, 1, h, w), np.float32)
    for bad, kind, text in [
        (np.empty((n, c, h, w + 1), np.float32), ValueError, str(w + 1)),
        (np.empty((n, c, h), np.float32), ValueError, r"out\[1\]"),
        (np.empty((n, c, h, w)), TypeError, r"out\[1\] has dtype float64"),
        ([1.0], TypeError, r"out\[1\]"),
        (read_only, ValueError, r"out\[1\] is read-only"),
        (packed, ValueError, "strides"),
        (np.empty((n, c, h, w), np.float32)[:, ::-1], ValueError, "stride"),
        (
            np.lib.stride_tricks.as_strided(shared, (n, c, h, w), (shared.strides[0], 0, *shared.strides[2:])),
            ValueError,
            "stride",
        ),
        (good[0][:, :, :h, :w][:, :1].repeat(c, 1)[:, :, :, :w][..., : w - 1], ValueError, str(w - 1)),
    ]:
        outs = [good[0], bad, good[2], good[3]]
        with pytest.raises(kind, match=text):
            net(images, out=outs)
    overlapping = np.full(good[0].size + good[1].size - 1, 7, np.float32)
    first = overlapping[: good[0].size].reshape(good[0].shape)
    second = overlapping[good[0].size - 1 :].reshape(good[1].shape)
    with pytest.raises(ValueError, match=r"out\[1\] overlaps out\[0\]"):
        net(images, out=[first, second, good[2], good[3]])
    for wrong in [good[:3], [*good, good[0]], []]:
        with pytest.raises(ValueError, match=f"out has {len(wrong)} arrays"):
            net(images, out=wrong)
    with pytest.raises(TypeError, match="sequence"):
        net(images, out=good[0])
    assert all(np.all(array == 7) for array in [*good, overlapping])
    assert_same_bits(net(images, out=good), net(images))


def test_outputs_may_interleave_in_one_block_of_memory(new_net):
    # C2 and C3 of one network, as neighbouring channels of a channels-last array: no element is shared.
    net = new_net(out_indices=(0, 1))
    x = np.random.default_rng(RNG_SEED).standard_normal((2, 3, 1, 1), dtype=np.float32)
    together = np.empty((2, 1, 1, 8 + 16), np.float32)
    view = together.transpose(0, 3, 1, 2)
    net(x, out=[view[:, :8], view[:, 8:]])
    assert_same_bits([view[:, :8], view[:, 8:]], net(x))


def test_output_that_overlaps_the_input_is_refused(new_net):
    net = new_net(out_indices=(0,))
    memory = np.ones(3 * 32 * 32, np.float32)
    x, out = memory.reshape(1, 3, 32, 32), memory[: 8 * 8 * 8].reshape(1, 8, 8, 8)
    with pytest.raises(ValueError, match=r"out\[0\] overlaps the input"):
        net(x, out=[out])
    assert np.all(memory == 1)


# ---- Threads and processes ----


@pytest.mark.parametrize("depth", [18, 50])
def test_every_number_of_threads_gives_the_same_bits(new_net, depth):
    x = np.random.default_rng(RNG_SEED).standard_normal((3, 3, 75, 98), dtype=np.float32)
    expected = new_net(depth=depth, threads=1)(x)
    for threads in (2, 3, 4):
        net = new_net(depth=depth, threads=threads)
        assert net.threads == threads
        assert_same_bits(net(x), expected)


def test_repeated_runs_give_the_same_bits(new_net, images):
    net = new_net(depth=50)
    expected = net(images)
    for _ in range(5):
        assert_same_bits(net(images), expected)


def test_four_threads_on_one_network_get_what_they_get_alone(new_net):
    net = new_net(threads=2)
    rng = np.random.default_rng(RNG_SEED)
    inputs = [rng.standard_normal((1 + i % 2, 3, 40 + 9 * i, 33), dtype=np.float32) for i in range(4)]
    expected = [net(x) for x in inputs]
    failures = []

    def work(i):
        try:
            for _ in range(20):
                assert_same_bits(net(inputs[i]), expected[i])
                assert len(net.state_dict()) == 120
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_changes_while_others_compute_are_seen_whole(new_net, states, images):
    # Every forward pass must see the features of one seed, never a mixture.
    net = new_net(out_indices=(0, 1))
    expected = []
    for seed in (1, 2):
        net.init_weights(seed=seed)
        expected.append(net(images))
    stop, failures = threading.Event(), []

    def work():
        try:
            while not stop.is_set():
                features = net(images)
                assert any(all(map(np.array_equal, features, each)) for each in expected)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for i in range(30):
        net.init_weights(seed=1 + i % 2)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures


def in_child(work):
    """The exit status of a forked child that runs `work`, or None if it hangs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            # Ends a child that waits for a worker thread it does not have.
            signal.alarm(30)
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


@pytest.mark.parametrize("threads", [1, 4])
def test_child_of_a_fork_after_the_first_forward_computes_the_same(new_net, images, threads):
    net = new_net(depth=50, threads=threads)
    expected = net(images)

    def same():
        return all(map(np.array_equal, net(images), expected))

    assert in_child(same) == 0
    # The parent's threads are as they were, and so are a grandchild's parents'.
    assert same()
    assert in_child(lambda: same() and in_child(same) == 0) == 0


def test_child_of_a_fork_may_change_and_close_the_network(new_net, images):
    net = new_net(threads=2)
    expected = net(images)

    def work():
        net.train()(images)
        net.init_weights(seed=3)
        net.close()
        return True

    assert in_child(work) == 0
    assert_same_bits(net(images), expected)
