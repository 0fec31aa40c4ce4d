# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Pools of processes, many threads, and other libraries that compute in the same process."""

import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
import warnings

import numpy as np
import pytest

import backbone

_inherited = None


def features_of_file(arguments):
    """What a worker does that has loaded the file itself."""
    path, seed = arguments
    with backbone.ResNet.from_file(path, threads=2) as net:
        return net(image(seed))


def features_of_inherited(seed):
    """What a worker does with the network of its parent."""
    return _inherited(image(seed))


def image(seed):
    return np.random.default_rng(seed).standard_normal((1, 3, 41, 50), dtype=np.float32)


def assert_same(left, right):
    for a, b in zip(left, right, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_that_load_the_file_compute_the_same(new_net, tmp_path, monkeypatch, method):
    net = new_net(threads=2)
    path = tmp_path / "net.pth"
    net.save_weights(path)
    expected = [net(image(seed)) for seed in range(4)]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with multiprocessing.get_context(method).Pool(2) as pool:
            results = pool.map_async(features_of_file, [(path, seed) for seed in range(4)]).get(120)
    for left, right in zip(results, expected, strict=True):
        assert_same(left, right)


def test_workers_of_a_fork_use_the_network_of_their_parent(new_net):
    global _inherited
    _inherited = new_net(threads=2)
    expected = [_inherited(image(seed)) for seed in range(4)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            results = pool.map_async(features_of_inherited, range(4)).get(120)
    for left, right in zip(results, expected, strict=True):
        assert_same(left, right)


def test_eight_threads_on_one_network_get_the_bits_of_one(new_net):
    net = new_net(50, threads=2)
    expected = [net(image(seed)) for seed in range(8)]
    failures = []
    start = threading.Barrier(8)

    def work(seed):
        try:
            start.wait(30)
            for _ in range(20):
                assert_same(net(image(seed)), expected[seed])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


# Features, and products whose numbers are whole and known, at the same time in three threads.
TOGETHER = """
    import sys, threading
    {imports}
    import numpy as np

    net = backbone.ResNet(18, base_channels=16, threads=2)
    x = np.random.default_rng(1).standard_normal((1, 3, 70, 50), np.float32)
    expected = [stage.copy() for stage in net(x)]
    whole = np.random.default_rng(2).integers(-9, 10, (200, 200))
    product = whole @ whole
    wrong = []

    def repeat(compute, right):
        for _ in range(30):
            if not right(compute()):
                wrong.append(compute)

    def numpy_product():
        return whole.astype(np.float64) @ whole.astype(np.float64)

    jobs = [
        (lambda: net(x), lambda y: all(map(np.array_equal, y, expected))),
        (numpy_product, lambda y: np.array_equal(y, product)),
    ]
    {jobs}
    threads = [threading.Thread(target=repeat, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong
    np.savez(sys.argv[1], *net(x))
"""

TORCH_JOBS = """
    torch.set_num_threads(2)
    image = torch.ones(1, 8, 40, 40)
    kernel = torch.ones(8, 8, 3, 3)
    jobs.append((lambda: torch.nn.functional.conv2d(image, kernel), lambda y: bool((y == 72).all())))
    jobs.append((lambda: torch.from_numpy(whole).double() @ torch.from_numpy(whole).double(),
                 lambda y: np.array_equal(y.numpy(), product)))
"""


def computed_together(path, imports, jobs="", disabled=""):
    return outcome_of(textwrap.dedent(TOGETHER).format(imports=imports, jobs=textwrap.dedent(jobs)), path, disabled)


def outcome_of(program, path, disabled):
    """The arrays that a program writes to a path."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "BACKBONE_DISABLE_CPU_FEATURES": disabled,
    }
    result = subprocess.run(
        [sys.executable, "-c", program, path], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stderr
    with np.load(path) as stages:
        return [stages[stage] for stage in stages.files]


@pytest.mark.parametrize("disabled", ["", "avx2"])
def test_numpys_openblas_beside_the_library_and_its_own(tmp_path, disabled):
    with backbone.ResNet(18, base_channels=16) as net:
        expected = net(np.random.default_rng(1).standard_normal((1, 3, 70, 50), np.float32))
    actual = computed_together(tmp_path / "y.npz", "import backbone", disabled=disabled)
    for a, b, bound in zip(actual, expected, (5e-5, 1e-4, 1e-4, 3e-4), strict=True):
        assert np.abs(a - b).max() <= bound * np.abs(b).max()
        assert disabled or np.array_equal(a, b)


@pytest.mark.parity
@pytest.mark.parametrize("disabled", ["", "avx2"])
def test_pytorch_with_openmp_beside_the_library(tmp_path, disabled):
    pytest.importorskip("torch")
    alone = computed_together(tmp_path / "alone.npz", "import backbone", disabled=disabled)
    for imports in ("import torch, backbone", "import backbone, torch"):
        assert_same(computed_together(tmp_path / "y.npz", imports, TORCH_JOBS, disabled), alone)


# Convolutions and products in float32, whose bits depend on how they are computed.
TORCH_ALONE = """
    import sys
    {before}
    import numpy as np
    import torch

    torch.set_num_threads(2)
    torch.manual_seed(1)
    {beside}
    y = torch.randn(2, 16, 60, 60)
    for _ in range(8):
        y = torch.nn.functional.conv2d(y, torch.randn(16, 16, 3, 3), padding=1)
        y = y / y.abs().max()
    product = torch.randn(300, 200) @ torch.randn(200, 300)
    np.savez(sys.argv[1], y.numpy(), product.numpy())
"""

# While another thread computes features, with as many threads.
BESIDE = """
    import threading

    net = backbone.ResNet(18, base_channels=16, threads=2)
    x = np.ones((1, 3, 70, 50), np.float32)
    net(x)
    threading.Thread(target=lambda: [net(x) for _ in range(100)]).start()
"""


@pytest.mark.parity
@pytest.mark.parametrize("disabled", ["", "avx2"])
def test_pytorch_computes_the_bits_that_it_computes_alone(tmp_path, disabled):
    pytest.importorskip("torch")
    results = []
    for before, beside in (("", ""), ("import backbone", BESIDE)):
        program = textwrap.dedent(TORCH_ALONE).format(before=before, beside=textwrap.dedent(beside))
        results.append(outcome_of(program, tmp_path / "y.npz", disabled))
    assert_same(*results)


@pytest.mark.parity
def test_workers_of_a_pytorch_loader_use_the_network_of_their_parent(torch, new_net):
    net = new_net(threads=2)
    expected = [net(image(seed)) for seed in range(6)]
    torch.ones(300, 300) @ torch.ones(300, 300)

    class Features(torch.utils.data.Dataset):
        def __len__(self):
            return len(expected)

        def __getitem__(self, seed):
            return net(image(seed))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        # No batches: each item as it is.
        loader = torch.utils.data.DataLoader(
            Features(), batch_size=None, num_workers=2, multiprocessing_context="fork", timeout=120
        )
        results = list(loader)
    for left, right in zip(results, expected, strict=True):
        assert_same([stage.numpy() for stage in left], right)
