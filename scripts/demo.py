# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The program of scripts/demo, which describes it: features of a photograph as numbers and as a picture."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import backbone
import numpy as np
from backbone.command.group import message_of
from backbone.command.heat import HeatMap
from backbone.command.parameters import STAGES
from backbone.command.sheet import sheet_of
from backbone.command.terminal import print_table, progress
from backbone.images import load_image, prepare

CALIBRATION_FORWARDS = 40
TIMED_FORWARDS = 5
# Of the colours over the photograph.
OPACITY = 0.7


def main() -> int:
    arguments = parse_arguments()
    sys.stdout.reconfigure(line_buffering=True)
    try:
        image, origin = read_image(arguments.image, arguments.max_side)
        with backbone.ResNet(
            arguments.depth, threads=arguments.threads, mean=backbone.IMAGENET_MEAN, std=backbone.IMAGENET_STD
        ) as net:
            print(f"Network     ResNet-{net.depth}, {net.threads} threads, libbackbone {backbone.library_version()}")
            print(f"Photograph  {origin}, {image.shape[0]} x {image.shape[1]} pixels (height x width)")
            # The decoded image goes in as it is, through a view in the order N, C, H, W.
            x = image.transpose(2, 0, 1)[None]
            if arguments.weights:
                print(f"Weights     {arguments.weights}")
                print(net.load_weights(arguments.weights))
            else:
                print("Weights     random (no --weights FILE): they respond to edges and textures, not to objects.")
                print("            Their BatchNorm statistics are now calibrated on this photograph.")
                calibrate(net, x)
            features = net(x)
            print_stages(net, x, features)
            strides = net.out_strides
        arguments.out.mkdir(parents=True, exist_ok=True)
        numbers, picture = arguments.out / "features.npz", arguments.out / "features.png"
        np.savez(numbers, image=image, **{s.lower(): f for s, f in zip(STAGES, features, strict=True)})
        sheet_of(image, maps_of(features, strides), OPACITY).save(picture)
        print(f"\nWritten: {numbers} (arrays image, c2, c3, c4, c5) and {picture}")
        return 0
    except (backbone.CheckpointError, backbone.MismatchError, OSError, MemoryError, ValueError) as error:
        print(f"error: {message_of(error)}", file=sys.stderr)
        if isinstance(error, backbone.MismatchError) and error.report:
            print(error.report, file=sys.stderr)
        return 1


def heat_maps(depth: int = 50, max_side: int = 640) -> tuple[np.ndarray, dict[str, HeatMap]]:
    """The photograph that the program has by default, and its heat maps by stage, of random weights."""
    image, _ = read_image(None, max_side)
    x = image.transpose(2, 0, 1)[None]
    with backbone.ResNet(depth, mean=backbone.IMAGENET_MEAN, std=backbone.IMAGENET_STD) as net:
        calibrate(net, x)
        return image, maps_of(net(x), net.out_strides)


def maps_of(features: tuple[np.ndarray, ...], strides: tuple[int, ...]) -> dict[str, HeatMap]:
    """The heat maps of the first image, by stage."""
    return {s: HeatMap.of(f[0], stride) for s, f, stride in zip(STAGES, features, strides, strict=True)}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/demo", description="Features C2 to C5 of a photograph.")
    parser.add_argument("image", nargs="?", type=Path, metavar="IMAGE")
    parser.add_argument("--weights", type=Path, metavar="FILE")
    parser.add_argument("--depth", type=int, default=50, choices=(18, 34, 50, 101, 152))
    parser.add_argument("--threads", type=int, metavar="N")
    parser.add_argument("--max-side", type=int, default=640, metavar="N")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "demo-output", metavar="DIR")
    arguments = parser.parse_args()
    if arguments.max_side < 1:
        parser.error("--max-side must be at least 1")
    return arguments


def read_image(path: Path | None, max_side: int) -> tuple[np.ndarray, str]:
    """The photograph as uint8 of shape (H, W, 3), RGB, and what to call it."""
    if path is None:
        import skimage.data

        image, origin = skimage.data.chelsea(), "Chelsea the cat (from scikit-image, CC0)"
    else:
        image, origin = load_image(path), path.name
    return prepare(image, max_size=min(max_side, max(image.shape))), origin


def calibrate(net: backbone.ResNet, x: np.ndarray) -> None:
    """Give the BatchNorms the statistics of the photograph: with those of new weights, features grow without bound."""
    # A tiny image leaves one value per channel in C5, which has no variance: its mirror image makes them two.
    batch = x if max(x.shape[2:]) > 32 else np.concatenate([x, x[..., ::-1]])
    net.train()
    with progress("calibrating", CALIBRATION_FORWARDS) as advance:
        for _ in range(CALIBRATION_FORWARDS):
            net(batch)
            advance(1)
    net.eval()


def print_stages(net: backbone.ResNet, x: np.ndarray, features: tuple[np.ndarray, ...]) -> None:
    """Shapes, values, and how long it takes to come as far as each stage."""
    state = net.state_dict()
    rows = []
    for index, (stage, feature) in enumerate(zip(STAGES, features, strict=True)):
        with backbone.ResNet(
            net.depth,
            threads=net.threads,
            out_indices=(index,),
            mean=backbone.IMAGENET_MEAN,
            std=backbone.IMAGENET_STD,
        ) as part:
            # A network that does not build later stages ignores their names.
            part.load_state_dict(state)
            milliseconds = 1000 * median_time(part, x)
        row = (stage, feature.shape, net.out_strides[index], float(feature.mean()), float(feature.max()), milliseconds)
        rows.append(row)
    print()
    print_table(("stage", "shape (N, C, H, W)", ">stride", ">mean", ">max", ">ms"), rows)
    milliseconds = 1000 * median_time(net, x)
    print(f"\nAll four together: {milliseconds:.1f} ms, median of {TIMED_FORWARDS} forward passes after one.")
    print("Times in the table are those of networks that stop at the stage, uint8 in, float32 out.")


def median_time(net: backbone.ResNet, x: np.ndarray) -> float:
    """Seconds of one forward pass, after a first that plans and allocates."""
    net(x)
    times = []
    for _ in range(TIMED_FORWARDS):
        start = time.perf_counter()
        net(x)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


if __name__ == "__main__":
    sys.exit(main())
