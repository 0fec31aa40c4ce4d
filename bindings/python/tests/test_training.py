# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Tapes, gradients and trainable parameters, on NumPy alone. Values are compared with PyTorch's elsewhere."""

import copy
import pickle
import threading
import time
import weakref

import numpy as np
import pytest

import backbone

SHAPE = (2, 3, 45, 70)


def gradients_for(outputs, seed=1):
    generator = np.random.default_rng(seed)
    return [generator.standard_normal(output.shape, dtype=np.float32) for output in outputs]


def passes(net, x, tape=None, seed=1, **options):
    """Forward and back: what `backward` returns."""
    with net.tape(options.get("input_gradient") is not None) if tape is None else tape as tape:
        return net.backward(tape, gradients_for(net.forward_train(x, tape), seed), **options)


# ---- Passes ----


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("mode", ["train", "norm_eval", "eval"])
def test_outputs_are_those_of_forward(new_net, images, depth, mode):
    net, other = (new_net(depth, norm_eval=mode == "norm_eval").train(mode != "eval") for _ in range(2))
    expected = other(images)
    with net.tape() as tape:
        for actual in (
            net.forward_train(images, tape),
            net.forward_train(images, tape, [np.empty(e.shape, np.float32) for e in expected]),
            net.forward_train(images, tape, channels_last=True),
        ):
            assert isinstance(actual, tuple)
            for a, e in zip(actual, expected, strict=True):
                assert np.abs(a - e).max() <= 1e-4 * np.abs(e).max()
    counts = [buffer.data for name, buffer in net.named_buffers() if name.endswith("tracked")]
    assert {int(count) for count in counts} == {43 if mode == "train" else 40}


def test_gradients_are_one_vector(new_net, images):
    net = new_net()
    gradients = passes(net, images)
    assert gradients.shape == (net.trainable_count,) and gradients.dtype == np.float32
    named = net.named_slices(gradients)
    assert {name: array.shape for name, array in named.items()} == {n: p.shape for n, p in net.named_parameters()}
    assert all(array.base is not None and np.shares_memory(array, gradients) for array in named.values())
    np.testing.assert_array_equal(np.concatenate([array.ravel() for array in named.values()]), gradients)
    assert all(array.any() for array in named.values())


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_gradients_are_the_slopes_of_the_loss(mode):
    with backbone.ResNet(18, base_channels=8, out_indices=(0, 1), arithmetic="direct") as net:
        net.init_weights(seed=3)
        generator = np.random.default_rng(0)
        # Norms that keep away from 0, where ReLU has a kink.
        for name, parameter in net.named_parameters():
            if name.endswith("bias"):
                parameter.data = generator.choice([4.0, 4.0, -4.0], parameter.shape)
        x = generator.standard_normal((3, 3, 40, 40), dtype=np.float32)
        net.train()
        for _ in range(40):
            net(x)
        net.train(mode == "train")
        values = net.read_trainable()
        with net.tape(input_gradient=True) as tape:
            outputs = net.forward_train(x, tape)
            weights = [w / w.size for w in gradients_for(outputs)]
            gradients, of_input = net.backward(tape, weights, input_gradient=True)

            def loss(changed, image):
                net.write_trainable(changed)
                outputs = net.forward_train(image, tape)
                return sum(np.vdot(w.astype(float), y) for w, y in zip(weights, outputs, strict=True))

            for name, gradient in net.named_slices(gradients).items():
                # Along the gradient of one parameter, where the slope is its norm.
                norm = float(np.linalg.norm(gradient))
                if norm < 1e-4:
                    # The bias of a norm before another one.
                    continue
                direction = np.zeros_like(values)
                net.named_slices(direction)[name][:] = gradient / norm
                step = np.float32(1e-2 * np.abs(values).mean())
                slope = (loss(values + step * direction, x) - loss(values - step * direction, x)) / (2 * step)
                assert slope == pytest.approx(norm, rel=2e-2, abs=1e-4), name
            norm = float(np.linalg.norm(of_input))
            direction = of_input / norm
            slope = (loss(values, x + 0.05 * direction) - loss(values, x - 0.05 * direction)) / 0.1
            assert slope == pytest.approx(norm, rel=2e-2)


