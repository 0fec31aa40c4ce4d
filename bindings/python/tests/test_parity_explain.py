# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Grad-CAM and saliency, compared with hooks and autograd of PyTorch in float64."""

import warnings
import zlib

import numpy as np
import pytest
from weight_formula import images

import backbone
from backbone import explain

pytestmark = pytest.mark.parity

# Of the largest value of a map.
BOUND = 1e-4

NETWORKS = ["timm/resnet18", "timm/resnext50_32x4d", "cifar/resnet20_a"]
# Other blocks, gates, norms and shortcuts.
OTHERS = [
    "timm/resnet18d",
    "timm/seresnet18",
    "timm/ecaresnet26t",
    "timm/resnetblur18",
    "timm/resnetaa34d",
    "timm/resnetv2_18",
    "timm/resnet50_gn",
    "timm/test_resnet",
    "cifar/resnet20_b",
]
CLASSES = (None, 0, 3)
OUTPUTS = (*explain.STAGES, "logits")


class Hooked:
    """Grad-CAM by hooks, as pytorch-grad-cam does it: a module's output on the way, its gradient on the way back."""

    def __init__(self, torch, model, module):
        self.torch, self.model = torch, model
        self.feature = self.gradient = None
        self.handle = module.register_forward_hook(self._keep)

    def _keep(self, module, given, output):
        self.feature = output
        output.register_hook(lambda gradient: setattr(self, "gradient", gradient))

    def __call__(self, x, classes):
        self.model.zero_grad()
        logits = self.model(self.torch.from_numpy(x).double()).reshape(len(x), -1)
        classes = logits.argmax(1) if classes is None else self.torch.full((len(x),), classes)
        logits.gather(1, classes[:, None]).sum().backward()
        weights = self.gradient.mean((2, 3), keepdim=True)
        heat = self.torch.relu((weights * self.feature).sum(1))
        self.handle.remove()
        return heat.detach().numpy(), weights[:, :, 0, 0].numpy(), classes.tolist(), logits.detach().numpy()


@pytest.fixture(scope="module")
def opened(torch, torchvision_resnet, tmp_path_factory):
    """Make PyTorch's model of a network in float64, images, and the library's network from its file.

    Its norms keep away from 0: where an input of a ReLU is nearly 0, rounding decides whether a gradient passes, and
    two correct maps differ.
    """
    pytest.importorskip("timm")
    catalogue = pytest.importorskip("families.catalogue")
    from families.weights import prepare
    from gradients import keep_away_from_zero

    made = {}

    def make(key, keeps_away=True):
        if (key, keeps_away) not in made:
            (network,) = catalogue.chosen([key])
            seed = zlib.crc32(key.encode())
            torch.manual_seed(seed)
            model = prepare(network.build(), seed, network.side)
            if keeps_away:
                keep_away_from_zero(model, [images(f"margins {n}", (4, 3, network.side, network.side)) for n in (0, 1)])
            path = tmp_path_factory.mktemp("explain") / "net.pth"
            torch.save(model.state_dict(), path)
            shape = network.shape if "resnetaa" in key or "cifar" in key else (2, 3, 49, 64)
            made[key, keeps_away] = model.double().eval(), images(key, shape), path, network
        return made[key, keeps_away]

    return make


def module_of(model, stage):
    """The stage of that name, in timm's, torchvision's and the CIFAR networks' models."""
    number = explain.STAGES.index(stage)
    return model.stages[number] if hasattr(model, "stages") else getattr(model, f"layer{number + 1}")


def open_net(path, network, outputs, **options):
    choices = {**network.options, "arithmetic": "direct", "outputs": outputs, **options}
    return backbone.ResNet.from_file(path, **choices)


def stages_of(network):
    return [name for name in explain.STAGES if name in network.outputs]


def assert_close(actual, expected, bound=BOUND):
    largest = np.abs(expected).max()
    error = np.abs(actual - expected).max()
    assert error <= bound * largest, f"off by {error:.1e}, the largest is {largest:.1e}"


def compare(torch, opened, key, classes, bound=BOUND, **options):
    model, x, path, network = opened(key)
    positive = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", backbone.BackboneWarning)
        with open_net(path, network, OUTPUTS, **options) as net:
            for stage in stages_of(network):
                for target in classes:
                    heat, weights, targets, logits = Hooked(torch, model, module_of(model, stage))(x, target)
                    found = explain.gradcam(net, x, target, stage)
                    assert found.targets == tuple(targets)
                    # A logit is a sum of larger values that cancel.
                    assert np.abs(found.logits - logits).max() <= 1e-4 * np.abs(logits).max()
                    np.testing.assert_array_equal(found.scores, found.logits[range(len(x)), targets])
                    assert_close(found.gradient, weights, bound)
                    # Where the exact map is 0 everywhere, and nowhere else, so is ours.
                    for ours, theirs in zip(found.heat, heat, strict=True):
                        assert_close(ours, theirs, bound)
                        positive += theirs.max() > 0
            assert explain.last_stage(net) == stages_of(network)[-1]
    assert positive >= len(stages_of(network)) * len(classes) * len(x) // 4


@pytest.mark.parametrize("key", NETWORKS)
def test_gradcam_of_classes(torch, opened, key):
    compare(torch, opened, key, CLASSES)


@pytest.mark.parametrize("key", NETWORKS)
def test_fast_arithmetic_and_frozen_stages(torch, opened, key):
    from gradients import BOUNDS

    compare(torch, opened, key, (3,), BOUNDS["fast"], arithmetic="fast", frozen_stages=2)


@pytest.mark.parametrize("key", OTHERS)
def test_gradcam_of_the_family(torch, opened, key):
    compare(torch, opened, key, (None, 3))


