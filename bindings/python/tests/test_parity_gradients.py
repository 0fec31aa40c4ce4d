# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Gradients of the whole family, compared with those that PyTorch computes in float64."""

import copy
import functools
import warnings
import zlib

import numpy as np
import pytest
from parity import arrays
from weight_formula import images

import backbone

pytestmark = pytest.mark.parity

NETWORKS = [
    "timm/resnet18d",
    "timm/resnext50d_32x4d",
    "timm/seresnet18",
    "timm/ecaresnet26t",
    "timm/resnet50_gn",
    "timm/resnetblur18",
    "timm/resnetaa34d",
    "timm/resnetv2_18",
    "timm/resnetv2_34d",
    "timm/test_resnet",
    "torchvision/resnet50",
    "torchvision/resnet50_stride8",
    "torchvision/resnet50_caffe",
    "cifar/resnet20_a",
    "cifar/resnet20_b",
]
FAMILY_SHAPE = (2, 3, 49, 64)
SHAPES = {"cifar": (3, 3, 32, 32), "timm/resnetaa34d": (2, 3, 64, 96)}
# Those that take little time.
SMALL = ("timm/resnet18d", "timm/seresnet18", "timm/test_resnet", "cifar/resnet20_a", "timm/resnetv2_18")
MODES = ("train", "norm_eval", "eval")


@pytest.fixture(scope="module")
def gradients(torch):
    import gradients

    return gradients


@pytest.fixture(scope="module")
def catalogue(torch, torchvision_resnet):
    pytest.importorskip("timm")
    return pytest.importorskip("families.catalogue")


@pytest.fixture(scope="module")
def narrow(reference, gradients):
    """Narrow models by depth, whose ReLUs are clear cases."""
    models = {}

    def make(depth):
        if depth not in models:
            model = reference.with_formula(depth, 3, 8)
            models[depth] = gradients.keep_away_from_zero(model, [images("margins", (4, 3, 64, 64))])
        return copy.deepcopy(models[depth])

    return make


def compare(torch, gradients, model, outputs_of, net, x, bound, subset=None):
    """All gradients of a network and a model in the same mode, and the outputs; the error by the largest value."""
    # Without the input's gradient frozen stages are computed as in inference.
    if net.frozen_stages >= 0 and net.trainable_count > 0:
        state = net.state_dict()
        with net.tape() as tape:
            outputs = net.forward_train(x, tape)
            given = gradients.random_gradients([output.shape for output in outputs], subset=subset)
            alone = net.named_slices(net.backward(tape, given))
        net.load_state_dict(state)
    else:
        alone = None
    with net.tape(input_gradient=True) as tape:
        outputs = net.forward_train(x, tape)
        given = gradients.random_gradients([output.shape for output in outputs], subset=subset)
        vector, of_input = net.backward(tape, given, input_gradient=True)
    actual = {gradients.INPUT: of_input, **net.named_slices(vector)}
    def expected(dtype):
        exact = copy.deepcopy(model).to(dtype)
        exact.requires_grad_(True)
        image = torch.from_numpy(x).to(dtype).requires_grad_()
        features = outputs_of(exact, image)
        for mine, theirs in zip(outputs, features, strict=True):
            theirs = theirs.detach().numpy().reshape(mine.shape)
            assert np.abs(mine - theirs).max() <= 1e-4 * np.abs(theirs).max()
        image_gradient, by_name = gradients.torch_gradients(features, given, image, dict(exact.named_parameters()))
        names = list(by_name)
        if not set(actual) <= {*names, gradients.INPUT}:
            # Networks for CIFAR have other names in their files, in the same order.
            names = [name for name, _ in net.named_parameters()]
        return {gradients.INPUT: image_gradient, **dict(zip(names, by_name.values(), strict=True))}

    own = functools.cache(lambda: expected(torch.float32))
    exact = expected(torch.float64)
    if alone is not None:
        gradients.assert_gradients(alone, exact, bound, own)
    return gradients.assert_gradients(actual, exact, bound, own)


def freeze_like(model, stages):
    """What freezing means for the modes of a model's norms."""
    for name, child in model.named_children():
        if name.startswith("layer"):
            number = int(name.removeprefix("layer"))
        else:
            number = 0 if name in ("conv1", "bn1", "stem") else 9
        if number <= stages:
            child.eval()
        if name == "stages":
            for stage in list(child)[: max(stages, 0)]:
                stage.eval()


# ---- The family ----