def test_input_gradients_go_where_they_are_wanted(new_net, images):
    net = new_net(frozen_stages=1)
    gradients, expected = passes(net, images, input_gradient=True)
    assert expected.shape == images.shape and expected.any()
    np.testing.assert_array_equal(gradients, passes(net, images))
    out = np.full((*SHAPE[:1], *SHAPE[2:], 3), np.nan, np.float32).transpose(0, 3, 1, 2)
    vector, result = passes(net, images, input_gradient=out)
    assert result is out
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(vector, gradients)
    with net.tape(input_gradient=True) as tape:
        for out in (None, np.empty(SHAPE, np.float32)):
            weights = gradients_for(net.forward_train(images, tape))
            result = net.input_gradient(tape, weights, out)
            assert out is None or result is out
            np.testing.assert_array_equal(result, expected)


def test_everything_may_be_frozen_below_the_input(new_net, images):
    net = new_net(frozen_stages=4)
    assert net.trainable_count == 0 and net.named_slices(net.read_trainable()) == {}
    with net.tape() as tape, pytest.raises(ValueError, match="no parameter is trainable"):
        net.forward_train(images, tape)
    gradients, of_input = passes(net, images, input_gradient=True)
    assert gradients.shape == (0,) and of_input.any()


@pytest.mark.parametrize("options", [{}, {"frozen_stages": 1}, {"norm_eval": True}], ids=str)
@pytest.mark.parametrize("depth", [18, 50])
def test_bits_do_not_depend_on_threads_or_layouts(new_net, images, depth, options):
    results = []
    for threads in (1, 2, 3):
        net = new_net(depth, threads=threads, **options).train()
        gradients, of_input = passes(net, images, input_gradient=True)
        results.append(b"".join(array.tobytes() for array in (gradients, of_input, *net.state_dict().values())))
    net = new_net(depth, **options).train()
    with net.tape(input_gradient=True) as tape:
        last = np.ascontiguousarray(images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        outputs = net.forward_train(last, tape, channels_last=True)
        weights = [np.asfortranarray(weight) for weight in gradients_for(outputs)]
        gradients, of_input = net.backward(tape, weights, input_gradient=True)
    results.append(b"".join(array.tobytes() for array in (gradients, of_input, *net.state_dict().values())))
    assert len(set(results)) == 1


def test_gradients_of_a_batch_are_the_sum_of_those_of_its_images(new_net, images):
    net = new_net(norm_eval=True).train()
    with net.tape() as tape:
        weights = gradients_for(net.forward_train(images, tape))
        whole = net.backward(tape, weights)
        total = np.zeros_like(whole)
        for index in range(len(images)):
            net.forward_train(images[index : index + 1], tape)
            net.backward(tape, [weight[index : index + 1] for weight in weights], total, accumulate=True)
    assert np.abs(whole - total).max() <= 1e-4 * np.abs(whole).max()


def test_accumulated_gradients_are_the_sum(new_net, images):
    net = new_net()
    first, second = passes(net, images, seed=1), passes(net, images, seed=2)
    out = first.copy()
    assert passes(net, images, seed=2, out=out, accumulate=True) is out
    np.testing.assert_allclose(out, first + second, rtol=1e-5, atol=1e-5 * np.abs(first).max())
    assert passes(net, images, seed=2, out=out) is out
    np.testing.assert_array_equal(out, second)


def test_none_stands_for_zeros(new_net, images):
    net = new_net()
    with net.tape() as tape:
        outputs = net.forward_train(images, tape)
        weights = gradients_for(outputs)
        net.forward_train(images, tape)
        zeros = [np.zeros_like(weight) for weight in weights]
        expected = net.backward(tape, [zeros[0], weights[1], zeros[2], zeros[3]])
        net.forward_train(images, tape)
        actual = net.backward(tape, [None, weights[1], None, None])
        np.testing.assert_array_equal(actual, expected)
        named = net.named_slices(actual)
        assert not any(array.any() for name, array in named.items() if name.startswith(("layer3", "layer4")))
        net.forward_train(images, tape)
        assert not net.backward(tape, [None] * 4).any()


def test_heads(new_net, images):
    with backbone.ResNet(18, base_channels=8, outputs=("C4", "pooled", "logits"), num_classes=7) as net:
        net.init_weights(seed=1)
        with net.tape() as tape:
            outputs = net.forward_train(images, tape)
            assert [output.shape[1:] for output in outputs] == [(32, 3, 5), (64, 1, 1), (7, 1, 1)]
            weights = gradients_for(outputs)
            flat = [weights[0], weights[1].reshape(2, 64), weights[2].reshape(2, 7)]
            expected = net.backward(tape, weights)
            net.forward_train(images, tape)
            np.testing.assert_array_equal(net.backward(tape, flat), expected)
        named = net.named_slices(expected)
        np.testing.assert_allclose(named["fc.bias"], weights[2].sum(axis=(0, 2, 3)), rtol=1e-5)
        pooled, slope = outputs[1].reshape(2, 64), weights[2].reshape(2, 7)
        np.testing.assert_allclose(named["fc.weight"], slope.T @ pooled, rtol=1e-4, atol=1e-5)
        net.set_trainable("head")
        assert net.trainable_count == 64 * 7 + 7
        with net.tape() as tape:
            net.forward_train(images, tape)
            np.testing.assert_allclose(net.backward(tape, weights), expected[-net.trainable_count :], rtol=1e-4)
        net.set_trainable("norms")
        assert all("bn" in name or "downsample.1" in name for name in net.named_slices(net.read_trainable()))
        net.set_trainable("all")
        assert net.trainable_count == expected.size
        with pytest.raises(ValueError, match="which is 'some'; it must be one of all, norms, head"):
            net.set_trainable("some")


# ---- Tapes ----


def test_a_tape_grows_and_is_freed(new_net, images):
    net = new_net()
    tape = net.tape()
    assert tape.nbytes == 0 and repr(tape) == "Tape(input_gradient=False, retain=False, recompute=False)"
    net.forward_train(images[:1], tape)
    small = tape.nbytes
    net.forward_train(images, tape)
    assert tape.nbytes > small > 0
    with net.tape(input_gradient=True, retain=True) as other:
        assert (other.input_gradient, other.retain) == (True, True)
        net.forward_train(images, other)
        assert other.nbytes > tape.nbytes
    for closed in (other, other):
        closed.close()
        assert repr(closed) == "<closed Tape>"
        uses = [lambda: other.nbytes, lambda: net.forward_train(images, other), lambda: net.backward(other, [None] * 4)]
        for action in uses:
            with pytest.raises(ValueError, match="this Tape is closed"):
                action()
    # A tape may be freed after its network.
    net.close()
    with pytest.raises(ValueError, match="this ResNet is closed"):
        _ = tape.nbytes
    tape.close()


def test_tapes_are_freed_with_the_last_reference(new_net, images):
    net = new_net()
    tape = net.tape()
    net.forward_train(images, tape)
    owned = tape._owned
    reference = weakref.ref(tape)
    del tape
    assert reference() is None and owned.closed
    for action in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="a Tape cannot be copied"):
            action(net.tape())