@pytest.mark.parametrize("key", NETWORKS)
def test_networks_whose_relus_are_close_calls(torch, opened, key):
    """With norms around 0, as new networks have them: the last stage has no ReLU after it, so the same bound holds."""
    model, x, path, network = opened(key, keeps_away=False)
    with open_net(path, network, OUTPUTS) as net:
        heat, *_ = Hooked(torch, model, module_of(model, stages_of(network)[-1]))(x, None)
        assert_close(explain.gradcam(net, x).heat, heat)


@pytest.mark.parametrize(("layer", "feature"), [("C3", explain.Feature("C4", 5)), ("C4", explain.Feature("C4", 5))])
@pytest.mark.parametrize("key", ["timm/resnet18", "timm/resnetv2_18", "cifar/resnet20_a"])
def test_gradcam_of_a_feature(torch, opened, key, layer, feature):
    catalogue = pytest.importorskip("families.catalogue")
    model, x, path, network = opened(key)
    outputs = catalogue.outputs_of(model, torch.from_numpy(x).double().requires_grad_())
    score = outputs[feature.stage][:, feature.channel].mean((1, 2))
    (gradient,) = torch.autograd.grad(score.sum(), outputs[layer])
    weights = gradient.mean((2, 3))
    heat = torch.relu((weights[:, :, None, None] * outputs[layer]).sum(1)).detach().numpy()
    # The classifier does not matter.
    with open_net(path, network, [stage for stage in explain.STAGES if stage in (layer, feature.stage)]) as net:
        found = explain.gradcam(net, x, feature, layer)
    assert found.logits is None and found.targets == (feature, feature)
    assert_close(found.gradient, weights.numpy())
    assert_close(found.heat, heat)
    assert_close(found.scores, score.detach().numpy())


@pytest.mark.parametrize("arithmetic", ["direct", "fast"])
@pytest.mark.parametrize("target", [None, 3, explain.Feature("C4", 5), explain.Feature("C2", 0)])
@pytest.mark.parametrize("key", ["timm/resnet18", "timm/seresnet18", "timm/resnetv2_18", "cifar/resnet20_a"])
def test_saliency(torch, opened, key, target, arithmetic):
    catalogue = pytest.importorskip("families.catalogue")
    from gradients import BOUNDS, INPUT, assert_gradients

    model, x, path, network = opened(key)
    image = torch.from_numpy(x).double().requires_grad_()
    outputs = catalogue.outputs_of(model, image)
    logits = outputs["logits"].reshape(len(x), -1)
    if isinstance(target, explain.Feature):
        score = outputs[target.stage][:, target.channel].mean((1, 2))
        wanted = (target.stage,)
    else:
        score = logits.max(1).values if target is None else logits[:, target]
        wanted = ("C2", "logits")
    (gradient,) = torch.autograd.grad(score.sum(), image)
    with open_net(path, network, wanted, arithmetic=arithmetic) as net:
        found = explain.saliency(net, x, target)
    assert_gradients({INPUT: found.gradient}, {INPUT: gradient.numpy()}, BOUNDS[arithmetic])
    np.testing.assert_array_equal(found.heat, np.abs(found.gradient).max(1))


# ---- Networks without identity shortcuts, by their definition ----


def small_network(torch, shortcut):
    """Two stages of two BasicBlocks with the names of torchvision; no shortcuts, or projections in every block."""
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            if shortcut == "everywhere":
                projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
                self.downsample = nn.Sequential(projection, nn.BatchNorm2d(outputs))

        def forward(self, x):
            y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
            return torch.relu(y + self.downsample(x) if shortcut == "everywhere" else y)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(16)
            self.layer1 = nn.Sequential(Block(16, 16, 1), Block(16, 16, 1))
            self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1))
            self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1))
            self.fc = nn.Linear(64, 10)

        def forward(self, x):
            y = self.layer3(self.layer2(self.layer1(torch.relu(self.bn1(self.conv1(x))))))
            return self.fc(y.mean((2, 3)))

    return Model()


@pytest.mark.parametrize("shortcut", ["none", "everywhere"])
def test_gradcam_without_identities(torch, shortcut):
    from gradients import keep_away_from_zero
    from parity import arrays

    torch.manual_seed(3)
    model = small_network(torch, shortcut)
    keep_away_from_zero(model, [images("margins", (8, 3, 32, 32))])
    x = images("plain", (2, 3, 32, 32))
    choices = {"block_counts": (2, 2, 2), "shortcut": shortcut, "base_channels": 64}
    with backbone.ResNet("resnet20", outputs=OUTPUTS, arithmetic="direct", **choices) as net:
        net.load_state_dict(arrays(model.state_dict()))
        model.double().eval()
        for stage in ("C2", "C3", "C4"):
            for target in (None, 0, 3):
                heat, weights, *_ = Hooked(torch, model, module_of(model, stage))(x, target)
                found = explain.gradcam(net, x, target, stage)
                assert_close(found.gradient, weights)
                assert_close(found.heat, heat)


def test_differences_are_seen(torch, opened):
    """The bound is met neither by another class, nor by gradients that a ReLU masks, nor by a thousandth more."""
    model, x, path, network = opened("timm/resnet18")
    hooked = Hooked(torch, model, model.layer3)
    _, weights, *_ = hooked(x, 0)
    masked = (hooked.gradient * (hooked.feature > 0)).mean((2, 3)).numpy()
    with open_net(path, network, OUTPUTS) as net:
        right = explain.gradcam(net, x, 0, "C4").gradient
        assert_close(right, weights)
        for wrong in (explain.gradcam(net, x, 1, "C4").gradient, masked, right * 1.001, right[::-1]):
            with pytest.raises(AssertionError, match="off by"):
                assert_close(wrong, weights)
