# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Files that PyTorch, torchvision and timm themselves write of other networks, and of weights in parts."""

import numpy as np
import pytest
from weight_formula import images

import backbone

pytestmark = pytest.mark.parity


@pytest.fixture
def model(torch, reference):
    """A calibrated narrow ResNet-18."""
    torch.manual_seed(3)
    narrow = reference.with_formula(18, 3, 8)
    return reference.calibrate(narrow, images("calibration", (2, 3, 96, 96)))


def convolutions(torch, model):
    return {name: module for name, module in model.named_modules() if isinstance(module, torch.nn.Conv2d)}


def save(torch, model, tmp_path):
    torch.save(model.state_dict(), tmp_path / "x.pth")
    return tmp_path / "x.pth"


# ---- torch.nn.utils ----


def pruned(torch, conv):
    from torch.nn.utils import prune

    prune.l1_unstructured(conv, "weight", 0.3)
    prune.random_structured(conv, "weight", 0.25, dim=0)


def trained_spectral_norm(torch, conv, apply):
    """With vectors that several steps have moved."""
    apply(conv)
    x = torch.randn(1, conv.in_channels, 9, 9)
    for _ in range(3):
        conv.train()(x)
    conv.eval()(x)


WAYS = {
    "prune": pruned,
    "weight_norm": lambda torch, conv: torch.nn.utils.weight_norm(conv),
    "weight_norm, dim 1": lambda torch, conv: torch.nn.utils.weight_norm(conv, dim=1),
    "weight_norm, dim None": lambda torch, conv: torch.nn.utils.weight_norm(conv, dim=None),
    "parametrizations.weight_norm": lambda torch, conv: torch.nn.utils.parametrizations.weight_norm(conv),
    "parametrizations.weight_norm, dim None": lambda torch, conv: torch.nn.utils.parametrizations.weight_norm(
        conv, dim=None
    ),
    "spectral_norm": lambda torch, conv: trained_spectral_norm(torch, conv, torch.nn.utils.spectral_norm),
    "parametrizations.spectral_norm": lambda torch, conv: trained_spectral_norm(
        torch, conv, torch.nn.utils.parametrizations.spectral_norm
    ),
}


@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated")
@pytest.mark.parametrize("way", WAYS)
def test_weights_in_parts_are_what_pytorch_computes(torch, model, tmp_path, way):
    for conv in convolutions(torch, model).values():
        WAYS[way](torch, conv)
    model.eval()
    x = images("names", (1, 3, 65, 97))
    with torch.no_grad():
        expected = model(torch.from_numpy(x))
    path = save(torch, model, tmp_path)
    with backbone.ResNet(18, base_channels=8) as net:
        report = net.load_weights(path, strict=True)
        assert report.missing == () and report.warnings == ()
        state = net.state_dict()
        for name, conv in convolutions(torch, model).items():
            weight = conv.weight.detach().numpy()
            bound = 1e-6 * np.abs(weight).max()
            np.testing.assert_allclose(state[f"{name}.weight"], weight, rtol=1e-6, atol=bound, err_msg=name)
            assert way != "prune" or 0.3 < np.mean(state[f"{name}.weight"] == 0) < 0.7
        for ours, theirs in zip(net(x), expected, strict=True):
            assert np.abs(ours - theirs.numpy()).max() <= 1e-4 * np.abs(theirs.numpy()).max()
    assert backbone.inspect(path).loaded == report.loaded


def test_parametrisations_that_are_not_known_are_refused(torch, model, tmp_path):
    utils = torch.nn.utils
    utils.parametrizations.orthogonal(model.layer1[0].conv1)
    with pytest.raises(backbone.MismatchError, match=r"layer1\.0\.conv1\.parametrizations.*remove_parametrizations"):
        backbone.inspect(save(torch, model, tmp_path))
    utils.parametrize.remove_parametrizations(model.layer1[0].conv1, "weight")
    # Two one after another.
    utils.parametrizations.spectral_norm(model.conv1)
    utils.parametrizations.spectral_norm(model.conv1)
    with pytest.raises(backbone.MismatchError, match=r"conv1\.parametrizations.*remove_parametrizations"):
        backbone.inspect(save(torch, model, tmp_path))
    utils.parametrize.remove_parametrizations(model.conv1, "weight")
    assert not backbone.inspect(save(torch, model, tmp_path)).missing


# ---- torchvision ----


def test_torchvision_with_group_norm(torch, torchvision_resnet, tmp_path):
    model = torchvision_resnet.resnet18(norm_layer=lambda channels: torch.nn.GroupNorm(32, channels)).eval()
    path = save(torch, model, tmp_path)
    with backbone.ResNet(18) as net, pytest.raises(backbone.MismatchError, match=r"bn1\.running_mean.*GroupNorm"):
        net.load_weights(path)
    x = torch.from_numpy(images("group norm", (1, 3, 64, 64)))
    with (
        pytest.warns(backbone.BackboneWarning, match="loaded as GroupNorms"),
        backbone.ResNet.from_file(path, outputs=("logits",)) as net,
        torch.inference_mode(),
    ):
        np.testing.assert_allclose(net.logits(x), model(x).numpy(), rtol=1e-4, atol=1e-4)


