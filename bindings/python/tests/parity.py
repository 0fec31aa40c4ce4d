# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Networks with the values of a PyTorch model, for comparisons with it."""

import numpy as np
from weight_formula import images

import backbone


def calibrated(reference, depth, in_channels, base_channels, side=96, **options):
    model = reference.with_formula(depth, in_channels, base_channels, **options)
    return reference.calibrate(model, images("calibration", (2, in_channels, side, side)))


def arrays(state):
    return {name: tensor.numpy() for name, tensor in state.items()}


def net_like(model, depth, **options):
    """A network with the values of a model."""
    base_channels, in_channels = model.conv1.weight.shape[:2]
    net = backbone.ResNet(depth, in_channels, base_channels=base_channels, **options)
    net.load_state_dict(arrays(model.state_dict()))
    return net


def assert_same_state(net, expected):
    """Names, order and bits."""
    state = net.state_dict()
    assert list(state) == list(expected)
    for name, value in expected.items():
        assert state[name].dtype == value.dtype, name
        np.testing.assert_array_equal(state[name], value, err_msg=name)