@pytest.mark.parametrize(
    ("key", "mode"),
    [(key, mode) for key in NETWORKS for mode in ("train", "eval") if mode == "train" or key in SMALL],
)
def test_all_gradients_of_a_network(torch, catalogue, gradients, tmp_path, key, mode):
    from families.weights import prepare

    (network,) = catalogue.chosen([key])
    seed = zlib.crc32(key.encode())
    torch.manual_seed(seed)
    model = prepare(network.build(), seed, network.side)
    calibration = [images(f"margins {number}", (4, 3, network.side, network.side)) for number in range(2)]
    gradients.keep_away_from_zero(model, calibration)
    torch.save(model.state_dict(), tmp_path / "net.pth")
    names = list(network.outputs)
    frozen = 1 if mode == "train" and key in ("timm/resnet18d", "timm/resnetv2_18", "cifar/resnet20_a") else -1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", backbone.BackboneWarning)
        options = {**network.options, "outputs": names, "frozen_stages": frozen, "arithmetic": "direct"}
        with backbone.ResNet.from_file(tmp_path / "net.pth", **options) as net:
            net.train(mode == "train")
            model.train(mode == "train")
            freeze_like(model, frozen)
            shape = SHAPES.get(key.split("/resnet")[0], SHAPES.get(key, FAMILY_SHAPE))

            def outputs_of(model, x):
                outputs = catalogue.outputs_of(model, x)
                return [outputs[name] for name in names]

            bound = gradients.BOUNDS["direct"]
            compare(torch, gradients, model, outputs_of, net, images(key, shape), bound)


# ---- Depths, modes, stages, sizes ----


def check_narrow(torch, gradients, model, depth, shape, mode="train", frozen=-1, arithmetic="direct", subset=None):
    with backbone.ResNet(
        depth, base_channels=8, frozen_stages=frozen, norm_eval=mode == "norm_eval", arithmetic=arithmetic
    ) as net:
        net.load_state_dict(arrays(model.state_dict()))
        net.train(mode != "eval")
        model.train(mode == "train")
        freeze_like(model, frozen)
        x = images(f"gradients {shape}", shape)
        return compare(torch, gradients, model, lambda m, x: m(x), net, x, gradients.BOUNDS[arithmetic], subset)


