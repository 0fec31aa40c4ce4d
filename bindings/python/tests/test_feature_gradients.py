# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Gradients with respect to outputs, on NumPy alone: known values, the chain rule and what is refused.

Values are compared with PyTorch's in test_parity_feature_gradients.py.
"""

import ctypes
import threading

import numpy as np
import pytest

import backbone
from backbone import _arrays, _library

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


# ---- Frozen stages ----


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("frozen", [0, 1, 2, 3, 4])
def test_what_frozen_stages_compute_needs_a_tape_for_the_input(make, x, frozen, mode):
    net = make("resnet18", mode, frozen_stages=frozen)
    of_frozen = OUTPUTS[: frozen + 1]
    expected = gradients_of(net, x, OUTPUTS)
    with net.tape() as tape:
        given = given_for(net, net.forward_train(x, tape), OUTPUTS)
        for output in of_frozen:
            index = OUTPUTS.index(output)
            message = rf"feature_gradients\[{index}\] is set, but frozen stages compute .* option input_gradient"
            with pytest.raises(ValueError, match=message):
                net.feature_gradients(tape, given, (output,))
        with pytest.raises(ValueError, match=r"feature_gradients\[0\] is set, but frozen stages"):
            net.feature_gradients(tape, given)
        # None of them has used the tape up.
        wanted = [output for output in OUTPUTS if output not in of_frozen]
        found = net.feature_gradients(tape, given, wanted)
    for output, values in zip(wanted, found, strict=True):
        assert_close(values, expected[output], 1e-5)


def test_where_the_classifier_alone_is_trained(make, x):
    net = make("resnet18")
    expected = gradients_of(net, x, OUTPUTS)
    net.set_trainable("head")
    with net.tape() as tape:
        given = given_for(net, net.forward_train(x, tape), OUTPUTS)
        with pytest.raises(ValueError, match=r"feature_gradients\[4\] is set, .* option input_gradient"):
            net.feature_gradients(tape, given, ("C5",))
        for values, output in zip(net.feature_gradients(tape, given, ("pooled", "logits")), OUTPUTS[5:], strict=True):
            assert_close(values, expected[output], 1e-5)


# ---- Errors ----


def test_stale_tapes(make, x):
    net, other = make(), make()
    tape = net.tape()
    with net.tape() as filled:
        given = given_for(net, net.forward_train(x, filled), OUTPUTS)
    with pytest.raises(backbone.StaleError, match="the tape is empty"):
        net.feature_gradients(tape, given)
    for change in (
        lambda: net.write_trainable(net.read_trainable()),
        lambda: net.init_weights(seed=4),
        lambda: net.freeze(1),
        lambda: net.set_trainable("norms"),
    ):
        net.forward_train(x, tape)
        change()
        with pytest.raises(backbone.StaleError, match="call backbone_forward_train again"):
            net.feature_gradients(tape, given, ("C5",))
    net.freeze(-1).set_trainable("all")
    net.forward_train(x, tape)
    with pytest.raises(backbone.StaleError, match="another network"):
        other.feature_gradients(tape, given)
    assert net.feature_gradients(tape, given, ("C5",))[0].any()
    with pytest.raises(backbone.StaleError, match="the tape is empty"):
        net.feature_gradients(tape, given, ("C5",))
    tape.close()
    with pytest.raises(ValueError, match="closed"):
        net.feature_gradients(tape, given)


def test_values_that_are_none(make, x):
    net = make()
    tape = net.tape()
    given = given_for(net, net.forward_train(x, tape), OUTPUTS)

    def back(wanted=("C4",), **changes):
        values = [changes.get(name, gradient) for name, gradient in zip(OUTPUTS, given, strict=True)]
        return lambda: net.feature_gradients(tape, values, wanted)

    wrong = [
        (ValueError, "wanted has 'C6'; the network gives C1, C2, ", back(("C4", "C6"))),
        (ValueError, "wanted has 'C'", back("C4")),
        (ValueError, "output_gradients has 3 values", lambda: net.feature_gradients(tape, given[:3])),
        (TypeError, "output_gradients is an array", lambda: net.feature_gradients(tape, given[0])),
        (TypeError, r"output_gradients\[1\] has dtype float64", back(C2=given[1].astype(np.float64))),
        (ValueError, r"output_gradients\[6\]", back(logits=np.zeros((2, CLASSES + 1, 1, 1), np.float32))),
        (ValueError, r"output_gradients\[2\]", back(C3=given[3])),
        (TypeError, "tape is a NoneType; it must be a Tape", lambda: net.feature_gradients(None, given)),
        (TypeError, "tape is a ResNet; it must be a Tape", lambda: net.feature_gradients(net, given)),
    ]
    for kind, message, action in wrong:
        with pytest.raises(kind, match=message):
            action()
    # None of them has used the tape up.
    assert net.feature_gradients(tape, given, ("C4",))[0].any()


# ---- Through the C interface ----


@pytest.fixture
def called(make, x):
    """A function that calls the library with arguments in the place of the right ones; what it expects and writes."""
    net = make()
    tape = net.tape(retain=True)
    given = given_for(net, net.forward_train(x, tape), OUTPUTS)
    exact = net.feature_gradients(tape, given)
    written = [np.full_like(values, 7) for values in exact]
    count = len(exact)
    sources = (_library.Tensor * count)(*map(_arrays.output_tensor, given))
    features = (_library.Tensor * count)(*map(_arrays.output_tensor, written))

    def call(**changes):
        with net._handle as handle, tape._owned as pointer:
            right = {"net": handle, "tape": pointer, "given": sources, "count": count, "features": features}
            status = _library.lib.backbone_feature_gradients(*{**right, **changes}.values())
            return status, (_library.lib.backbone_last_error_message() or b"").decode()

    yield call, features, exact, written
    tape.close()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"net": None}, "net"),
        ({"tape": None}, "tape"),
        ({"given": None}, "output_gradients"),
        ({"features": None}, "feature_gradients"),
        ({"count": 0}, "7"),
        ({"count": 6}, "7"),
        ({"count": 8}, "7"),
    ],
)
def test_null_and_counts(called, changes, message):
    call, _, exact, written = called
    status, text = call(**changes)
    assert status == _library.STATUS_INVALID_ARGUMENT and message in text, text
    assert all((values == 7).all() for values in written)
    assert call()[0] == 0
    for found, values in zip(written, exact, strict=True):
        np.testing.assert_array_equal(found, values)


def test_descriptions_that_do_not_fit(called):
    call, features, exact, written = called
    right = bytes(features[3])

    def changed(field, index, value):
        if index is None:
            setattr(features[3], field, value)
        else:
            getattr(features[3], field)[index] = value

    for field, index, value in (
        ("shape", 0, 3),
        ("shape", 1, exact[3].shape[1] - 1),
        ("shape", 3, 1),
        ("dtype", None, 1),
        ("dtype", None, 77),
        ("stride", 3, 0),
        ("stride", 1, 1),
    ):
        changed({"stride": "strides"}.get(field, field), index, value)
        status, text = call()
        assert status == _library.STATUS_INVALID_ARGUMENT and "feature_gradients[3]" in text, (field, index, text)
        ctypes.memmove(ctypes.byref(features[3]), right, len(right))
    assert all((values == 7).all() for values in written)


def test_strides_and_what_is_not_wanted(called):
    call, features, exact, written = called
    n, c, h, w = exact[3].shape
    # NHWC, in every other element.
    wide = np.full((n, h, w, 2 * c), 7, np.float32)
    view = wide[..., ::2].transpose(0, 3, 1, 2)
    features[3] = _arrays.output_tensor(view)
    features[1].data = None
    features[6].data = None
    assert call()[0] == 0
    np.testing.assert_array_equal(view, exact[3])
    assert (wide[..., 1::2] == 7).all()
    for index, (found, values) in enumerate(zip(written, exact, strict=True)):
        np.testing.assert_array_equal(found, np.full_like(values, 7) if index in (1, 3, 6) else values)
