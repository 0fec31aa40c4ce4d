#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Writes what PyTorch makes of the networks and images of fixture_cases.py, in float64, to models/.

Everything is deterministic: another run with the same PyTorch on the same processor writes the same bytes, on another
one nearly the same numbers. Prints how far PyTorch's own float32 is from its float64, which shows that the bounds of
the tests can be kept.
"""

import argparse
from collections import OrderedDict

import numpy as np
import torch
from fixture_cases import (
    CHECKPOINTS,
    FULL_SIZE,
    MODELS,
    NARROW,
    TRACKED,
    TRAINING,
    TRAINING_FORWARDS,
    VARIANTS,
    Case,
    relative_errors,
    statistics,
    summary,
    training_input,
    training_name,
)
from torch_resnet import ResNet, calibrate, features, normalised, norms, with_formula
from weight_formula import DEPTHS, images


def calibrated(depth, in_channels, base_channels, side):
    """A model with the weights by formula and the statistics of two images, rounded to what float16 can hold."""
    # In float64, so that rounding errors, which differ from machine to machine, do not decide about the statistics.
    model = with_formula(depth, in_channels, base_channels).double()
    calibrate(model, images("calibration", (2, in_channels, side, side)))
    model.float()
    for norm in norms(model):
        for buffer in (norm.running_mean, norm.running_var):
            buffer.copy_(buffer.half())
    return model


def concatenated(model, buffer):
    return np.concatenate([getattr(norm, buffer).numpy() for norm in norms(model)])


def seen_by(model, case: Case):
    """The input of a case as the model sees it, in float64."""
    in_channels = model.conv1.in_channels
    x = case.input(in_channels)
    return normalised(x, *statistics(in_channels), case.reverse) if case.uint8 else x


def evaluated(model, cases, prefix):
    """The summaries of all cases, and the errors of PyTorch in float32 by stage."""
    stored, errors = {}, np.zeros(4)
    for case in cases:
        x = seen_by(model, case)
        exact, single = features(model, x), features(model, x, torch.float32)
        for stage in range(4):
            name = f"{prefix}/{case.name}/C{stage + 2}"
            stored |= summary(name, exact[stage])
            errors[stage] = max(errors[stage], *relative_errors(stored, name, single[stage]))
    return stored, errors


def full_size(depth):
    """Statistics and features of the network as it is used, 64 channels in the stem."""
    model = calibrated(depth, 3, 64, 160)
    stored = {f"full/{name}": concatenated(model, name).astype(np.float16) for name in ("running_mean", "running_var")}
    summaries, errors = evaluated(model, FULL_SIZE, "full")
    return stored | summaries, errors


def saved_tensors(model, checkpoint):
    """The state dict in the dtype, layout and under the names of a checkpoint."""
    dtype = getattr(torch, checkpoint.dtype)
    result = OrderedDict()
    for name, tensor in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            if checkpoint.tracked:
                result[checkpoint.prefix + name] = torch.full_like(tensor, TRACKED)
            continue
        tensor = tensor.to(dtype)
        if checkpoint.channels_last and tensor.dim() == 4:
            tensor = tensor.contiguous(memory_format=torch.channels_last)
        result[checkpoint.prefix + name] = tensor
    return result


def wrapped(tensors, checkpoint, depth):
    """The object that is saved: the tensors alone, or among what training scripts save with them."""
    if not checkpoint.wrapper:
        return tensors
    optimizer = {"state": {0: {"momentum_buffer": torch.zeros(3)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    arguments = argparse.Namespace(arch=f"resnet{depth}")
    return {"epoch": 90, checkpoint.wrapper: tensors, "optimizer": optimizer, "args": arguments}


def narrow(depth):
    """A model with the values of the checkpoint that is stored, and the object to save."""
    checkpoint = CHECKPOINTS[depth]
    model = calibrated(depth, checkpoint.in_channels, checkpoint.base_channels, 160)
    tensors = saved_tensors(model, checkpoint)
    plain = {name.removeprefix(checkpoint.prefix): tensor for name, tensor in tensors.items()}
    model.load_state_dict(plain, strict=False)
    return model, wrapped(tensors, checkpoint, depth)


def trained(depth, source):
    """Features and statistics of three forward passes in training mode, and the errors of PyTorch in float32 by
    stage."""
    stored, errors = {}, np.zeros(4)
    for frozen_stages, norm_eval in TRAINING[depth]:
        checkpoint = CHECKPOINTS[depth]
        models = {}
        for dtype in (torch.float64, torch.float32):
            model = ResNet(depth, checkpoint.in_channels, checkpoint.base_channels, frozen_stages, norm_eval)
            model.load_state_dict(source.state_dict())
            models[dtype] = model.to(dtype).train()
        for step in range(TRAINING_FORWARDS):
            exact, single = (features(model, training_input(step), dtype) for dtype, model in models.items())
            if step not in (0, TRAINING_FORWARDS - 1):
                continue
            prefix = f"training/{training_name(frozen_stages, norm_eval)}/{step}"
            for stage in range(4):
                stored |= summary(f"{prefix}/C{stage + 2}", exact[stage], whole=0)
                found = relative_errors(stored, f"{prefix}/C{stage + 2}", single[stage])
                errors[stage] = max(errors[stage], *found)
            for buffer in ("running_mean", "running_var"):
                stored[f"{prefix}/{buffer}"] = concatenated(models[torch.float64], buffer).astype(np.float32)
            tracked = [norm.num_batches_tracked for norm in norms(models[torch.float64])]
            stored[f"{prefix}/num_batches_tracked"] = np.array(tracked, np.int64)
    return stored, errors


def varied(depth, source):
    """Features of the stored checkpoint in networks with other options, evaluating and training."""
    stored, errors = {}, np.zeros(4)
    for name, options in VARIANTS.get(depth, ()):
        checkpoint = CHECKPOINTS[depth]
        style, eps = options.get("style", "pytorch"), options.get("norm_eps", 1e-5)
        model = ResNet(depth, checkpoint.in_channels, checkpoint.base_channels, style=style, eps=eps)
        model.load_state_dict(source.state_dict())
        summaries, found = evaluated(model.eval(), NARROW, f"{depth}/{name}")
        stored |= summaries
        errors = np.maximum(errors, found)
        if checkpoint.in_channels == 3:
            exact = features(model.train(), training_input(0))
            for stage in range(4):
                stored |= summary(f"{depth}/{name}/training/C{stage + 2}", exact[stage], whole=0)
    return stored, errors


def stored_arrays(depth):
    """Everything in the .npz of a depth, the object in its .pth, rows for the table of errors, and the variants."""
    stored, full_errors = full_size(depth)
    model, saved = narrow(depth)
    summaries, narrow_errors = evaluated(model, NARROW, "narrow")
    stored |= summaries
    rows = [("full size", full_errors), ("narrow", narrow_errors)]
    if depth in TRAINING:
        summaries, errors = trained(depth, model)
        stored |= summaries
        rows.append(("training", errors))
    variants, errors = varied(depth, model)
    if variants:
        rows.append(("other options", errors))
    return stored, saved, rows, variants


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--depth", type=int, choices=DEPTHS, action="append", help="only these; default all")
    parser.add_argument("--dry-run", action="store_true", help="write nothing, only print the errors of float32")
    arguments = parser.parse_args()

    # Sums depend on the number of threads.
    torch.set_num_threads(1)
    MODELS.mkdir(exist_ok=True)
    print(f"{'float32 against float64':28}{'C2':>9}{'C3':>9}{'C4':>9}{'C5':>9}")
    for depth in arguments.depth or DEPTHS:
        stored, saved, rows, variants = stored_arrays(depth)
        for title, errors in rows:
            print(f"{f'ResNet-{depth} {title}':28}" + "".join(f"{error:9.1e}" for error in errors), flush=True)
        if not arguments.dry_run:
            np.savez_compressed(MODELS / f"resnet{depth}.npz", **stored)
            if variants:
                np.savez_compressed(MODELS / f"variants{depth}.npz", **variants)
            torch.save(saved, MODELS / f"resnet{depth}.pth")


if __name__ == "__main__":
    main()
