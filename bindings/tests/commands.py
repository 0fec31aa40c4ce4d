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


def load(
    path,
    command="load",
    strict=0,
    key="-",
    prefix="-",
    allow_missing=0,
    ignore_modules=0,
    max_stream_bytes=0,
    head=0,
    **fields,
):
    """The command that loads a file, or `from_file`, which creates the network as well, with fields of its options."""
    words = f"{command} {path} {strict} {key} {prefix} {allow_missing} {ignore_modules} {max_stream_bytes} {head}"
    return " ".join([words, *assignments(fields)])


def build(**fields):
    """The command that creates a network with fields of backbone_options."""
    return " ".join(["build", *assignments(fields)])


def assignments(fields):
    return [
        f"{name}={value if isinstance(value, (int, str)) else ','.join(map(str, value))}"
        for name, value in fields.items()
    ]


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
    save_file({**weights, "layer1.0.cbam.fc1.weight": np.ones((1, 4, 1, 1), np.float32)}, attended)
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


def custom(folder):
    """A file of a network that no name is known for: ResNet-18 without the second block of layer1."""
    with backbone.ResNet(18, base_channels=4) as net:
        weights = net.state_dict()
    path = folder / "custom.safetensors"
    save_file({name: values for name, values in weights.items() if not name.startswith("layer1.1.")}, path)
    return path


def mixed(folder):
    """A file of a network of two kinds of blocks, which only a file describes: test_resnet with one block more."""
    with backbone.ResNet("test_resnet") as net:
        weights = net.state_dict()
    more = {
        name.replace("layer4.0.", "layer4.1."): weights[name]
        for name in weights
        if name.startswith("layer4.0.") and "downsample" not in name
    }
    more["layer4.1.conv1.weight"] = more["layer4.1.conv2.weight"][:, ::-1].copy()
    path = folder / "mixed.safetensors"
    save_file({**weights, **more}, path)
    return path


def architectures(folder):
    """Networks that are created by name, names and depths that are refused, and a network without a name."""
    script = Script(folder)
    image = script.image("architectures", fixture_cases.images("architectures", (1, 3, 33, 40)), "nchw")
    script.add("architectures")
    for name, depth in (("wide_resnet50_2", "-"), ("resnet26", "0"), ("resnet50", "50"), ("resnet34", "-")):
        script.add(f"named {name} {depth}", "options")
        script.forward(name, image)
    for name, depth in (("resnet27", "-"), ("resnet26", "50"), ("resnet50", "101"), ("custom", "-"), ("-", "51")):
        script.add(f"named {name} {depth}")
    script.add("options", load(custom(folder), "from_file", strict=1), "options")
    script.forward("custom", image)
    script.add(load(mixed(folder), "from_file", strict=1), "options")
    script.forward("mixed", image)
    script.add("close")
    return script


# By name: fields of backbone_options, and the same as arguments of the Python binding.
NETWORKS = {
    "seresnet18": (
        {"base_channels": 8, "num_classes": 7, "out_stages": 120},
        {"base_channels": 8, "num_classes": 7, "outputs": ("C1", "C5", "pooled", "logits")},
    ),
    # It has three stages: C5 is not one of its outputs.
    "resnet20": (
        {"out_stages": 127},
        {"outputs": ("C1", "C2", "C3", "C4", "C5", "pooled", "logits")},
    ),
    "resnet50": (
        {"base_channels": 4, "out_stages": 127, "output_stride": 8, "dilation_rule": 1},
        {
            "base_channels": 4,
            "outputs": ("C1", "C2", "C3", "C4", "C5", "pooled", "logits"),
            "output_stride": 8,
            "dilation_rule": "whole",
        },
    ),
    "custom": (
        {
            "base_channels": 16,
            "out_stages": 115,
            "num_classes": 3,
            "dilated_stages": 2,
            "block_counts": (1, 2),
            "block": 2,
            "groups": 2,
            "width_per_group": 16,
            "stem": 2,
            "stem_channels": 24,
            "stem_pooling": 2,
            "shortcut": 2,
            "norm": 1,
            "attention": 4,
            "anti_aliasing": 2,
            "preactivation": 1,
        },
        {
            "base_channels": 16,
            "outputs": ("C1", "C2", "C3", "pooled", "logits"),
            "num_classes": 3,
            "replace_stride_with_dilation": (True, False, False),
            "block_counts": (1, 2),
            "block": "bottleneck",
            "groups": 2,
            "width_per_group": 16,
            "stem": "deep",
            "stem_channels": 24,
            "stem_pooling": "convolution",
            "shortcut": "average",
            "norm": "batch",
            "attention": "eca",
            "anti_aliasing": "blur",
            "preactivation": False,
        },
    ),
    "custom ": (
        {"out_stages": 83, "block_counts": (1, 1), "block": 1, "block_widths": (0, 0, 5, 64, 64, 0, 7, 12, 12, 0)},
        {
            "outputs": ("C1", "C2", "C3", "logits"),
            "block_counts": (1, 1),
            "block": "basic",
            "block_widths": (0, 0, 5, 64, 64, 0, 7, 12, 12, 0),
        },
    ),
}


