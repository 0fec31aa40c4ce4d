# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone.torch` in the place of torchvision's feature extractor, and tensors as inputs and outputs."""

import copy
import pickle
import sys
from collections import OrderedDict

import numpy as np
import pytest
from accuracy import BOUNDS, relative_error
from weight_formula import images

import backbone

pytestmark = pytest.mark.parity

LAYERS = ("layer1", "layer2", "layer3", "layer4")


@pytest.fixture(scope="module")
def module(torch):
    from backbone.torch import Backbone

    return Backbone


@pytest.fixture(scope="module")
def extractor(torch, torchvision_resnet):
    """torchvision's own, with weights that are random and statistics that fit them."""
    return lambda name: make_extractor(torch, torchvision_resnet, name)


def make_extractor(torch, resnet, name):
    torch.manual_seed(3)
    model = getattr(resnet, name)(weights=None)
    layers = OrderedDict(list(model.named_children())[:-2])
    x = torch.from_numpy(images("calibration", (2, 3, 96, 96)))
    model.train()
    with torch.no_grad():
        for _ in range(20):
            model(x)

    def features(x):
        y, result = x, OrderedDict()
        for layer, child in layers.items():
            y = child(y)
            if layer in LAYERS:
                result[layer] = y
        return result

    return model, features


def batch(torch, name="torch", shape=(2, 3, 75, 98)):
    return torch.from_numpy(images(name, shape))


def assert_near(actual, expected):
    assert list(actual) == list(expected)
    for index, (a, b) in enumerate(zip(actual.values(), expected.values(), strict=True)):
        # Both are computed in float32: the sum of both errors.
        assert relative_error(a.detach().numpy(), b.detach().numpy()) <= 2 * BOUNDS[index], index


# ---- Features and modes ----


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
@pytest.mark.parametrize("training", [False, True])
def test_features_are_torchvisions(torch, extractor, module, name, training):
    model, expected = extractor(name)
    body = module(name, weights=model.state_dict())
    assert body.training
    body.train(training)
    model.train(training)
    x = batch(torch)
    with torch.no_grad():
        assert_near(body(x), expected(x))
        if training:
            state = body.state_dict()
            for key, value in model.state_dict().items():
                if "running" in key:
                    torch.testing.assert_close(state[key], value, rtol=2e-3, atol=1e-4)
                if "tracked" in key:
                    assert state[key] == value


def test_stages_are_chosen_and_named_as_by_create_feature_extractor(torch, extractor, module):
    model, expected = extractor("resnet18")
    x = batch(torch)
    body = module("resnet18", weights=model.state_dict(), out_stages={"layer2": "0", "layer3": "1"}).eval()
    model.eval()
    with torch.no_grad():
        full = expected(x)
    assert_near(body(x), OrderedDict({"0": full["layer2"], "1": full["layer3"]}))
    assert body.out_channels == (128, 256)
    assert not any(key.startswith("layer4") for key in body.state_dict())
    assert list(module("resnet18", out_stages=["layer4"]).eval()(x)) == ["layer4"]
    for wrong in ("layer1", ["layer5"], [], ["layer2", "layer1"]):
        with pytest.raises(ValueError, match="out_"):
            module("resnet18", out_stages=wrong)
    with pytest.raises(ValueError, match=r"name is 'resnet21'; it must be one of resnet10t, "):
        module("resnet21")
    assert list(module("resnet20").eval()(x)) == ["layer1", "layer2", "layer3"]
    assert list(module("resnet18", base_channels=8, out_stages=["C1", "layer1"]).eval()(x)) == ["C1", "layer1"]
    with pytest.raises(ValueError, match="out_stages has layer4; resnet20 has none"):
        module("resnet20", out_stages=["layer3", "layer4"])


