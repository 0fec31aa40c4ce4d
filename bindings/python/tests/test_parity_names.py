# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Files that PyTorch writes of models in which a ResNet is a part, under the names that real models give it."""

import numpy as np
import pytest
from weight_formula import images

import backbone

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def model(reference):
    """A calibrated narrow ResNet-50, not to be changed."""
    narrow = reference.with_formula(50, 3, 8)
    return reference.calibrate(narrow, images("calibration", (2, 3, 96, 96)))


@pytest.fixture
def check(torch, reference, model, tmp_path):
    """Save something, load it strictly, and compare the features with those of a model."""

    def check(saved, expected=None, options=None, **load):
        path = tmp_path / "x.pth"
        torch.save(saved, path)
        with backbone.ResNet(50, base_channels=8, **(options or {})) as net:
            report = net.load_weights(path, strict=True, **load)
            x = images("names", (2, 3, 65, 97))
            for ours, theirs in zip(net(x), reference.features(expected or model, x), strict=True):
                assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max()
        return report

    return check


def test_data_parallel_and_compile(torch, model, check):
    assert check(torch.nn.DataParallel(model).state_dict()).prefix == "module."
    compiled = torch.compile(model)
    assert check(compiled.state_dict()).prefix == "_orig_mod."
    assert check({"model": torch.nn.DataParallel(compiled).state_dict()}).prefix == "module._orig_mod."


