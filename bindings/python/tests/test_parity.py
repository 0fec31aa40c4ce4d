# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Against a live PyTorch: features, training mode, and the files that it writes and reads.

PyTorch is imported by fixtures, so that without it this file can still be collected. The reference in float64 is
`torch_resnet` of Tests/Fixtures, which the first tests hold against torchvision's own model.
"""

import argparse
import io
import itertools
from collections import OrderedDict

import numpy as np
import pytest
from accuracy import BOUNDS, DIRECT_BOUNDS, check_features, relative_error
from fixture_cases import CHECKPOINTS, MODELS, statistics
from weight_formula import DEPTHS, images, layout, pixels

import backbone

pytestmark = pytest.mark.parity

SIZES = [(224, 224), (215, 215), (33, 65), (1, 1)]
LAYOUTS = ["NCHW", "NHWC", "uint8"]


@pytest.fixture(scope="module")
def narrow(reference):
    """A calibrated narrow ResNet-18, not to be changed."""
    return calibrated(reference, 18, 3, 8)


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


# ---- The reference, and the generator ----


@pytest.mark.parametrize("depth", DEPTHS)
def test_reference_is_torchvisions_model(torch, torchvision_resnet, reference, depth):
    model = getattr(torchvision_resnet, f"resnet{depth}")(weights=None).eval()
    ours = reference.with_formula(depth)
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items() if not name.startswith("fc.")}
    assert {name: tuple(value.shape) for name, value in ours.state_dict().items()} == expected == layout(depth)
    assert list(ours.state_dict()) == list(expected) == list(layout(depth))
    reference.calibrate(ours, images("calibration", (2, 3, 64, 64)))
    model.load_state_dict(ours.state_dict(), strict=False)
    x = torch.from_numpy(images("torchvision", (1, 3, 75, 64)))
    with torch.no_grad():
        y = model.maxpool(model.relu(model.bn1(model.conv1(x))))
        for stage, feature in enumerate(ours(x), 1):
            y = getattr(model, f"layer{stage}")(y)
            assert torch.equal(feature, y)


def test_generator_makes_the_stored_fixtures(torch):
    generator = pytest.importorskip("generate_models")
    stored, saved, rows, variants = generator.stored_arrays(18)
    for path, arrays in (("resnet18.npz", stored), ("variants18.npz", variants)):
        with np.load(MODELS / path) as file:
            assert set(file.files) == set(arrays)
            for name, expected in arrays.items():
                assert file[name].dtype == expected.dtype
                np.testing.assert_allclose(file[name], expected, rtol=1e-6, atol=1e-7, err_msg=name)
    on_disk = torch.load(MODELS / "resnet18.pth", weights_only=True)
    assert list(on_disk) == list(saved)
    for name, value in saved.items():
        torch.testing.assert_close(on_disk[name], value, rtol=1e-3, atol=1e-5)
    for title, errors in rows:
        assert all(error <= bound for error, bound in zip(errors, BOUNDS, strict=True)), title


# ---- Features ----


def prepared(form, shape, seed):
    """An input, and what a network of ImageNet's statistics (uint8 only) sees of it."""
    if form != "uint8":
        x = images(seed, shape)
        nhwc = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        return (nhwc if form == "NHWC" else x), x
    from torch_resnet import normalised

    x = pixels(seed, shape)
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2), normalised(x, *statistics(shape[1]))


# Every batch, size, number of channels and layout at every depth.
FULL_SIZE = {
    3: [(1, (224, 224), "NCHW"), (3, (224, 224), "uint8"), (3, (1, 1), "NHWC")],
    1: [(1, (215, 215), "uint8"), (3, (33, 65), "NHWC"), (1, (1, 1), "uint8")],
    5: [(3, (215, 215), "NHWC"), (1, (33, 65), "NCHW"), (3, (33, 65), "uint8")],
}