@pytest.mark.parametrize(
    "name",
    ["resnet18", "resnet50", "resnet26d", "seresnet18", "ecaresnet26t", "resnetrs50", "resnetblur50", "resnetaa34d"]
    + ["resnetv2_18", "resnetv2_50d", "resnet50_gn", "wide_resnet50_2", "test_resnet"],
)
@pytest.mark.parametrize("out_indices", [(0, 1, 2, 3, 4), (0,), (1, 3)])
def test_it_is_timms_features_only(torch, torchvision_resnet, module, name, out_indices):
    timm = pytest.importorskip("timm")
    torch.manual_seed(4)
    model = timm.create_model(name, features_only=True, out_indices=out_indices)
    # The extractor has other names than checkpoints.
    whole = timm.create_model(name)
    x = batch(torch, shape=(2, 3, 64, 96))
    whole.train()
    with torch.no_grad():
        for _ in range(10):
            whole(x)
    with torch.no_grad():
        expected = whole.eval().forward_intermediates(x, indices=list(out_indices), intermediates_only=True)
    body = module(name, weights=whole.state_dict(), out_indices=out_indices).eval()
    with torch.no_grad():
        features = body(x)
    assert isinstance(features, list) and len(features) == len(out_indices)
    for index, actual, theirs in zip(out_indices, features, expected, strict=True):
        error = relative_error(actual.numpy(), theirs.detach().numpy())
        assert error <= 2 * BOUNDS[max(index - 1, 0)], (index, error)
    info, theirs = body.feature_info, model.feature_info
    assert info.channels() == theirs.channels() and info.reduction() == theirs.reduction()
    assert tuple(info.out_indices) == tuple(theirs.out_indices) and len(info) == len(theirs.channels())
    last = out_indices[-1]
    assert info.channels(last) == theirs.channels(last) and info.reduction([last]) == theirs.reduction([last])
    assert info.get_dicts()[0]["num_chs"] == info[0]["num_chs"] == info.channels()[0]


def test_indices_that_are_none(torch, module):
    for wrong in ((), (5,), (-1,), (1, 0), (1, 1)):
        with pytest.raises(ValueError, match=r"out_indices is .*0 \(C1\) to 4 \(C5\)"):
            module("resnet18", base_channels=4, out_indices=wrong)
    for wrong in (1, ("layer1",), (1.0,)):
        with pytest.raises(TypeError, match="out_indices is .*a sequence of int"):
            module("resnet18", base_channels=4, out_indices=wrong)
    with pytest.raises(ValueError, match="give one of them"):
        module("resnet18", out_indices=(1,), out_stages=["layer1"])
    with pytest.raises(ValueError, match="out_indices has layer4; resnet20 has none"):
        module("resnet20", out_indices=(3, 4))


def test_copies_of_lists(torch, module):
    body = module("resnet20", base_channels=16, out_indices=(0, 3)).eval()
    x = batch(torch, shape=(1, 3, 32, 32))
    for other in (copy.deepcopy(body), pickle.loads(pickle.dumps(body))):
        assert all(torch.equal(left, right) for left, right in zip(body(x), other(x), strict=True))
    assert body.feature_info.channels() == [4, 16] and body.feature_info.reduction() == [1, 4]


def test_frozen_stages_keep_their_statistics_in_training_mode(torch, extractor, module):
    model, _ = extractor("resnet18")
    body = module("resnet18", weights=model.state_dict(), frozen_stages=1)
    before = copy.deepcopy(body.state_dict())
    assert body.frozen_stages == 1
    with torch.no_grad():
        body(batch(torch))
    after = copy.deepcopy(body.state_dict())
    changed = {key.split(".")[0] for key in before if not torch.equal(before[key], after[key])}
    assert changed == {"layer2", "layer3", "layer4"}
    assert body.freeze(4).frozen_stages == 4
    body(batch(torch))
    assert all(torch.equal(after[key], value) for key, value in body.state_dict().items())


def test_layout_of_the_features_is_that_of_the_input(torch, module):
    body = module("resnet18", base_channels=8).eval()
    x = batch(torch)
    last = x.to(memory_format=torch.channels_last)
    for (_, a), (_, b) in zip(body(x).items(), body(last).items(), strict=True):
        assert a.is_contiguous()
        assert b.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(a, b)


def test_an_empty_batch_gives_empty_features(torch, module):
    features = module("resnet18", base_channels=8).eval()(torch.empty(0, 3, 64, 32))
    assert [tuple(f.shape) for f in features.values()] == [(0, 8, 16, 8), (0, 16, 8, 4), (0, 32, 4, 2), (0, 64, 2, 1)]


def test_it_feeds_torchvisions_feature_pyramid(torch, module):
    ops = pytest.importorskip("torchvision_import").models("resnet") and sys.modules["torchvision"].ops
    body = module("resnet18", base_channels=8, out_stages=["layer2", "layer3", "layer4"]).freeze(4)
    neck = ops.FeaturePyramidNetwork(list(body.out_channels), 16)
    levels = neck(body(batch(torch)))
    assert [tuple(level.shape) for level in levels.values()] == [(2, 16, 10, 13), (2, 16, 5, 7), (2, 16, 3, 4)]
    sum(level.sum() for level in levels.values()).backward()
    assert all(parameter.grad is not None for parameter in neck.parameters())


# ---- Weights ----


