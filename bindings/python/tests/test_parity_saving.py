# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Files that libbackbone writes, read by PyTorch and its tools."""

from collections import OrderedDict

import numpy as np
import pytest
from accuracy import BOUNDS, relative_error
from fixture_cases import CHECKPOINTS, MODELS
from parity import assert_same_state
from weight_formula import DEPTHS, images

import backbone

pytestmark = pytest.mark.parity


@pytest.mark.parametrize("depth", [18, 50])
def test_saved_weights_are_read_by_safetensors_and_torchvision(torch, torchvision_resnet, reference, tmp_path, depth):
    from safetensors import safe_open
    from safetensors.torch import load_file

    with backbone.ResNet(depth) as net:
        net.init_weights(seed=3)
        net.train()
        for _ in range(2):
            net(images("calibration", (2, 3, 64, 64)))
        net.eval()
        net.save_weights(tmp_path / "x.safetensors")
        state = load_file(tmp_path / "x.safetensors")
        expected = net.state_dict()
        assert set(state) == set(expected)
        for name, value in expected.items():
            assert state[name].numpy().dtype == value.dtype
            np.testing.assert_array_equal(state[name].numpy(), value, err_msg=name)
        with safe_open(tmp_path / "x.safetensors", "pt") as file:
            assert (file.metadata() or {}).get("format", "pt") == "pt"

        model = getattr(torchvision_resnet, f"resnet{depth}")(weights=None).eval().double()
        missing, unexpected = model.load_state_dict(state, strict=False)
        assert missing == ["fc.weight", "fc.bias"] and unexpected == []
        # As a .pth it needs nothing but the classifier, and says of which version each norm is.
        net.save_weights(tmp_path / "x.pth")
        state = torch.load(tmp_path / "x.pth", weights_only=True)
        state |= {"fc.weight": model.fc.weight, "fc.bias": model.fc.bias}
        model.load_state_dict(state, strict=True)
        versions = model.state_dict()._metadata
        norms = [name for name, module in model.named_modules() if isinstance(module, torch.nn.BatchNorm2d)]
        assert dict(state._metadata) == {name: versions[name] for name in norms}
        x = images("x", (1, 3, 64, 64))
        with torch.no_grad():
            y = model.maxpool(model.relu(model.bn1(model.conv1(torch.from_numpy(x).double()))))
            for stage, feature in enumerate(net(x), 1):
                y = getattr(model, f"layer{stage}")(y)
                assert relative_error(feature, y.numpy()) <= BOUNDS[stage - 1]


def test_weights_travel_to_pytorch_and_back_bit_for_bit(torch, reference, tmp_path):
    checkpoint = CHECKPOINTS[50]
    width = checkpoint.base_channels
    with backbone.ResNet(50, base_channels=width) as first, backbone.ResNet(50, base_channels=width) as second:
        first.load_weights(MODELS / "resnet50.pth")
        first.save_weights(tmp_path / "x.safetensors")
        from safetensors.torch import load_file

        model = reference.ResNet(50, 3, width)
        model.load_state_dict(load_file(tmp_path / "x.safetensors"))
        torch.save(model.state_dict(), tmp_path / "x.pth")
        second.load_weights(tmp_path / "x.pth", strict=True)
        assert_same_state(second, first.state_dict())


@pytest.mark.parametrize("name", ["x.pth", "x.bin"])
@pytest.mark.parametrize("options", [{"weights_only": True}, {"weights_only": False}, {"mmap": True}])
@pytest.mark.parametrize("depth", DEPTHS)
def test_saved_zip_is_read_by_pytorch_bit_for_bit(torch, tmp_path, depth, options, name):
    values = np.random.default_rng(depth)
    with backbone.ResNet(depth, 2, base_channels=4) as net:
        for entry in [*net.parameters(), *net.buffers()]:
            bits = values.integers(0, 2**32, entry.shape, np.uint32)
            entry.data = values.integers(0, 2**62) if entry.shape == () else bits.view(np.float32)
        net.save_weights(tmp_path / name)
        expected = net.state_dict()
        state = torch.load(tmp_path / name, **options)
        assert type(state) is OrderedDict and list(state) == list(expected)
        for key, value in expected.items():
            tensor = state[key]
            assert tensor.is_contiguous() and not tensor.requires_grad and tensor.shape == value.shape, key
            # As bits: NaN is among them.
            assert tensor.numpy().tobytes() == value.tobytes() and tensor.numpy().dtype == value.dtype, key
        # And back: what PyTorch writes of it is the same weights.
        torch.save(state, tmp_path / "back.pth")
        with backbone.ResNet(depth, 2, base_channels=4) as other:
            other.load_weights(tmp_path / "back.pth", strict=True)
            other.save_weights(tmp_path / "again.pth")
        assert (tmp_path / "again.pth").read_bytes() == (tmp_path / name).read_bytes()


def test_saved_zip_is_read_by_the_reader_that_every_pytorch_has(torch, tmp_path):
    # The one in C++ that torch.load is built on and that libtorch offers by itself.
    with backbone.ResNet(18, base_channels=8) as net:
        net.save_weights(tmp_path / "x.pth")
        reader = torch._C.PyTorchFileReader(str(tmp_path / "x.pth"))
        assert reader.get_record("version") == b"3\n"
        for index, value in enumerate(net.state_dict().values()):
            assert reader.get_record(f"data/{index}") == value.tobytes()
            assert reader.get_record_offset(f"data/{index}") % 64 == 0