@pytest.mark.parametrize("in_channels", FULL_SIZE)
@pytest.mark.parametrize("depth", DEPTHS)
def test_features_at_full_size(reference, depth, in_channels):
    model = calibrated(reference, depth, in_channels, 64)
    mean, std = statistics(in_channels)
    with (
        net_like(model, depth, mean=mean, std=std) as net,
        net_like(model, depth, mean=mean, std=std, arithmetic="direct") as direct,
    ):
        model.double()
        for batch, size, form in FULL_SIZE[in_channels]:
            x, seen = prepared(form, (batch, in_channels, *size), f"parity/{size}")
            expected = reference.features(model, seen)
            check_features(("live, full size, ResNet", depth), net(x), expected, f"{x.shape} {form}")
            row = ("live, direct, ResNet", depth)
            check_features(row, direct(x), expected, f"{x.shape} {form}, direct", DIRECT_BOUNDS)


@pytest.mark.parametrize("depth", [18, 50])
def test_features_at_the_size_of_detectors(reference, depth):
    # Large enough for bands of rows.
    model = calibrated(reference, depth, 3, 64)
    with net_like(model, depth) as net:
        x = images("parity/detector", (1, 3, 470, 641))
        expected = reference.features(model.double(), x)
        check_features(("live, full size, ResNet", depth), net(x), expected, f"{x.shape}")


@pytest.mark.parametrize("in_channels", [1, 3, 5])
@pytest.mark.parametrize("depth", DEPTHS)
def test_features_of_narrow_networks(reference, depth, in_channels):
    # Every combination, and the reversed order of channels.
    model = calibrated(reference, depth, in_channels, 8)
    mean, std = statistics(in_channels)
    row = ("live, narrow, ResNet", depth)
    with (
        net_like(model, depth, mean=mean, std=std) as net,
        net_like(model, depth, mean=mean, std=std, channel_order="reversed") as reversing,
    ):
        model.double()
        for size in SIZES:
            for form in LAYOUTS:
                x, seen = prepared(form, (3, in_channels, *size), f"narrow/{size}")
                # NCHW and NHWC are the same images.
                if form != "NHWC":
                    expected = reference.features(model, seen)
                for batch, channels_last in itertools.product((1, 3), (False, True)):
                    features = net(x[:batch], channels_last=channels_last)
                    what = f"{x[:batch].shape} {form}, output channels last: {channels_last}"
                    check_features(row, features, [feature[:batch] for feature in expected], what)
            x = pixels("reversed", (2, in_channels, *size))
            seen = reference.normalised(x, mean, std, reverse=True)
            check_features(row, reversing(x), reference.features(model, seen), f"{x.shape} uint8 reversed")


@pytest.mark.parametrize("size", [(1, 2), (2, 1), (7, 300), (64, 31), (129, 5), (1, 97), (96, 96)])
@pytest.mark.parametrize("depth", [18, 50])
def test_features_of_odd_sizes(reference, depth, size):
    model = calibrated(reference, depth, 3, 8)
    with net_like(model, depth) as net:
        x = images("odd", (2, 3, *size))
        check_features(("live, narrow, ResNet", depth), net(x), reference.features(model, x), f"{x.shape}")


@pytest.mark.parametrize("base_channels", [1, 3, 12, 17])
@pytest.mark.parametrize("depth", [18, 50])
def test_features_of_odd_widths(reference, depth, base_channels):
    model = calibrated(reference, depth, 2, base_channels)
    with net_like(model, depth) as net:
        x = images("width", (2, 2, 61, 44))
        expected = reference.features(model, x)
        check_features(("live, odd widths, ResNet", depth), net(x), expected, f"{x.shape}")


def test_empty_batch_has_the_shapes_of_pytorch(torch, narrow):
    with net_like(narrow, 18) as net, torch.no_grad():
        for size in SIZES:
            expected = [tuple(feature.shape) for feature in narrow(torch.empty(0, 3, *size))]
            assert [feature.shape for feature in net(np.empty((0, 3, *size), np.float32))] == expected


# ---- Training mode ----


