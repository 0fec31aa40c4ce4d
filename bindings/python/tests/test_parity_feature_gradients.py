# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Gradients with respect to outputs, compared with those that PyTorch keeps in float64."""

import copy
import warnings
import zlib

import numpy as np
import pytest
from test_parity_gradients import FAMILY_SHAPE, catalogue, freeze_like, gradients  # noqa: F401
from weight_formula import images

import backbone

pytestmark = pytest.mark.parity

OUTPUTS = ("C2", "C3", "C4", "C5", "pooled", "logits")
NETWORKS = [
    "timm/resnet18",
    "timm/resnet50",
    "timm/resnext50_32x4d",
    "timm/resnet50d",
    "timm/seresnet50",
    "timm/resnet50_gn",
    "timm/resnetv2_50",
    "torchvision/resnet50_caffe",
    "cifar/resnet20_a",
]
# Of them that one is compared whose ReLUs are the clearest cases.
CANDIDATES = 5
# Batch statistics need some values.
SHAPES = {"cifar": (4, 3, 32, 32)}
# What random gradients are given for.
GIVEN = (("logits",), ("C3", "pooled"), OUTPUTS)


@pytest.fixture(scope="module")
def prepared(torch, catalogue, gradients, tmp_path_factory):  # noqa: F811
    """A model whose ReLUs are clear cases, the network it is, and its file, by key."""
    from families.weights import prepare

    made = {}

    def make(key):
        if key not in made:
            (network,) = catalogue.chosen([key])
            seed = zlib.crc32(key.encode())
            torch.manual_seed(seed)
            model = prepare(network.build(), seed, network.side)
            calibration = [images(f"margins {number}", (4, 3, network.side, network.side)) for number in range(2)]
            gradients.keep_away_from_zero(model, calibration)
            path = tmp_path_factory.mktemp("features") / "net.pth"
            torch.save(model.state_dict(), path)
            made[key] = network, model, path
        return made[key]

    return make


