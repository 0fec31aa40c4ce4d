# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Profiles, the choice of algorithms, and idle threads."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import backbone

with backbone.ResNet(18, base_channels=1) as _net:
    HAS_AVX2 = _net.profile(np.zeros((1, 3, 1, 1), np.float32))[1].kernel.endswith(("avx2", "avx512"))

# Two for each multiplication of the convolutions at 224 x 224: torchvision's counts without the classifier's products
# (512 x 1000 and 2048 x 1000).
OPERATIONS = {18: 2 * (1_814_073_344 - 512_000), 50: 2 * (4_089_184_256 - 2_048_000)}


@pytest.mark.parametrize("depth", [18, 50])
def test_profile_lists_every_layer(depth):
    with backbone.ResNet(depth) as net:
        x = np.random.default_rng(1).standard_normal((2, 3, 224, 224), dtype=np.float32)
        layers = net.profile(x)
        convolutions = [name.removesuffix(".weight") for name, p in net.named_parameters() if len(p.shape) == 4]
        names = [layer.name for layer in layers]
        assert sorted(set(names) - {"input", "maxpool"} - {f"output.C{i}" for i in range(2, 6)}) == sorted(convolutions)
        assert names[0] == "input"
        assert [name for name in names if name.startswith("output")] == [f"output.C{i}" for i in range(2, 6)]
        assert sum(layer.operations for layer in layers) == 2 * OPERATIONS[depth]
        assert all(layer.seconds > 0 for layer in layers)
        shapes = {layer.name: layer.output_shape for layer in layers}
        for index, shape in enumerate(net.output_shapes(x.shape)):
            assert shapes[f"output.C{index + 2}"] == shape
        # The input, its weights in whatever form, and the output.
        stem = layers[1]
        assert stem.name == "conv1"
        border = 2 * 4 * 3 * (230 * 230 - 224 * 224)
        least = 4 * (2 * 3 * 224 * 224 + 64 * 3 * 49 + 2 * 64 * 112 * 112)
        assert least <= stem.bytes <= least + border + 4096


@pytest.mark.parametrize(
    ("name", "layer", "weights", "uses"),
    [
        ("resnet18", "fc", 512 * 1000, 1),
        ("seresnet50", "layer1.0.se.fc1", 256 * 16, 1),
        ("resnet18", "layer4.1.conv2", 512 * 512 * 9, 49),
        # A filter of 5 along 256 channels.
        ("ecaresnet50d", "layer1.0.se.conv", 5, 256),
    ],
)
def test_operations_are_two_for_each_product_with_a_weight(name, layer, weights, uses):
    with backbone.ResNet(architecture=name, outputs=("C5", "logits")) as net:
        profile = net.profile(np.zeros((3, 3, 224, 224), np.float32))
        (found,) = [each for each in profile if each.name == layer]
        assert found.operations == 2 * 3 * uses * weights
        activations = sum(np.prod(shape) for shape in (found.input_shape, found.output_shape))
        # Winograd's weights are larger, and some activations have borders.
        assert found.bytes >= 4 * (activations + weights)


@pytest.mark.parametrize(
    ("name", "total"),
    # torchvision's counts at 224 x 224, with the classifier.
    [("resnet18", 1_814_073_344), ("resnet50", 4_089_184_256), ("resnext50_32x4d", 4_230_479_872)],
)
def test_operations_of_a_classifier_are_torchvisions(name, total):
    with backbone.ResNet(architecture=name, outputs=("logits",)) as net:
        layers = net.profile(np.zeros((1, 3, 224, 224), np.float32))
        assert sum(layer.operations for layer in layers) == 2 * total
        assert [layer.name for layer in layers if not layer.operations][:2] == ["input", "maxpool"]


def test_profile_of_an_empty_batch():
    with backbone.ResNet(18) as net:
        layers = net.profile(np.zeros((0, 3, 32, 32), np.float32))
        # 20 convolutions, the pooling, the input and four outputs.
        assert len(layers) == 26
        assert sum(layer.operations for layer in layers) == 0


def test_profile_computes_the_features_in_training_mode_too(new_net, images):
    net, other = new_net().train(), new_net().train()
    net.profile(images)
    other(images)
    for name, value in other.state_dict().items():
        assert np.array_equal(net.state_dict()[name], value), name


def test_refused_arguments():
    with pytest.raises(ValueError, match="arithmetic is 'exact'"):
        backbone.ResNet(18, arithmetic="exact")
    with backbone.ResNet(18) as net, pytest.raises(ValueError, match="C is .*in_channels"):
        net.profile(np.zeros((1, 4, 32, 32), np.float32))


@pytest.mark.skipif(not HAS_AVX2, reason="the portable kernels have one algorithm")
def test_winograd_is_for_3x3_and_can_be_declined():
    x = np.random.default_rng(2).standard_normal((1, 3, 224, 224), dtype=np.float32)
    with backbone.ResNet(50) as fast, backbone.ResNet(50, arithmetic="direct") as direct:
        kernels = {layer.name: layer.kernel for layer in fast.profile(x)}
        assert "winograd" in kernels["layer1.0.conv2"]
        assert "winograd" in kernels["layer4.2.conv2"]
        # Of stride 2, its input from a ReLU: zeros are skipped instead.
        assert "direct" in kernels["layer2.0.conv2"]
        for name in ("conv1", "layer1.0.conv1", "layer1.0.downsample.0"):
            assert "direct" in kernels[name]
        assert not any("winograd" in layer.kernel for layer in direct.profile(x))
        for left, right in zip(fast(x), direct(x), strict=True):
            assert not np.array_equal(left, right)
    with backbone.ResNet(18) as net:
        # Of stride 2, its input from a sum.
        assert "winograd" in {layer.name: layer.kernel for layer in net.profile(x)}["layer2.0.conv1"]


@pytest.mark.skipif(not HAS_AVX2, reason="the portable kernels have one algorithm")
def test_the_plan_depends_on_the_shape_alone():
    def plan(net, batch):
        return [layer.kernel for layer in net.profile(np.zeros((batch, 3, 97, 160), np.float32))]

    with backbone.ResNet(50, threads=1) as one, backbone.ResNet(50, threads=2) as two:
        expected = plan(one, 1)
        assert plan(two, 1) == plan(one, 4) == plan(two, 5) == expected


# ---- Threads ----


def processor_seconds(program: str) -> float:
    """Runs a program that prints how much processor time its process took meanwhile."""
    prelude = "import os, time\nimport numpy as np\nimport backbone\n"
    result = subprocess.run(
        [sys.executable, "-c", prelude + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return float(result.stdout)


def test_idle_threads_do_not_spin():
    seconds = processor_seconds("""
        net = backbone.ResNet(18, base_channels=16, threads=4)
        for _ in range(3):
            net(np.zeros((1, 3, 64, 64), np.float32))
        before = time.process_time()
        time.sleep(0.5)
        print(time.process_time() - before)
    """)
    assert seconds < 0.05