def assert_same_modes(net, model):
    """Which parameters are trainable, and which norms use the statistics of the batch."""
    trainable = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    assert {name: parameter.requires_grad for name, parameter in net.named_parameters()} == trainable
    for name, buffer in net.named_buffers():
        assert buffer.batch_statistics == model.get_submodule(name.rpartition(".")[0]).training, name


@pytest.mark.parametrize("norm_eval", [False, True])
@pytest.mark.parametrize("frozen_stages", range(-1, 5))
@pytest.mark.parametrize("depth", [18, 50])
def test_training_mode(reference, depth, frozen_stages, norm_eval):
    model = calibrated(reference, depth, 3, 8, frozen_stages=frozen_stages, norm_eval=norm_eval)
    with net_like(model, depth, frozen_stages=frozen_stages, norm_eval=norm_eval) as net:
        model.double().train()
        net.train()
        assert_same_modes(net, model)
        for step in range(3):
            x = images(f"step/{step}", (2, 3, 49, 66))
            expected = reference.features(model, x)
            check_features(("live, training, ResNet", depth), net(x), expected, f"forward {step}")
            state = net.state_dict()
            for name, buffer in model.named_buffers():
                if name.endswith("num_batches_tracked"):
                    assert state[name] == buffer.item(), name
                else:
                    stage = int(name[5]) - 1 if name.startswith("layer") else 0
                    error = relative_error(state[name], buffer.numpy())
                    assert error <= BOUNDS[stage], f"{name} after {step + 1} forwards: relative error {error:.3e}"
        # And what it has learnt is used.
        model.eval()
        x = images("after", (1, 3, 49, 66))
        check_features(
            ("live, training, ResNet", depth), net.eval()(x), reference.features(model, x), "evaluation after training"
        )


def test_training_on_a_large_batch(reference):
    # 8 images that have no room together where evaluation computes them in shares.
    model = calibrated(reference, 50, 3, 64).train()
    x = images("large batch", (8, 3, 256, 256)) * np.linspace(0.5, 2, 8, dtype=np.float32)[:, None, None, None]
    with net_like(model, 50) as net:
        net.train()
        features = net(x)
        check_features(("live, training, ResNet", 50), features, reference.features(model, x), "8 images")
        state = net.state_dict()
    for name, buffer in model.named_buffers():
        if name.endswith("num_batches_tracked"):
            assert state[name] == buffer.item(), name
        else:
            stage = int(name[5]) - 1 if name.startswith("layer") else 0
            error = relative_error(state[name], buffer.numpy())
            assert error <= BOUNDS[stage], f"{name}: relative error {error:.3e}"


@pytest.mark.parametrize("frozen_stages", range(-1, 5))
@pytest.mark.parametrize("batch, side", [(1, 1), (2, 1), (1, 4), (1, 16), (1, 32), (1, 33)])
def test_one_value_per_channel_is_an_error_where_it_is_one_in_pytorch(reference, narrow, batch, side, frozen_stages):
    model = reference.ResNet(18, 3, 8, frozen_stages)
    model.load_state_dict(narrow.state_dict())
    model.train()
    x = images("one", (batch, 3, side, side))
    try:
        expected = reference.features(model, x)
    except ValueError as error:
        assert "more than 1 value per channel" in str(error)
        expected = None
    with net_like(narrow, 18, frozen_stages=frozen_stages) as net:
        before = net.state_dict()
        net.train()
        if expected is None:
            with pytest.raises(ValueError):
                net(x)
            assert_same_state(net, before)
            assert [feature.shape for feature in net.eval()(x)] == list(net.output_shapes(x.shape))
        else:
            for stage, (left, right) in enumerate(zip(net(x), expected, strict=True)):
                # Two values per channel become -1 and 1 however near they are, so rounding errors are magnified.
                if stage < frozen_stages or side > 1:
                    assert relative_error(left, right) <= BOUNDS[stage]


# ---- Files that PyTorch writes ----