def open_net(network, path, **options):
    choices = {**network.options, "outputs": OUTPUTS, "arithmetic": "direct", **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", backbone.BackboneWarning)
        return backbone.ResNet.from_file(path, **choices)


def kept_gradients(torch, catalogue, model, names, x, given, dtype):  # noqa: F811
    """What `retain_grad` keeps of each output, and the outputs; zeros where it keeps nothing."""
    exact = copy.deepcopy(model).to(dtype).requires_grad_(True)
    by_name = catalogue.outputs_of(exact, torch.from_numpy(x).to(dtype).requires_grad_())
    if hasattr(exact, "get_classifier"):
        # timm pools anew for the logits.
        classifier, pooled = exact.get_classifier(), by_name["pooled"]
        is_linear = isinstance(classifier, torch.nn.Linear)
        by_name["logits"] = classifier(pooled if is_linear else pooled[:, :, None, None]).flatten(1)
    outputs = [by_name[name] for name in names]
    for output in outputs:
        output.retain_grad()
    torch.autograd.backward(
        [y for y, g in zip(outputs, given, strict=True) if g is not None],
        [torch.from_numpy(g).to(dtype).reshape(y.shape) for y, g in zip(outputs, given, strict=True) if g is not None],
    )
    kept = [np.zeros(y.shape) if y.grad is None else y.grad.numpy() for y in outputs]
    return dict(zip(names, kept, strict=True)), [y.detach().numpy() for y in outputs]


def clear_images(torch, model, key):
    """Images that bring no input of a ReLU as near to 0 as rounding: there two correct gradients differ."""
    exact = copy.deepcopy(model).double()
    margins = []

    def note(module, given):
        sizes = given[0].detach().abs()
        margins.append(float(sizes.min() / sizes.max()))

    for module in exact.modules():
        if isinstance(module, torch.nn.ReLU):
            module.register_forward_pre_hook(note)
    best = (-1.0, None)
    for number in range(CANDIDATES):
        x = images(f"{key} {number}", SHAPES.get(key.split("/")[0], FAMILY_SHAPE))
        margins.clear()
        with torch.no_grad():
            exact(torch.from_numpy(x).double())
        best = max(best, (min(margins, default=0.0), x), key=lambda pair: pair[0])
    return best[1]


def assert_features(actual, expected, bound, own=None):
    """Each within `bound` of its largest value; where PyTorch's float32 is off by more, twice that is allowed."""
    for name, values in actual.items():
        exact = expected[name].reshape(values.shape)
        largest, error = np.abs(exact).max(), np.abs(values - exact).max()
        allowed = bound * largest
        if error > allowed and own is not None:
            allowed = max(allowed, 2 * np.abs(own()[name].reshape(values.shape) - exact).max())
        assert error <= allowed, f"{name}: off by {error:.1e}, the largest is {largest:.1e}"


def check(torch, catalogue, gradients, prepared, key, mode, frozen, below):  # noqa: F811
    network, model, path = prepared(key)
    model = freeze_like_mode(copy.deepcopy(model), mode, frozen)
    x = clear_images(torch, model, key)
    with open_net(network, path, frozen_stages=frozen) as net:
        net.train(mode == "train")
        names = net.outputs
        # Frozen stages 1 and 2 are C2 and C3.
        wanted = names if below else names[max(frozen, 0) :]
        state = net.state_dict()
        for parts in GIVEN:
            net.load_state_dict(state)
            with net.tape(input_gradient=below) as tape:
                outputs = net.forward_train(x, tape)
                shapes = [output.shape for output in outputs]
                subset = {index for index, name in enumerate(names) if name in parts}
                given = gradients.random_gradients(shapes, seed=len(parts), subset=subset)
                found = dict(zip(wanted, net.feature_gradients(tape, given, wanted), strict=True))
            expected, features = kept_gradients(torch, catalogue, model, names, x, given, torch.float64)
            for mine, theirs in zip(outputs, features, strict=True):
                assert np.abs(mine - theirs.reshape(mine.shape)).max() <= 1e-4 * np.abs(theirs).max()
            assert np.abs(expected["C2"]).max() > 0

            def own(given=given):
                return kept_gradients(torch, catalogue, model, names, x, given, torch.float32)[0]

            assert_features(found, expected, gradients.BOUNDS["direct"], own)


def freeze_like_mode(model, mode, frozen):
    model.train(mode == "train")
    freeze_like(model, frozen)
    return model


@pytest.mark.filterwarnings("ignore::backbone.BackboneWarning")
@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize(("frozen", "below"), [(-1, False), (-1, True), (2, False), (2, True)])
@pytest.mark.parametrize("key", NETWORKS)
def test_gradients_of_outputs(torch, catalogue, gradients, prepared, key, frozen, below, mode):  # noqa: F811
    check(torch, catalogue, gradients, prepared, key, mode, frozen, below)


def test_differences_are_seen(torch, catalogue, gradients, prepared):  # noqa: F811
    network, model, path = prepared("timm/resnet18")
    model = model.eval()
    x = images("seen", FAMILY_SHAPE)
    bound = gradients.BOUNDS["direct"]
    with open_net(network, path) as net, net.tape() as tape:
        outputs = net.forward_train(x, tape)
        given = gradients.random_gradients([output.shape for output in outputs])
        found = dict(zip(net.outputs, net.feature_gradients(tape, given), strict=True))
        expected, _ = kept_gradients(torch, catalogue, model, net.outputs, x, given, torch.float64)

        def own():
            return kept_gradients(torch, catalogue, model, net.outputs, x, given, torch.float32)[0]

        assert_features(found, expected, bound, own)
        for name, values in found.items():
            own_part = given[net.outputs.index(name)]
            wrongs = [values * np.float32(1.001), values[::-1]]
            if name != "logits":
                wrongs += [values - own_part, own_part]
            for wrong in wrongs:
                with pytest.raises(AssertionError, match=f"{name}: off by"):
                    assert_features({name: wrong}, expected, bound, own)
