# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Files that a live PyTorch writes, or reads, in every form that it has had."""

import argparse
import io
from collections import OrderedDict

import numpy as np
import pytest
from parity import arrays, assert_same_state, calibrated

import backbone

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def narrow(reference):
    """A calibrated narrow ResNet-18, not to be changed."""
    return calibrated(reference, 18, 3, 8)


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
        "an empty dict": ({}, {}, nothing, "no tensors|none of its names"),
        "another module": (narrow.layer1, {}, nothing, "0.conv1.weight"),
        "another object": (argparse.Namespace(a=1), {}, nothing, "argparse.Namespace, expected a state dict"),
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