def test_several_tapes_keep_several_passes(new_net, images):
    net = new_net().train()
    views = [images, images[:, :, ::-1], images[:, :, :, ::-1]]
    tapes = [net.tape() for _ in views]
    results = [net.forward_train(view, tape) for view, tape in zip(views, tapes, strict=True)]
    gradients = [net.backward(t, gradients_for(r)) for t, r in reversed(list(zip(tapes, results, strict=True)))]
    other = new_net().train()
    for view, expected in zip(views, reversed(gradients), strict=True):
        np.testing.assert_array_equal(passes(other, view), expected)


def test_retained_tapes_go_back_several_times(new_net, images):
    net = new_net()
    with net.tape(retain=True) as tape:
        weights = gradients_for(net.forward_train(images, tape))
        first = net.backward(tape, weights)
        np.testing.assert_array_equal(net.backward(tape, weights), first)
        np.testing.assert_array_equal(net.backward(tape, [2 * weight for weight in weights]), 2 * first)
    np.testing.assert_array_equal(passes(net, images), first)


def test_stale_tapes(new_net, images):
    net, other = new_net(), new_net()
    weights = gradients_for(net(images))
    out = np.full(net.trainable_count, 7, np.float32)
    tape = net.tape()
    with pytest.raises(backbone.StaleError, match="the tape is empty"):
        net.backward(tape, weights, out)
    with pytest.raises(backbone.StaleError, match="another network"):
        other.forward_train(images, tape)
    for change in (
        lambda: net.write_trainable(net.read_trainable()),
        lambda: setattr(net.get_entry("conv1.weight"), "data", net.get_entry("conv1.weight").data),
        lambda: net.load_state_dict(net.state_dict()),
        lambda: net.init_weights(seed=4),
        lambda: net.freeze(1),
        lambda: net.set_trainable("norms"),
        lambda: net.collect_statistics([images]),
    ):
        net.forward_train(images, tape)
        change()
        with pytest.raises(backbone.StaleError, match=r"call backbone_forward_train again"):
            net.backward(tape, weights, out)
    assert (out == 7).all()
    net.freeze(-1).set_trainable("all")
    # Neither the mode nor other passes make it stale.
    net.forward_train(images, tape)
    net.train()
    with net.tape() as second:
        net.forward_train(images, second)
    net.eval()(images)
    assert net.backward(tape, weights, out) is out
    with pytest.raises(backbone.StaleError, match="the tape is empty"):
        net.backward(tape, weights, out)


