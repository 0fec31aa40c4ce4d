# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Freezing, training mode, and what they do to statistics."""

import numpy as np
import pytest
from checkpoints import write_safetensors

import backbone

STAGES = ["conv1", "layer1", "layer2", "layer3", "layer4"]


def stage_of(name):
    return 0 if name.startswith(("conv1", "bn1")) else int(name[len("layer")])


def statistics(net):
    return {name: buffer.data for name, buffer in net.named_buffers()}


def changed(before, after):
    return {name for name in before if not np.array_equal(before[name], after[name])}


def frozen_parameters(net):
    return {name for name, parameter in net.named_parameters() if not parameter.requires_grad}


def assert_frozen(net, stages):
    """All that `freeze(stages)` promises of parameters and norms."""
    assert net.frozen_stages == stages
    for name, parameter in net.named_parameters():
        assert parameter.requires_grad == (stage_of(name) > stages), name
    for name, buffer in net.named_buffers():
        assert buffer.batch_statistics == (net.training and stage_of(name) > stages), name


@pytest.mark.parametrize("norm_eval", [False, True])
def test_modes_are_set_and_survive(norm_eval):
    with backbone.ResNet(18, base_channels=8, norm_eval=norm_eval) as net:
        assert not net.training
        assert net.train() is net and net.training
        assert net.eval() is net and not net.training
        assert net.train(False) is net and not net.training


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("stages", [-1, 0, 1, 2, 3, 4])
def test_freeze_then_train_keeps_the_stem_and_first_stages_frozen(depth, stages):
    with backbone.ResNet(depth, base_channels=8, frozen_stages=stages) as net:
        assert_frozen(net, stages)
        net.train()
        assert_frozen(net, stages)
        net.eval()
        assert_frozen(net, stages)


def test_freeze_sets_the_state_and_a_lower_number_unfreezes():
    with backbone.ResNet(18, base_channels=8) as net:
        net.train()
        for stages in (2, 2, 4, 0, 3, -1):
            assert net.freeze(stages) is net
            assert_frozen(net, stages)


@pytest.mark.parametrize("stages", [-2, 5, 2**31 - 1, 2**32 - 1, -(2**63)])
def test_freeze_out_of_range_is_refused_and_changes_nothing(stages):
    with backbone.ResNet(18, base_channels=8, frozen_stages=1) as net:
        with pytest.raises(ValueError, match="frozen_stages"):
            net.freeze(stages)
        assert_frozen(net, 1)


def test_freezing_beyond_the_stages_that_were_built_freezes_all_there_is(new_net, images):
    net = new_net(out_indices=(0, 1), frozen_stages=4).train()
    assert not any(parameter.requires_grad for parameter in net.parameters())
    before = statistics(net)
    net(images)
    assert changed(before, statistics(net)) == set()


