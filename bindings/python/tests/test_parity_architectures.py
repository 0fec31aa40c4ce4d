# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Networks that are rows of the table of names, or only described by a file, against PyTorch in float64."""

import numpy as np
import pytest
from accuracy import BOUNDS, DIRECT_BOUNDS, check_features
from weight_formula import images

import backbone

pytestmark = pytest.mark.parity

TORCHVISION = ["wide_resnet50_2", "resnext50_32x4d", "resnext101_64x4d"]
TIMM = ["resnet26", "resnet18d", "resnet26t", "resnet50c", "resnet50d", "resnet50s", "resnext50d_32x4d"]
NETWORKS = [*TORCHVISION, *TIMM, "custom"]


# He et al. 2015 have these, and timm does not.
NOT_IN_TIMM = ("resnet20", "resnet32", "resnet44", "resnet56", "resnet110", "resnet1202")

@pytest.fixture(scope="module")
def timm(torchvision_resnet):
    return pytest.importorskip("timm")


@pytest.mark.parametrize(
    "name", [n for n in backbone.architectures() if n not in NOT_IN_TIMM and not n.startswith("plain")]
)
def test_names_shapes_and_order_are_timms(torch, timm, name):
    """Of all networks, at their full size."""
    with torch.device("meta"):
        model = timm.create_model(name)
    expected = [(key, tuple(value.shape)) for key, value in model.state_dict().items()]
    with backbone.ResNet(name, outputs=("logits",)) as net:
        actual = [(entry.name, entry.shape) for entry in net._entries()]
    assert sorted(actual) == sorted(expected)
    # timm's ResNet v2 has the shortcut of a block before its norms.
    if "v2" not in name:
        assert actual == expected


@pytest.fixture(scope="module")
def models(torch, torchvision_resnet):
    """torchvision's and timm's models with random weights, and the statistics of random images."""
    timm = pytest.importorskip("timm")
    torch.manual_seed(5)
    made = {name: getattr(torchvision_resnet, name)() for name in TORCHVISION}
    made |= {name: timm.create_model(name, zero_init_last=False) for name in TIMM}
    made["custom"] = torchvision_resnet.ResNet(torchvision_resnet.Bottleneck, [1, 2, 1, 3], width_per_group=96)
    for model in made.values():
        model.train()
        with torch.no_grad():
            for seed in range(12):
                model(torch.from_numpy(images(f"calibration {seed}", (4, 3, 64, 64))))
        model.eval()
    return made


@pytest.mark.parametrize("arithmetic", ["fast", "direct"])
@pytest.mark.parametrize("name", NETWORKS)
def test_features_of_a_file(torch, models, tmp_path, name, arithmetic):
    model = models[name]
    torch.save(model.state_dict(), tmp_path / "x.pth")
    x = images(name, (2, 3, 97, 130))
    with backbone.ResNet.from_file(tmp_path / "x.pth", arithmetic=arithmetic) as net:
        assert net.architecture == name
        features = net(x)
    act = model.relu if hasattr(model, "relu") else model.act1
    double = model.double()
    with torch.no_grad():
        y = double.maxpool(act(double.bn1(double.conv1(torch.from_numpy(x).double()))))
        expected = []
        for stage in range(1, 5):
            y = getattr(double, f"layer{stage}")(y)
            expected.append(y.numpy())
    model.float()
    bounds = BOUNDS if arithmetic == "fast" else DIRECT_BOUNDS
    check_features((name, arithmetic), features, expected, name, bounds)


@pytest.mark.parametrize("name", NETWORKS[:-1])
def test_names_and_order_of_a_named_network(models, name):
    with backbone.ResNet(name) as net:
        expected = {key: tuple(value.shape) for key, value in models[name].state_dict().items() if "fc." not in key}
        actual = {key: np.shape(value) for key, value in net.state_dict().items()}
        assert list(actual.items()) == list(expected.items())
