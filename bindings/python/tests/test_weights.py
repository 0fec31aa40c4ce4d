# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Initialisation, checkpoints, state dicts, parameters."""

import json
import math
import os
import pickle
import struct
import subprocess
import sys
import textwrap
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
from checkpoints import read_pth, write_pth, write_safetensors

import backbone

# Names of the state dict without fc, and how many are num_batches_tracked, as counted from torchvision's models.
ENTRIES = {18: (120, 20), 34: (216, 36), 50: (318, 53), 101: (624, 104), 152: (930, 155)}
PARAMETERS = {18: 11_176_512, 34: 21_284_672, 50: 23_508_032, 101: 42_500_160, 152: 58_143_808}


def random_state(state, seed=1):
    """Other values of the same shapes; variances positive."""
    rng = np.random.default_rng(seed)
    return {
        name: np.array(rng.integers(0, 2**40))
        if array.dtype == np.int64
        else (
            rng.random(array.shape) + 0.5 if name.endswith("running_var") else rng.standard_normal(array.shape)
        ).astype(np.float32)
        for name, array in state.items()
    }


def assert_equal(left, right):
    assert list(left) == list(right)
    for name in left:
        np.testing.assert_array_equal(left[name], right[name], err_msg=name, strict=True)


# ---- Initialisation ----


@pytest.mark.parametrize("depth", sorted(ENTRIES))
def test_entries_and_parameters_are_counted_as_in_torchvision(depth):
    with backbone.ResNet(depth) as net:
        entries = [*net.named_parameters(), *net.named_buffers()]
        tracked = [name for name, _ in entries if name.endswith("num_batches_tracked")]
        assert (len(entries), len(tracked)) == ENTRIES[depth]
        assert sum(math.prod(parameter.shape) for parameter in net.parameters()) == PARAMETERS[depth]


@pytest.mark.parametrize("depth", [18, 50])
def test_new_weights_are_kaiming_normal_by_fan_out(depth):
    with backbone.ResNet(depth) as net:
        net.init_weights(seed=5)
        for name, array in net.state_dict().items():
            if array.ndim == 4:
                out_channels, _, height, width = array.shape
                deviation = math.sqrt(2 / (out_channels * height * width))
                # 5 standard errors where a layer is too small for 2 %.
                tolerance = max(0.02, 5 / math.sqrt(2 * array.size))
                assert array.std(dtype=np.float64) == pytest.approx(deviation, rel=tolerance), name
                assert abs(array.mean(dtype=np.float64)) < 5 * deviation / math.sqrt(array.size), name
                # A normal distribution, not another of that deviation: its fourth moment is 3, a uniform one's 1.8.
                kurtosis = np.mean((array / deviation) ** 4, dtype=np.float64)
                assert kurtosis == pytest.approx(3, abs=max(0.1, 5 * math.sqrt(96 / array.size))), name
            else:
                expected = 1 if name.endswith("running_var") or name.endswith(".weight") else 0
                assert np.all(array == expected), name


def test_weights_of_different_layers_and_channels_differ():
    with backbone.ResNet(18, base_channels=8) as net:
        weights = [array for array in net.state_dict().values() if array.ndim == 4]
        values = np.concatenate([array.ravel() for array in weights])
        assert len(np.unique(values)) > 0.99 * values.size


def test_seed_decides_the_weights():
    with backbone.ResNet(18, base_channels=8) as net, backbone.ResNet(18, base_channels=8, threads=1) as other:
        fresh = net.state_dict()
        net.init_weights(seed=0)
        assert_equal(net.state_dict(), fresh)
        net.init_weights(seed=2**64 - 1)
        last = net.state_dict()
        assert not np.array_equal(last["conv1.weight"], fresh["conv1.weight"])
        other.init_weights(seed=2**64 - 1)
        assert_equal(other.state_dict(), last)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seed_that_fits_no_uint64_is_refused(seed):
    with backbone.ResNet(18, base_channels=8) as net, pytest.raises(ValueError, match=f"seed is {seed}"):
        net.init_weights(seed=seed)


