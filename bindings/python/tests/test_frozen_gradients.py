# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Gradients above frozen stages, computed in two ways.

A tape for the gradient of the input computes the frozen part like the rest, and goes on below it; another one has an
engine for each part. What is first above the boundary differs between architectures: a convolution, a norm, a pooling.
"""

import numpy as np
import pytest

import backbone

NETWORKS = [
    "resnet18",
    "resnet50d",
    "resnet26t",
    "resnext50_32x4d",
    "resnetaa50",
    "resnetblur18",
    "seresnet50",
    "ecaresnet50d",
    "resnetrs50",
    "resnet50_gn",
    "resnetv2_18",
    "resnetv2_50d_gn",
    "resnet20",
    "plain18",
]


def gradients(net, x, state, **options):
    net.load_state_dict(state)
    with net.tape(**options) as tape:
        outputs = net.forward_train(x, tape)
        vector = net.backward(tape, [np.full_like(output, 1 / output.size) for output in outputs])
    return {name: part.copy() for name, part in net.named_slices(vector).items()}


@pytest.mark.parametrize("norm_eval", [True, False])
@pytest.mark.parametrize("name", NETWORKS)
def test_both_ways_agree(name, norm_eval):
    width = {} if name in ("resnet20", "resnetv2_50d_gn") else {"base_channels": 32}
    net = backbone.ResNet(architecture=name, **width, norm_eval=norm_eval, arithmetic="direct").train()
    net.init_weights(seed=3)
    x = np.random.default_rng(1).standard_normal((2, 3, 64, 64), np.float32)
    state = net.state_dict()
    for frozen in range(4):
        net.freeze(frozen)
        if net.trainable_count == 0:
            break
        apart, together = (gradients(net, x, state, input_gradient=below) for below in (False, True))
        assert apart.keys() == together.keys()
        for key, expected in together.items():
            largest = np.abs(expected).max()
            np.testing.assert_allclose(
                apart[key], expected, rtol=0, atol=1e-3 * largest + 1e-9, err_msg=f"{key}, {frozen} frozen"
            )
        # What is trained depends on some output.
        assert sum(np.abs(part).max() > 0 for part in apart.values()) > 0.9 * len(apart)
