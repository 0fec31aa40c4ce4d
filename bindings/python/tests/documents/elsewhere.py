# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Commands of the documents that this test does not run, because something else does or because they take too long.

An entry that no document needs any more fails the test.
"""

# Scripts that take minutes: what is run here is their --help, which must know every option that a document shows. Each
# with what runs the script itself, or why nothing does.
LONG_SCRIPTS = {
    "scripts/bench": "20 minutes on an idle machine; a measurement is not a test",
    "scripts/build": "step build of scripts/test",
    "scripts/check": "step check of scripts/test",
    "scripts/degradation": "test_degradation.py runs small ones, test_parity_theory.py compares with PyTorch",
    "scripts/docs": "step docs of scripts/test",
    "scripts/family": "test_parity_family.py runs a part of it",
    "scripts/transfer": "test_transfer.py runs small ones, test_parity_theory.py compares with PyTorch",
    "scripts/test": "it is what runs this test",
    "scripts/wheel": "step wheel of scripts/test",
}

# Command -> what is run instead, with the same output.
STAND_INS = {
    # Without the build.
    "scripts/demo": "python scripts/demo.py --out demo-output",
}

# Command -> the file that runs it, and a text there that shows it.
RUN_BY = {
    "torchrun --nproc-per-node 2 bindings/python/examples/distributed.py flowers --weights resnet18.pth "
    "    --output trained.pth --epochs 1 --batch 4 --size 64 --norm-eval": (
        "bindings/python/tests/test_distributed_examples.py",
        '"torch.distributed.run"',
    ),
    "cmake -S . -B build && cmake --build build && cmake --install build --prefix PREFIX": (
        "scripts/test",
        "cmake --build .build/cmake",
    ),
    "backbone memory resnet18 resnet50 resnet101 --size 224 --size 480x640 --size 800x1344 --threads 2": (
        "bindings/python/tests/command/test_command_memory.py",
        'run_json("memory", "resnet18"',
    ),
    "cmake --install ... --strip": ("Tests/Packaging/installed", '--prefix "$work/stripped" --strip'),
}

# Command -> why nothing runs it.
NOT_RUN = {
    "pip install './bindings/python[ray]'": "500 MB; scripts/setup --ray installs the same packages",
    "pip install './bindings/python[train]'": "scripts/setup installs the same Matplotlib",
    "pip install './bindings/python[ray,torch]'": "PyTorch and 500 MB; scripts/setup installs the same packages",
    "swift run -c release backbone-bench kernels --architecture resnet50": "the same tool as below",
    "swift run -c release backbone-bench peak": "a tool for developers, which is another build of everything",
}
