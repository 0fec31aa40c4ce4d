# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Where the tests find the library, and the small networks they share."""

import os
from pathlib import Path

import accuracy
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]

# `scripts/test` sets it; this is for `pytest` by hand after `scripts/build`.
os.environ.setdefault("BACKBONE_LIBRARY", str(ROOT / ".build/release/libbackbone.so"))

import backbone  # noqa: E402


def calibrate(net, seed=7, shape=(4, 3, 64, 64), forwards=40):
    """Give the BatchNorms the statistics of random images: with those of new weights, features grow by stage."""
    x = np.random.default_rng(seed).standard_normal((shape[0], net.in_channels, *shape[2:]), dtype=np.float32)
    training, frozen_stages = net.training, net.frozen_stages
    net.freeze(-1).train()
    for _ in range(forwards):
        net(x)
    net.train(training).freeze(frozen_stages)
    return net


# What only the parity tests need.


@pytest.fixture(scope="session")
def torch():
    module = pytest.importorskip("torch")
    # For narrow networks more threads are slower, on a busy machine much slower.
    module.set_num_threads(1)
    return module


@pytest.fixture(scope="session")
def reference(torch):
    return pytest.importorskip("torch_resnet")


@pytest.fixture(scope="session")
def torchvision_resnet(torch):
    return pytest.importorskip("torchvision_import").models("resnet")


@pytest.fixture(scope="session")
def states():
    """State dicts of calibrated narrow networks (8 channels in the stem) by depth."""
    result = {}
    for depth in (18, 50):
        with backbone.ResNet(depth, base_channels=8) as net:
            result[depth] = calibrate(net).state_dict()
    return result


@pytest.fixture
def new_net(states):
    """Make a narrow network with calibrated weights, closed at the end of the test."""
    nets = []

    def make(depth=18, **options):
        net = backbone.ResNet(depth, base_channels=8, **options)
        nets.append(net)
        # Names of stages that this network does not build are ignorable.
        net.load_state_dict(states[depth])
        return net

    yield make
    for net in nets:
        net.close()


@pytest.fixture
def images():
    """Two images of an odd size."""
    return np.random.default_rng(3).standard_normal((2, 3, 45, 70), dtype=np.float32)


# What only the tests of backbone.ray need.


@pytest.fixture(scope="session")
def job():
    pytest.importorskip("ray")
    import backbone.ray

    return backbone.ray


@pytest.fixture(scope="session")
def weights(tmp_path_factory, states):
    """The file of a narrow network."""
    path = tmp_path_factory.mktemp("weights") / "net.pth"
    with backbone.ResNet(18, base_channels=8) as net:
        net.load_state_dict(states[18])
        net.save_weights(path)
    return path


@pytest.fixture(scope="session")
def direct(weights):
    """The features of one array of (H, W, 3), by a network of that file."""
    with backbone.ResNet.from_file(weights, mean=backbone.IMAGENET_MEAN, std=backbone.IMAGENET_STD) as net:
        yield lambda image: [feature[0] for feature in net(image.transpose(2, 0, 1)[None])]


class _Workers:
    """What processes of pytest-xdist have recorded comes together in the one that prints."""

    def pytest_testnodedown(self, node):
        accuracy.merge(getattr(node, "workeroutput", {}).get("errors", []))


def pytest_configure(config):
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(_Workers())


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["errors"] = accuracy.recorded()


def pytest_terminal_summary(terminalreporter):
    lines = accuracy.table()
    if lines:
        terminalreporter.section("relative errors against PyTorch in float64")
        terminalreporter.write("\n".join(lines) + "\n")