@pytest.mark.parametrize(("depth", "last"), [(18, "bn2"), (50, "bn3")])
def test_zero_init_residual_zeroes_the_last_norm_of_each_block(depth, last):
    with backbone.ResNet(depth, base_channels=8, zero_init_residual=True) as net:
        net.init_weights()
        for name, array in net.state_dict().items():
            if array.ndim == 1 and name.endswith("weight"):
                zero = name.startswith("layer") and name.endswith(f".{last}.weight")
                assert np.all(array == (0 if zero else 1)), name


# ---- State dicts ----


def test_state_dict_round_trips_bit_for_bit_and_is_a_copy():
    with backbone.ResNet(50, base_channels=8) as net, backbone.ResNet(50, base_channels=8) as other:
        state = random_state(net.state_dict())
        state["conv1.weight"][0, 0, 0, :4] = [np.nan, -np.inf, -0.0, 1e-45]
        report = net.load_state_dict(state)
        assert (report.loaded, report.missing, report.unexpected) == (tuple(state), (), ())
        read = net.state_dict()
        assert_equal(read, state)
        assert np.signbit(read["conv1.weight"][0, 0, 0, 2])
        read["conv1.weight"][:] = 0
        assert_equal(net.state_dict(), state)
        other.load_state_dict(net.state_dict())
        assert_equal(other.state_dict(), state)


def test_load_state_dict_takes_any_float_and_any_strides():
    with backbone.ResNet(18, base_channels=8) as net:
        state = random_state(net.state_dict())
        given = {
            name: array
            if array.dtype == np.int64
            else np.asfortranarray(array.astype(np.float16 if index % 2 else np.float64))[::-1][::-1]
            for index, (name, array) in enumerate(state.items())
        }
        net.load_state_dict(given)
        assert_equal(net.state_dict(), {name: array.astype(state[name].dtype) for name, array in given.items()})


def test_load_state_dict_refuses_every_shape_that_differs_and_changes_nothing():
    with backbone.ResNet(18, base_channels=8) as net:
        before = net.state_dict()
        state = random_state(before)
        # Both would broadcast.
        state["bn1.weight"] = np.ones(1, np.float32)
        state["layer4.1.conv2.weight"] = np.ones((64, 1, 3, 3), np.float32)
        with pytest.raises(backbone.MismatchError, match=r"the mapping: .*bn1\.weight.*; 1 more") as caught:
            net.load_state_dict(state, strict=False)
        assert caught.value.report.mismatched == (
            ("bn1.weight", (8,), (1,)),
            ("layer4.1.conv2.weight", (64, 64, 3, 3), (64, 1, 3, 3)),
        )
        assert_equal(net.state_dict(), before)


def test_load_state_dict_is_strict_unless_told_otherwise():
    with backbone.ResNet(18, base_channels=8, out_indices=(0, 1)) as net:
        before = net.state_dict()
        state = random_state(before)
        del state["layer1.0.bn1.running_mean"], state["layer1.0.bn1.num_batches_tracked"]
        state |= {"neck.weight": np.ones(3), "fc.bias": np.ones(3), "layer3.0.conv1.weight": np.ones((1, 1, 3, 3))}
        with pytest.raises(backbone.MismatchError, match=r"layer1\.0\.bn1\.running_mean") as caught:
            net.load_state_dict(state)
        assert caught.value.report.missing == ("layer1.0.bn1.running_mean",)
        assert_equal(net.state_dict(), before)
        with pytest.raises(backbone.MismatchError, match=r"layer1\.0\.bn1\.running_mean"):
            net.load_state_dict(state, strict=False)
        with pytest.raises(backbone.MismatchError, match=r"neck\.weight"):
            net.load_state_dict(state, allow_missing=True)
        assert_equal(net.state_dict(), before)
        report = net.load_state_dict(state, strict=False, allow_missing=True)
        assert report is net.report and report.container == "mapping"
        assert report.missing == ("layer1.0.bn1.running_mean",)
        assert report.unexpected == ("neck.weight",)
        assert report.ignorable == ("layer1.0.bn1.num_batches_tracked", "fc.bias", "layer3.0.conv1.weight")
        kept = {name: before[name] for name in before if name not in state}
        assert_equal(net.state_dict(), {name: (kept | state)[name] for name in before})


