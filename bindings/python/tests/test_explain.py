# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Grad-CAM and saliency against known gradients and finite differences, without PyTorch; and what is refused."""

import numpy as np
import pytest
from checkpoints import write_safetensors
from conftest import calibrate

import backbone
from backbone import explain

CLASSES = 6
OUTPUTS = (*explain.STAGES, "logits")


@pytest.fixture(scope="module")
def make():
    """Narrow networks by name whose norms keep away from 0, so that steps of finite differences cross few ReLUs."""
    nets = {}

    def build(name, **options):
        key = (name, *sorted(options.items()))
        if key not in nets:
            # Those for CIFAR-10 have a quarter of the channels.
            width = 32 if name.endswith("20") else 8
            choices = {"base_channels": width, "num_classes": CLASSES, "arithmetic": "direct", **options}
            nets[key] = net = backbone.ResNet(name, outputs=OUTPUTS, **choices)
            random = np.random.default_rng(1)
            for parameter_name, entry in net.named_parameters():
                if parameter_name.endswith("bias") and not parameter_name.startswith(("fc", "head")):
                    entry.data = np.where(random.random(entry.shape) < 0.75, 3.0, -3.0).astype(np.float32)
            calibrate(net, shape=(4, 3, 64, 64), forwards=20)
        return nets[key]

    yield build
    for net in nets.values():
        net.close()


