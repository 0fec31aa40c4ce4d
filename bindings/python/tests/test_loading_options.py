# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`load_weights`, `from_file`, `inspect` and the C functions give the same reasons for the same file."""

import ctypes

import numpy as np
import pytest
from checkpoints import write_pth

import backbone
from backbone import _library
from backbone._loading import load_options
from backbone._options import network_options
from backbone._report import take_report


def state(depth=18, in_channels=3, seed=1):
    with backbone.ResNet(depth, in_channels, base_channels=4, threads=1) as net:
        net.init_weights(seed=seed)
        return net.state_dict()


def outcome(call, *arguments, **options):
    """What a call says, of whatever kind."""
    try:
        return call(*arguments, **options)
    except Exception as error:
        return type(error), str(error), getattr(error, "report", None)


def created_in_c(path, strict=False, **load):
    """The report of backbone_create_from_file, or its error."""
    pointer, report = ctypes.c_void_p(), ctypes.c_void_p()
    arguments = (network_options(50, 64), load_options(strict, **load), pointer, report)
    status = _library.lib.backbone_create_from_file(str(path).encode(), *map(ctypes.byref, arguments))
    message = _library.lib.backbone_last_error_message().decode() if status else ""
    _library.lib.backbone_free(pointer)
    found = take_report(report, succeeded=not status) if report else None
    return (message, found) if status else found


def created_in_python(path, **options):
    with backbone.ResNet.from_file(path, **options) as net:
        return net.report


def files(folder):
    whole = state()
    half = dict(list(whole.items())[:60])
    yield "whole", write_pth(folder / "whole.pth", whole), {}
    yield "prefix", write_pth(folder / "prefix.pth", {f"body.{name}": value for name, value in whole.items()}), {}
    yield "half", write_pth(folder / "half.pth", half), {}
    yield "no stem", write_pth(folder / "stem.pth", {k: v for k, v in whole.items() if k != "conv1.weight"}), {}
    yield "strict", write_pth(folder / "more.pth", whole | {"layer1.0.extra": np.ones(3, np.float32)}), {"strict": True}
    yield "shapes", write_pth(folder / "shapes.pth", whole | {"bn1.bias": np.ones(3, np.float32)}), {}
    yield "key", write_pth(folder / "key.pth", {"a": whole, "b": whole}), {}
    yield "this key", folder / "key.pth", {"key": "b"}
    yield "no such key", folder / "key.pth", {"key": "c"}
    yield "no such prefix", folder / "whole.pth", {"prefix": "body."}
    yield "gray", write_pth(folder / "gray.pth", state(in_channels=1)), {}
    yield "absent", folder / "absent.pth", {}
    (folder / "cut.pth").write_bytes((folder / "whole.pth").read_bytes()[:-100])
    yield "cut", folder / "cut.pth", {}
    (folder / "text.pth").write_text("hello")
    yield "text", folder / "text.pth", {}


def test_c_and_python_agree_on_every_file(tmp_path):
    seen = set()
    for name, path, options in files(tmp_path):
        in_c, in_python = created_in_c(path, **options), outcome(created_in_python, path, **options)
        if isinstance(in_python, backbone.LoadReport):
            assert in_c == in_python, name
        else:
            assert in_c == in_python[1:], name
        seen.add(in_python[0] if isinstance(in_python, tuple) else "loaded")
        # From memory it is the same, but for the file's name.
        if path.exists():
            in_memory = outcome(created_in_python, path.read_bytes(), **options)
            if isinstance(in_python, tuple):
                assert in_memory[0] == in_python[0] and in_memory[2] == in_python[2], name
            else:
                assert in_memory == in_python, name
        # What `inspect` refuses is refused for the same reason.
        inspected = outcome(backbone.inspect, path, **options)
        if isinstance(inspected, tuple):
            assert inspected[:2] == in_python[:2], name
    kinds = {backbone.CheckpointError, backbone.MismatchError, FileNotFoundError, ValueError, "loaded"}
    assert seen >= kinds


@pytest.mark.parametrize("mean", [None, (1, 2, 3)])
def test_in_channels_that_are_given_are_demanded_of_the_file(tmp_path, mean):
    gray = write_pth(tmp_path / "gray.pth", state(in_channels=1))
    colour = write_pth(tmp_path / "colour.pth", state())
    for weights in (gray, gray.read_bytes()):
        with pytest.raises(backbone.MismatchError, match=r"\[4, 1, 7, 7\], expected \[4, 3, 7, 7\]") as caught:
            backbone.ResNet.from_file(weights, in_channels=3, mean=mean)
        assert caught.value.report.mismatched == (("conv1.weight", (4, 3, 7, 7), (4, 1, 7, 7)),)
    with backbone.ResNet.from_file(colour, in_channels=np.int64(3), mean=mean) as net:
        assert net.in_channels == 3
    with pytest.raises(ValueError, match="std_dev"):
        backbone.ResNet.from_file(colour, in_channels=3, mean=mean, std=(0, 1, 1))