@pytest.mark.parametrize("name", ["resnet18", "resnet101"])
def test_state_dict_is_torchvisions(torch, torchvision_resnet, module, name):
    model = getattr(torchvision_resnet, name)(weights=None)
    body = module(name)
    theirs = {key: value for key, value in model.state_dict().items() if not key.startswith("fc.")}
    ours = body.state_dict()
    assert [(k, v.shape, v.dtype) for k, v in ours.items()] == [(k, v.shape, v.dtype) for k, v in theirs.items()]
    assert body.load_state_dict(model.state_dict()) == model.load_state_dict(model.state_dict())
    assert all(torch.equal(value, theirs[key]) for key, value in body.state_dict().items())
    # Back again: torchvision's model takes ours.
    other = getattr(torchvision_resnet, name)(weights=None)
    result = other.load_state_dict(body.state_dict(), strict=False)
    assert (sorted(result.missing_keys), result.unexpected_keys) == (["fc.bias", "fc.weight"], [])


def test_errors_of_loading_are_pytorchs(torch, module):
    body = module("resnet18", base_channels=8)
    before = copy.deepcopy(body.state_dict())
    other = module("resnet18", base_channels=8).state_dict()
    for state, text in [
        ({k: v for k, v in other.items() if k != "conv1.weight"}, r'Missing key.*"conv1\.weight"'),
        (dict(other, spare=torch.zeros(1)), r'Unexpected key.*"spare"'),
        (dict(other, **{"bn1.weight": torch.zeros(9)}), r"bn1\.weight"),
        ({}, r'Missing key.*"conv1\.weight"'),
    ]:
        with pytest.raises(RuntimeError, match=f"(?s){text}"):
            body.load_state_dict(state)
    with pytest.raises(RuntimeError, match=r"bn1\.weight"):
        body.load_state_dict(dict(other, **{"bn1.weight": torch.zeros(9)}), strict=False)
    result = body.load_state_dict({"bn1.bias": torch.ones(8), "spare": torch.zeros(1)}, strict=False)
    assert "conv1.weight" in result.missing_keys and "bn1.bias" not in result.missing_keys
    assert torch.equal(body.state_dict()["bn1.bias"], torch.ones(8))
    assert before.keys() == other.keys()


def test_it_is_a_part_of_a_larger_module(torch, module):
    detector = torch.nn.Sequential(OrderedDict(body=module("resnet18", base_channels=8), head=torch.nn.Identity()))
    state = detector.state_dict()
    assert set(state) == {f"body.{key}" for key in detector.body.state_dict()}
    changed = {key: value + 1 for key, value in state.items()}
    assert str(detector.load_state_dict(changed)) == "<All keys matched successfully>"
    assert all(torch.equal(value, changed[key]) for key, value in detector.state_dict().items())
    with pytest.raises(RuntimeError, match="body.conv1.weight"):
        detector.load_state_dict({key: value for key, value in state.items() if key != "body.conv1.weight"})
    detector.eval()
    assert not detector.body.training and not detector.body._net.training


def test_half_precision_weights_become_float32(torch, module):
    body = module("resnet18", base_channels=8)
    state = {k: v.to(torch.bfloat16) if v.is_floating_point() else v for k, v in body.state_dict().items()}
    body.load_state_dict(state)
    assert torch.equal(body.state_dict()["conv1.weight"], state["conv1.weight"].float())


def test_weights_come_from_files_and_from_torchvisions_enumerations(torch, torchvision_resnet, module, tmp_path):
    model = torchvision_resnet.resnet18(weights=None)
    path = tmp_path / "resnet18.pth"
    torch.save({"state_dict": model.state_dict()}, path)

    class Weights:
        """As the members of `ResNet18_Weights`, without their download."""

        def get_state_dict(self, *, progress):
            return model.state_dict()

    assert all(hasattr(kind, "get_state_dict") for kind in torchvision_resnet.ResNet18_Weights)
    for weights in (path, str(path), Weights()):
        body = module("resnet18", weights=weights)
        assert torch.equal(body.state_dict()["layer4.1.bn2.running_var"], model.layer4[1].bn2.running_var)
        assert torch.equal(body.state_dict()["conv1.weight"], model.conv1.weight)
    saved = tmp_path / "saved.pth"
    body.save_weights(saved)
    assert torch.equal(torch.load(saved, weights_only=True)["conv1.weight"], model.conv1.weight)


def test_copies_and_pickles_compute_the_same(torch, module):
    body = module("resnet18", base_channels=8, out_stages=["layer2"], frozen_stages=1, norm_eval=True).eval()
    x = batch(torch)
    for other in (copy.deepcopy(body), pickle.loads(pickle.dumps(body))):
        assert torch.equal(other(x)["layer2"], body(x)["layer2"])
        assert (other.training, other.frozen_stages, repr(other)) == (False, 1, repr(body))
        other.load_state_dict({key: value + 1 for key, value in other.state_dict().items()})
        assert not torch.equal(other.state_dict()["bn1.bias"], body.state_dict()["bn1.bias"])
    # In training mode the copy has the statistics of the batch, and updates its own.
    body = module("resnet18", base_channels=8, out_stages=["layer2"], frozen_stages=4).freeze(-1)
    with torch.no_grad():
        for other in (copy.deepcopy(body), pickle.loads(pickle.dumps(body))):
            assert other.training and torch.equal(other(x)["layer2"], copy.deepcopy(body)(x)["layer2"])
            assert other.state_dict()["bn1.num_batches_tracked"] == 1
    assert body.state_dict()["bn1.num_batches_tracked"] == 0