def test_load_state_dict_without_a_common_name_is_refused():
    with backbone.ResNet(18, base_channels=8) as net, pytest.raises(backbone.MismatchError, match="none of its names"):
        net.load_state_dict({"stem.weight": np.ones(3)}, strict=False)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("bn1.weight", np.ones(8, np.int32)),
        ("bn1.weight", np.ones(8, bool)),
        ("bn1.weight", np.ones(8, complex)),
        ("bn1.weight", np.array(["x"] * 8)),
    ],
)
def test_values_of_another_kind_are_a_type_error_and_change_nothing(name, values):
    with backbone.ResNet(18, base_channels=8) as net:
        before = net.state_dict()
        with pytest.raises(TypeError, match=name):
            net.load_state_dict(random_state(before) | {name: values})
        assert_equal(net.state_dict(), before)


@pytest.mark.parametrize("values", [np.array(7.9), np.array(7, np.uint64), np.array([7]), np.array(7, np.int8)])
def test_counts_of_any_kind_become_integers(values):
    with backbone.ResNet(18, base_channels=8) as net:
        report = net.load_state_dict(random_state(net.state_dict()) | {"bn1.num_batches_tracked": values})
        assert "bn1.num_batches_tracked" in report.loaded
        assert net.state_dict()["bn1.num_batches_tracked"] == 7
        # A value that is not one number is not a count, and has no effect.
        report = net.load_state_dict(random_state(net.state_dict()) | {"bn1.num_batches_tracked": np.array([1, 2])})
        assert "bn1.num_batches_tracked" in report.ignorable
        assert net.state_dict()["bn1.num_batches_tracked"] == 7


# ---- Parameters and buffers ----


def test_parameters_and_buffers_are_the_state_dict_in_pytorchs_order():
    with backbone.ResNet(50, base_channels=8) as net:
        names = list(net.state_dict())
        assert names[:6] == ["conv1.weight", *(f"bn1.{n}" for n in NORM)]
        block = [f"layer1.0.{part}" for i in (1, 2, 3) for part in [f"conv{i}.weight", *(f"bn{i}.{n}" for n in NORM)]]
        block += [f"layer1.0.downsample.{part}" for part in ["0.weight", *(f"1.{n}" for n in NORM)]]
        assert names[6 : 6 + len(block) + 1] == [*block, "layer1.1.conv1.weight"]
        parameters, buffers = dict(net.named_parameters()), dict(net.named_buffers())
        assert list(parameters) == [n for n in names if n.endswith(("weight", "bias"))]
        assert list(buffers) == [n for n in names if n not in parameters]
        assert all(parameter.requires_grad for parameter in net.parameters())
        assert repr(parameters["conv1.weight"]) == "<Parameter conv1.weight (8, 3, 7, 7)>"


NORM = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]


def test_data_reads_and_writes_one_entry():
    with backbone.ResNet(18, base_channels=8) as net:
        before = net.state_dict()
        parameter = net.get_entry("layer1.0.conv1.weight")
        assert isinstance(parameter, backbone.Parameter)
        values = np.random.default_rng(2).standard_normal(parameter.shape)
        parameter.data = values
        np.testing.assert_array_equal(parameter.data, values.astype(np.float32), strict=True)
        buffer = net.get_entry("bn1.num_batches_tracked")
        assert isinstance(buffer, backbone.Buffer) and buffer.shape == ()
        buffer.data = 2**62
        assert buffer.data == 2**62
        after = net.state_dict()
        assert {n for n in after if not np.array_equal(after[n], before[n])} == {parameter.name, buffer.name}
        with pytest.raises(ValueError, match=r"layer1\.0\.conv1\.weight has shape \(8, 8, 3, 3\).*\(8, 1, 3, 3\)"):
            parameter.data = np.ones((8, 1, 3, 3), np.float32)
        with pytest.raises(TypeError, match="int64"):
            parameter.data = np.ones(parameter.shape, np.int64)


@pytest.mark.parametrize("name", ["fc.weight", "", "conv1", "layer1.0.conv3.weight", "conv1.weight\0", "\udc80", "é"])
def test_unknown_name_is_a_key_error(name):
    with backbone.ResNet(18, base_channels=8) as net, pytest.raises(KeyError):
        net.get_entry(name)