def test_torchvision_with_frozen_norms(torch, torchvision_resnet, tmp_path):
    from torchvision.ops.misc import FrozenBatchNorm2d

    model = torchvision_resnet.resnet18(norm_layer=FrozenBatchNorm2d)
    with backbone.ResNet.from_file(save(torch, model, tmp_path), strict=True) as net:
        assert len(net.report.loaded) == 100 and net.report.missing == net.report.warnings == ()


def test_torchvisions_feature_extractors(torch, torchvision_resnet, tmp_path):
    from torchvision.models._utils import IntermediateLayerGetter

    model = IntermediateLayerGetter(torchvision_resnet.resnet18(), {"layer2": "0", "layer4": "1"})
    with backbone.ResNet.from_file(save(torch, model, tmp_path), strict=True) as net:
        assert len(net.report.loaded) == 120 and net.report.warnings == ()


def test_networks_for_segmentation_are_warned_of(torch, torchvision_resnet, tmp_path):
    import torchvision_import

    segmentation = torchvision_import.models("segmentation")
    model = segmentation.fcn_resnet50(weights=None, weights_backbone=None, aux_loss=True)
    path = save(torch, model, tmp_path)
    report = backbone.inspect(path)
    assert (report.prefix, report.depth, len(report.loaded)) == ("backbone.", 50, 318)
    (warning,) = report.warnings
    assert "dilated" in warning and "classifier." in warning
    with pytest.warns(backbone.BackboneWarning, match="dilated"), backbone.ResNet.from_file(path) as net:
        assert net.report.warnings == (warning,)


# ---- timm ----

# Of each, the depth of the plain network that it is loaded into, and what that says; and what its file alone makes of
# it: its name, or part of the error.
TIMM = [
    ("seresnet18", 18, "'layer1.0.se.fc1.weight'", "squeeze-and-excitation", "seresnet18"),
    ("legacy_seresnet18", 18, "'layer1.0.se_module.fc1.weight'", "squeeze-and-excitation", "rounds up"),
    ("skresnet18", 18, "'layer1.0.conv1.attn.", "attention", "'layer1.0.conv1.attn."),
    ("res2net50_26w_4s", 50, "'layer1.0.conv1.weight'", "has shape", "'layer1.0.conv"),
    ("resnet50_gn", 50, "'bn1.running_mean'", "GroupNorm", "resnet50_gn"),
]


@pytest.fixture(scope="module")
def timm(torchvision_resnet):
    return pytest.importorskip("timm")


@pytest.mark.parametrize(("name", "depth", "tensor", "word", "described"), TIMM)
def test_timms_other_networks(torch, timm, tmp_path, name, depth, tensor, word, described):
    path = save(torch, timm.create_model(name, pretrained=False), tmp_path)
    with backbone.ResNet(depth) as net, pytest.raises(backbone.MismatchError) as caught:
        net.load_weights(path)
    assert tensor in str(caught.value) and word in str(caught.value)
    if described in backbone.architectures():
        assert backbone.inspect(path).architecture == described
        return
    texts = set()
    for call in (backbone.inspect, backbone.ResNet.from_file):
        with pytest.raises((backbone.MismatchError, backbone.CheckpointError)) as caught:
            call(path)
        texts.add(str(caught.value))
    (text,) = texts
    assert described in text


def test_timms_shortcuts_with_pooling(torch, timm, tmp_path):
    from timm.models.resnet import BasicBlock, ResNet

    path = save(torch, ResNet(BasicBlock, (2, 2, 2, 2), avg_down=True), tmp_path)
    assert backbone.inspect(path).architecture == "custom"
    with (
        backbone.ResNet(18) as net,
        pytest.raises(backbone.MismatchError, match=r"layer2\.0\.downsample\.2\.weight.*ResNet-D"),
    ):
        net.load_weights(path)


def test_timms_eca(torch, timm, tmp_path):
    from timm.models.resnet import BasicBlock, ResNet

    # timm calls every attention of a block `se`.
    path = save(torch, ResNet(BasicBlock, (2, 2, 2, 2), block_args={"attn_layer": "eca"}), tmp_path)
    assert backbone.inspect(path).architecture == "custom"
    with (
        backbone.ResNet(18) as net,
        pytest.raises(backbone.MismatchError, match=r"'layer1\.0\.se\.conv\.weight'.*\((SE|ECA)\)"),
    ):
        net.load_weights(path)
