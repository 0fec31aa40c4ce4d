# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Parameters in memory of the caller: the same numbers as in the network's own, and nothing but parameters there."""

import ctypes

import numpy as np
import pytest

import backbone
from backbone import optim
from backbone._errors import check
from backbone._library import lib


def network(seed, **options):
    net = backbone.ResNet(architecture="resnet20", outputs=["C4", "logits"], num_classes=3, **options)
    net.init_weights(seed=seed)
    return net


def images():
    return np.random.default_rng(5).standard_normal((3, 3, 32, 29)).astype(np.float32)


def parameters_of(net):
    """All parameters in the order of the state dict, by names alone."""
    values = [array.ravel() for name, array in net.state_dict().items() if name.endswith((".weight", ".bias"))]
    return np.concatenate(values)


def bind(net, memory):
    with net._handle as handle:
        count = 0 if memory is None else memory.size
        check(lib.backbone_bind_parameters(handle, None if memory is None else memory.ctypes.data, count))


def notify(net, *entries):
    array = (ctypes.c_size_t * len(entries))(*entries) if entries else None
    with net._handle as handle:
        check(lib.backbone_parameters_changed(handle, array, len(entries)))


def assert_same(left, right):
    for a, b in zip(left, right, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_values_in_the_memory_become_the_networks():
    x = images()
    for net in (network(1), backbone.ResNet(architecture="resnet20", outputs=["C4", "logits"], num_classes=3)):
        other = network(2)
        memory = parameters_of(other)
        before = net.state_dict()
        net(x)
        bind(net, memory)
        assert_same(net(x), other(x))
        for name, array in net.state_dict().items():
            is_parameter = name.endswith((".weight", ".bias"))
            np.testing.assert_array_equal(array, (other.state_dict() if is_parameter else before)[name], err_msg=name)


def test_writes_are_used_once_they_are_reported():
    x, net, other = images(), network(1), network(2)
    memory, wanted = parameters_of(net), parameters_of(other)
    bind(net, memory)
    net(x)
    with net.tape() as tape:
        outputs = net.forward_train(x, tape)
        # One entry: the first convolution's weights.
        count = net.state_dict()["conv1.weight"].size
        memory[:count] = wanted[:count]
        notify(net, 0)
        with pytest.raises(backbone.StaleError, match="weights were written"):
            net.backward(tape, outputs)
    expected = network(1)
    expected.load_state_dict({"conv1.weight": other.state_dict()["conv1.weight"]}, allow_missing=True, strict=False)
    assert_same(net(x), expected(x))
    memory[:] = wanted
    notify(net)
    assert_same(net(x), other(x))


def test_all_that_changes_parameters_writes_to_the_memory():
    x, net, other = images(), network(1).train(), network(1).train()
    memory = parameters_of(net)
    bind(net, memory)
    for each in (net, other):
        optimizer = optim.AdamW(each, lr=1e-3)
        with each.tape() as tape:
            for _ in range(3):
                optimizer.step(each.backward(tape, each.forward_train(x, tape)))
    np.testing.assert_array_equal(memory, parameters_of(other))
    # Buffers are trained as ever, in memory of the network.
    assert_same(net.state_dict().values(), other.state_dict().values())
    for change in (
        lambda each: each.init_weights(seed=7),
        lambda each: each.load_state_dict(network(9).state_dict()),
        lambda each: each.write_trainable(np.linspace(-1, 1, each.trainable_count, dtype=np.float32)),
    ):
        change(net)
        change(other)
        np.testing.assert_array_equal(memory, parameters_of(other))
        assert_same(net.eval()(x), other.eval()(x))


def test_memory_is_left_alone_after_it_was_replaced():
    x, net = images(), network(1)
    first = parameters_of(net)
    second = parameters_of(network(2))
    bind(net, first)
    bind(net, second)
    first[:] = np.nan
    assert_same(net(x), network(2)(x))
    bind(net, None)
    second[:] = np.nan
    notify(net)
    assert_same(net(x), network(2)(x))
    # Nothing is bound: nothing happens.
    bind(net, None)
    assert_same(net(x), network(2)(x))


def test_what_is_refused_changes_nothing():
    x, net = images(), network(1)
    memory = parameters_of(net)
    expected = net(x)
    with pytest.raises(ValueError, match=f"count is {memory.size - 1}, expected {memory.size}"):
        bind(net, memory[1:])
    with net._handle as handle, pytest.raises(ValueError, match="not aligned to 4 bytes"):
        check(lib.backbone_bind_parameters(handle, memory.ctypes.data + 2, memory.size))
    with pytest.raises(ValueError, match=r"index is 100000, expected less than \d+"):
        notify(net, 0, 100000)
    with net._handle as handle, pytest.raises(ValueError, match="count is larger than any memory"):
        check(lib.backbone_parameters_changed(handle, (ctypes.c_size_t * 1)(), 2**64 - 1))
    memory[:] = np.nan
    assert_same(net(x), expected)