def spread(tensors, torch):
    """The same values in memory as training scripts leave them: strided, offset, in one storage with others."""
    ways = ["channels_last", "transposed", "offset", "every other", "parameter", "shared", "plain"]
    result, count = OrderedDict(), 0
    for name, tensor in tensors.items():
        if tensor.dim() == 0:
            result[name] = tensor
            continue
        way, count = ways[count % len(ways)], count + 1
        if way == "channels_last" and tensor.dim() == 4:
            tensor = tensor.contiguous(memory_format=torch.channels_last)
        elif way == "transposed" and tensor.dim() == 4:
            tensor = tensor.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)
        elif way == "offset":
            room = torch.full((tensor.numel() + 12,), 99.0, dtype=tensor.dtype)
            room[5 : 5 + tensor.numel()] = tensor.flatten()
            tensor = room[5 : 5 + tensor.numel()].view(tensor.shape)
        elif way == "every other":
            room = torch.full((*tensor.shape[:-1], 2 * tensor.shape[-1] + 1), 99.0, dtype=tensor.dtype)
            room[..., 1::2] = tensor
            tensor = room[..., 1::2]
        elif way == "parameter":
            tensor = torch.nn.Parameter(tensor)
        elif way == "shared":
            # Two entries in one storage.
            room = torch.cat([tensor.flatten(), tensor.flatten() + 1])
            tensor = room[: tensor.numel()].view(tensor.shape)
            result[f"extra.{name}"] = room[tensor.numel() :]
        result[name] = tensor
    return result


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
@pytest.mark.parametrize("memory", ["contiguous", "spread"])
@pytest.mark.parametrize("container", ["pth", "safetensors"])
def test_every_dtype_and_layout_loads_bit_for_bit(torch, narrow, tmp_path, dtype, memory, container):
    kind = getattr(torch, dtype)
    state = OrderedDict((n, t.to(kind) if t.is_floating_point() else t + 5) for n, t in narrow.state_dict().items())
    # Values that rounding or a wrong path would lose: subnormal, largest, signed zero.
    info = torch.finfo(kind)
    state["bn1.bias"][:4] = torch.tensor([info.tiny / 2, info.max if dtype != "float64" else 1e300, -0.0, 0.1]).to(kind)
    expected = {name: (t.float() if t.is_floating_point() else t).numpy() for name, t in state.items()}
    path = tmp_path / f"x.{container}"
    extra = []
    if container == "pth":
        tensors = spread(state, torch) if memory == "spread" else state
        extra = [name for name in tensors if name.startswith("extra.")]
        torch.save(tensors, path)
    else:
        from safetensors.torch import save_file

        save_file(dict(reversed(state.items())) if memory == "spread" else dict(state), path)
    with backbone.ResNet(18, base_channels=8) as net:
        report = net.load_weights(path)
        assert (report.container, report.wrapper, report.prefix) == ("zip" if container == "pth" else container, "", "")
        assert set(report.loaded) == set(expected) and len(report.loaded) == len(expected)
        assert sorted(report.unexpected) == sorted(extra) and not report.missing and not report.ignorable
        assert_same_state(net, expected)
        assert np.signbit(net.get_entry("bn1.bias").data[2])


# ---- Files that PyTorch reads, and wrote once or elsewhere ----


def numpy_arrays(tensors):
    return OrderedDict((name, tensor.detach().numpy()) for name, tensor in tensors.items())


def big_endian(arrays):
    return OrderedDict((name, array.astype(array.dtype.newbyteorder(">"))) for name, array in arrays.items())


