# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Training by several processes, which sum the flat vector of gradients with `torch.distributed`.

PyTorch carries numbers from process to process, by gloo, and computes nothing:

    torchrun --nproc-per-node 2 distributed.py flowers --weights resnet18.pth --output trained.pth

On several machines give `torchrun` the options --nnodes and --rdzv-endpoint. Without `torchrun` one process trains.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed
from class_folders import class_names, examples_in, load_batch, shuffled

import backbone
from backbone import optim


def main() -> None:
    """Train a classifier on class folders, and write it."""
    arguments = parsed_arguments()
    rank, count = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if count > 1:
        torch.distributed.init_process_group("gloo")
    if arguments.batch % count:
        raise ValueError(f"--batch is {arguments.batch}; it must be a multiple of the {count} processes")
    classes = class_names([arguments.folder])
    examples = examples_in(arguments.folder, classes)
    if min(arguments.batch, len(examples)) < 2 * count:
        raise ValueError(f"{len(examples)} images, --batch {arguments.batch}; {count} processes need two images each")
    net = backbone.ResNet.from_file(
        arguments.weights,
        head="new",
        outputs=("logits",),
        num_classes=len(classes),
        frozen_stages=arguments.frozen_stages,
        norm_eval=arguments.norm_eval,
        mean=backbone.IMAGENET_MEAN,
        std=backbone.IMAGENET_STD,
        threads=arguments.threads,
    )
    optimizer = optim.SGD(net, lr=arguments.lr, momentum=0.9, weight_decay=1e-4)
    send_state(net, rank)
    tape = net.train().tape()
    for epoch in range(1, arguments.epochs + 1):
        score = np.zeros(2)
        for batch in shuffled(examples, arguments.batch, arguments.seed, epoch):
            # A share of one image may be too few for a BatchNorm.
            if len(batch) < 2 * count:
                continue
            mine = batch[len(batch) * rank // count : len(batch) * (rank + 1) // count]
            images, labels = load_batch(mine, arguments.size)
            (logits,) = net.forward_train(images, tape)
            loss, gradient = optim.cross_entropy(logits, labels)
            # The mean over a share becomes a term of the mean over the batch.
            gradients = net.backward(tape, [gradient * np.float32(len(mine) / len(batch))])
            optimizer.step(summed(gradients))
            score += loss * len(mine), len(mine)
        summed(score)
        if rank == 0:
            print(f"epoch {epoch:3}  loss {score[0] / score[1]:.6f}", flush=True)
    if not have_same_weights(net, count):
        raise ValueError("the processes have different weights; give all of them the same options and images")
    # Running statistics are those of the first process, as in DistributedDataParallel.
    if rank == 0:
        optimizer.save(arguments.output)


def summed(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Replace an array by the sum of those of all processes, in place. All get the same bits."""
    if torch.distributed.is_initialized():
        torch.distributed.all_reduce(torch.from_numpy(values))
    return values


def send_state(net: backbone.ResNet, rank: int) -> None:
    """Give all processes the weights and running statistics of the first."""
    if not torch.distributed.is_initialized():
        return
    state = net.state_dict()
    for value in state.values():
        torch.distributed.broadcast(torch.from_numpy(value.reshape(-1)), 0)
    if rank:
        net.load_state_dict(state)


def have_same_weights(net: backbone.ResNet, count: int) -> bool:
    """Whether the trained parameters of all processes are the same bits."""
    if count == 1:
        return True
    digests = [""] * count
    torch.distributed.all_gather_object(digests, hashlib.sha256(net.read_trainable().tobytes()).hexdigest())
    return len(set(digests)) == 1


def parsed_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train a classifier with several processes.")
    parser.add_argument("folder", help="one folder of images per class; all processes must see it")
    parser.add_argument("--weights", required=True, metavar="FILE", help="start from these, with a new classifier")
    parser.add_argument("--output", required=True, metavar="FILE.pth", help="weights and the state of the optimiser")
    parser.add_argument("--epochs", type=int, default=10, metavar="N", help="passes over all images (default 10)")
    parser.add_argument("--batch", type=int, default=32, metavar="N", help="of all processes together (default 32)")
    parser.add_argument("--size", type=int, default=224, metavar="N", help="height and width (default 224)")
    parser.add_argument("--lr", type=float, default=0.01, metavar="X", help="the learning rate (default 0.01)")
    parser.add_argument("--frozen-stages", type=int, default=1, metavar="N", help="-1 to 4 (default 1)")
    parser.add_argument("--norm-eval", action="store_true", help="BatchNorms keep their running statistics")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the order of the images (default 0)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of each process (default 1)")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, RuntimeError, FloatingPointError) as error:
        sys.exit(f"distributed.py: {error}")
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
