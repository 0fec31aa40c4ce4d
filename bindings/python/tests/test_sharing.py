# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Memory of others, as input and as output: the library gets the very addresses. (Tensors are in test_torch.py.)"""

import numpy as np
import pytest

import backbone
from backbone import _resnet


class Interface:
    """Memory that is known by its `__array_interface__` alone."""

    def __init__(self, array):
        self._array = array
        self.__array_interface__ = array.__array_interface__


class DLPack:
    """Memory that is known by DLPack alone."""

    def __init__(self, array, device=None):
        self._array = array
        self._device = device

    def __dlpack__(self, **options):
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._device or self._array.__dlpack_device__()


KINDS = [np.asarray, Interface, DLPack]


@pytest.fixture
def addresses(monkeypatch):
    """The arguments of each forward pass to the library: the address of the input and those of the outputs."""
    calls = []

    class Spy:
        def __getattr__(self, name):
            function = getattr(backbone._library.lib, name)
            if name != "backbone_forward":
                return function

            def forward(net, image, outputs, count):
                calls.append((image._obj.data, [output.data for output in outputs]))
                return function(net, image, outputs, count)

            return forward

    monkeypatch.setattr(_resnet, "lib", Spy())
    return calls


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_input_is_read_where_it_lies(new_net, addresses, kind, dtype):
    net = new_net()
    x = np.random.default_rng(5).integers(0, 200, (2, 40, 33, 3)).astype(dtype)
    expected = net(x.transpose(0, 3, 1, 2))
    for image in (x.transpose(0, 3, 1, 2), x[1:, ::2, 3:].transpose(0, 3, 1, 2)):
        features = net(kind(image))
        assert addresses[-1][0] == image.ctypes.data
        for a, b in zip(features, net(image.copy()), strict=True):
            np.testing.assert_array_equal(a, b)
    # Written through: the next forward pass sees the new pixels.
    shared = kind(x.transpose(0, 3, 1, 2))
    x += 1
    assert not np.array_equal(net(shared)[0], expected[0])


WRITABLE_KINDS = KINDS if np.lib.NumpyVersion(np.__version__) >= "2.1.0" else KINDS[:2]


@pytest.mark.parametrize("kind", WRITABLE_KINDS)
def test_outputs_are_written_where_they_lie(new_net, addresses, images, kind):
    net = new_net()
    memory = [np.zeros(shape, np.float32) for shape in net.output_shapes(images.shape)]
    out = [kind(array) for array in memory]
    result = net(images, out)
    assert all(a is b for a, b in zip(result, out, strict=True))
    assert addresses[-1][1] == [array.ctypes.data for array in memory]
    for a, b in zip(memory, net(images), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", WRITABLE_KINDS)
def test_outputs_that_meet_are_refused(new_net, images, kind):
    net = new_net()
    memory = [np.zeros(shape, np.float32) for shape in net.output_shapes(images.shape)]
    memory[2] = memory[1].reshape(-1)[: memory[2].size].reshape(memory[2].shape)
    with pytest.raises(ValueError, match=r"out\[2\] overlaps out\[1\]"):
        net(images, [kind(array) for array in memory])
    assert not any(array.any() for array in memory)
    with pytest.raises(TypeError, match="out is an array"):
        net(images, kind(memory[0]))


def test_outputs_that_are_read_only_are_refused(new_net, images):
    net = new_net()
    memory = [np.zeros(shape, np.float32) for shape in net.output_shapes(images.shape)]
    memory[2].flags.writeable = False
    with pytest.raises(ValueError, match=r"out\[2\] is read-only"):
        net(images, [Interface(array) for array in memory])
    assert not any(array.any() for array in memory)


def test_memory_of_another_device_is_refused(new_net, images):
    # 2 is CUDA in dlpack.h.
    with pytest.raises(ValueError, match="the input is a DLPack whose memory cannot be shared"):
        new_net()(DLPack(images, device=(2, 0)))


@pytest.mark.parametrize("kind", KINDS)
def test_dtype_of_every_kind_is_checked(new_net, images, kind):
    with pytest.raises(TypeError, match="the input has dtype float64"):
        new_net()(kind(images.astype(np.float64)))


def test_a_profile_takes_what_a_forward_takes(new_net, images):
    assert new_net().profile(DLPack(images))