# How each is written, by torch.save or checkpoint_containers; its kind in the report; whether NumPy has its types.
CONTAINERS = {
    "zip": (lambda w, path, t: w.torch.save(t, path), "zip", False),
    "deflated": (lambda w, path, t: (w.torch.save(t, f"{path}.0"), w.rezip(f"{path}.0", path)), "zip", False),
    "zip64": (lambda w, path, t: (w.torch.save(t, f"{path}.0"), w.rezip(f"{path}.0", path, wide=True)), "zip", False),
    "big-endian": (lambda w, path, t: w.write_big_endian(path, t), "zip", False),
    "big-endian, deflated": (lambda w, path, t: w.write_big_endian(path, t, deflated=True), "zip", False),
    "arrays in a zip": (lambda w, path, t: w.torch.save(numpy_arrays(t), path), "zip", True),
    "legacy": (lambda w, path, t: w.torch.save(t, path, _use_new_zipfile_serialization=False), "legacy", False),
    "legacy, views": (lambda w, path, t: w.write_legacy(path, t, views=True, little_endian=False), "legacy", False),
    "legacy, protocol 4": (lambda w, path, t: w.write_legacy(path, t, protocol=4), "legacy", False),
    "tar": (lambda w, path, t: w.write_tar(path, t), "tar", False),
    "tar, views": (lambda w, path, t: w.write_tar(path, t, True, w.tarfile.USTAR_FORMAT), "tar", False),
    "pickle of tensors": (lambda w, path, t: w.write_pickle(path, t, 4), "pickle", False),
    **{
        f"arrays, protocol {protocol}": (
            lambda w, path, t, protocol=protocol: w.write_pickle(path, numpy_arrays(t), protocol),
            "pickle",
            True,
        )
        for protocol in range(6)
    },
    "arrays, Python 2": (lambda w, path, t: w.write_python2_pickle(path, numpy_arrays(t)), "pickle", True),
    "arrays, Python 2, protocol 0": (
        lambda w, path, t: w.write_python2_pickle(path, numpy_arrays(t), 0),
        "pickle",
        True,
    ),
    "arrays, big-endian": (lambda w, path, t: w.write_pickle(path, big_endian(numpy_arrays(t)), 2), "pickle", True),
}


def in_memory(tensors, memory, torch):
    """The same values, all of them in that layout; beside tensors in one storage, under names of their own, others."""
    result = OrderedDict()
    for name, tensor in tensors.items():
        if memory == "channels_last" and tensor.dim() == 4:
            tensor = tensor.contiguous(memory_format=torch.channels_last)
        elif memory == "view" and tensor.dim() > 0:
            room = torch.full((tensor.numel() + 12,), 99, dtype=tensor.dtype)
            room[5 : 5 + tensor.numel()] = tensor.flatten()
            tensor = room[5 : 5 + tensor.numel()].view(tensor.shape)
        elif memory == "shared" and tensor.dim() > 0:
            room = torch.cat([tensor.flatten(), tensor.flatten() + 1])
            tensor = room[: tensor.numel()].view(tensor.shape)
            result[f"{name}.rest"] = room[tensor.numel() :]
        result[name] = tensor
    return result


@pytest.mark.parametrize("memory", ["contiguous", "channels_last", "view", "shared"])
@pytest.mark.parametrize(
    ("container", "dtype"),
    [
        (container, dtype)
        for container, (_, _, is_numpy) in CONTAINERS.items()
        for dtype in ("float32", "float16", "bfloat16", "float64")
        if not (is_numpy and dtype == "bfloat16")  # NumPy has no bfloat16
    ],
)
def test_every_container_loads_bit_for_bit_what_pytorch_reads(torch, narrow, tmp_path, container, dtype, memory):
    writers = pytest.importorskip("checkpoint_containers")
    write, kind, is_numpy = CONTAINERS[container]
    state = OrderedDict(
        (name, t.to(getattr(torch, dtype)) if t.is_floating_point() else t + 5)
        for name, t in narrow.state_dict().items()
    )
    write(writers, tmp_path / "x", in_memory(state, memory, torch))
    read = writers.read(tmp_path / "x")
    expected = {}
    for name in state:
        value = torch.as_tensor(np.array(read[name], read[name].dtype.newbyteorder("="))) if is_numpy else read[name]
        expected[name] = (value.float() if value.is_floating_point() else value).numpy()
        assert value.dtype == state[name].dtype and torch.equal(value, state[name]), name
    with backbone.ResNet(18, base_channels=8) as net:
        report = net.load_weights(tmp_path / "x")
        assert (report.container, len(report.loaded)) == (kind, len(state))
        assert sorted(report.unexpected) == sorted(set(read) - set(state)) and not report.missing
        assert_same_state(net, expected)