def test_in_channels_that_are_not_given_follow_from_file_and_conversion(tmp_path):
    colour = write_pth(tmp_path / "colour.pth", state())
    gray = write_pth(tmp_path / "gray.pth", state(in_channels=1))
    two = write_pth(tmp_path / "two.pth", state(in_channels=2))
    cases = [
        (gray, {}, 1),
        (two, {"mean": (1, 2)}, 2),
        (two, {"std": np.ones(2)}, 2),
        (two, {"in_channels": None}, 2),
        (colour, {"input_channels": "sum"}, 1),
        (gray, {"input_channels": "repeat"}, 3),
        (gray, {"input_channels": "repeat", "in_channels": 5}, 5),
        (colour, {"input_channels": (2, 1, 0, -1)}, 4),
        (two, {"input_channels": [1, 0]}, 2),
    ]
    for path, options, channels in cases:
        with backbone.ResNet.from_file(path, **options) as net:
            assert net.in_channels == channels, options
            assert net(np.zeros((1, channels, 32, 32), np.uint8))[0].shape == (1, 4, 8, 8)


def test_from_file_takes_the_options_of_the_constructor_and_no_others(tmp_path):
    path = write_pth(tmp_path / "x.pth", state(50))
    options = {"out_indices": (1, 3), "norm_eps": 0.5, "style": "caffe", "threads": 1, "frozen_stages": 2}
    with backbone.ResNet.from_file(path, **options) as net:
        assert {name: getattr(net, name) for name in options} == options | {"norm_eps": pytest.approx(0.5)}
        assert (net.depth, net.report.succeeded, net.report.depth) == (50, True, 50)
        assert [feature.shape[1] for feature in net(np.zeros((1, 3, 32, 32), np.float32))] == [32, 128]
    for wrong in ({"depth": 50}, {"base_channels": 4}, {"pretrained": path}, {"kye": "x"}):
        with pytest.raises(TypeError, match=next(iter(wrong))):
            backbone.ResNet.from_file(path, **wrong)


def test_options_that_a_load_does_not_have(tmp_path):
    path = write_pth(tmp_path / "x.pth", state())
    with backbone.ResNet(18, base_channels=4) as net:
        for call in (net.load_weights, backbone.inspect):
            with pytest.raises(TypeError, match="a load has no option 'kye'; it has strict, key, "):
                call(path, kye="model")
            for wrong in ({"key": 3}, {"prefix": b"x"}):
                with pytest.raises(TypeError, match=f"{next(iter(wrong))} is a (int|bytes); it must be a str"):
                    call(path, **wrong)
        with pytest.raises(TypeError, match="loading a mapping has no option 'key'"):
            net.load_state_dict(state(), key="model")
        assert net.load_weights(path, True).succeeded


# ---- Bytes that are a path ----


def test_bytes_that_are_a_path_explain_themselves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_pth(tmp_path / "weights", state())
    with backbone.ResNet(18, base_channels=4) as net:
        for call in (net.load_weights, backbone.ResNet.from_file, backbone.inspect):
            for path in (b"model.pth", b"weights", b"/x/MODEL.SafeTensors", "ü.pth.tar".encode(), bytes(tmp_path)):
                for content in (path, bytearray(path), memoryview(path)):
                    with pytest.raises(backbone.CheckpointError) as caught:
                        call(content)
                    assert str(caught.value).startswith(f"memory of {len(path)} bytes: ")
                    hint = "is a path, but bytes are the content of a checkpoint; pass os.fsdecode(path)"
                    assert str(caught.value).endswith(f". {path!r} {hint}")
            for content in (b"", b"absent", b"line\n.pth", b"\0.pth", b"x" * 4092 + b".pth", b"PK\3\4.pth"):
                with pytest.raises(backbone.CheckpointError) as caught:
                    call(content)
                assert "os.fsdecode" not in str(caught.value)


# ---- Names ----


def test_names_of_blocks_that_a_built_stage_does_not_have_are_unexpected(tmp_path):
    more = state()
    names = ["layer1.2.conv1.weight", "layer2.7.bn1.weight", "layer1.x.conv1.weight", "layer45.0.conv1.weight"]
    names += ["layer3.2.conv1.weight"]
    more |= {name: np.ones((4, 4, 3, 3), np.float32) for name in names}
    # A stage that is not built, and the classifier, say nothing of the features.
    harmless = ["layer4.9.conv1.weight", "fc.weight"]
    more |= {name: np.ones((4, 4, 3, 3), np.float32) for name in harmless}
    with backbone.ResNet(18, base_channels=4, out_indices=(0, 2)) as net:
        before = net.state_dict()
        with pytest.raises(backbone.MismatchError, match=rf"'{names[0]}' and 2 more .* more blocks") as caught:
            net.load_state_dict(more)
        assert set(caught.value.report.unexpected) == set(names)
        assert set(harmless) < set(caught.value.report.ignorable)
        np.testing.assert_equal(net.state_dict(), before)
        with pytest.raises(backbone.MismatchError, match="do not belong to the network"):
            net.load_state_dict(more, ignore_modules=True)
        assert set(net.load_state_dict(more, strict=False, ignore_modules=True).unexpected) == set(names)
        found = outcome(net.load_weights, write_pth(tmp_path / "x.pth", more))
        report = found[2] if isinstance(found, tuple) else found
        assert set(names) <= set(report.unexpected) and not set(harmless) & set(report.unexpected)
