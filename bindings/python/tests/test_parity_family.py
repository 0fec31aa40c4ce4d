# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""A part of what scripts/family compares: at least one network of each kind of stem, block, shortcut, gate and norm."""

import dataclasses

import pytest

import backbone

pytestmark = pytest.mark.parity

NETWORKS = [
    "timm/resnet18d",
    "timm/resnet26t",
    "timm/resnet50s",
    "timm/resnet50_gn",
    "timm/resnext50d_32x4d",
    "timm/ecaresnet26t",
    "timm/ecaresnetlight",
    "timm/ecaresnet50d_pruned",
    "timm/ecaresnext26t_32x4d",
    "timm/resnetaa34d",
    "timm/resnetaa50d",
    "timm/resnetblur18",
    "timm/resnetblur50d",
    "timm/resnetrs50",
    "timm/seresnet18",
    "timm/seresnet50t",
    "timm/seresnext26d_32x4d",
    "timm/seresnetaa50d",
    "timm/test_resnet",
    "timm/resnetv2_18",
    "timm/resnetv2_34d",
    "timm/resnetv2_50t",
    "timm/resnetv2_50d_gn",
    "torchvision/resnet50",
    "torchvision/wide_resnet50_2",
    "torchvision/resnet50_stride8",
    "timm/resnet50d_stride16",
    "torchvision/resnet50_caffe",
    "cifar/resnet20_a",
    "cifar/resnet56_b",
]
SHAPE = (2, 3, 65, 96)


@pytest.fixture(scope="module")
def catalogue(torch, torchvision_resnet):
    # timm imports torchvision, which may have to be told that PyTorch lacks its operators.
    pytest.importorskip("timm")
    return pytest.importorskip("families.catalogue")


@pytest.fixture(scope="module")
def comparison(catalogue):
    return pytest.importorskip("families.comparison")


@pytest.mark.parametrize("key", NETWORKS)
def test_all_outputs_of_a_file(catalogue, comparison, tmp_path, key):
    (network,) = catalogue.chosen([key])
    shape = network.shape if network.source == "cifar" else SHAPE
    failure = comparison.compare(network, tmp_path, shape=shape).failure
    assert failure == ""


def test_all_outputs_of_a_narrow_senet154(catalogue, comparison, tmp_path):
    failure = comparison.compare(catalogue.narrow("senet154", 2), tmp_path, shape=SHAPE).failure
    assert failure == ""


def test_the_catalogue_is_complete(catalogue):
    keys = [network.key for network in catalogue.networks()]
    assert len(set(keys)) == len(keys)
    sources = [network.source for network in catalogue.networks() if not network.note.startswith(("output", "strides"))]
    assert {source: sources.count(source) for source in sources} == {"timm": 81 + 12, "torchvision": 10, "cifar": 10}


# What docs/architectures.md says is not computed.
@pytest.mark.parametrize(
    "name", ["resnetv2_50x1_bit", "resnetv2_50d_evos", "resnetv2_50d_frn", "resnest14d", "skresnet18"]
)
def test_what_is_not_computed_is_refused(torch, catalogue, tmp_path, name):
    torch.save(catalogue.timm.create_model(name).state_dict(), tmp_path / "x.pth")
    with pytest.raises((backbone.CheckpointError, backbone.MismatchError)):
        backbone.ResNet.from_file(tmp_path / "x.pth")


# ---- That a difference is seen ----


def test_a_wrong_network_is_a_failure(catalogue, comparison, tmp_path):
    # Without its name it opens as the network that has the same weights and no blurring.
    (network,) = catalogue.chosen(["resnetblur18"])
    wrong = dataclasses.replace(network, options={})
    result = comparison.compare(wrong, tmp_path, ("C2", "C3", "C4", "C5"), SHAPE)
    assert result.architecture == "resnet18"
    assert all(f"{arithmetic} C2: " in result.failure for arithmetic in comparison.ARITHMETICS)


def test_a_refused_file_is_a_failure(catalogue, comparison, tmp_path):
    (network,) = catalogue.chosen(["timm/resnet10t"])
    result = comparison.compare(dataclasses.replace(network, options={"style": "none"}), tmp_path, ["C5"])
    assert result.failure.startswith("ValueError: style is 'none'")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("output", ["C2", "C5"])
def test_a_small_error_is_a_failure(catalogue, comparison, tmp_path, monkeypatch, output):
    outputs_of = comparison.library_outputs

    def disturbed(*arguments):
        name, outputs = outputs_of(*arguments)
        outputs[output] = outputs[output] * 1.0005
        return name, outputs

    monkeypatch.setattr(comparison, "library_outputs", disturbed)
    (network,) = catalogue.chosen(["timm/resnet10t"])
    result = comparison.compare(network, tmp_path, ("C2", "C5"), SHAPE)
    assert result.failure.startswith(f"direct {output}: 5.0e-04 of the largest value, allowed 1e-04")
    assert result.failure.count(": ") == 2