def noise(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def outputs_of(net, x):
    return dict(zip(net.outputs, net(x), strict=True))


def assert_close(actual, expected, bound):
    assert np.abs(actual - expected).max() <= bound * np.abs(expected).max()


# ---- Numbers ----


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet20", "seresnet18", "ecaresnet26t", "plain20"])
def test_the_last_stage_has_the_weights_of_the_classifier(make, name):
    net, x = make(name), noise((2, 3, 45, 70))
    classifier = net.state_dict()["fc.weight"].astype(np.float64)
    outputs = outputs_of(net, x)
    stage = explain.last_stage(net)
    feature = outputs[stage].astype(np.float64)
    for target in (None, 0, 4):
        found = explain.gradcam(net, x, target)
        classes = outputs["logits"][:, :, 0, 0].argmax(1) if target is None else [target, target]
        assert list(found.targets) == list(classes)
        weights = classifier[classes] / (feature.shape[2] * feature.shape[3])
        assert_close(found.gradient, weights, 1e-6)
        heat = np.maximum(np.einsum("nc,nchw->nhw", weights, feature), 0)
        assert np.abs(found.heat - heat).max() <= 1e-5 * np.abs(np.einsum("nc,nchw->nhw", weights, feature)).max()
        assert_close(found.logits, outputs["logits"][:, :, 0, 0], 1e-5)


def shifted(net, stage, amounts):
    """The network with one more block at the end of a stage, which adds an amount to each channel: torchvision's names.

    Its last norm has weight 0 and these biases. Only the forward pass computes with it.
    """
    names = [name for name, _ in net.named_parameters()]
    counts = [len({name.split(".")[1] for name in names if name.startswith(f"layer{s}.")}) for s in (1, 2, 3, 4)]
    counts[stage - 1] += 1
    other = backbone.ResNet(
        net.architecture,
        outputs=("logits",),
        num_classes=CLASSES,
        base_channels=32 if net.architecture == "resnet20" else 8,
        block_counts=counts,
        arithmetic="direct",
        zero_init_residual=True,
    )
    other.load_state_dict(net.state_dict(), strict=False, allow_missing=True)
    norms = [(n, e) for n, e in other.named_parameters() if n.startswith(f"layer{stage}.{counts[stage - 1] - 1}.bn")]
    name, entry = norms[-1]
    assert name.endswith("bias")
    entry.data = amounts
    return other


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet20"])
@pytest.mark.parametrize("stage", [1, 2, 3])
def test_gradients_of_stages_by_finite_differences(make, name, stage):
    """Add a step to single channels of a feature. Features of these networks have few zeros, which a step wakes."""
    net, x = make(name), noise((1, 3, 40, 56), 3)
    found = explain.gradcam(net, x, 2, f"C{stage + 1}")
    feature = outputs_of(net, x)[f"C{stage + 1}"]
    heat = np.maximum(np.einsum("nc,nchw->nhw", found.gradient.astype(np.float64), feature), 0)
    assert_close(found.heat, heat, 1e-5)
    channels = feature.shape[1]
    positions = feature.shape[2] * feature.shape[3]
    step = 2e-3 * np.abs(feature).mean()
    for channel in (0, channels // 2, channels - 1):
        amounts = np.zeros(channels, np.float32)
        amounts[channel] = step
        values = []
        for sign in (1, 0):
            with shifted(net, stage, sign * amounts) as other:
                values.append(float(other.logits(x)[0, 2]))
        assert values[1] == pytest.approx(float(outputs_of(net, x)["logits"][0, 2, 0, 0]), abs=1e-5)
        slope = (values[0] - values[1]) / step / positions
        assert abs(slope - found.gradient[0, channel]) <= 0.05 * np.abs(found.gradient).max()


@pytest.mark.parametrize("target", [None, 3, explain.Feature("C3", 5)])
@pytest.mark.parametrize("name", ["resnet18", "resnet20", "resnetv2_18", "seresnet18"])
def test_saliency_by_finite_differences(make, name, target):
    net, x = make(name), noise((1, 3, 33, 48), 5)
    found = explain.saliency(net, x, target)
    np.testing.assert_array_equal(found.heat, np.abs(found.gradient).max(1))

    def score(image):
        outputs = outputs_of(net, image)
        if isinstance(target, explain.Feature):
            return outputs["C3"][0, 5].mean(dtype=np.float64)
        return float(outputs["logits"][0, found.targets[0], 0, 0])

    assert found.scores[0] == pytest.approx(score(x), rel=1e-4)
    # The pixel that matters most, and some others.
    places = [np.unravel_index(np.abs(found.gradient[0]).argmax(), x.shape[1:]), (0, 16, 20), (1, 7, 30), (2, 25, 9)]
    for place in places:
        step = np.zeros_like(x)
        step[(0, *place)] = 0.02
        slope = (score(x + step) - score(x - step)) / 0.04
        assert abs(slope - found.gradient[(0, *place)]) <= 0.05 * np.abs(found.gradient).max()


def test_images_of_a_batch_are_those_of_single_ones(make):
    net, x = make("resnet18"), noise((3, 3, 40, 40), 1)
    for explained in (explain.gradcam, explain.saliency):
        together = explained(net, x, 1)
        alone = [explained(net, x[index : index + 1], 1) for index in range(3)]
        for name in ("heat", "gradient", "scores", "logits"):
            rows = np.concatenate([getattr(one, name) for one in alone])
            np.testing.assert_allclose(getattr(together, name), rows, rtol=0, atol=1e-6 * np.abs(rows).max())
        assert together.targets == (1, 1, 1)


def test_pixels_are_normalised_as_in_a_forward(make):
    state = make("resnet18").state_dict()
    pixels = np.random.default_rng(2).integers(0, 256, (1, 3, 40, 40), np.uint8)
    mean, std = backbone.IMAGENET_MEAN, backbone.IMAGENET_STD
    options = {"base_channels": 8, "num_classes": CLASSES, "outputs": OUTPUTS, "mean": mean, "std": std}
    with backbone.ResNet(18, channel_order="reversed", **options) as net:
        net.load_state_dict(state)
        found = [explained(net, pixels, 3) for explained in (explain.gradcam, explain.saliency)]
        values = (pixels[:, ::-1].astype(np.float32) - np.float32(mean)[:, None, None]) / np.float32(std)[:, None, None]
        for one, explained in zip(found, (explain.gradcam, explain.saliency), strict=True):
            assert_close(one.gradient, explained(net, values, 3).gradient, 1e-4)


def test_the_network_stays_as_it_was(make):
    net, x = make("resnet18"), noise((1, 3, 40, 40))
    net.freeze(2)
    state, before = net.state_dict(), net(x)
    explain.gradcam(net, x, 1, "C2")
    explain.saliency(net, x, 1)
    assert net.frozen_stages == 2 and not net.training
    for name, values in net.state_dict().items():
        np.testing.assert_array_equal(values, state[name])
    for ours, theirs in zip(net(x), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    net.freeze(-1)


def test_widths_of_no_rule(make):
    widths = [0, 0, *(5, 8, 8, 0), *(12, 8, 8, 0), *(7, 16, 16, 0), *(32, 32, 32, 0), *(9, 64, 64, 0)]
    options = {"block": "basic", "base_channels": 8, "block_counts": (2, 1, 1, 1), "block_widths": widths}
    net = make("custom", **{name: tuple(v) if isinstance(v, list) else v for name, v in options.items()})
    x = noise((1, 3, 64, 64))
    found = {stage: explain.gradcam(net, x, 0, stage) for stage in explain.STAGES}
    weights = net.state_dict()["fc.weight"][0] / 4
    assert_close(found["C5"].gradient[0], weights, 1e-6)
    for stage, one in found.items():
        feature = outputs_of(net, x)[stage].astype(np.float64)
        assert one.gradient.shape == feature.shape[:2]
        signed = np.einsum("nc,nchw->nhw", one.gradient, feature)
        assert np.abs(one.heat - np.maximum(signed, 0)).max() <= 1e-5 * np.abs(signed).max()


# The deepest ones take long, and differ in the number of blocks alone.
DEEPEST = ("101", "110", "152", "154", "200", "201", "269", "270", "350", "420", "1202")
NAMES = [name for name in backbone.architectures() if not any(depth in name for depth in DEEPEST)]


@pytest.mark.filterwarnings("ignore::backbone.BackboneWarning")
@pytest.mark.parametrize("name", NAMES)
def test_every_network_is_explained(name):
    """The last stage has the gradient of the classifier, whatever blocks are like; an earlier one has a map too."""
    x = noise((1, 3, 64, 64))
    # GroupNorms need multiples of 32.
    options = {"base_channels": 64 if "gn" in name else 8, "num_classes": 4, "arithmetic": "direct"}
    with backbone.ResNet(name, outputs=OUTPUTS, **options) as net:
        outputs = outputs_of(net, x)
        last = explain.last_stage(net)
        for layer in ("C2", last):
            found = explain.gradcam(net, x, 1, layer)
            assert_close(found.logits, outputs["logits"][:, :, 0, 0], 1e-5)
            signed = np.einsum("nc,nchw->nhw", found.gradient.astype(np.float64), outputs[layer])
            assert np.abs(signed).max() > 0
            assert np.abs(found.heat - np.maximum(signed, 0)).max() <= 1e-4 * np.abs(signed).max()
        if not name.startswith("resnetv2"):
            assert_close(found.gradient[0], net.state_dict()["fc.weight"][1] / found.heat[0].size, 1e-5)


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnetv2_18"])
def test_frozen_stages_do_not_matter(make, name):
    net, x = make(name), noise((2, 3, 40, 40), 4)
    for layer in explain.STAGES:
        expected = explain.gradcam(net, x, 2, layer)
        for frozen in (0, 2, 4):
            net.freeze(frozen)
            found = explain.gradcam(net, x, 2, layer)
            np.testing.assert_array_equal(found.gradient, expected.gradient)
            np.testing.assert_array_equal(found.heat, expected.heat)
        net.freeze(-1)


def test_of_a_feature_at_its_own_stage(make):
    net, x = make("resnet18"), noise((2, 3, 40, 40), 6)
    feature = outputs_of(net, x)["C4"]
    found = explain.gradcam(net, x, explain.Feature("C4", 9))
    positions = feature[0, 0].size
    expected = np.zeros(found.gradient.shape)
    expected[:, 9] = 1 / positions
    np.testing.assert_allclose(found.gradient, expected, rtol=1e-6)
    np.testing.assert_allclose(found.heat, np.maximum(feature[:, 9], 0) / positions, rtol=1e-5)
    np.testing.assert_allclose(found.scores, feature[:, 9].mean((1, 2)), rtol=1e-5)


# ---- Errors ----


def test_what_is_refused(make):
    net, x = make("resnet20"), noise((1, 3, 32, 32))
    for explained in (explain.gradcam, explain.saliency):
        with pytest.raises(ValueError, match=r"target is 6; the network has classes 0 to 5"):
            explained(net, x, CLASSES)
        with pytest.raises(ValueError, match=r"target is -1"):
            explained(net, x, -1)
        with pytest.raises(TypeError, match="it must be a class"):
            explained(net, x, "cat")
        with pytest.raises(TypeError, match="it must be a class"):
            explained(net, x, True)
        with pytest.raises(ValueError, match=r"channel 16 of C3, which has channels 0 to 15"):
            explained(net, x, explain.Feature("C3", 16))
        with pytest.raises(ValueError, match=r"channel -1 of C3"):
            explained(net, x, explain.Feature("C3", -1))
        with pytest.raises(ValueError, match=r"'?C5'?"):
            explained(net, x, explain.Feature("C5", 0))
        with pytest.raises(ValueError, match="at least one image"):
            explained(net, x[:0])
        with pytest.raises(ValueError, match="at least one image"):
            explained(net, x[0])
        net.train()
        with pytest.raises(ValueError, match=r"training mode; call eval\(\)"):
            explained(net, x)
        net.eval()
        with backbone.ResNet(18, base_channels=8) as bare:
            with pytest.raises(ValueError, match="'logits' among its outputs"):
                explained(bare, x)
        with backbone.ResNet(18, base_channels=8, outputs=("C3",)) as early:
            with pytest.raises(ValueError, match=r"target.stage is 'C5'; the network gives C3; if it has C5"):
                explained(early, x, explain.Feature("C5", 0))
            with pytest.raises(ValueError, match="the network gives C3; create it with 'C2' among its outputs"):
                explained(early, x, explain.Feature("C2", 0))
    with backbone.ResNet(18, base_channels=8, outputs=("C3", "logits")) as some:
        for layer in (None, "C5"):
            with pytest.raises(ValueError, match="the network gives C3, logits; create it with 'C5' among its outputs"):
                explain.gradcam(some, x, 0, layer)
        with pytest.raises(ValueError, match=r"layer is 'C6'; the network has C2, C3, C4, C5$"):
            explain.gradcam(some, x, 0, "C6")
        with pytest.raises(ValueError, match=r"layer is 'logits'; the network has C2, C3, C4, C5$"):
            explain.gradcam(some, x, 0, "logits")
    with backbone.ResNet(18, base_channels=8, outputs=("C1",)) as stem:
        with pytest.raises(ValueError, match="the network has its stem alone"):
            explain.last_stage(stem)
    with pytest.raises(ValueError, match=r"layer is 'C5'; the network has C2, C3, C4"):
        explain.gradcam(net, x, 0, "C5")
    with pytest.raises(ValueError, match="does not depend on C4, a later stage"):
        explain.gradcam(net, x, explain.Feature("C3", 1), "C4")


@pytest.mark.parametrize("name", ["conv1.weight", "fc.bias", "layer3.0.bn1.weight"])
@pytest.mark.filterwarnings("ignore::backbone.BackboneWarning")
def test_weights_that_are_nan(make, name):
    x = noise((1, 3, 32, 32))
    with backbone.ResNet(18, base_channels=8, outputs=OUTPUTS, num_classes=CLASSES) as net:
        for parameter_name, entry in net.named_parameters():
            if parameter_name == name:
                entry.data = np.full(entry.shape, np.nan, np.float32)
        for explained in (explain.gradcam, explain.saliency):
            for target in (None, 2):
                with pytest.raises(ValueError, match="NaN or infinite; check the weights"):
                    explained(net, x, target)


@pytest.mark.filterwarnings("ignore::backbone.BackboneWarning")
def test_a_single_image_that_is_nan_is_refused(make):
    net, x = make("resnet18"), noise((3, 3, 40, 40))
    x[1, 0, 20, 20] = np.nan
    for explained in (explain.gradcam, explain.saliency):
        with pytest.raises(ValueError, match="the score of class 4 is NaN or infinite"):
            explained(net, x, 4)


@pytest.mark.parametrize("options", [{"block": "bottleneck"}, {"preactivation": True}, {"norm": "group"}])
def test_networks_without_shortcuts(options):
    choices = {"block": "basic", **options}
    x = noise((1, 3, 32, 32))
    with backbone.ResNet("custom", block_counts=(1, 1, 1), shortcut="none", outputs=OUTPUTS, **choices) as net:
        found = explain.gradcam(net, x, 0)
        assert found.heat.shape == outputs_of(net, x)["C4"][0, :1].shape
        if "preactivation" not in options:
            assert_close(found.gradient[0], net.state_dict()["fc.weight"][0] / found.heat[0].size, 1e-6)
        assert np.abs(explain.gradcam(net, x, 0, "C2").gradient).max() > 0


def test_stages_of_different_blocks(tmp_path):
    """BasicBlocks in the first stage, and Bottlenecks in the others: only its file describes such a network."""
    with (
        backbone.ResNet(50, base_channels=8, outputs=("logits",)) as deep,
        backbone.ResNet(18, base_channels=8, out_indices=(0,)) as shallow,
    ):
        state = {name: values for name, values in deep.state_dict().items() if not name.startswith("layer1.")}
        state |= {name: values for name, values in shallow.state_dict().items() if name.startswith("layer1.")}
    for name in ("layer2.0.conv1.weight", "layer2.0.downsample.0.weight"):
        state[name] = state[name][:, :8]
    state = {name: values for name, values in state.items() if "num_batches" not in name}
    path = write_safetensors(tmp_path / "x.safetensors", state)
    x = noise((1, 3, 64, 64))
    with backbone.ResNet.from_file(path, outputs=OUTPUTS) as net:
        found = explain.gradcam(net, x)
        classifier = net.state_dict()["fc.weight"][found.targets[0]]
        assert_close(found.gradient[0], classifier / found.heat[0].size, 1e-6)
        early = explain.gradcam(net, x, layer="C2")
        signed = np.einsum("nc,nchw->nhw", early.gradient.astype(np.float64), outputs_of(net, x)["C2"])
        assert np.abs(early.heat - np.maximum(signed, 0)).max() <= 1e-3 * np.abs(signed).max() > 0