def test_values_that_are_none(new_net, images):
    net = new_net()
    tape = net.tape()
    weights = gradients_for(net.forward_train(images, tape))
    count = net.trainable_count

    def back(*gradients, **options):
        return lambda: net.backward(tape, list(gradients), **options)

    def into(out):
        return lambda: net.backward(tape, weights, out)

    wrong = [
        (ValueError, "output_gradients has 3 values; outputs .* need 4", back(*weights[:3])),
        (TypeError, "output_gradients is an array", lambda: net.backward(tape, weights[0])),
        (TypeError, r"output_gradients\[1\] has dtype float64", back(None, np.zeros(3), None, None)),
        (TypeError, r"output_gradients\[0\] has dtype uint8", back(images.astype(np.uint8), None, None, None)),
        (TypeError, r"output_gradients\[0\] is a list", back([1.0], None, None, None)),
        (ValueError, r"output_gradients\[3\]", back(*weights[:3], weights[2])),
        (ValueError, r"output_gradients\[0\].*four dimensions", back(weights[0][0], None, None, None)),
        (ValueError, "accumulate needs out", back(*weights, accumulate=True)),
        (ValueError, f"{count - 1}.*{count}", into(np.empty(count - 1, np.float32))),
        (ValueError, "one contiguous vector", into(np.empty(2 * count, np.float32)[::2])),
        (ValueError, "one contiguous vector", into(np.empty((1, count), np.float32))),
        (TypeError, "out has dtype float64", into(np.empty(count))),
        (TypeError, "out is a list", into([0.0] * count)),
        (ValueError, "read-only", into(np.frombuffer(bytes(4 * count), np.float32))),
        (ValueError, "input_gradient", back(*weights, input_gradient=True)),
        (ValueError, "input_gradient", lambda: net.input_gradient(tape, weights)),
        (TypeError, "input_gradient has dtype", back(*weights, input_gradient=np.empty(SHAPE))),
        (TypeError, "tape is a NoneType; it must be a Tape", lambda: net.backward(None, weights)),
        (TypeError, "tape is a ResNet; it must be a Tape", lambda: net.forward_train(images, net)),
        (ValueError, f"{count - 1}.*{count}", lambda: net.write_trainable(np.zeros(count - 1, np.float32))),
        (TypeError, "vector has dtype float64", lambda: net.write_trainable(np.zeros(count))),
        (ValueError, f"{count + 1}.*{count}", lambda: net.read_trainable(np.zeros(count + 1, np.float32))),
        (ValueError, "vector has shape", lambda: net.named_slices(np.zeros(count + 1, np.float32))),
    ]
    before = net.read_trainable()
    for kind, message, action in wrong:
        with pytest.raises(kind, match=message):
            action()
    # None of them has used the tape up, or changed anything.
    np.testing.assert_array_equal(net.read_trainable(), before)
    assert net.backward(tape, weights).any()
    for x, message in [(images[:0], "N must be 1 or more"), (images[:, :1], "channels|C ")]:
        with pytest.raises(ValueError, match=message):
            net.forward_train(x, tape)
    net.train()
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        net.forward_train(np.zeros((1, 3, 1, 1), np.float32), tape)
    with pytest.raises(backbone.StaleError, match="the tape is empty"):
        net.backward(tape, weights)
    x = images.copy()
    with pytest.raises(ValueError, match=r"out\[0\] overlaps the input"):
        net.forward_train(x, tape, [x, *weights[1:]])


