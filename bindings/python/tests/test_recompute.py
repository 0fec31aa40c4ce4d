# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Tapes that keep less, or longer: the same bits whatever they keep."""

import numpy as np
import pytest

import backbone

NETWORKS = ["resnet18", "resnet26", "resnet50d", "resnetv2_50", "seresnet50", "resnet50_gn", "ecaresnet26t", "resnet20"]


def narrow(name, **options):
    width = {} if name == "resnet20" else {"base_channels": 32}
    return backbone.ResNet(architecture=name, outputs=["C3", "C4", "logits"], num_classes=5, **width, **options)


def step(net, x, **options):
    """Gradients of one pass and of a second one over the same tape, its bytes, and the state dict afterwards."""
    before = net.state_dict()
    with net.tape(**options) as tape:
        outputs = net.forward_train(x, tape)
        gradients = [net.backward(tape, outputs).copy()]
        if options.get("retain"):
            gradients.append(net.backward(tape, outputs).copy())
        size = tape.nbytes
    after = net.state_dict()
    net.load_state_dict(before)
    return gradients, size, after


@pytest.mark.parametrize("norm_eval", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_bits_do_not_depend_on_what_is_kept(name, norm_eval):
    net = narrow(name, norm_eval=norm_eval, frozen_stages=0).train()
    x = np.random.default_rng(3).standard_normal((3, 3, 64, 47)).astype(np.float32)
    expected, kept, state = step(net, x)
    assert np.isfinite(expected[0]).all() and np.abs(expected[0]).max() > 0
    for options in ({"recompute": True}, {"retain": True}, {"recompute": True, "retain": True}):
        gradients, size, after = step(net, x, **options)
        for gradient in gradients:
            np.testing.assert_array_equal(gradient.view(np.uint32), expected[0].view(np.uint32), err_msg=str(options))
        # Statistics are updated once, also where the forward pass is computed twice.
        for key, value in state.items():
            np.testing.assert_array_equal(after[key], value, err_msg=f"{key} with {options}")
        if options == {"recompute": True}:
            assert size < kept


def test_a_deep_network_needs_much_less():
    net = narrow("resnet50", norm_eval=False).train()
    x = np.random.default_rng(4).standard_normal((4, 3, 96, 96)).astype(np.float32)
    _, kept, _ = step(net, x)
    _, recomputed, _ = step(net, x, recompute=True)
    assert recomputed < 0.6 * kept


def floats_of(net, side):
    """Floats for one image of so many pixels a side: what the gradients of a ResNet of Bottlenecks with batch
    statistics cannot be computed without, and the results of norms within blocks. From shapes alone."""
    needed, restored = 3 * side * side, 0
    for name, array in net.state_dict().items():
        if array.ndim != 4:
            continue
        if name == "conv1.weight" or ".0.conv2" in name and "layer1" not in name:
            side //= 2
        pixels = array.shape[0] * side * side
        # What the norm after it reads.
        needed += pixels
        if name == "conv1.weight":
            side //= 2
            needed += array.shape[0] * side * side
            restored += pixels
        elif "conv3" in name:
            needed += pixels
        elif "downsample" not in name:
            restored += pixels
    return needed, restored


def test_batch_statistics_keep_what_norms_read_and_restore_the_rest():
    net = narrow("resnet50", norm_eval=False).train()
    x = np.random.default_rng(4).standard_normal((4, 3, 192, 192)).astype(np.float32)
    _, size, _ = step(net, x)
    needed, restored = floats_of(net, 192)
    # Gradients reuse the memory; the rest is what kernels compute in.
    assert 16 * needed < size < 16 * (needed + restored)