def test_training_forward_updates_every_norm_by_momentum_and_unbiased_variance(new_net):
    # The stem's norm is computed here with nothing but its definition; the others must move, and by one batch.
    net = new_net().train()
    x = np.random.default_rng(11).standard_normal((2, 3, 33, 20), dtype=np.float32)
    before = net.state_dict()
    net(x)
    after = net.state_dict()
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (3, 3), (3, 3)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (7, 7), axis=(2, 3))[:, :, ::2, ::2]
    response = np.einsum("nchwij,ocij->nohw", windows, before["conv1.weight"].astype(np.float64))
    mean, variance = response.mean((0, 2, 3)), response.var((0, 2, 3), ddof=1)
    expected_mean = 0.9 * before["bn1.running_mean"] + 0.1 * mean
    expected_variance = 0.9 * before["bn1.running_var"] + 0.1 * variance
    np.testing.assert_allclose(after["bn1.running_mean"], expected_mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(after["bn1.running_var"], expected_variance, rtol=1e-5)
    for name in before:
        if name.endswith("num_batches_tracked"):
            assert after[name] == before[name] + 1, name
        elif name.endswith(("running_mean", "running_var")):
            assert not np.array_equal(after[name], before[name]), name
        else:
            np.testing.assert_array_equal(after[name], before[name], err_msg=name)


def test_training_forward_takes_the_statistics_of_all_images_of_a_large_batch():
    # More than is given memory at a time in evaluation mode. The first two norms by nothing but their definitions.
    x = np.random.default_rng(12).standard_normal((8, 3, 256, 256), dtype=np.float32)
    # Images that differ as a whole: statistics of some are not those of all.
    x = x * np.linspace(0.2, 2, 8, dtype=np.float32)[:, None, None, None] + np.linspace(-1, 1, 8)[:, None, None, None]
    x = x.astype(np.float32)
    with backbone.ResNet(50) as net:
        net.train()
        net(x)
        state = net.state_dict()
    assert {int(state[name]) for name in state if name.endswith("num_batches_tracked")} == {1}

    def check(name, values):
        mean, variance = values.mean((0, 2, 3)), values.var((0, 2, 3), ddof=1)
        np.testing.assert_allclose(state[name + ".running_mean"], 0.1 * mean, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(state[name + ".running_var"], 0.9 + 0.1 * variance, rtol=1e-4)

    padded = np.pad(x, ((0, 0), (0, 0), (3, 3), (3, 3)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (7, 7), axis=(2, 3))[:, :, ::2, ::2]
    response = np.stack([np.tensordot(state["conv1.weight"], w, ([1, 2, 3], [0, 3, 4])) for w in windows])
    check("bn1", response.astype(np.float64))
    mean, variance = response.mean((0, 2, 3), dtype=np.float64), response.var((0, 2, 3), dtype=np.float64)
    response -= mean[:, None, None].astype(np.float32)
    response /= np.sqrt(variance + 1e-5)[:, None, None].astype(np.float32)
    padded = np.pad(np.maximum(response, 0), ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))[:, :, ::2, ::2]
    pooled = windows.max((4, 5)).astype(np.float64)
    check("layer1.0.bn1", np.einsum("oc,nchw->nohw", state["layer1.0.conv1.weight"][:, :, 0, 0], pooled))


def test_evaluation_after_training_at_another_size_uses_the_new_statistics():
    # Sizes for which a layer is computed in different ways, each with packed weights of its own.
    rng = np.random.default_rng(13)
    images = {side: rng.standard_normal((2, 3, side, side), dtype=np.float32) for side in (224, 40, 32)}
    with backbone.ResNet(18) as net:
        kernels = {side: tuple(layer.kernel for layer in net.profile(x)) for side, x in images.items()}
        # Without AVX2 only one way exists.
        assert len(set(kernels.values())) > 1 or not any("winograd" in kernel for kernel in kernels[224])
        for evaluated, trained in ((224, 40), (40, 32), (32, 224)):
            before = net.eval()(images[evaluated])
            net.train()(images[trained])
            net.eval()
            with backbone.ResNet(18) as fresh:
                fresh.load_state_dict(net.state_dict())
                for side in (evaluated, trained, *images):
                    for stage, expected in zip(net(images[side]), fresh(images[side]), strict=True):
                        np.testing.assert_array_equal(stage, expected, err_msg=f"{side} after training at {trained}")
                assert not np.array_equal(net(images[evaluated])[3], before[3])


@pytest.mark.parametrize("stages", [-1, 0, 1, 2, 3, 4])
def test_frozen_stages_keep_their_statistics_in_training_mode_and_others_do_not(new_net, images, stages):
    net = new_net(depth=50, frozen_stages=stages).train()
    before = statistics(net)
    net(images)
    assert changed(before, statistics(net)) == {name for name in before if stage_of(name) > stages}


@pytest.mark.parametrize("stages", [1, 2, 3, 4])
def test_training_mode_after_freeze_changes_neither_outputs_nor_buffers_of_frozen_stages(new_net, images, stages):
    net = new_net(depth=50, frozen_stages=stages)
    before, features = statistics(net), net(images)
    net.train()
    for _ in range(2):
        in_training = net(images)
        for stage in range(stages):
            np.testing.assert_array_equal(in_training[stage], features[stage])
        for stage in range(stages, 4):
            assert not np.array_equal(in_training[stage], features[stage])
    assert all(stage_of(name) > stages for name in changed(before, statistics(net)))


@pytest.mark.parametrize("depth", [18, 50])
def test_norm_eval_keeps_every_norm_in_evaluation_while_training(new_net, images, depth):
    net = new_net(depth=depth, norm_eval=True)
    before, features = statistics(net), net(images)
    net.train()
    assert net.training
    assert not any(buffer.batch_statistics for buffer in net.buffers())
    # Its affine weights stay trainable.
    assert all(parameter.requires_grad for parameter in net.parameters())
    for left, right in zip(net(images), features, strict=True):
        np.testing.assert_array_equal(left, right)
    assert changed(before, statistics(net)) == set()


def test_norm_eval_holds_after_loading_too(new_net, tmp_path):
    net = new_net(depth=50, norm_eval=True).train()
    net.load_weights(write_safetensors(tmp_path / "x.safetensors", net.state_dict()))
    assert net.training and not any(buffer.batch_statistics for buffer in net.buffers())


def test_norm_eval_trains_on_an_image_of_one_value_per_channel(new_net):
    # R18 on 32x32 leaves 1x1 in C5: legal only because no norm uses the batch.
    features = new_net(norm_eval=True).train()(np.ones((1, 3, 32, 32), np.float32))
    assert [f.shape for f in features] == [(1, 8, 8, 8), (1, 16, 4, 4), (1, 32, 2, 2), (1, 64, 1, 1)]
    assert all(np.isfinite(f).all() for f in features)


def test_one_value_per_channel_in_training_is_refused_and_changes_nothing(new_net):
    net = new_net().train()
    before = net.state_dict()
    x = np.ones((1, 3, 32, 32), np.float32)
    with pytest.raises(ValueError, match="layer4"):
        net(x)
    assert changed(before, net.state_dict()) == set()
    net(np.concatenate([x, -x]))
    net.freeze(4)(x)
    assert net.eval()(x)[3].shape == (1, 64, 1, 1)


def test_weights_load_after_freeze_and_freeze_after_load_give_the_same(states, images, tmp_path):
    path = write_safetensors(tmp_path / "x.safetensors", states[18])
    with (
        backbone.ResNet(18, base_channels=8, frozen_stages=2) as first,
        backbone.ResNet(18, base_channels=8) as second,
    ):
        first.load_weights(path)
        second.load_weights(path)
        second.freeze(2).freeze(2)
        assert frozen_parameters(first) == frozen_parameters(second) != set()
        for net in (first, second):
            net.train()(images)
        left, right = first.state_dict(), second.state_dict()
        assert changed(left, right) == set()
        for name in changed(states[18], left):
            assert stage_of(name) > 2
        # Unfrozen, all norms follow the batch again.
        before = statistics(first)
        first.freeze(-1)(images)
        assert changed(before, statistics(first)) == set(before)


def test_frozen_weights_can_be_initialised_and_written(images):
    with backbone.ResNet(18, base_channels=8, frozen_stages=4) as net:
        before = net.state_dict()
        features = net(images)
        net.init_weights(seed=9)
        assert "conv1.weight" in changed(before, net.state_dict())
        assert not np.array_equal(net(images)[0], features[0])
        net.get_entry("conv1.weight").data = before["conv1.weight"]
        np.testing.assert_array_equal(net.get_entry("conv1.weight").data, before["conv1.weight"])
