# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The program behind scripts/demo, which see: features of a photograph as numbers and as a picture."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import backbone
import matplotlib
import numpy as np
from PIL import Image, ImageOps

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

STAGES = ("C2", "C3", "C4", "C5")
CALIBRATION_FORWARDS = 40
TIMED_FORWARDS = 5


def main() -> int:
    arguments = parse_arguments()
    sys.stdout.reconfigure(line_buffering=True)
    try:
        image, origin = read_image(arguments.image, arguments.max_side)
        with backbone.ResNet(
            arguments.depth, threads=arguments.threads, mean=backbone.IMAGENET_MEAN, std=backbone.IMAGENET_STD
        ) as net:
            print(f"Network     ResNet-{net.depth}, {net.threads} threads, libbackbone {backbone.library_version()}")
            print(f"Photograph  {origin}, {image.shape[1]} x {image.shape[0]} pixels")
            # The decoded image goes in as it is, through a view in the order N, C, H, W.
            x = image.transpose(2, 0, 1)[None]
            if arguments.weights:
                print(f"Weights     {arguments.weights}")
                print(net.load_weights(arguments.weights))
                weights = f"weights of {arguments.weights.name}"
            else:
                print("Weights     random (no --weights FILE): they respond to edges and textures and know no objects.")
                print("            Their BatchNorm statistics are now calibrated on this photograph.")
                calibrate(net, x)
                weights = "random weights, BatchNorm statistics calibrated on this photograph"
            features = net(x)
            print_table(net, x, features)
        arguments.out.mkdir(parents=True, exist_ok=True)
        numbers, picture = arguments.out / "features.npz", arguments.out / "features.png"
        np.savez(numbers, image=image, **{s.lower(): f for s, f in zip(STAGES, features, strict=True)})
        draw(picture, image, features, f"ResNet-{arguments.depth}, {weights}")
        print(f"\nWritten: {numbers} (arrays image, c2, c3, c4, c5) and {picture}")
        return 0
    except (backbone.CheckpointError, backbone.MismatchError, OSError, MemoryError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        if isinstance(error, backbone.MismatchError) and error.report:
            print(error.report, file=sys.stderr)
        return 1


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

        picture, origin = Image.fromarray(skimage.data.chelsea()), "Chelsea the cat (from scikit-image, CC0)"
    else:
        picture, origin = Image.open(path), path.name
        # Cameras store how they were held beside the pixels.
        picture = ImageOps.exif_transpose(picture)
    picture = picture.convert("RGB")
    picture.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    return np.asarray(picture), origin


def calibrate(net: backbone.ResNet, x: np.ndarray) -> None:
    """Give the BatchNorms the statistics of the photograph: with those of new weights, features grow without bound."""
    # A tiny image leaves one value per channel in C5, which has no variance: its mirror image makes them two.
    batch = x if max(x.shape[2:]) > 32 else np.concatenate([x, x[..., ::-1]])
    net.train()
    start = time.perf_counter()
    for done in range(1, CALIBRATION_FORWARDS + 1):
        net(batch)
        rest = (time.perf_counter() - start) / done * (CALIBRATION_FORWARDS - done)
        if sys.stdout.isatty():
            bar = "#" * (30 * done // CALIBRATION_FORWARDS)
            print(f"\r            [{bar:<30}] {done}/{CALIBRATION_FORWARDS}, {rest:3.0f} s left ", end="", flush=True)
        elif done % 10 == 0:
            print(f"            {done}/{CALIBRATION_FORWARDS}, {rest:.0f} s left", flush=True)
    if sys.stdout.isatty():
        print()
    net.eval()


def print_table(net: backbone.ResNet, x: np.ndarray, features: tuple[np.ndarray, ...]) -> None:
    """Shapes, values, and how long it takes to come as far as each stage."""
    state = net.state_dict()
    print(f"\nStage  {'shape (N, C, H, W)':<20} stride {'mean':>7} {'max':>7} {'ms':>8}  (uint8 in, float32 out)")
    for index, (stage, feature) in enumerate(zip(STAGES, features, strict=True)):
        with backbone.ResNet(
            net.depth,
            threads=net.threads,
            out_indices=(index,),
            mean=backbone.IMAGENET_MEAN,
            std=backbone.IMAGENET_STD,
        ) as part:
            # The names of later stages are of no consequence to a network that does not build them.
            part.load_state_dict(state)
            milliseconds = 1000 * median_time(part, x)
        size = f"{stage:<6} {feature.shape!s:<20} {net.out_strides[index]:>6}"
        print(f"{size} {feature.mean():>7.3f} {feature.max():>7.2f} {milliseconds:>8.1f}")
    print(f"\nAll four together: {1000 * median_time(net, x):.1f} ms, median of {TIMED_FORWARDS} forwards after one.")
    print("Times in the table are those of networks that stop at the stage.")


def median_time(net: backbone.ResNet, x: np.ndarray) -> float:
    """Seconds of one forward, after a first that plans and allocates."""
    net(x)
    times = []
    for _ in range(TIMED_FORWARDS):
        start = time.perf_counter()
        net(x)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def draw(path: Path, image: np.ndarray, features: tuple[np.ndarray, ...], title: str) -> None:
    """The photograph, and beside it for each stage the length of the feature vector at every place."""
    height, width = image.shape[:2]
    # The photograph is as high as two heat maps.
    cell = 3.0
    aspect = min(max(width / height, 0.4), 2.5)
    figure = pyplot.figure(figsize=(4 * cell * aspect + 0.8, 2 * cell + 1.8), facecolor="white", layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.12)
    grid = figure.add_gridspec(2, 4)
    axes = figure.add_subplot(grid[:, :2])
    axes.imshow(image)
    axes.set_title(f"Input, {width} x {height}", fontsize=13)
    axes.set_axis_off()
    for index, (stage, feature) in enumerate(zip(STAGES, features, strict=True)):
        axes = figure.add_subplot(grid[index // 2, 2 + index % 2])
        strength = np.sqrt(np.square(feature[0], dtype=np.float64).sum(0))
        low, high = np.percentile(strength, (1, 99.5))
        _, channels, rows, columns = feature.shape
        # Cells of a shape that gives the map the photograph's proportions.
        aspect = (height / rows) / (width / columns)
        axes.imshow(strength, cmap="inferno", vmin=low, vmax=max(high, low + 1e-12), aspect=aspect)
        axes.set_title(f"{stage}: {channels} channels, {rows} x {columns}, stride {4 << index}", fontsize=11)
        axes.set_axis_off()
    figure.suptitle(title, fontsize=14)
    figure.supxlabel(
        "Heat maps: Euclidean norm over the channels; dark is weak, bright is strong, each stage on its own scale.",
        fontsize=10,
        color="0.35",
    )
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())