def test_entries_live_as_long_as_their_network():
    net = backbone.ResNet(18, base_channels=8)
    parameter = net.get_entry("conv1.weight")
    del net
    with pytest.raises(ValueError, match="closed"):
        _ = parameter.data


# ---- Files ----


@pytest.mark.parametrize("ending", ["safetensors", "pth"])
@pytest.mark.parametrize("depth", [18, 50])
def test_save_then_load_round_trips(tmp_path, depth, ending):
    path = tmp_path / f"weights.{ending}"
    with backbone.ResNet(depth, base_channels=8) as net, backbone.ResNet(depth, base_channels=8) as other:
        state = random_state(net.state_dict())
        net.load_state_dict(state)
        net.save_weights(path)
        report = other.load_weights(path, strict=True)
        assert sorted(report.loaded) == sorted(state)
        container = "zip" if ending == "pth" else ending
        assert (report.container, report.wrapper, report.prefix) == (container, "", "")
        assert_equal(other.state_dict(), state)


def write_checkpoint(path, state, wrapper="", prefix="", kind=OrderedDict):
    state = kind((prefix + name, array) for name, array in state.items())
    if path.suffix == ".safetensors":
        return write_safetensors(path, state)
    return write_pth(path, {wrapper: state, "epoch": 12, "meta": {"x": [1, 2.5, None]}} if wrapper else state)