def test_input_of_bytes_is_normalised_on_the_way(new_net, images):
    pixels = np.random.default_rng(2).integers(0, 256, SHAPE, np.uint8)
    options = {"mean": backbone.IMAGENET_MEAN, "std": backbone.IMAGENET_STD}
    net = new_net(**options)
    mean, std = (np.float32(options[name]).reshape(1, 3, 1, 1) for name in ("mean", "std"))
    gradients, of_input = passes(net, pixels, input_gradient=True)
    other, expected = passes(new_net(), (pixels - mean) / std, input_gradient=True)
    assert of_input.dtype == np.float32
    np.testing.assert_allclose(of_input, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_allclose(gradients, other, rtol=1e-3, atol=1e-4 * np.abs(other).max())


# ---- Parameters ----


@pytest.mark.parametrize("stages", [-1, 0, 1, 2, 3, 4])
def test_a_step_leaves_what_is_frozen_as_it_was(new_net, images, stages):
    net = new_net(frozen_stages=stages).train()
    before = net.state_dict()
    if stages < 4:
        net.write_trainable(net.read_trainable() - np.float32(1e-3) * passes(net, images))
    after = net.state_dict()
    changed = {name.split(".")[0] for name in before if not np.array_equal(before[name], after[name])}
    layers = ["conv1", "layer1", "layer2", "layer3", "layer4"]
    expected = set(layers[stages + 1 :]) | ({"bn1"} if stages < 0 else set())
    assert changed == expected
    assert net.trainable_count == sum(p.data.size for p in net.parameters() if p.requires_grad)


def test_trainable_parameters_are_written_by_name(new_net):
    net = new_net(frozen_stages=2)
    values = net.read_trainable()
    for name, array in net.named_slices(values).items():
        np.testing.assert_array_equal(array, net.get_entry(name).data)
        array += 1
    out = np.empty_like(values)
    net.write_trainable(values)
    assert net.read_trainable(out) is out
    np.testing.assert_array_equal(out, values)


def test_statistics_of_new_images(new_net, images):
    net, other = new_net(), new_net()
    before = net.state_dict()
    batches = [images, 2 * images[:, :, ::-1] + 1]
    assert net.collect_statistics(iter(batches)) == 2
    after = net.state_dict()
    kept = [name for name in before if "running" not in name and "tracked" not in name]
    assert all(np.array_equal(before[name], after[name]) for name in kept)
    # The first convolution sees the same in every batch.
    y = np.concatenate([other_stem(other, batch) for batch in batches])
    np.testing.assert_allclose(after["bn1.running_mean"], y.mean(axis=(0, 2, 3)), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(after["bn1.running_var"], y.var(axis=(0, 2, 3), ddof=1), rtol=1e-3)
    for wrong, message in [([], "images"), ([images[:, :1]], "channels"), ([images, None], "NoneType")]:
        with pytest.raises((ValueError, TypeError), match=message):
            net.collect_statistics(wrong)
    assert all(np.array_equal(value, after[name]) for name, value in net.state_dict().items())
    with pytest.raises(ValueError):
        net.freeze(4).collect_statistics(batches)


def other_stem(net, x):
    """The first convolution by itself."""
    weight = net.get_entry("conv1.weight").data
    padded = np.pad(x, ((0, 0), (0, 0), (3, 3), (3, 3)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (7, 7), axis=(2, 3))[:, :, ::2, ::2]
    return np.einsum("nchwij,ocij->nohw", windows.astype(float), weight.astype(float))


# ---- Calls that take long ----


@pytest.mark.parametrize("way", ["forward", "backward"])
def test_cancel_ends_both_ways(way):
    with backbone.ResNet(18, threads=1, out_indices=(3,)) as net, net.tape(retain=way == "backward") as tape:
        x = np.random.default_rng(0).standard_normal((4, 3, 320, 320), dtype=np.float32)
        (output,) = net.forward_train(x, tape)
        weights = [np.ones_like(output)]
        is_over = threading.Event()

        def cancel():
            while not is_over.wait(0.02):
                net.cancel()

        thread = threading.Thread(target=cancel)
        thread.start()
        started = time.monotonic()
        try:
            with pytest.raises(backbone.CancelledError):
                for _ in range(1000):
                    if way == "forward":
                        net.forward_train(x, tape)
                    else:
                        net.backward(tape, weights)
        finally:
            is_over.set()
            thread.join()
        assert time.monotonic() - started < 30
        if way == "forward":
            with pytest.raises(backbone.StaleError, match="the tape is empty"):
                net.backward(tape, weights)
        net.forward_train(x, tape)
        assert net.backward(tape, weights).any()


def test_many_threads_train_on_one_network(new_net, images):
    net = new_net(threads=1)
    expected = passes(net, images)
    failures = []

    def work():
        try:
            for _ in range(5):
                np.testing.assert_array_equal(passes(net, images), expected)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
