# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Gradients with respect to outputs, on NumPy alone: known values, the chain rule and the same bits.

Values are compared with PyTorch's in test_parity_feature_gradients.py.
"""

import threading

import numpy as np
import pytest

import backbone

CLASSES = 6
OUTPUTS = ("C1", "C2", "C3", "C4", "C5", "pooled", "logits")
# Other blocks, gates, norms and shortcuts; preactivated ones have a norm between C5 and the pooling.
NETWORKS = [
    *("resnet18", "resnet50", "resnext50_32x4d", "resnet50d", "seresnet18", "ecaresnet26t", "resnetblur18"),
    *("resnetaa34d", "resnet26t", "resnet50_gn", "resnetv2_18", "resnetv2_50d_gn", "resnet20", "plain18"),
]
SHAPE = (2, 3, 64, 64)
MODES = ("eval", "train")


@pytest.fixture
def make():
    nets = []

    def build(name="resnet18", mode="eval", **options):
        width = {} if name in ("resnet20", "resnet50_gn", "resnetv2_50d_gn") else {"base_channels": 32}
        choices = {"outputs": OUTPUTS, "num_classes": CLASSES, "arithmetic": "direct", **width, **options}
        net = backbone.ResNet(name, norm_eval=mode == "norm_eval", **choices).train(mode != "eval")
        nets.append(net.init_weights(seed=3) or net)
        return net

    yield build
    for net in nets:
        net.close()


@pytest.fixture
def x():
    return np.random.default_rng(1).standard_normal(SHAPE, np.float32)


def given_for(net, outputs, names, seed=2):
    """Random gradients of these outputs, None for the others."""
    random = np.random.default_rng(seed)
    values = [random.standard_normal(output.shape, np.float32) / np.float32(output.size) for output in outputs]
    return [value if name in names else None for name, value in zip(net.outputs, values, strict=True)]


def gradients_of(net, x, names, wanted=None, **options):
    """By the name of the output; a pass, and the way back from random gradients of some outputs."""
    with net.tape(**{"input_gradient": True, **options}) as tape:
        given = given_for(net, net.forward_train(x, tape), names)
        return dict(zip(wanted or net.outputs, net.feature_gradients(tape, given, wanted), strict=True))


def assert_close(actual, expected, bound):
    largest = np.abs(expected).max()
    assert largest > 0
    error = np.abs(actual - expected).max()
    assert error <= bound * largest, f"off by {error:.1e}, the largest is {largest:.1e}"


def assert_same(actual, expected):
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name].view(np.uint32), value.view(np.uint32), err_msg=name)


# ---- Values ----


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [name for name in NETWORKS if not name.startswith("resnetv2")])
def test_after_the_last_stage_only_the_classifier_counts(make, x, name, mode):
    net = make(name, mode)
    last = [output for output in net.outputs if output.startswith("C")][-1]
    with net.tape(retain=True) as tape:
        outputs = net.forward_train(x, tape)
        for names in (("logits",), ("pooled",), ("pooled", "logits"), (last, "pooled", "logits")):
            given = given_for(net, outputs, names)
            by_name = {n: g for n, g in zip(net.outputs, given, strict=True) if g is not None}
            found = dict(zip(net.outputs, net.feature_gradients(tape, given), strict=True))
            zeros = np.zeros((1, 1, 1, 1))
            of_logits = by_name.get("logits", np.zeros((len(x), CLASSES, 1, 1))).astype(np.float64)
            weights = net.state_dict()["fc.weight"].astype(np.float64)
            of_pooled = np.einsum("nkij,kc->ncij", of_logits, weights) + by_name.get("pooled", zeros)
            height, width = found[last].shape[2:]
            if "logits" in names:
                np.testing.assert_array_equal(found["logits"], by_name["logits"])
            else:
                assert not found["logits"].any()
            assert_close(found["pooled"], of_pooled, 1e-5)
            expected = of_pooled / (height * width) + by_name.get(last, zeros)
            assert_close(found[last], np.broadcast_to(expected, found[last].shape), 1e-5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", NETWORKS)
def test_an_output_alone(make, x, name, mode):
    """It has the gradient that was given, to the bit; those after it have none, those before it have some."""
    net = make(name, mode)
    with net.tape(retain=True, input_gradient=True) as tape:
        outputs = net.forward_train(x, tape)
        for index, output in enumerate(net.outputs):
            given = given_for(net, outputs, (output,))
            found = net.feature_gradients(tape, given)
            np.testing.assert_array_equal(found[index], given[index])
            assert not any(values.any() for values in found[index + 1 :])
            assert all(values.any() and np.isfinite(values).all() for values in found[:index])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_chain_rule(make, x, name, mode):
    """From the gradient of a feature the input and all parameters before it get what they get from the logits."""
    net = make(name, mode)
    with net.tape(retain=True, input_gradient=True) as tape:
        given = given_for(net, net.forward_train(x, tape), ("logits",))
        vector, of_input = net.backward(tape, given, input_gradient=True)
        whole = {parameter: part.copy() for parameter, part in net.named_slices(vector).items()}
        features = net.feature_gradients(tape, given)
        for index in range(len(net.outputs) - 1):
            cut = [values if at == index else None for at, values in enumerate(features)]
            vector, of_input_by_cut = net.backward(tape, cut, input_gradient=True)
            assert_close(of_input_by_cut, of_input, 1e-5)
            before = {n: part for n, part in net.named_slices(vector).items() if part.any()}
            assert before or net.outputs[index] == "C1"
            largest = max(np.abs(part).max() for part in whole.values())
            for parameter, part in before.items():
                # Where values cancel, as before a norm, only rounding is left.
                allowed = 1e-4 * np.abs(whole[parameter]).max() + 1e-6 * largest
                assert np.abs(part - whole[parameter]).max() <= allowed, (parameter, net.outputs[index])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_add_up(make, x, name, mode):
    net = make(name, mode)
    late, middle = net.outputs[-1], net.outputs[2]
    with net.tape(retain=True, input_gradient=True) as tape:
        outputs = net.forward_train(x, tape)
        parts = [net.feature_gradients(tape, given_for(net, outputs, (output,))) for output in (late, middle)]
        together = net.feature_gradients(tape, given_for(net, outputs, (late, middle)))
    for one, other, both in zip(*parts, together, strict=True):
        exact = one.astype(np.float64) + other
        if exact.any():
            assert_close(both, exact, 1e-5)


def test_images_are_independent_in_evaluation_mode(make, x):
    net = make()
    with net.tape(retain=True, input_gradient=True) as tape:
        given = given_for(net, net.forward_train(x, tape), OUTPUTS)
        both = net.feature_gradients(tape, given)
        for values in given:
            values[1] = 0
        one = net.feature_gradients(tape, given)
    for first, alone in zip(both, one, strict=True):
        assert_close(alone[0], first[0], 1e-6)
        assert not alone[1].any() and first[1].any()


# ---- Bits ----


@pytest.mark.parametrize("name", ["resnet18", "resnet50d", "seresnet18", "resnetv2_18", "resnet20"])
def test_a_part_is_as_in_all(make, x, name):
    net = make(name, "norm_eval")
    for names in (("logits",), ("C3", "logits"), net.outputs):
        every = gradients_of(net, x, names)
        for wanted in (*((output,) for output in net.outputs), ("C4", "C2"), ("logits", "C1", "C3")):
            assert_same(gradients_of(net, x, names, wanted), {output: every[output] for output in wanted})
        assert gradients_of(net, x, names, ("C3", "C3"))["C3"].any()
    with net.tape() as tape:
        assert net.feature_gradients(tape, given_for(net, net.forward_train(x, tape), ("logits",)), ()) == ()


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("name", ["resnet18", "resnet50d", "resnet50_gn", "resnetv2_18"])
def test_bits_do_not_depend_on_threads_and_what_is_kept(make, x, name, mode):
    expected = gradients_of(make(name, mode, threads=1), x, OUTPUTS)
    for threads in (2, 3):
        assert_same(gradients_of(make(name, mode, threads=threads), x, OUTPUTS), expected)
    for options in ({"retain": True}, {"recompute": True}, {"recompute": True, "retain": True}):
        assert_same(gradients_of(make(name, mode), x, OUTPUTS, **options), expected)
    if mode == "eval":
        # Frozen stages do not matter in this mode, nor does what is trained.
        assert_same(gradients_of(make(name, frozen_stages=3), x, OUTPUTS), expected)
        net = make(name)
        net.set_trainable("head")
        assert_same(gradients_of(net, x, OUTPUTS), expected)


def test_a_retained_tape_gives_the_same_bits_again(make, x):
    net = make("resnet50", "train")
    with net.tape(retain=True, input_gradient=True) as tape:
        given = given_for(net, net.forward_train(x, tape), OUTPUTS)
        first = net.feature_gradients(tape, given)
        vector = net.backward(tape, given)
        again = net.feature_gradients(tape, given)
        np.testing.assert_array_equal(net.backward(tape, given), vector)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_passes_side_by_side(make):
    net = make("resnet18", threads=2)
    images = [np.random.default_rng(seed).standard_normal(SHAPE, np.float32) for seed in range(3)]
    expected = [gradients_of(net, image, OUTPUTS) for image in images]
    results = [[] for _ in images]

    def work(index):
        for _ in range(4):
            results[index].append(gradients_of(net, images[index], OUTPUTS))

    workers = [threading.Thread(target=work, args=(index,)) for index in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for found, exact in zip(results, expected, strict=True):
        assert len(found) == 4
        for one in found:
            assert_same(one, exact)


def test_nothing_else_is_written(make, x):
    net = make("resnet18", "train")
    with net.tape(input_gradient=True) as tape:
        outputs = net.forward_train(x, tape)
        state, kept = net.state_dict(), [output.copy() for output in outputs]
        given = given_for(net, outputs, OUTPUTS)
        copies = [values.copy() for values in given]
        net.feature_gradients(tape, given)
    for name, values in net.state_dict().items():
        np.testing.assert_array_equal(values, state[name])
    for one, other in zip((*outputs, *given), (*kept, *copies), strict=True):
        np.testing.assert_array_equal(one, other)
