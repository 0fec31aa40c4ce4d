# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The commands that the programs of all languages get (probe.c tells what they are), and the files that they read."""

import collections

import backbone
import fixture_cases
import numpy as np
from fixture_cases import CHECKPOINTS, MODELS, NARROW
from languages import run
from safetensors.numpy import save_file

SMALL = "18 3 4 15 -1 0 0 2 0 0 0 1e-5 - -"
MISSING = "/nowhere/resnet50.pth"

Result = collections.namedtuple("Result", "lines folder")


def create(depth, reverse=False, stages=15, style=0, arithmetic=0, eps="1e-5"):
    """The command that makes the network of a stored checkpoint."""
    checkpoint = CHECKPOINTS[depth]
    mean, std = (",".join(map(str, values)) for values in fixture_cases.statistics(checkpoint.in_channels))
    size = f"{depth} {checkpoint.in_channels} {checkpoint.base_channels} {stages}"
    return f"create {size} -1 0 0 2 {int(reverse)} {arithmetic} {style} {eps} {mean} {std}"


def load(path, command="load", strict=0, key="-", prefix="-", allow_missing=0, ignore_modules=0, max_stream_bytes=0):
    """The command that loads a file, or `from_file`, which creates the network as well."""
    return f"{command} {path} {strict} {key} {prefix} {allow_missing} {ignore_modules} {max_stream_bytes}"


class Script:
    """Commands, and the files that they name: inputs that are the same for all, and outputs in a folder of one run."""

    def __init__(self, folder):
        self.folder = folder
        self.lines = []
        self.outputs = {}

    def add(self, *lines):
        self.lines += lines

    def image(self, name, x, layout):
        """DTYPE LAYOUT N C H W INPUT for an image whose file is written."""
        path = self.folder / f"{name}-{layout}.raw"
        (x if layout == "nchw" else x.transpose(0, 2, 3, 1)).tofile(path)
        return f"{x.dtype} {layout} {' '.join(map(str, x.shape))} {path}"

    def forward(self, key, image, command="forward"):
        """Compute an image's features; `outputs[key]` is the name of their file."""
        self.outputs[key] = f"{len(self.outputs)}.raw"
        self.add(f"{command} {image} {{out}}/{self.outputs[key]}")

    def text(self, out):
        """The commands, with outputs to go to the folder `out`."""
        return "".join(line.replace("{out}", str(out)) + "\n" for line in self.lines)


def result(command, script, folder):
    """What a program prints for a script, and the folder of its outputs."""
    text = run(command, text=script.text(folder))
    return Result(text.replace(str(folder), "{out}").splitlines(), folder)


def numbers(folder):
    """Everything that gives features: those that are stored by `(depth, case)` keys, and others."""
    script = Script(folder)
    for depth, checkpoint in CHECKPOINTS.items():
        for case in NARROW:
            script.add(create(depth, case.reverse), load(MODELS / f"resnet{depth}.pth", strict=1))
            x = case.input(checkpoint.in_channels)
            for layout in ("nchw", "nhwc"):
                image = script.image(f"{depth}-{case.name}", x, layout)
                script.forward((depth, case.name, layout), image, "forward" if layout == "nchw" else "forward_into")
            script.add("close")
    x = NARROW[2].input(3)
    image = script.image("other", x, "nchw")
    variants = ({"stages": 10}, {"stages": 1}, {"style": 1}, {"arithmetic": 1}, {"eps": "1e-3"})
    for index, options in enumerate(variants):
        script.add(create(50, **options), load(MODELS / "resnet50.pth"), "shapes 2 3 65 33", "options")
        script.forward(("variant", index), image)
        script.forward(("variant into", index), image, "forward_into")
        script.add("close")
    return script