def test_weights_come_from_bytes_and_with_the_options_of_a_load(torch, module, tmp_path):
    body = module("resnet18", base_channels=8)
    body.save_weights(tmp_path / "x.safetensors")
    data = (tmp_path / "x.safetensors").read_bytes()
    for weights in (tmp_path / "x.safetensors", data, bytearray(data), memoryview(data)):
        other = module("resnet18", weights, base_channels=8)
        assert other.report.container == "safetensors" and len(other.report.loaded) == 120
        assert torch.equal(other.state_dict()["conv1.weight"], body.state_dict()["conv1.weight"])
    other = module("resnet18", data, base_channels=8, in_channels=1, input_channels="sum", prefix="")
    summed = body.state_dict()["conv1.weight"].sum(1, keepdim=True)
    torch.testing.assert_close(other.state_dict()["conv1.weight"], summed)
    assert copy.deepcopy(other).state_dict()["conv1.weight"].shape == (8, 1, 7, 7)
    with pytest.raises(backbone.MismatchError):
        module("resnet50", data, base_channels=8)
    with pytest.raises(TypeError, match="key: .* weights from a file, not OrderedDict"):
        module("resnet18", body.state_dict(), base_channels=8, key="model")


def test_errors_of_loading_name_the_whole_key(torch, module):
    whole = torch.nn.ModuleDict({"body": module("resnet18", base_channels=8)})
    state = whole.state_dict()
    lacking = {name: value for name, value in state.items() if name != "body.bn1.bias"}
    with pytest.raises(RuntimeError, match=r'Missing key\(s\) in state_dict: "body\.bn1\.bias"'):
        whole.load_state_dict(lacking)
    with pytest.raises(RuntimeError, match=r'Unexpected key\(s\) in state_dict: "body\.layer1\.0\.extra"'):
        whole.load_state_dict({**state, "body.layer1.0.extra": torch.zeros(1)})
    found = whole.load_state_dict({**lacking, "body.layer1.0.extra": torch.zeros(1)}, strict=False)
    assert found.missing_keys == ["body.bn1.bias"]


# ---- Tensors in the interface for arrays ----


def test_tensors_are_read_and_written_where_they_lie(torch, new_net):
    net = new_net()
    x = batch(torch)
    expected = net(x.numpy())
    for image in (x, x.to(memory_format=torch.channels_last), x.expand(2, 3, 75, 98), x[:, :, :, ::1]):
        out = [torch.full(shape, -1.0) for shape in net.output_shapes(tuple(image.shape))]
        pointers = [tensor.data_ptr() for tensor in out]
        result = net(image, out)
        assert all(a is b for a, b in zip(result, out, strict=True))
        assert pointers == [tensor.data_ptr() for tensor in out]
        for a, b in zip(out, expected, strict=True):
            np.testing.assert_array_equal(a.numpy(), b)
    assert backbone._arrays.as_array(x, "x").ctypes.data == x.data_ptr()
    assert backbone._arrays.as_array(x.byte()[1:, :, 2:], "x").ctypes.data != x.data_ptr()
    view = x[1:, :, 2:, ::3]
    assert backbone._arrays.as_array(view, "x").ctypes.data == view.data_ptr()


def test_tensors_that_cannot_be_read_as_they_are_are_refused(torch, new_net, module):
    net = new_net()
    x = batch(torch)
    with pytest.raises(ValueError, match="the input is a Tensor whose memory.*grad"):
        net(x.clone().requires_grad_())
    with pytest.raises(TypeError, match="the input"):
        net(x.to(torch.bfloat16))
    with pytest.raises((TypeError, ValueError), match="the input is a Tensor"):
        net(torch.empty(1, 3, 8, 8, device="meta"))
    body = module("resnet18", base_channels=8).eval()
    with pytest.raises(ValueError, match=r"x is on meta; .*x\.cpu\(\)"):
        body(torch.empty(1, 3, 8, 8, device="meta"))
    with pytest.raises(TypeError, match="x is a ndarray; it must be a torch.Tensor"):
        body(x.numpy())
    with pytest.raises(TypeError, match="float64"):
        body(x.double())