@pytest.mark.parametrize("wrapper", ["", "model"])
@pytest.mark.parametrize("container", ["zip", "deflated", "big-endian", "legacy", "tar", "pickle of tensors"])
def test_a_whole_module_loads_as_its_state_dict(torch, narrow, tmp_path, container, wrapper):
    write, kind, _ = CONTAINERS[container]
    value = {"epoch": 3, wrapper: torch.nn.DataParallel(narrow)} if wrapper else narrow
    write(pytest.importorskip("checkpoint_containers"), tmp_path / "x", value)
    with backbone.ResNet(18, base_channels=8) as net:
        report = net.load_weights(tmp_path / "x", strict=True)
        assert (report.container, report.wrapper, report.prefix) == (kind, wrapper, "module." if wrapper else "")
        assert_same_state(net, arrays(narrow.state_dict()))


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("wrapper", ["", "state_dict", "model"])
@pytest.mark.parametrize("kind", ["dict", "OrderedDict", "module"])
def test_every_wrapping_loads(torch, narrow, tmp_path, prefix, wrapper, kind):
    source = torch.nn.DataParallel(narrow) if prefix else narrow
    state = source.state_dict()
    if kind != "module":
        state = (dict if kind == "dict" else OrderedDict)(state.items())
    saved = state
    if wrapper:
        optimizer = torch.optim.SGD(narrow.parameters(), lr=0.1, momentum=0.9)
        saved = {
            "epoch": 12,
            "args": argparse.Namespace(arch="resnet18", sizes=[1, 2]),
            "optimizer": optimizer.state_dict(),
            "rng": np.random.default_rng(1).bit_generator.state,
            "best": np.float64(76.1),
            "dtype": torch.float16,
            "device": torch.device("cpu"),
            wrapper: state,
            "scheduler": {"milestones": (30, 60), "last": None, "on": True, "name": "ステップ"},
        }
    torch.save(saved, tmp_path / "x.pth")
    with backbone.ResNet(18, base_channels=8) as net:
        report = net.load_weights(tmp_path / "x.pth", strict=True)
        assert (report.container, report.wrapper, report.prefix) == ("zip", wrapper, prefix)
        assert_same_state(net, arrays(narrow.state_dict()))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_pickle_protocol_that_torch_save_offers(torch, narrow, tmp_path, protocol):
    torch.save({"state_dict": narrow.state_dict()}, tmp_path / "x.pth", pickle_protocol=protocol)
    with backbone.ResNet(18, base_channels=8) as net:
        net.load_weights(tmp_path / "x.pth", strict=True)
        assert_same_state(net, arrays(narrow.state_dict()))


def test_tensors_that_require_gradients_and_repeat_a_value(torch, narrow, tmp_path):
    # Expanded tensors have strides of 0: one element in the storage.
    state = {n: t.clone().requires_grad_(t.is_floating_point()) for n, t in narrow.state_dict().items()}
    state["bn1.weight"] = torch.tensor([0.625]).expand(8)
    state["layer1.0.conv1.weight"] = torch.rand(8, 1, 3, 1).expand(8, 8, 3, 3)
    # Tied: one tensor under two names.
    state["layer1.1.bn1.weight"] = state["layer1.1.bn2.weight"]
    torch.save(state, tmp_path / "x.pth")
    with backbone.ResNet(18, base_channels=8) as net:
        net.load_weights(tmp_path / "x.pth", strict=True)
        assert_same_state(net, {name: tensor.detach().numpy() for name, tensor in state.items()})


def test_file_from_a_buffer_loads(torch, narrow, tmp_path):
    buffer = io.BytesIO()
    torch.save(narrow.state_dict(), buffer)
    (tmp_path / "x").write_bytes(buffer.getvalue())
    with backbone.ResNet(18, base_channels=8) as net:
        net.load_weights(tmp_path / "x", strict=True)
        assert_same_state(net, arrays(narrow.state_dict()))