def python_network(name):
    """One of `NETWORKS` in Python."""
    return backbone.ResNet(architecture=name.strip(), **NETWORKS[name][1])


def random_weights(name):
    """Weights of one of `NETWORKS` in which every bias and every statistic counts."""
    random = np.random.default_rng(len(name))
    with python_network(name) as net:
        weights = net.state_dict()
    for key, values in weights.items():
        if values.dtype == np.float32:
            noise = 0.1 * random.standard_normal(values.shape).astype(np.float32)
            weights[key] = values + (abs(noise) if key.endswith("running_var") else noise)
    return weights


def outputs(folder):
    """Every kind of output, of networks that every new field of the options tells."""
    script = Script(folder)
    image = script.image("outputs", fixture_cases.images("outputs", (2, 3, 65, 70)), "nchw")
    for name, (fields, _) in NETWORKS.items():
        path = folder / f"{name.strip()}-{len(name)}.safetensors"
        save_file(random_weights(name), path)
        script.add(build(architecture=name.strip(), depth=0, threads=2, **fields), load(path, strict=1), "options")
        script.add("shapes 2 3 65 70")
        script.forward(name, image)
        script.forward((name, "into"), image, "forward_into")
        script.add("close")
    seven = folder / "seresnet18-10.safetensors"
    script.add(load(seven, "from_file", out_stages=96), "options")
    script.forward("from_file", image)
    script.add("init 1", load(seven, head=1))
    script.forward("new head", image)
    script.add(load(seven, "from_file", head=1, out_stages=64, num_classes=5), "options")
    script.forward("other head", image)
    script.add(
        load(seven, "from_file", out_stages=64, num_classes=5),
        "build out_stages=128",
        "build num_classes=-1",
        "build output_stride=4",
        "build block_counts=0,1",
        "build block=3",
        "build architecture=custom depth=0 block_counts=1,1 block=-1",
        "build block_widths=1,2,3",
        "close",
    )
    return script


def training(folder):
    """Tapes, gradients, losses and optimisers: steps on one batch, and what makes tapes and optimisers stale."""
    script = Script(folder)
    image = script.image("training", fixture_cases.images("training", (2, 3, 32, 32)), "nchw")

    def backward(which, accumulate=0, command="backward"):
        key = len(script.outputs)
        script.outputs[key] = f"{key}.raw"
        script.add(f"{command} {which} {accumulate} {{out}}/{script.outputs[key]}")

    def feature_gradients(which, wanted):
        key = "feature gradients", which, wanted
        script.outputs[key] = f"{len(script.outputs)}.raw"
        script.add(f"feature_gradients {which} {wanted} {{out}}/{script.outputs[key]}")

    def steps(count, rate):
        for _ in range(count):
            script.forward(len(script.outputs), image, "forward_train")
            script.add("bytes", "loss 4,1 0.1")
            backward("loss")
            script.add("clip 1", f"step {rate} 0")

    def parameters(key):
        script.outputs[key] = f"{len(script.outputs)}.raw"
        script.add(f"parameters {{out}}/{script.outputs[key]}")

    script.add(build(depth=18, base_channels=8, threads=2, num_classes=5, out_stages=66), "training 1")
    script.add("trainable 0", "slot 0", "slot 3", "slot 100", "slot 5000", "tape 0 0", "bytes")
    script.add("optimizer 0 1 0.9 - - - - 1e-4 fc.:1:2:0 -:6:0.5:0")
    steps(3, 0.05)
    parameters("SGD")
    script.add("save_training {out}/training.pth 0.05")
    steps(1, 0.05)
    parameters("before")
    script.add("load_training {out}/training.pth")
    parameters("loaded")
    script.add("training 0")
    script.forward("evaluation", image, "forward_train")
    script.add("loss 4,1 0.1")
    backward("loss")
    script.add("backward loss 0 {out}/none")  # of a tape that is empty
    script.add("step 0.05 0", "tape 1 1")
    script.forward("retained", image, "forward_train")
    backward("features", command="backward_input")
    backward("loss", 1, "backward_input")
    backward("loss", 1)
    for which in ("loss", "features"):
        for wanted in ("11", "10", "01"):
            feature_gradients(which, wanted)
    script.add("init 1")
    script.add("backward loss 0 {out}/none", "feature_gradients loss 11 {out}/none")  # of a stale tape
    script.add("trainable 2", "step 0.1 0", "follow")
    steps(1, 0.1)
    script.add("spoil", "step 0.1 0", "clip inf", "step 0.1 1")
    parameters("spoiled")
    script.add("init 2", "optimizer 1 0 - - 0.8 0.99 1e-6 0.05", "load_training {out}/training.pth")
    steps(2, 0.01)
    parameters("AdamW")
    script.add("trainable 1", "follow")
    steps(1, 0.01)
    script.add("trainable 3", "optimizer 2 0 - - - - - -", "optimizer 0 0 -1 - - - - -", "loss 5,0 0", "loss 1 0")
    script.add("clip -1", f"save_training {MISSING} 0.1", f"load_training {MISSING}", "freeze 4", "trainable 1")
    script.add("optimizer 0 0 - - - - - -", "save_as {out}/detectron2.pth detectron2", "save_as {out}/x.pth nobody")
    script.add("free tape", "free optimizer", "close")
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
