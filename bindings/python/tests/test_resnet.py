# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Construction, arguments, lifetime."""

import copy
import gc
import pickle
import threading

import numpy as np
import pytest

import backbone


@pytest.mark.parametrize("depth", [20, 0, -50, 2**31 - 1])
def test_depth_that_is_none_of_the_five_is_refused_and_named(depth):
    with pytest.raises(ValueError, match=f"depth.*{depth}"):
        backbone.ResNet(depth)


@pytest.mark.parametrize("out_indices", [(), (4,), (0, 1, 2, 3, 4), (-1,), (1, 0), (0, 0)])
def test_out_indices_that_are_empty_out_of_range_or_not_ascending_are_refused(out_indices):
    with pytest.raises(ValueError, match="out_indices"):
        backbone.ResNet(18, out_indices=out_indices)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("in_channels", 0),
        ("in_channels", 4097),
        ("base_channels", 0),
        ("base_channels", -64),
        ("frozen_stages", -2),
        ("frozen_stages", 5),
        ("threads", -1),
        ("threads", 1025),
    ],
)
def test_number_out_of_range_is_refused_and_named(name, value):
    with pytest.raises(ValueError, match=f"{name}.*{value}"):
        backbone.ResNet(18, **{name: value})


@pytest.mark.parametrize("name", ["depth", "in_channels", "base_channels", "frozen_stages", "threads"])
@pytest.mark.parametrize("value", [2**40 + 18, -(2**31) - 1, 2**64 + 18])
def test_number_that_fits_no_int32_is_refused_not_wrapped(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        backbone.ResNet(**{name: value})


@pytest.mark.parametrize("name", ["depth", "in_channels", "base_channels", "frozen_stages", "threads"])
@pytest.mark.parametrize("value", ["18", 18.0, [18]])
def test_number_that_is_no_integer_is_an_error(name, value):
    # A text for `depth` is the name of an architecture.
    error = ValueError if (name, value) == ("depth", "18") else TypeError
    with pytest.raises(error, match="architecture is '18'" if error is ValueError else name):
        backbone.ResNet(**{name: value})


def test_numpy_integers_are_integers():
    with backbone.ResNet(np.int64(18), np.uint8(1), out_indices=np.array([0, 1])) as net:
        assert (net.depth, net.in_channels, net.out_indices) == (18, 1, (0, 1))


@pytest.mark.parametrize("pretrained", [0, 1.5, b"x.pth", ["x.pth"]])
def test_pretrained_that_is_no_path_is_a_type_error(pretrained):
    with pytest.raises(TypeError, match="pretrained"):
        backbone.ResNet(18, pretrained=pretrained)
    with backbone.ResNet(18, base_channels=8) as net, pytest.raises(TypeError, match="pretrained"):
        net.init_weights(pretrained=pretrained)


@pytest.mark.parametrize("name", ["mean", "std"])
def test_normalisation_that_is_no_positive_finite_number_per_channel_is_refused(name):
    for values in [(1.0, 2.0), (1.0,) * 4, 1.0, ((1.0, 2.0, 3.0),)]:
        with pytest.raises(ValueError, match=f"{name} has shape"):
            backbone.ResNet(18, **{name: values})
    for bad in [float("nan"), float("inf"), 1e300]:
        with pytest.raises(ValueError, match=name):
            backbone.ResNet(18, **{name: (1.0, bad, 1.0)})


@pytest.mark.parametrize("bad", [0.0, -1.0])
def test_standard_deviation_that_is_not_positive_is_refused(bad):
    with pytest.raises(ValueError, match="std"):
        backbone.ResNet(18, std=(1.0, bad, 1.0))


def test_unknown_channel_order_is_refused():
    with pytest.raises(ValueError, match="channel_order is 'bgr'"):
        backbone.ResNet(18, channel_order="bgr")


def test_properties_say_what_was_asked_for():
    with backbone.ResNet(50, 5, 1, 2, base_channels=16, out_indices=(1, 3)) as net:
        assert (net.depth, net.in_channels, net.frozen_stages, net.threads) == (50, 5, 1, 2)
        assert (net.out_indices, net.out_strides, net.out_channels) == ((1, 3), (8, 32), (128, 512))
        assert not net.training
        assert repr(net) == "ResNet(50, in_channels=5, frozen_stages=1, threads=2, out_indices=(1, 3), training=False)"


def test_threads_none_means_those_of_the_process():
    import os

    with backbone.ResNet(18) as net:
        assert 1 <= net.threads <= len(os.sched_getaffinity(0))


def test_closed_network_refuses_everything():
    net = backbone.ResNet(18, base_channels=8)
    parameter = next(net.parameters())
    net.close()
    net.close()
    calls = [
        lambda: net(np.zeros((1, 3, 8, 8), np.float32)),
        lambda: net.output_shapes((1, 3, 8, 8)),
        net.init_weights,
        lambda: net.load_weights("x.pth"),
        lambda: net.save_weights("x.safetensors"),
        net.state_dict,
        lambda: net.load_state_dict({"conv1.weight": np.zeros((8, 3, 7, 7), np.float32)}, strict=False),
        lambda: net.freeze(1),
        net.train,
        net.eval,
        lambda: net.training,
        lambda: net.threads,
        lambda: net.frozen_stages,
        lambda: net.get_entry("conv1.weight"),
        lambda: parameter.data,
        lambda: parameter.requires_grad,
    ]
    for call in calls:
        with pytest.raises(ValueError, match="closed"):
            call()
    assert repr(net) == "<closed ResNet(18)>"


def test_with_block_closes():
    with backbone.ResNet(18, base_channels=8) as net:
        pass
    with pytest.raises(ValueError, match="closed"):
        net.eval()


def test_last_reference_closes(monkeypatch):
    net = backbone.ResNet(18, base_channels=8)
    handle, freed = net._handle, []
    free = handle._free
    handle._free = lambda pointer: (freed.append(pointer), free(pointer))
    net(np.zeros((1, 3, 8, 8), np.float32))
    list(net.parameters())
    del net
    gc.collect()
    assert freed == [handle._pointer]


def test_close_while_another_thread_computes_frees_after_it(new_net):
    net = new_net()
    handle, freed = net._handle, []
    free = handle._free
    handle._free = lambda pointer: (freed.append(pointer), free(pointer))
    inside, go_on = threading.Event(), threading.Event()

    def call():
        with handle:
            inside.set()
            go_on.wait(10)
            assert not freed

    thread = threading.Thread(target=call)
    thread.start()
    inside.wait(10)
    net.close()
    with pytest.raises(ValueError, match="closed"):
        net.eval()
    assert not freed
    go_on.set()
    thread.join(10)
    assert freed == [handle._pointer]
    net.close()
    assert len(freed) == 1


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_copying_is_refused(duplicate):
    with backbone.ResNet(18, base_channels=8) as net, pytest.raises(TypeError, match="state_dict"):
        duplicate(net)


def test_constructor_that_fails_on_its_checkpoint_leaves_nothing_behind(tmp_path, recwarn):
    with pytest.raises(FileNotFoundError, match=r"absent\.pth"):
        backbone.ResNet(18, base_channels=8, pretrained=tmp_path / "absent.pth")
    gc.collect()
    assert not recwarn.list