def test_checkpoint_of_torchvisions_model_loads_with_the_classifier_ignored(torch, torchvision_resnet, tmp_path):
    torch.manual_seed(0)
    model = torchvision_resnet.resnet18(weights=None)
    torch.save(model.state_dict(), tmp_path / "resnet18.pth")
    with backbone.ResNet(18) as net:
        report = net.load_weights(tmp_path / "resnet18.pth", strict=True)
        assert report.ignorable == ("fc.weight", "fc.bias")
        assert len(report.loaded) == 120 and not report.missing and not report.unexpected
        expected = arrays(model.state_dict())
        assert_same_state(net, {name: value for name, value in expected.items() if not name.startswith("fc.")})


def refusals(torch, state, narrow):
    """Things that torch.save writes and the library refuses, the error, and what its message names."""
    integers = OrderedDict(state, **{"layer1.0.bn1.weight": torch.ones(8, dtype=torch.int32)})
    shapes = OrderedDict(state, **{"layer2.0.bn1.weight": torch.ones(1), "conv1.weight": torch.ones(8, 1, 7, 7)})
    nothing = (backbone.CheckpointError, backbone.MismatchError)
    return {
        "integers for a weight": (integers, {}, backbone.CheckpointError, "layer1.0.bn1.weight"),
        "other shapes": (shapes, {}, backbone.MismatchError, "conv1.weight"),
        "a tensor": (torch.ones(3), {}, nothing, "tensor"),
        "an empty dict": ({}, {}, nothing, "no tensors|no name"),
        "another module": (narrow.layer1, {}, nothing, "0.conv1.weight"),
        "another object": (argparse.Namespace(a=1), {}, nothing, "argparse.Namespace, not a state dict"),
    }


REFUSALS = ["integers for a weight", "other shapes", "a tensor", "an empty dict", "another module", "another object"]


@pytest.mark.parametrize("what", REFUSALS)
def test_what_is_refused_is_named_and_changes_nothing(torch, narrow, tmp_path, what):
    saved, options, error, text = refusals(torch, narrow.state_dict(), narrow)[what]
    torch.save(saved, tmp_path / "x.pth", **options)
    with backbone.ResNet(18, base_channels=8) as net:
        before = net.state_dict()
        with pytest.raises(error, match=text) as raised:
            net.load_weights(tmp_path / "x.pth")
        if what == "other shapes":
            # Broadcasting would take both.
            mismatched = [("conv1.weight", (8, 3, 7, 7), (8, 1, 7, 7)), ("layer2.0.bn1.weight", (16,), (1,))]
            assert list(raised.value.report.mismatched) == mismatched
        assert_same_state(net, before)


# ---- Files that PyTorch's tools read ----


@pytest.mark.parametrize("depth", [18, 50])
def test_saved_weights_are_read_by_safetensors_and_torchvision(
    torch, torchvision_resnet, reference, tmp_path, depth
):
    from safetensors import safe_open
    from safetensors.torch import load_file

    with backbone.ResNet(depth) as net:
        net.init_weights(seed=3)
        net.train()
        for _ in range(2):
            net(images("calibration", (2, 3, 64, 64)))
        net.eval()
        net.save_weights(tmp_path / "x.safetensors")
        state = load_file(tmp_path / "x.safetensors")
        expected = net.state_dict()
        assert set(state) == set(expected)
        for name, value in expected.items():
            assert state[name].numpy().dtype == value.dtype
            np.testing.assert_array_equal(state[name].numpy(), value, err_msg=name)
        with safe_open(tmp_path / "x.safetensors", "pt") as file:
            assert (file.metadata() or {}).get("format", "pt") == "pt"

        model = getattr(torchvision_resnet, f"resnet{depth}")(weights=None).eval().double()
        missing, unexpected = model.load_state_dict(state, strict=False)
        assert missing == ["fc.weight", "fc.bias"] and unexpected == []
        # As a .pth it needs nothing but the classifier, and says of which version each norm is.
        net.save_weights(tmp_path / "x.pth")
        state = torch.load(tmp_path / "x.pth", weights_only=True)
        state |= {"fc.weight": model.fc.weight, "fc.bias": model.fc.bias}
        model.load_state_dict(state, strict=True)
        versions = model.state_dict()._metadata
        norms = [name for name, module in model.named_modules() if isinstance(module, torch.nn.BatchNorm2d)]
        assert dict(state._metadata) == {name: versions[name] for name in norms}
        x = images("x", (1, 3, 64, 64))
        with torch.no_grad():
            y = model.maxpool(model.relu(model.bn1(model.conv1(torch.from_numpy(x).double()))))
            for stage, feature in enumerate(net(x), 1):
                y = getattr(model, f"layer{stage}")(y)
                assert relative_error(feature, y.numpy()) <= BOUNDS[stage - 1]