@pytest.mark.parametrize("arithmetic", ["direct", "fast"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("depth", [18, 34, 50, 101])
def test_depths_and_modes(torch, gradients, narrow, depth, mode, arithmetic):
    check_narrow(torch, gradients, narrow(depth), depth, (2, 3, 64, 80), mode, arithmetic=arithmetic)


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("frozen", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("depth", [18, 50])
def test_frozen_stages(torch, gradients, narrow, depth, frozen, mode):
    check_narrow(torch, gradients, narrow(depth), depth, (2, 3, 64, 48), mode, frozen)


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize(
    "shape",
    [(8, 3, 32, 32), (3, 3, 33, 33), (1, 3, 65, 47), (2, 3, 65, 47), (8, 3, 33, 64), (1, 3, 224, 224)],
    ids=str,
)
@pytest.mark.parametrize("depth", [18, 50])
def test_sizes_and_batches(torch, gradients, narrow, depth, shape, mode):
    check_narrow(torch, gradients, narrow(depth), depth, shape, mode)


@pytest.mark.parametrize(("arithmetic", "frozen"), [("direct", -1), ("fast", -1), ("fast", 2)])
def test_a_whole_image(torch, gradients, torchvision_resnet, arithmetic, frozen):
    torch.manual_seed(0)
    model = torchvision_resnet.resnet18()
    model.fc = model.avgpool = torch.nn.Identity()
    gradients.keep_away_from_zero(model, [images("margins", (4, 3, 64, 64))])

    def outputs_of(model, x):
        y, outputs = model.maxpool(model.relu(model.bn1(model.conv1(x)))), []
        for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
            outputs.append(y := stage(y))
        return outputs

    with backbone.ResNet(18, arithmetic=arithmetic, frozen_stages=frozen) as net:
        net.load_state_dict(arrays(model.state_dict()))
        net.train()
        model.train()
        freeze_like(model, frozen)
        x = images("whole", (2, 3, 224, 224))
        compare(torch, gradients, model, outputs_of, net, x, gradients.BOUNDS[arithmetic])


@pytest.mark.parametrize("subset", [(0,), (3,), (1, 2), (0, 3)], ids=str)
@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("depth", [18, 50])
def test_some_outputs(torch, gradients, narrow, depth, mode, subset):
    check_narrow(torch, gradients, narrow(depth), depth, (2, 3, 64, 64), mode, subset=subset)


# ---- Values where definitions matter ----


@pytest.mark.parametrize("mode", ["norm_eval", "eval"])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_ties_of_max_pooling(torch, gradients, narrow, mode, value):
    model = narrow(18)
    with torch.no_grad():
        # Sums of these are exact in every order, so that all windows inside an image are ties.
        model.conv1.weight.copy_((model.conv1.weight * 64).round() / 64)
        model.bn1.weight.fill_(1)
        model.bn1.bias.fill_(4)
        model.bn1.running_mean.zero_()
        model.bn1.running_var.fill_(1 - model.bn1.eps)
    model.train(False)
    with backbone.ResNet(18, base_channels=8, norm_eval=True, arithmetic="direct") as net:
        net.load_state_dict(arrays(model.state_dict()))
        net.train(mode != "eval")
        x = np.full((2, 3, 64, 64), value, np.float32)
        compare(torch, gradients, model, lambda m, x: m(x), net, x, gradients.BOUNDS["direct"])


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("depth", [18, 50])
def test_norms_of_weight_0(torch, gradients, narrow, depth, mode):
    model = narrow(depth)
    with torch.no_grad():
        for name, module in model.named_modules():
            if name.endswith("bn3" if depth == 50 else "bn2"):
                module.weight.zero_()
    model.train(mode == "train")
    with backbone.ResNet(depth, base_channels=8, arithmetic="direct") as net:
        net.load_state_dict(arrays(model.state_dict()))
        net.train(mode == "train")
        x = images("zero", (2, 3, 64, 48))
        compare(torch, gradients, model, lambda m, x: m(x), net, x, gradients.BOUNDS["direct"])


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("where", ["input", "gradient", "weight"])
def test_nan_passes_on_wherever_it_does_in_pytorch(torch, narrow, gradients, where, mode):
    model = narrow(18).train(mode == "train")
    x = images("nan", (2, 3, 64, 64))
    if where == "input":
        x[1, 2, 30, 31] = np.nan
    if where == "weight":
        with torch.no_grad():
            model.layer2[0].conv1.weight[3, 2, 1, 1] = torch.nan
    with warnings.catch_warnings(), backbone.ResNet(18, base_channels=8, arithmetic="direct") as net:
        warnings.simplefilter("ignore", backbone.BackboneWarning)
        net.load_state_dict(arrays(model.state_dict()))
        net.train(mode == "train")
        with net.tape(input_gradient=True) as tape:
            outputs = net.forward_train(x, tape)
            given = gradients.random_gradients([output.shape for output in outputs])
            if where == "gradient":
                given[2][1, 5, 2, 2] = np.nan
            vector, of_input = net.backward(tape, given, input_gradient=True)
        actual = {gradients.INPUT: of_input, **net.named_slices(vector)}
    image = torch.from_numpy(x).requires_grad_()
    of_image, by_name = gradients.torch_gradients(model(image), given, image, dict(model.named_parameters()))
    expected = {gradients.INPUT: of_image, **by_name}
    assert any(np.isnan(value).any() for value in expected.values())
    # Where a kernel multiplies NaN by a zero of the padding or of a stride it gives NaN, and another one skips it.
    for name, value in expected.items():
        assert not (np.isnan(value) & ~np.isnan(actual[name])).any(), name
    if mode == "eval" and where != "weight":
        # The other image has none of it.
        assert not np.isnan(actual[gradients.INPUT][0]).any()
    if where == "gradient":
        assert not any(np.isnan(value).any() for name, value in actual.items() if name.startswith("layer4"))


# ---- That a difference is seen ----


def test_small_errors_are_failures(gradients):
    values = np.random.default_rng(0).standard_normal((8, 4, 3, 3)).astype(np.float32)
    expected = {gradients.INPUT: values, "conv1.weight": values, "bn1.bias": np.zeros(8)}
    exact = {name: value.astype(np.float64) for name, value in expected.items()}
    bound = gradients.BOUNDS["direct"]
    gradients.assert_gradients(expected, exact, bound)
    one = np.zeros_like(values)
    one[3, 2, 1, 0] = 0.01
    for name, wrong in [
        ("conv1.weight", values * np.float32(1.001)),
        ("conv1.weight", values + one),
        ("conv1.weight", values[::-1]),
        ("bn1.bias", np.full(8, 1e-3)),
        (gradients.INPUT, values * np.float32(1.001)),
        (gradients.INPUT, values[:, :, ::-1]),
    ]:
        with pytest.raises(AssertionError, match=f"{name}: off by"):
            gradients.assert_gradients({**expected, name: wrong}, exact, bound)
