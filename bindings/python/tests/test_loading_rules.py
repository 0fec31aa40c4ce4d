# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""What a load changes: partial loads, options, values that are not numbers, shards, names of one storage."""

import ctypes
import json
import time
import warnings

import numpy as np
import pytest
from checkpoints import View, write_pth, write_safetensors

import backbone
from backbone import _library
from backbone._library import lib

NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def bits(net):
    return {name: array.tobytes() for name, array in net.state_dict().items()}


@pytest.fixture
def net():
    with backbone.ResNet(18, base_channels=8) as net:
        yield net


@pytest.fixture
def state(states):
    return dict(states[18])


# ---- Partial loads ----


def without_norms(state):
    return {name: array for name, array in state.items() if array.ndim == 4}


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("zero_init_residual", [False, True])
def test_norms_that_a_file_lacks_keep_what_they_have(states, tmp_path, depth, zero_init_residual):
    path = write_pth(tmp_path / "x.pth", without_norms(states[depth]))
    last = f".bn{3 if depth == 50 else 2}.weight"
    with backbone.ResNet(depth, base_channels=8, zero_init_residual=zero_init_residual) as net:
        net.load_weights(path, allow_missing=True)
        for name, array in net.state_dict().items():
            if array.ndim == 1 and name.endswith("weight"):
                # Of a new network: what it was made with.
                assert np.all(array == (not (zero_init_residual and name.endswith(last)))), name
        # Of one that has been loaded: its values, whatever it was made with.
        values = {
            name: array + np.float32(0.5) if array.dtype.kind == "f" else array for name, array in states[depth].items()
        }
        net.load_state_dict(values)
        report = net.load_weights(path, allow_missing=True)
        assert len(report.missing) == 4 * len(without_norms(values))
        for name, array in net.state_dict().items():
            np.testing.assert_array_equal(array, (states[depth] if array.ndim == 4 else values)[name], err_msg=name)


@pytest.mark.parametrize("strict", [False, True])
def test_counters_that_a_file_lacks_stay(net, state, tmp_path, strict):
    counted = {name: np.array(3) if name.endswith(NORM[4]) else array for name, array in state.items()}
    net.load_state_dict(counted)
    rest = {name: array for name, array in state.items() if not name.endswith(NORM[4])}
    report = net.load_weights(write_pth(tmp_path / "x.pth", rest), strict)
    assert {name for name in state if name.endswith(NORM[4])} == set(report.ignorable)
    counters = [array for name, array in net.state_dict().items() if name.endswith(NORM[4])]
    assert len(counters) == 20 and all(count == 3 for count in counters)


def test_strict_with_allow_missing_refuses_only_what_is_unexpected(net, state, tmp_path):
    del state["bn1.bias"]
    path = write_pth(tmp_path / "x.pth", state)
    assert net.load_weights(path, strict=True, allow_missing=True).missing == ("bn1.bias",)
    path = write_pth(tmp_path / "y.pth", state | {"head.x": np.ones(2, np.float32)})
    with pytest.raises(backbone.MismatchError, match=r"head\.x"):
        net.load_weights(path, strict=True, allow_missing=True)
    for strict in (False, True):
        with pytest.raises(backbone.MismatchError, match=r"are missing: 'bn1\.bias';.*allow_missing"):
            net.load_weights(path, strict=strict)


# ---- Options and reports of the C interface ----


def options(size, **fields):
    return ctypes.byref(_library.LoadOptions(struct_size=size, **fields))


def test_options_without_the_new_fields_get_the_strict_rule(state, tmp_path):
    del state["bn1.bias"]
    path = str(write_pth(tmp_path / "x.pth", state)).encode()
    whole = ctypes.sizeof(_library.LoadOptions)
    assert _library.LoadOptions.allow_missing.offset == 40
    with backbone.ResNet(18, base_channels=8) as net, net._handle as handle:

        def load(size):
            return lib.backbone_load_weights_with(handle, path, options(size, allow_missing=1), None)

        # The memory after a shorter struct is the caller's own.
        assert load(40) == _library.STATUS_MISMATCH
        assert load(whole) == _library.STATUS_OK
        assert lib.backbone_load_weights(handle, path, 0, None) == _library.STATUS_MISMATCH


def test_failures_leave_no_stale_report(tmp_path):
    path = tmp_path / "x.pth"
    path.write_bytes(b"nonsense")
    file, content = str(path).encode(), (b"nonsense", 8)
    own = _library.Options()
    assert lib.backbone_options_init(ctypes.byref(own), ctypes.sizeof(own)) == _library.STATUS_OK
    with backbone.ResNet(18, base_channels=8) as net, net._handle as handle:
        calls = {
            "create_from_file": lambda out, made: lib.backbone_create_from_file(file, own, None, made, out),
            "create_from_memory": lambda out, made: lib.backbone_create_from_memory(*content, own, None, made, out),
            "inspect": lambda out, made: lib.backbone_inspect(file, None, out),
            "inspect_memory": lambda out, made: lib.backbone_inspect_memory(*content, None, out),
            "load_weights": lambda out, made: lib.backbone_load_weights(handle, file, 0, out),
            "load_weights_with": lambda out, made: lib.backbone_load_weights_with(handle, file, None, out),
            "from_memory": lambda out, made: lib.backbone_load_weights_from_memory(handle, *content, None, out),
        }
        for name, call in calls.items():
            out, made = ctypes.c_void_p(0x1234), ctypes.c_void_p(0x1234)
            assert call(ctypes.byref(out), ctypes.byref(made)) == _library.STATUS_BAD_CHECKPOINT, name
            assert out.value is None, name
            assert made.value is None or not name.startswith("create"), name