def attended_and_part(folder):
    """Files of a network with a module that is not computed, and with the weights of the stem alone."""
    with backbone.ResNet(18, base_channels=4) as net:
        weights = net.state_dict()
    attended, part = folder / "attended.safetensors", folder / "part.safetensors"
    save_file({**weights, "layer1.0.se.fc1.weight": np.ones((1, 4, 1, 1), np.float32)}, attended)
    save_file({name: weights[name] for name in weights if not name.startswith("layer")}, part)
    return attended, part


def states(folder):
    """What changes a network, and what it says of itself."""
    script = Script(folder)
    image = script.image("states", fixture_cases.images("states", (2, 3, 49, 70)), "nchw")
    script.add("version", create(18), "options", load(MODELS / "resnet18.pth", strict=1))
    script.forward("evaluation", image)
    script.add("training 1")
    script.forward("training", image)
    script.add("freeze 2", "options")
    script.forward("frozen", image)
    script.add("training 0", "save {out}/saved.safetensors", "save {out}/saved.pth", "init 7")
    script.forward("drawn", image)
    script.add(load("{out}/saved.safetensors", strict=1))
    script.forward("loaded again", image)
    script.add("close", "create 34 1 2 6 3 1 1 3 1 1 1 0.125 1.5 0.1", "options", "shapes 5 1 640 1", "close")
    attended, part = attended_and_part(folder)
    script.add(f"create {SMALL}", load(part, strict=1, allow_missing=1), load(attended, ignore_modules=1), "close")
    script.add(load(attended, "from_file", ignore_modules=1), load(part, allow_missing=1), "close")
    for depth in (18, 34, 152):
        script.add(load(MODELS / f"resnet{depth}.pth", "from_file", strict=1), "options")
        channels = CHECKPOINTS[depth].in_channels
        x = fixture_cases.images("from_file", (1, channels, 32, 40))
        script.forward(("from_file", depth), script.image(f"from-file-{depth}", x, "nhwc"))
        script.add("close")
    return script


def errors(folder):
    """What the library refuses: its words have to arrive."""
    script = Script(folder)
    wrong = script.image("wrong", np.zeros((1, 4, 8, 8), np.float32), "nchw")
    right = script.image("right", np.zeros((1, 3, 8, 8), np.float32), "nchw")
    models, checkpoints = MODELS, MODELS.parent / "checkpoints"
    attended, part = attended_and_part(folder)
    script.add(
        "create 51 3 4 15 -1 0 0 2 0 0 0 1e-5 - -",
        "create 18 3 4 0 -1 0 0 2 0 0 0 1e-5 - -",
        "create 18 3 4 15 9 0 0 2 0 0 0 1e-5 - -",
        "create 18 3 4 15 -1 0 0 5000 0 0 0 1e-5 - -",
        "create 18 3 4 15 -1 0 0 2 0 0 0 -1 - -",
        "create 18 3 4 15 -1 0 0 2 0 0 0 1e-5 1,2,3 1,0,1",
        f"create {SMALL}",
        load(MISSING),
        load(folder),
        load(checkpoints / "bad-cut.pth"),
        load(models / "resnet18.pth", key="nonsense"),
        load(models / "resnet18.pth", prefix="elsewhere."),
        load(models / "resnet50.pth"),
        load(models / "resnet34.pth", strict=1),
        load(models / "resnet18.pth"),
        load(part),
        load(part, ignore_modules=1),
        load(attended),
        load(attended, allow_missing=1),
        load(attended, strict=1, ignore_modules=1),
        load(attended, "from_file"),
        load("/dev/zero", max_stream_bytes=12345),
        load(checkpoints / "bad-empty.pth", "from_file"),
        "options",
        f"save {MISSING}",
        "freeze 5",
        "shapes 1 4 8 8",
        "shapes -1 3 8 8",
        "shapes 1 3 0 8",
        "shapes 1 3 8 9223372036854775807",
        f"forward {wrong} {{out}}/wrong.raw",
        f"forward_into {wrong} {{out}}/wrong.raw",
        "training 1",
        f"forward {right} {{out}}/right.raw",
        "close",
    )
    return script