def detector(torch, model, depth=2):
    """A detector with a neck and a head whose names look like a backbone's."""
    nn = torch.nn

    class Neck(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(8, 8, 1)
            self.layer1 = nn.Sequential(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8))

    class Detector(nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone = nn.ModuleDict({"body": model, "fpn": Neck()}) if depth == 2 else model
            self.neck, self.bbox_head = Neck(), nn.Linear(3, 4)

    return Detector()


def test_detectors_with_necks_and_heads(torch, model, check):
    whole = detector(torch, model)
    report = check({"model": whole.state_dict(), "optimizer": torch.optim.SGD(whole.parameters(), 0.1).state_dict()})
    assert (report.wrapper, report.prefix) == ("model", "backbone.body.")
    assert {"neck.conv1.weight", "bbox_head.bias", "backbone.fpn.layer1.1.running_mean"} <= set(report.ignorable)


class HistoryBuffer:
    """As the one that mmengine keeps of each number it logs: a class that the library has never heard of."""

    def __init__(self):
        self._log_history, self._count_history = np.array([0.5, 0.25]), np.array([1, 2])
        self._statistics_methods = {"mean": len}


def test_mmengines_checkpoints(torch, model, check):
    whole = detector(torch, model, depth=1)
    saved = {
        "meta": {"epoch": 12, "dataset_meta": {"CLASSES": ("a", "b"), "PALETTE": [(1, 2, 3)]}, "cfg": "model = dict()"},
        "state_dict": whole.state_dict(),
        "message_hub": {"log_scalars": {"train/lr": HistoryBuffer()}, "runtime_info": {"iter": 3}},
        "param_schedulers": [{"last_step": 2}],
    }
    report = check(saved)
    assert (report.wrapper, report.prefix) == ("state_dict", "backbone.")


def test_torchvisions_detector(torch, reference, tmp_path):
    torchvision_import = pytest.importorskip("torchvision_import")
    resnet_fpn_backbone = torchvision_import.models("detection.backbone_utils").resnet_fpn_backbone
    torch.manual_seed(1)
    body = resnet_fpn_backbone(backbone_name="resnet18", weights=None, trainable_layers=5)
    torch.save(torch.nn.ModuleDict({"backbone": body}).state_dict(), tmp_path / "x.pth")
    with backbone.ResNet.from_file(tmp_path / "x.pth", strict=True) as net:
        report = net.report
        assert (report.prefix, report.depth, report.base_channels) == ("backbone.body.", 18, 64)
        # Its FrozenBatchNorms have no counts.
        assert len(report.loaded) == 100
        assert any(name.startswith("backbone.fpn.") for name in report.ignorable) and not report.unexpected
        plain = reference.ResNet(18)
        plain.load_state_dict(body.body.state_dict(), strict=False)
        x = images("names", (1, 3, 65, 97))
        for ours, theirs in zip(net(x), reference.features(plain.eval(), x), strict=True):
            assert np.abs(ours - theirs).max() <= 3e-4 * np.abs(theirs).max()


def test_moco_needs_to_be_told_which_of_two_encoders(torch, model, reference, check):
    momentum = reference.calibrate(reference.with_formula(50, 3, 8), images("other", (2, 3, 64, 64)))
    both = torch.nn.ModuleDict({"encoder_q": model, "encoder_k": momentum})
    query = torch.nn.DataParallel(torch.nn.ModuleDict({"encoder_q": model})).state_dict()
    assert check({"epoch": 200, "arch": "resnet50", "state_dict": query}).prefix == "module.encoder_q."
    saved = {"state_dict": torch.nn.DataParallel(both).state_dict() | {"module.queue": torch.ones(4, 3)}}
    with pytest.raises(backbone.CheckpointError, match=r"module\.encoder_k\..*module\.encoder_q\."):
        check(saved)
    check(saved, prefix="module.encoder_q")
    report = check(saved, momentum, prefix="module.encoder_k.")
    assert "module.queue" in report.ignorable and "module.encoder_q.conv1.weight" in report.ignorable


def test_averaged_models_beside_the_trained_one(torch, model, reference, check):
    other = reference.calibrate(reference.with_formula(50, 3, 8), images("other", (2, 3, 64, 64)))
    averaged = torch.optim.swa_utils.AveragedModel(other).state_dict()
    assert "n_averaged" in averaged
    saved = {"state_dict": model.state_dict(), "state_dict_ema": averaged, "epoch": 3}
    with pytest.raises(backbone.CheckpointError, match=r"'state_dict' and 'state_dict_ema' \(prefix 'module\.'\)"):
        check(saved)
    assert check(saved, key="state_dict").prefix == ""
    report = check(saved, other, key="state_dict_ema")
    assert report.prefix == "module." and report.ignorable == ("n_averaged",)


def frozen_detectron2(torch, base_channels, style, statistics):
    """A ResNet-50 as detectron2 builds it: norms inside of convolutions and frozen, shortcuts by their own name."""
    nn, functional = torch.nn, torch.nn.functional

    class FrozenBatchNorm(nn.Module):
        eps = 1e-5

        def __init__(self, channels):
            super().__init__()
            self.register_buffer("weight", torch.rand(channels) * 0.5 + 0.2)
            self.register_buffer("bias", torch.rand(channels) - 0.5)
            mean, variance = torch.rand(channels) - 0.5, torch.rand(channels) + 0.5
            identity = torch.zeros(channels), torch.ones(channels) - self.eps
            mean, variance = (mean, variance) if statistics else identity
            self.register_buffer("running_mean", mean, persistent=statistics)
            self.register_buffer("running_var", variance, persistent=statistics)

        def forward(self, x):
            return functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=self.eps
            )

    class Conv2d(nn.Conv2d):
        def __init__(self, inputs, outputs, size, stride=1):
            super().__init__(inputs, outputs, size, stride, size // 2, bias=False)
            nn.init.kaiming_normal_(self.weight, mode="fan_in", nonlinearity="relu")
            self.norm = FrozenBatchNorm(outputs)

        def forward(self, x):
            return self.norm(super().forward(x))

    class Block(nn.Module):
        def __init__(self, inputs, width, stride):
            super().__init__()
            self.shortcut = Conv2d(inputs, 4 * width, 1, stride) if stride != 1 or inputs != 4 * width else None
            first, second = (stride, 1) if style == "caffe" else (1, stride)
            self.conv1 = Conv2d(inputs, width, 1, first)
            self.conv2 = Conv2d(width, width, 3, second)
            self.conv3 = Conv2d(width, 4 * width, 1)

        def forward(self, x):
            y = self.conv3(torch.relu(self.conv2(torch.relu(self.conv1(x)))))
            return torch.relu(y + (x if self.shortcut is None else self.shortcut(x)))

    class ResNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.ModuleDict({"conv1": Conv2d(3, base_channels, 7, 2)})
            channels = base_channels
            for stage, count in enumerate((3, 4, 6, 3)):
                blocks = nn.Sequential()
                for block in range(count):
                    blocks.append(Block(channels, base_channels << stage, 2 if stage and not block else 1))
                    channels = 4 * base_channels << stage
                setattr(self, f"res{stage + 2}", blocks)

        def forward(self, x):
            x = functional.max_pool2d(torch.relu(self.stem["conv1"](x)), 3, 2, 1)
            features = []
            for stage in (self.res2, self.res3, self.res4, self.res5):
                x = stage(x)
                features.append(x)
            return tuple(features)

    torch.manual_seed(5)
    return ResNet().eval()


@pytest.mark.parametrize("style", ["pytorch", "caffe"])
@pytest.mark.parametrize("statistics", [True, False])
def test_detectron2_with_frozen_norms(torch, check, style, statistics):
    model = frozen_detectron2(torch, 8, style, statistics)
    whole = torch.nn.ModuleDict({"backbone": torch.nn.ModuleDict({"bottom_up": model, "fpn": torch.nn.Linear(2, 3)})})
    saved = {"model": whole.state_dict(), "trainer": {"iteration": 5}, "iteration": 5}
    assert not any("num_batches_tracked" in name for name in saved["model"])
    if not statistics:
        # As GroupNorms are saved, too: only the mark of Caffe2 tells that these were folded.
        with pytest.raises(backbone.MismatchError, match="GroupNorm"):
            check(saved, model, {"style": style})
        saved["__author__"] = "Caffe2"
    report = check(saved, model, {"style": style})
    assert (report.wrapper, report.prefix, report.dialect) == ("model", "backbone.bottom_up.", "detectron2")
    assert report.depth == 50
    assert any("no running statistics" in text for text in report.warnings) == (not statistics)
    assert len([name for name in report.ignorable if "running" in name]) == (0 if statistics else 106)


@pytest.mark.parametrize("eps", [1e-3, 1e-5])
def test_style_and_eps_in_training_mode(torch, reference, eps):
    model = reference.with_formula(50, 3, 8, style="caffe", eps=eps)
    reference.calibrate(model, images("calibration", (2, 3, 96, 96)))
    state = {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}
    x = images("names", (3, 3, 65, 97))
    with backbone.ResNet(50, base_channels=8, style="caffe", norm_eps=eps) as net:
        net.load_state_dict(state)
        net.train()
        model.train()
        for ours, theirs in zip(net(x), reference.features(model, x), strict=True):
            assert np.abs(ours - theirs).max() <= 3e-4 * np.abs(theirs).max()
        for name, buffer in net.named_buffers():
            np.testing.assert_allclose(buffer.data, model.state_dict()[name].numpy(), rtol=1e-3, atol=1e-4)
