# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Writes what PyTorch's optimisers make of a small network, for the Swift tests of the module Training.

    python3 Tests/Fixtures/generate_optimizers.py

It needs PyTorch 2.13. `Tests/TrainingTests/PyTorchSteps.swift` gets the bits of parameters and averages after some
steps; `optimizers/` gets files of `torch.save` with optimiser states, sound ones and, as `bad-*`, hostile ones.
"""

from __future__ import annotations

import collections
from pathlib import Path
from typing import Any

import torch
from torch import nn

FIXTURES = Path(__file__).resolve().parent
FOLDER = FIXTURES / "optimizers"
SWIFT = FIXTURES.parent / "TrainingTests" / "PyTorchSteps.swift"

LEARNING_RATE = 0.05

SGD_CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "decay": {"weight_decay": 1e-2},
    "momentum": {"momentum": 0.9},
    "dampening": {"momentum": 0.9, "dampening": 0.3, "weight_decay": 1e-2},
    "nesterov": {"momentum": 0.9, "nesterov": True, "weight_decay": 1e-2},
}
ADAMW_CASES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "options": {"betas": (0.4, 0.95), "eps": 1e-4, "weight_decay": 0.1},
    "noDecay": {"weight_decay": 0.0},
}


def values(count: int, salt: int) -> torch.Tensor:
    """Exact numbers of different sizes, which the Swift tests compute too."""
    numbers = []
    for index in range(count):
        bits = ((index + 1) * 2654435761 + salt * 40503 * 65537) % 2**32 >> 16
        numbers.append((bits - 32768) / 2**15 / 2 ** (index % 7))
    return torch.tensor(numbers, dtype=torch.float32)


def network() -> nn.Module:
    """A stem, which can be frozen, a layer, and a head."""
    layer = nn.Sequential(
        collections.OrderedDict(conv1=nn.Conv2d(3, 4, 1), bn1=nn.BatchNorm2d(4))
    )
    net = nn.Sequential(
        collections.OrderedDict(
            conv1=nn.Conv2d(2, 3, 3, bias=False), bn1=nn.BatchNorm2d(3), layer1=layer, fc=nn.Linear(4, 2)
        )
    )
    fill(net, 0)
    return net


def parts(parameters: list[nn.Parameter], salt: int) -> list[tuple[nn.Parameter, torch.Tensor]]:
    """Each parameter with its part of one vector of values."""
    sizes = [parameter.numel() for parameter in parameters]
    return list(zip(parameters, values(sum(sizes), salt).split(sizes), strict=True))


def fill(net: nn.Module, salt: int) -> None:
    with torch.no_grad():
        for parameter, part in parts(list(net.parameters()), salt):
            parameter.copy_(part.view_as(parameter))


def set_gradients(net: nn.Module, step: int) -> None:
    parameters = [parameter for parameter in net.parameters() if parameter.requires_grad]
    for parameter, part in parts(parameters, 100 + step):
        parameter.grad = part.view_as(parameter).clone()


def freeze_stem(net: nn.Module) -> None:
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(not name.startswith(("conv1", "bn1")))


def run(net: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> None:
    for step in range(steps):
        set_gradients(net, step)
        optimizer.step()


def groups(net: nn.Module) -> list[dict[str, Any]]:
    """Norms without decay, the head with ten times the learning rate, and all others."""
    named = list(net.named_parameters())
    norms = [parameter for name, parameter in named if "bn1" in name]
    head = [parameter for name, parameter in named if name.startswith("fc.")]
    others = [parameter for name, parameter in named if "conv1" in name]
    return [
        {"params": norms, "weight_decay": 0.0},
        {"params": head, "lr": LEARNING_RATE * 10},
        {"params": others},
    ]


def bits(tensors: list[torch.Tensor]) -> list[int]:
    flat = torch.cat([tensor.detach().flatten() for tensor in tensors])
    return [number & 0xFFFFFFFF for number in flat.view(torch.int32).tolist()]


def state(net: nn.Module, optimizer: torch.optim.Optimizer, key: str) -> list[torch.Tensor]:
    return [optimizer.state[parameter][key] for parameter in net.parameters()]


def swift(name: str, numbers: list[int]) -> str:
    rows = [numbers[start : start + 8] for start in range(0, len(numbers), 8)]
    text = "\n".join("        " + " ".join(f"0x{number:08x}," for number in row) for row in rows)
    return f"    static let {name}: [UInt32] = [\n{text}\n    ]\n"


def known_answers() -> str:
    arrays = []
    for name, options in SGD_CASES.items():
        net = network()
        optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, **options)
        run(net, optimizer, 3)
        arrays.append(swift(f"{name}Parameters", bits(list(net.parameters()))))
        if "momentum" in options:
            arrays.append(swift(f"{name}Buffers", bits(state(net, optimizer, "momentum_buffer"))))
    for name, options in ADAMW_CASES.items():
        net = network()
        optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, **options)
        run(net, optimizer, 5)
        arrays.append(swift(f"{name}Parameters", bits(list(net.parameters()))))
        arrays.append(swift(f"{name}Averages", bits(state(net, optimizer, "exp_avg"))))
        arrays.append(swift(f"{name}Squares", bits(state(net, optimizer, "exp_avg_sq"))))
    net = network()
    optimizer = torch.optim.SGD(groups(net), lr=LEARNING_RATE, momentum=0.9, weight_decay=1e-2)
    run(net, optimizer, 3)
    arrays.append(swift("groupsParameters", bits(list(net.parameters()))))
    net = network()
    fill(net, 7)
    set_gradients(net, 0)
    norm = torch.nn.utils.clip_grad_norm_(net.parameters(), 0.5)
    arrays.append(swift("clippedGradients", bits([parameter.grad for parameter in net.parameters()])))
    arrays.append(f"    static let gradientNorm = {float(norm)!r}\n")
    return "\n".join(arrays)


def save(name: str, checkpoint: Any, **options: Any) -> None:
    torch.save(checkpoint, FOLDER / f"{name}.pth", **options)


def sound() -> None:
    """States of two steps of SGD with momentum and of three of AdamW."""

    def sgd(frozen: bool, trainable_only: bool) -> tuple[nn.Module, torch.optim.Optimizer]:
        net = network()
        if frozen:
            freeze_stem(net)
        parameters = [parameter for parameter in net.parameters() if parameter.requires_grad or not trainable_only]
        optimizer = torch.optim.SGD(parameters, lr=LEARNING_RATE, momentum=0.9)
        run(net, optimizer, 2)
        return net, optimizer

    net, optimizer = sgd(False, False)
    save("sgd-all", {"state_dict": net.state_dict(), "optimizer": optimizer.state_dict()})
    net, optimizer = sgd(True, False)
    save("sgd-frozen-all", {"model": net.state_dict(), "optimizer_state_dict": optimizer.state_dict()})
    net, optimizer = sgd(True, True)
    save("sgd-frozen-trainable", {"state_dict": net.state_dict(), "optim": optimizer.state_dict()})
    save("sgd-alone", optimizer.state_dict())

    net = network()
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE)
    run(net, optimizer, 1)
    save("sgd-plain", {"state_dict": net.state_dict(), "optimizer": optimizer.state_dict()})

    net = network()
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE)
    run(net, optimizer, 3)
    save("adamw-all", {"state_dict": net.state_dict(), "optimizer": optimizer.state_dict()})
    # As PyTorch 1.4 wrote it: identities of parameters, a step that is an int, fewer options, no archive.
    written = optimizer.state_dict()
    identities = {index: 139_637_976_727_232 + 64 * (977 * index % 10) for index in written["state"]}
    old = {
        "state": {
            identities[index]: {"step": 3, "exp_avg": entry["exp_avg"], "exp_avg_sq": entry["exp_avg_sq"]}
            for index, entry in written["state"].items()
        },
        "param_groups": [
            {
                "lr": LEARNING_RATE,
                "betas": (0.9, 0.999),
                "eps": 1e-8,
                "weight_decay": 1e-2,
                "amsgrad": False,
                "params": [identities[index] for index in written["param_groups"][0]["params"]],
            }
        ],
    }
    save("adamw-old", {"state_dict": net.state_dict(), "optimizer": old}, _use_new_zipfile_serialization=False)
    # Double precision, and a layout that is not the usual one.
    wide = optimizer.state_dict()
    wide["state"] = {
        index: {
            key: value.double() if key == "exp_avg" else value.contiguous(memory_format=torch.channels_last)
            if value.dim() == 4
            else value
            for key, value in entry.items()
        }
        for index, entry in wide["state"].items()
    }
    save("adamw-wide", {"state_dict": net.state_dict(), "optimizer": wide})

    net = network()
    optimizer = torch.optim.AdamW(groups(net), lr=LEARNING_RATE)
    run(net, optimizer, 3)
    save("adamw-groups", {"state_dict": net.state_dict(), "optimizer": optimizer.state_dict()})


def hostile() -> None:
    """States of AdamW in which one thing is wrong."""

    def written() -> dict[str, Any]:
        net = network()
        optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE)
        run(net, optimizer, 1)
        return optimizer.state_dict()

    def bad(name: str, **entry: Any) -> None:
        changed = written()
        changed["state"][3].update(entry)
        save(f"bad-{name}", {"optimizer": changed})

    bad("shape", exp_avg=torch.zeros(3, 4, 1, 1))
    bad("text", exp_avg="exp_avg")
    bad("none", exp_avg=None)
    bad("integers", exp_avg=torch.zeros(4, 3, 1, 1, dtype=torch.int64))
    bad("step-nan", step=torch.tensor(float("nan")))
    bad("step-half", step=torch.tensor(1.5))
    bad("step-negative", step=torch.tensor(-1.0))
    bad("step-huge", step=2**62)
    bad("step-number", step=1.0)
    bad("step-shape", step=torch.ones(2))
    bad("square", exp_avg_sq=torch.full((4, 3, 1, 1), -0.5))
    bad("amsgrad", max_exp_avg_sq=torch.zeros(4, 3, 1, 1))

    changed = written()
    del changed["state"][3]["exp_avg_sq"]
    save("bad-lacking", {"optimizer": changed})
    changed = written()
    changed["state"][3] = [1, 2]
    save("bad-entry", {"optimizer": changed})
    for name, key in (("huge", 10**30), ("other", 10), ("negative", -1), ("key", "conv1.weight")):
        changed = written()
        changed["state"][key] = changed["state"].pop(3)
        save(f"bad-index-{name}", {"optimizer": changed})
    changed = written()
    changed["param_groups"][0]["params"][4] = 3
    save("bad-params-twice", {"optimizer": changed})
    changed = written()
    changed["param_groups"][0]["params"][4] = "bn1"
    save("bad-params-text", {"optimizer": changed})
    changed = written()
    changed["param_groups"][0]["params"].append(10)
    save("bad-params-more", {"optimizer": changed})
    changed = written()
    del changed["param_groups"][0]["params"]
    save("bad-params-none", {"optimizer": changed})
    changed = written()
    changed["state"] = changed
    save("bad-cycle", {"optimizer": changed})
    changed = written()
    changed["param_groups"].append(changed["param_groups"])
    save("bad-cycle-groups", {"optimizer": changed})
    save("bad-list", {"optimizer": [written()]})
    save("bad-nothing", {"state_dict": network().state_dict()})


def main() -> None:
    torch.set_num_threads(1)
    FOLDER.mkdir(exist_ok=True)
    header = (
        "// SPDX-License-Identifier: Apache-2.0\n// Copyright 2026 The libbackbone authors\n\n"
        "// Written by Tests/Fixtures/generate_optimizers.py. swift-format-ignore-file\n\n"
        f"/// Bits that PyTorch {torch.__version__.split('+')[0]} computes: see the generator.\n"
    )
    SWIFT.write_text(header + "enum PyTorchSteps {\n" + known_answers() + "}\n")
    sound()
    hostile()


if __name__ == "__main__":
    main()