# ---- Modules of other networks ----


def test_modules_in_as_many_names_of_many_parts_as_fit_are_found(net, state, tmp_path):
    def processor_time(suffix):
        names = {f"layer1.0.{index}{suffix}": np.zeros(0, np.float32) for index in range(60_000)}
        path = write_safetensors(tmp_path / "x.safetensors", state | names)
        start = time.process_time()
        with pytest.raises(backbone.MismatchError, match="not part of this network") as caught:
            net.load_weights(path)
        return time.process_time() - start, str(caught.value)

    few, message = processor_time("a" * 160 + ".se")
    assert "'layer1.0.0aaa" in message and "59999 more" in message and "squeeze-and-excitation" in message
    many, message = processor_time(".a" * 80 + ".se")
    assert "'layer1.0.0.a.a" in message and "59999 more" in message and "squeeze-and-excitation" in message
    # Parts are looked up, not compared with each that is known: that takes 16 times as long.
    assert many < 6 * few


# ---- Values ----

DTYPES = ["float32", "float64", "float16", "bfloat16"]


def of_type(array, dtype):
    """bfloat16 as its bits: the upper half of float32."""
    if dtype != "bfloat16":
        return array.astype(dtype)
    return (array.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def write_typed(path, state, dtype, is_strided, write=write_pth):
    """Where weights are strided, their last axis is not the one whose elements are next to each other."""
    typed = {name: of_type(array, dtype) if array.dtype.kind == "f" else array for name, array in state.items()}
    if is_strided:
        typed = {name: np.asfortranarray(array) if array.ndim == 4 else array for name, array in typed.items()}
    return write(path, typed)


def faulty(state, dtype):
    state = {name: array.astype(np.float64 if array.dtype.kind == "f" else np.int64) for name, array in state.items()}
    state["layer1.0.conv1.weight"][3, 2, 1, 0] = np.nan
    state["layer2.1.bn2.bias"][-1] = np.nan
    state["layer1.1.conv2.weight"][7, 7, 2, 2] = -np.inf
    state["layer3.0.bn1.running_var"][5] = -0.5
    if dtype == "float64":
        state["layer4.0.downsample.0.weight"][9, 8, 0, 0] = 1e300
    return state


WORDS = {
    "NaN": ("are NaN", ["layer1.0.conv1.weight", "layer2.1.bn2.bias"]),
    "infinities": ("are infinite", ["layer1.1.conv2.weight"]),
    "overflow": ("float64 beyond float32", ["layer4.0.downsample.0.weight"]),
    "negative": ("negative variances", ["layer3.0.bn1.running_var"]),
}


def check_warnings(report, dtype):
    expected = [words for kind, words in WORDS.items() if kind != "overflow" or dtype == "float64"]
    assert len(report.warnings) == len(expected), report.warnings
    for text, names in expected:
        (found,) = [warning for warning in report.warnings if text in warning]
        assert found.rpartition(": ")[2] == ", ".join(names)


@pytest.mark.filterwarnings("ignore::backbone.BackboneWarning")
@pytest.mark.parametrize("is_strided", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_values_that_are_not_numbers_are_warned_of_by_name(net, state, tmp_path, dtype, is_strided):
    bad = faulty(state, dtype)
    path = write_typed(tmp_path / "x.pth", bad, dtype, is_strided)
    check_warnings(net.load_weights(path), dtype)
    loaded = net.state_dict()
    assert np.isnan(loaded["layer1.0.conv1.weight"][3, 2, 1, 0])
    assert np.isneginf(loaded["layer1.1.conv2.weight"][7, 7, 2, 2])
    with backbone.ResNet.from_file(path) as other:
        check_warnings(other.report, dtype)
    if not is_strided:
        check_warnings(net.load_weights(write_typed(tmp_path / "x", bad, dtype, False, write_safetensors)), dtype)
    if dtype != "bfloat16":
        arrays = {name: of_type(array, dtype) if array.dtype.kind == "f" else array for name, array in bad.items()}
        arrays = {name: np.asfortranarray(array) if is_strided else array for name, array in arrays.items()}
        check_warnings(net.load_state_dict(arrays), dtype)
    # None of it is kept from one load to the next.
    assert net.load_weights(write_typed(tmp_path / "y.pth", state, dtype, is_strided)).warnings == ()


def test_names_over_six_are_counted(net, state, tmp_path):
    convolutions = [name for name, array in state.items() if array.ndim == 4]
    for count in (6, 7, 20):
        bad = {name: np.full_like(a, np.nan) if name in convolutions[:count] else a for name, a in state.items()}
        path = write_pth(tmp_path / "x.pth", bad)
        with pytest.warns(backbone.BackboneWarning, match="are NaN"):
            (warning,) = net.load_weights(path).warnings
        more = f" and {count - 6} more" if count > 6 else ""
        assert warning.endswith(": " + ", ".join(convolutions[:6]) + more)


def test_values_of_what_is_not_loaded_do_not_matter(net, state, tmp_path):
    bad = {f"backbone.{name}": array for name, array in state.items()}
    bad |= {name: np.full(3, np.nan, np.float32) for name in ("head.weight", "backbone.fc.bias")}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert net.load_weights(write_pth(tmp_path / "x.pth", bad)).warnings == ()


# ---- Shards ----

FORMATS = {"safetensors": (write_safetensors, "model-{}.safetensors"), "bin": (write_pth, "pytorch_model-{}.bin")}


@pytest.fixture(params=FORMATS)
def shards(request, tmp_path, state):
    """The files of a state dict in two shards: the index and what is in it, and the two."""
    write, name = FORMATS[request.param]
    files = [tmp_path / name.format(f"0000{number}-of-00002") for number in (1, 2)]
    names = list(state)
    for file, part in zip(files, (names[:70], names[70:]), strict=True):
        write(file, {name: state[name] for name in part})
    index = {"metadata": {}, "weight_map": {name: files[number >= 70].name for number, name in enumerate(names)}}
    path = tmp_path / "model.index.json"
    path.write_text(json.dumps(index))
    return path, index, files


def refused(net, path, error, match):
    before = bits(net)
    with pytest.raises(error, match=match):
        net.load_weights(path)
    with pytest.raises(error, match=match):
        backbone.inspect(path)
    assert bits(net) == before


def test_shards_load_as_one_file(net, state, shards):
    report = net.load_weights(shards[0], strict=True)
    assert set(report.loaded) == set(state)
    np.testing.assert_equal(net.state_dict(), state)


def test_a_shard_that_is_not_there_is_named(net, shards):
    path, _, files = shards
    files[1].unlink()
    refused(net, path, FileNotFoundError, f"{files[1].name}: ")


def test_a_tensor_that_is_not_in_its_shard_is_named(net, shards):
    path, index, files = shards
    index["weight_map"]["conv1.weight"] = files[1].name
    path.write_text(json.dumps(index))
    refused(net, path, backbone.CheckpointError, f"{files[1].name}: it lacks 'conv1.weight'")


@pytest.mark.parametrize("file", ["../x.safetensors", "/etc/passwd", "a/b", "..", ".", ""])
def test_an_index_does_not_lead_out_of_its_folder(net, shards, file):
    path, index, _ = shards
    index["weight_map"]["conv1.weight"] = file
    path.write_text(json.dumps(index))
    refused(net, path, backbone.CheckpointError, "expected a file in the folder of the index")


def test_a_broken_shard_changes_nothing(net, state, shards):
    path, _, files = shards
    whole = files[1].read_bytes()
    where = whole.index(state["layer4.1.conv2.weight"].tobytes())
    for content in (whole[:-1000], b"", b"nonsense" * 9):
        files[1].write_bytes(content)
        refused(net, path, backbone.CheckpointError, files[1].name)
    if files[1].suffix == ".bin":
        # What is read last: its checksum tells when all else has been read.
        files[1].write_bytes(whole[:where] + bytes([whole[where] ^ 1]) + whole[where + 1 :])
        before = bits(net)
        with pytest.raises(backbone.CheckpointError, match=r"CRC|checksum"):
            net.load_weights(path)
        assert bits(net) == before


# ---- Names of one storage ----


def test_copies_under_two_names_are_two(net, state, tmp_path):
    one = {f"a.{name}": array for name, array in state.items()}
    same = one | {f"b.{name}": array for name, array in state.items()}
    assert net.load_weights(write_pth(tmp_path / "x.pth", same)).prefix == "a."
    copies = one | {f"b.{name}": array.copy() for name, array in state.items()}
    refused(net, write_pth(tmp_path / "y.pth", copies), backbone.CheckpointError, "two state dicts")
    # A copy of a single tensor is enough.
    same["b.layer4.1.bn2.bias"] = state["layer4.1.bn2.bias"].copy()
    refused(net, write_pth(tmp_path / "z.pth", same), backbone.CheckpointError, "two state dicts")


def test_views_of_one_storage_at_other_offsets_are_two(net, state, tmp_path):
    def file(distance):
        result = {}
        for name, array in state.items():
            base = np.concatenate([array.reshape(-1), array.reshape(-1)])
            for prefix, offset in (("a.", 0), ("b.", distance * array.size)):
                result[prefix + name] = View(base, offset, array.shape)
        return write_pth(tmp_path / "x.pth", result)

    assert net.load_weights(file(0)).prefix == "a."
    np.testing.assert_equal(net.state_dict(), state)
    refused(net, file(1), backbone.CheckpointError, "two state dicts")
