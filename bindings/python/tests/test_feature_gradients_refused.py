# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Frozen stages, stale tapes and wrong arguments of gradients with respect to outputs, in Python and in C."""

import ctypes

import numpy as np
import pytest
from test_feature_gradients import CLASSES, OUTPUTS, assert_close, given_for, gradients_of, make, x  # noqa: F401

import backbone
from backbone import _arrays, _library

# Fixtures of another file are parameters here.
# ruff: noqa: F811


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
            message = rf"feature_gradients\[{index}\] is set, but nothing before this output is trained; create"
            with pytest.raises(ValueError, match=message):
                net.feature_gradients(tape, given, (output,))
        with pytest.raises(ValueError, match=r"feature_gradients\[0\] is set, but nothing before"):
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