@pytest.mark.parametrize("wrapper", ["", "state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("kind", [dict, OrderedDict])
def test_pth_in_every_wrapping_loads(tmp_path, wrapper, prefix, kind):
    with backbone.ResNet(18, base_channels=8) as net:
        state = random_state(net.state_dict())
        path = write_checkpoint(tmp_path / "x.pth", state, wrapper, prefix, kind)
        report = net.load_weights(path, strict=True)
        assert (report.container, report.wrapper, report.prefix) == ("zip", wrapper, prefix)
        assert report.loaded == tuple(state)
        assert_equal(net.state_dict(), state)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_other_floats_are_converted_and_fortran_order_read_right(tmp_path, suffix, dtype):
    with backbone.ResNet(18, base_channels=8) as net:
        state = random_state(net.state_dict())
        written = {n: a if a.dtype == np.int64 else np.asfortranarray(a.astype(dtype)) for n, a in state.items()}
        report = net.load_weights(write_checkpoint(tmp_path / f"x.{suffix}", written))
        assert not report.missing
        assert_equal(net.state_dict(), {n: a.astype(state[n].dtype) for n, a in written.items()})


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_partial_checkpoint_gives_exactly_the_missing_names(tmp_path, suffix):
    with backbone.ResNet(18, base_channels=8) as net:
        before = net.state_dict()
        state = random_state(before)
        gone = ["bn1.running_var", "layer2.0.downsample.0.weight", "layer4.1.bn2.num_batches_tracked"]
        rest = {name: array for name, array in state.items() if name not in gone}
        rest |= {"fc.weight": np.ones((3, 4), np.float32), "neck.x": np.ones(2, np.float32)}
        path = write_checkpoint(tmp_path / f"x.{suffix}", rest)
        with pytest.raises(backbone.MismatchError) as caught:
            net.load_weights(path, strict=True)
        assert_equal(net.state_dict(), before)
        assert any(name in str(caught.value) for name in [*gone[:2], "neck.x"])
        with pytest.raises(backbone.MismatchError, match="are missing: 'bn1.running_var' and 1 more"):
            net.load_weights(path)
        report = net.load_weights(path, allow_missing=True)
        assert report.succeeded and not caught.value.report.succeeded
        for result in (report, caught.value.report):
            assert result.missing == tuple(gone[:2])
            assert result.unexpected == ("neck.x",)
            assert set(result.ignorable) == {gone[2], "fc.weight"}
            assert result.mismatched == ()
        assert set(report.loaded) == set(state) - set(gone)
        assert_equal(net.state_dict(), {n: before[n] if n in gone else state[n] for n in before})


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_shapes_that_would_broadcast_are_refused_all_named_and_nothing_changes(tmp_path, suffix, images):
    with backbone.ResNet(18, base_channels=8) as net:
        before, features = net.state_dict(), net(images)
        state = random_state(before)
        state["conv1.weight"] = np.ones((8, 1, 7, 7), np.float32)
        state["layer1.0.bn1.bias"] = np.ones(1, np.float32)
        state["layer4.1.bn2.running_var"] = np.array(1, np.float32)
        path = write_checkpoint(tmp_path / f"x.{suffix}", state)
        with pytest.raises(backbone.MismatchError, match=r"conv1\.weight") as caught:
            net.load_weights(path)
        assert caught.value.report.mismatched == (
            backbone.Mismatch("conv1.weight", (8, 3, 7, 7), (8, 1, 7, 7)),
            backbone.Mismatch("layer1.0.bn1.bias", (8,), (1,)),
            backbone.Mismatch("layer4.1.bn2.running_var", (64,), ()),
        )
        assert_equal(net.state_dict(), before)
        for left, right in zip(net(images), features, strict=True):
            np.testing.assert_array_equal(left, right)


def test_report_is_readable(tmp_path):
    with backbone.ResNet(18, base_channels=8) as net:
        state = random_state(net.state_dict())
        del state["bn1.bias"]
        state["fc.bias"] = np.ones(3, np.float32)
        path = write_checkpoint(tmp_path / "x.pth", state, "state_dict", "module.")
        report = net.load_weights(path, allow_missing=True)
    assert str(report) == (
        "zip, tensors under 'state_dict', prefix 'module.' removed: 119 loaded\n"
        "  1 missing: bn1.bias\n"
        "  1 ignorable: module.fc.bias"
    )
    assert repr(report) == ("<LoadReport zip: 119 loaded, 1 missing, 0 unexpected, 1 ignorable, 0 mismatched>")


def test_report_shortens_long_lists_and_shows_both_shapes():
    names = tuple(f"x{i}" for i in range(20))
    mismatch = backbone.Mismatch("conv1.weight", (64, 3, 7, 7), ())
    report = backbone.LoadReport((), names, (), (), (mismatch,), "zip", "", "", succeeded=False)
    assert str(report) == (
        "zip: 0 fit, none was loaded\n"
        "  1 mismatched: conv1.weight (network 64x3x7x7, checkpoint scalar)\n"
        "  20 missing: x0, x1, x2, x3, x4, x5, x6, x7, and 12 more"
    )


def test_init_weights_and_constructor_load_a_checkpoint(tmp_path):
    path = tmp_path / "weights.safetensors"
    with backbone.ResNet(18, base_channels=8) as net:
        state = random_state(net.state_dict())
        write_safetensors(path, state)
        report = net.init_weights(pretrained=path)
        assert len(report.loaded) == len(state)
        assert_equal(net.state_dict(), state)
        assert net.init_weights() is None
    with backbone.ResNet(18, base_channels=8, pretrained=str(path)) as net:
        assert_equal(net.state_dict(), state)


def test_files_that_cannot_be_loaded_are_exceptions_of_their_kind(tmp_path):
    empty, text = tmp_path / "empty.pth", tmp_path / "text.pth"
    empty.write_bytes(b"")
    text.write_text("no checkpoint")
    other = write_safetensors(tmp_path / "other.safetensors", {"a": np.ones(3, np.float32)})
    truncated = tmp_path / "truncated.pth"
    with backbone.ResNet(18, base_channels=8) as net:
        before = net.state_dict()
        write_pth(truncated, before)
        truncated.write_bytes(truncated.read_bytes()[:-100])
        for path, kind in [
            (tmp_path / "absent.pth", FileNotFoundError),
            (tmp_path / "absent" / "x.pth", FileNotFoundError),
            (tmp_path, OSError),
            (empty, backbone.CheckpointError),
            (text, backbone.CheckpointError),
            (truncated, backbone.CheckpointError),
            (other, backbone.MismatchError),
        ]:
            with pytest.raises(kind) as caught:
                net.load_weights(path)
            assert path.name in str(caught.value), path
            assert "\n" not in str(caught.value)
        assert_equal(net.state_dict(), before)
        with pytest.raises(ValueError, match="zero byte"):
            net.load_weights(f"{other}\0.pth")
        with pytest.raises(TypeError, match="path"):
            net.load_weights(None)
    assert issubclass(backbone.CheckpointError, ValueError) and issubclass(backbone.MismatchError, RuntimeError)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_arrays_of_many_pieces_in_a_pickle_are_read_exactly(tmp_path, protocol):
    # Before protocol 3 a pickle writes bytes as text, which is read in pieces that end within characters.
    with backbone.ResNet(18, base_channels=16) as net:
        state = random_state(net.state_dict(), seed=protocol)
        (tmp_path / "x.pkl").write_bytes(pickle.dumps(state, protocol))
        assert net.load_weights(tmp_path / "x.pkl", strict=True).container == "pickle"
        assert_equal(net.state_dict(), state)


# ---- From memory ----


@pytest.mark.parametrize("name", ["x.pth", "x.safetensors"])
def test_checkpoint_in_memory_is_the_checkpoint_in_the_file(tmp_path, name):
    path = tmp_path / name
    with backbone.ResNet(18, base_channels=4) as source, backbone.ResNet(18, base_channels=4) as net:
        source.load_state_dict(random_state(source.state_dict()))
        source.save_weights(path)
        data = path.read_bytes()
        shifted = np.zeros(len(data) + 3, np.uint8)
        shifted[3:] = np.frombuffer(data, np.uint8)
        kinds = [data, bytearray(data), memoryview(data), memoryview(b"xx" + data + b"yy")[2:-2], shifted[3:]]
        kinds += [np.frombuffer(data, np.uint8).reshape(-1, 2)] if len(data) % 2 == 0 else []
        for kind in kinds:
            net.init_weights(seed=1)
            report = net.load_weights(kind, strict=True)
            assert_equal(net.state_dict(), source.state_dict())
            assert report == net.load_weights(path, strict=True)
            assert (report.tensors, len(report.loaded)) == (120, 120)
            assert json.loads(report.json)["tensors"] == "120"
            assert backbone.inspect(kind) == backbone.inspect(path)
            with backbone.ResNet.from_file(kind) as described:
                assert (described.depth, described.report.base_channels) == (18, 4)
                assert_equal(described.state_dict(), source.state_dict())
        assert (shifted[3:].tobytes(), shifted[:3].tolist()) == (data, [0, 0, 0])


def test_checkpoint_in_memory_that_is_none_is_an_exception(tmp_path):
    with backbone.ResNet(18, base_channels=4) as net:
        net.save_weights(tmp_path / "x.pth")
        data = (tmp_path / "x.pth").read_bytes()
        before = net.state_dict()
        for bad in [b"", bytearray(), memoryview(b""), b"no checkpoint", data[:-1], bytearray(data[:1000])]:
            for call in [net.load_weights, backbone.inspect, backbone.ResNet.from_file]:
                with pytest.raises(backbone.CheckpointError, match=f"^memory of {len(bad)} bytes: "):
                    call(bad)
        with pytest.raises(ValueError, match="gaps"):
            net.load_weights(memoryview(data)[::2])
        for neither in [None, 3, ["x.pth"], open]:
            with pytest.raises(TypeError, match="path is a .*; it must be a str or a path, or bytes in memory"):
                net.load_weights(neither)
        with backbone.ResNet(18, base_channels=8) as wider, pytest.raises(backbone.MismatchError) as caught:
            wider.load_weights(data)
        assert str(caught.value).startswith(f"memory of {len(data)} bytes: ")
        assert len(caught.value.report.mismatched) == 100
        assert_equal(net.state_dict(), before)


def test_checkpoint_in_memory_is_neither_copied_nor_kept(tmp_path):
    with backbone.ResNet(18, base_channels=4) as net:
        net.save_weights(tmp_path / "x.pth")
        data = bytearray((tmp_path / "x.pth").read_bytes())
        references = sys.getrefcount(data)
        expected = net.state_dict()
        net.load_weights(data)
        # An exported buffer would refuse it.
        data.clear()
        assert sys.getrefcount(data) == references
        assert_equal(net.state_dict(), expected)


def test_file_that_cannot_be_written_is_an_exception_and_leaves_nothing(tmp_path):
    with backbone.ResNet(18, base_channels=8) as net:
        with pytest.raises(FileNotFoundError, match=r"x\.safetensors"):
            net.save_weights(tmp_path / "absent" / "x.safetensors")
        with pytest.raises(OSError, match=tmp_path.name):
            net.save_weights(tmp_path)
        assert list(tmp_path.iterdir()) == []


# ---- Files that are written ----


@pytest.mark.parametrize("name", ["x.pth", "x.pt", "x.bin", "x.pth.tar"])
def test_saved_zip_is_what_pythons_own_readers_take_it_for(tmp_path, name):
    path = tmp_path / name
    with backbone.ResNet(50, base_channels=8) as net:
        state = random_state(net.state_dict())
        net.load_state_dict(state)
        net.save_weights(path)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        storages = [f"archive/data/{index}" for index in range(len(state))]
        assert archive.namelist() == ["archive/data.pkl", "archive/byteorder", *storages, "archive/version"]
        assert archive.read("archive/byteorder") == b"little" and archive.read("archive/version") == b"3\n"
        assert archive.comment == b""
        data, end = path.read_bytes(), 0
        for info in archive.infolist():
            assert (info.compress_type, info.flag_bits) == (zipfile.ZIP_STORED, 0)
            # The members are contiguous, and their bytes begin where they can be mapped.
            assert info.header_offset == end
            header = struct.unpack_from("<4sHHHHHLLLHH", data, info.header_offset)
            assert header[0] == b"PK\3\4" and header[6:9] == (info.CRC, info.file_size, info.file_size)
            start = info.header_offset + 30 + header[9] + header[10]
            assert start % 64 == 0
            extra = data[start - header[10] : start]
            assert extra[:2] == b"FB" and struct.unpack_from("<H", extra, 2) == (len(extra) - 4,)
            end = start + info.file_size
        assert data[end : end + 4] == b"PK\1\2"
    read = read_pth(path)
    assert type(read) is OrderedDict
    assert_equal(read, state)
    norms = [entry.rpartition(".")[0] for entry in state if entry.endswith("running_mean")]
    assert read._metadata == OrderedDict((norm, {"version": 2}) for norm in norms)


def test_same_weights_are_the_same_bytes(tmp_path):
    with backbone.ResNet(18, base_channels=8) as net, backbone.ResNet(18, base_channels=8) as other:
        net.save_weights(tmp_path / "a.pth")
        other.save_weights(tmp_path / "another.bin")
    assert (tmp_path / "a.pth").read_bytes() == (tmp_path / "another.bin").read_bytes()


def test_saving_through_a_link_writes_the_file_behind_it(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "old.pth").write_text("old")
    os.chmod(tmp_path / "real" / "old.pth", 0o640)
    (tmp_path / "link.pth").symlink_to("real/old.pth")
    with backbone.ResNet(18, base_channels=8) as net:
        net.save_weights(tmp_path / "link.pth")
        assert os.readlink(tmp_path / "link.pth") == "real/old.pth"
        assert_equal(read_pth(tmp_path / "real" / "old.pth"), net.state_dict())
    assert (tmp_path / "real" / "old.pth").stat().st_mode & 0o7777 == 0o640
    assert os.listdir(tmp_path / "real") == ["old.pth"]


@pytest.mark.parametrize("ending", ["safetensors", "pth"])
@pytest.mark.parametrize("limit", [0, 100, 4096, 100_000, 350_000])
def test_full_disk_is_an_exception_and_leaves_the_older_file(tmp_path, ending, limit):
    path = tmp_path / f"x.{ending}"
    path.write_text("old")
    program = f"""
        import resource, signal, sys
        import backbone
        net = backbone.ResNet(18, base_channels=8)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
        try:
            net.save_weights({str(path)!r})
        except OSError as error:
            sys.exit(str(error))
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 1 and f"x.{ending}: cannot write it: File too large" in result.stderr
    assert os.listdir(tmp_path) == [path.name]
    assert path.read_text() == "old"