def test_weights_travel_to_pytorch_and_back_bit_for_bit(torch, reference, tmp_path):
    checkpoint = CHECKPOINTS[50]
    width = checkpoint.base_channels
    with backbone.ResNet(50, base_channels=width) as first, backbone.ResNet(50, base_channels=width) as second:
        first.load_weights(MODELS / "resnet50.pth")
        first.save_weights(tmp_path / "x.safetensors")
        from safetensors.torch import load_file

        model = reference.ResNet(50, 3, width)
        model.load_state_dict(load_file(tmp_path / "x.safetensors"))
        torch.save(model.state_dict(), tmp_path / "x.pth")
        second.load_weights(tmp_path / "x.pth", strict=True)
        assert_same_state(second, first.state_dict())


@pytest.mark.parametrize("name", ["x.pth", "x.bin"])
@pytest.mark.parametrize("options", [{"weights_only": True}, {"weights_only": False}, {"mmap": True}])
@pytest.mark.parametrize("depth", DEPTHS)
def test_saved_zip_is_read_by_pytorch_bit_for_bit(torch, tmp_path, depth, options, name):
    values = np.random.default_rng(depth)
    with backbone.ResNet(depth, 2, base_channels=4) as net:
        for entry in [*net.parameters(), *net.buffers()]:
            bits = values.integers(0, 2**32, entry.shape, np.uint32)
            entry.data = values.integers(0, 2**62) if entry.shape == () else bits.view(np.float32)
        net.save_weights(tmp_path / name)
        expected = net.state_dict()
        state = torch.load(tmp_path / name, **options)
        assert type(state) is OrderedDict and list(state) == list(expected)
        for key, value in expected.items():
            tensor = state[key]
            assert tensor.is_contiguous() and not tensor.requires_grad and tensor.shape == value.shape, key
            # As bits: NaN is among them.
            assert tensor.numpy().tobytes() == value.tobytes() and tensor.numpy().dtype == value.dtype, key
        # And back: what PyTorch writes of it is the same weights.
        torch.save(state, tmp_path / "back.pth")
        with backbone.ResNet(depth, 2, base_channels=4) as other:
            other.load_weights(tmp_path / "back.pth", strict=True)
            other.save_weights(tmp_path / "again.pth")
        assert (tmp_path / "again.pth").read_bytes() == (tmp_path / name).read_bytes()


def test_saved_zip_is_read_by_the_reader_that_every_pytorch_has(torch, tmp_path):
    # The one in C++ that torch.load is built on and that libtorch offers by itself.
    with backbone.ResNet(18, base_channels=8) as net:
        net.save_weights(tmp_path / "x.pth")
        reader = torch._C.PyTorchFileReader(str(tmp_path / "x.pth"))
        assert reader.get_record("version") == b"3\n"
        for index, value in enumerate(net.state_dict().values()):
            assert reader.get_record(f"data/{index}") == value.tobytes()
            assert reader.get_record_offset(f"data/{index}") % 64 == 0
