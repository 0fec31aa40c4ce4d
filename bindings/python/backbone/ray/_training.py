# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Training on several machines."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.fs
import ray

from .._arguments import Checkpoint, int32
from .._losses import cross_entropy
from .._optimizers import Optimizer
from .._resnet import ResNet
from .._schedules import Schedule
from ..training._augment import AUGMENTS, Augment, View
from ..training._folders import read_dataset
from ._job import check_positive, normalization_text, slots
from ._settings import HISTORY_FILE, WEIGHTS_FILE, Settings, sgd


@dataclass(frozen=True)
class Trained:
    """The result of `train`. `print(trained)` shows it in a few lines.

    Attributes:
        weights: the file of the last epoch, with the state of the optimiser: a path in the file system of `out`.
        classes: names of the classes, in the order of the logits.
        history: for each epoch "epoch", "loss", "accuracy" (0 to 1) and "failed" (images that could not be read), and
            with validation images "validation_loss", "validation_accuracy" and "validation_failed".
        mean: what was subtracted from the pixels of each channel, ImageNet's unless it was given.
        std: what they were then divided by, likewise.
    """

    weights: str
    classes: tuple[str, ...]
    history: Sequence[Mapping[str, float]]
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def __str__(self) -> str:
        lines = []
        for row in self.history:
            line = f"epoch {row['epoch']:3.0f}  loss {row['loss']:.4f}  accuracy {100 * row['accuracy']:6.2f} %"
            if "validation_loss" in row:
                line += f"  validation loss {row['validation_loss']:.4f}"
                line += f"  accuracy {100 * row['validation_accuracy']:6.2f} %"
            lines.append(line + (f"  {row['failed']:.0f} images could not be read" if row["failed"] else ""))
        return "\n".join([*lines, normalization_text(self.mean, self.std)])


def train(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    weights: Checkpoint | None,
    *,
    workers: int = 2,
    threads: int = 1,
    epochs: int = 10,
    batch: int = 32,
    size: int = 224,
    augment: Augment = "resized-crop",
    flip: bool = True,
    validation: str | os.PathLike[str] | None = None,
    fraction: float = 0.1,
    seed: int = 0,
    optimizer: Callable[[ResNet], Optimizer] = sgd,
    schedule: Schedule | None = None,
    label_smoothing: float = 0.0,
    restarts: int = 3,
    keep: int = 2,
    resume: bool = False,
    **options: Any,
) -> Trained:
    """Train a classifier on a folder of images with several workers, by Ray Train.

    Each worker computes its share of every batch. The gradients are summed by gloo (`torch.distributed`); all workers
    make the same step. With `norm_eval` the result is that of one worker within rounding. Otherwise BatchNorms use the
    statistics of each worker's share, and the running statistics that are saved are those of the first worker, as in
    PyTorch's DistributedDataParallel.

    Each epoch ends with a checkpoint. If a worker or its machine is lost, Ray starts all workers again, and they go on
    from the last checkpoint; the result has the same bits as that of an undisturbed run.

    Args:
        source: a folder with one folder of images per class, or with `train` and `val` that have them. All machines
            must see it under the same path.
        out: a folder that all machines see, or an address, for the checkpoints. Made if it is missing.
        weights: a checkpoint file on this machine, or its bytes; None for random weights, with the network in
            `options`: `architecture="resnet18"`. The classifier is new.
        workers: processes with one network each.
        threads: CPUs that each has.
        epochs: passes over all images.
        batch: images of a step, of all workers together; a multiple of `workers`.
        size: height and width of the images for the network; for validation they are resized to 8/7 of it and cropped.
        augment: "resized-crop", "padded-crop", "flip" or "none".
        flip: mirror half of the images, unless `augment` is "none".
        validation: another folder of classes, to validate with.
        fraction: of each class, for validation, where no folder has images for it; 0 for none.
        seed: of the split, the order and the augmentation.
        optimizer: makes the optimiser of a network; it is called in each worker. The default is SGD with a learning
            rate of 0.01, momentum 0.9 and weight decay 1e-4.
        schedule: the learning rate of each step; None: half a cosine from the optimiser's `lr` to 0.
        label_smoothing: as for `optim.cross_entropy`.
        restarts: how many times Ray starts the workers again after one failed; -1 for any number.
        keep: checkpoints to keep.
        resume: continue the run in `out`, whose settings must be the same. Otherwise `out` must be empty.
        options: as for `ResNet.from_file`: frozen_stages, norm_eval, ...

    Ray is started here unless it is running.

    Raises:
        ImportError: PyTorch or Ray Train is missing.
        FileNotFoundError: `source` or `weights` does not exist.
        FileExistsError: `out` is not empty, and `resume` is not set.
        FloatingPointError: a gradient is NaN or infinite.
        ValueError: a setting is out of range or differs from the run in `out`, or the cluster has too few CPUs.
        RuntimeError: workers failed more often than `restarts`; the message has the first error.
        What `ResNet.from_file` and `optimizer` raise, before a worker starts.
    """
    _check_installed()
    check_positive(workers=workers, threads=threads, epochs=epochs, batch=batch, size=size, keep=keep)
    if batch % workers:
        raise ValueError(f"batch is {batch}; it must be a multiple of the {workers} workers")
    if augment not in AUGMENTS:
        raise ValueError(f"augment is {augment!r}; it must be one of {', '.join(AUGMENTS)}")
    if int32("restarts", restarts) < -1:
        raise ValueError(f"restarts is {restarts}; it must be at least 0, or -1 for any number")
    cross_entropy(np.zeros((1, 2), np.float32), [0], label_smoothing)
    # Workers have other working folders.
    dataset = read_dataset(
        os.path.abspath(source),
        validation=None if validation is None else os.path.abspath(validation),
        fraction=fraction,
        seed=seed,
    )
    view = View(size, round(size * 8 / 7), augment, flip)
    given = np.fromfile(weights, np.uint8) if isinstance(weights, (str, os.PathLike)) else weights
    shared = None if given is None else np.frombuffer(given, np.uint8)
    numbers = (workers, threads, epochs, batch, view, seed, label_smoothing)
    settings = Settings(dataset, shared, options, optimizer, schedule, *numbers)
    # Reports errors of weights and settings before anything is started.
    with settings.network() as net, optimizer(net):
        pass
    if settings.steps == 0:
        raise ValueError(f"{source}: {len(dataset.train)} images to train with; {workers} workers need two each")
    place = _checked_place(out, resume)
    if not ray.is_initialized():
        ray.init()
    if (most := slots(threads)) < workers:
        raise ValueError(f"workers is {workers} and threads {threads}, but the cluster's CPUs have room for {most}")
    if shared is not None:
        settings = Settings(dataset, ray.put(shared), options, optimizer, schedule, *numbers)
    return _run(settings, place, restarts, keep)


def _check_installed() -> None:
    try:
        import ray.train.torch  # noqa: F401
    except ImportError as error:
        cure = "pip install 'backbone[ray,torch]'"
        raise ImportError(f"backbone.ray.train needs Ray Train and PyTorch ({error}): {cure}") from error


def _run(settings: Settings, place: tuple[str, str], restarts: int, keep: int) -> Trained:
    import ray.train.torch

    from ._worker import work

    trainer = ray.train.torch.TorchTrainer(
        work,
        train_loop_config={"settings": settings},
        torch_config=ray.train.torch.TorchConfig(backend="gloo"),
        scaling_config=ray.train.ScalingConfig(
            num_workers=settings.workers, resources_per_worker={"CPU": settings.threads}
        ),
        run_config=ray.train.RunConfig(
            storage_path=place[0],
            name=place[1],
            failure_config=ray.train.FailureConfig(max_failures=restarts),
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=keep),
        ),
    )
    try:
        result = trainer.fit()
    except ray.train.WorkerGroupError as error:
        # A dead worker causes the connection errors of the others.
        causes = sorted(error.worker_failures.items(), key=lambda item: (not _is_death(item[1]), item[0]))
        rank, cause = causes[0]
        what = "its process or its machine died" if _is_death(cause) else _last_line(cause)
        cure = "after the cause is removed, resume=True goes on from the last checkpoint"
        raise RuntimeError(f"worker {rank} failed: {what}; {cure}") from error
    answer = result.return_value or {}
    if "error" in answer:
        raise (FloatingPointError if answer["diverged"] else ValueError)(answer["error"])
    return Trained(
        weights=f"{result.checkpoint.path}/{WEIGHTS_FILE}",
        classes=settings.dataset.classes,
        history=_history(result.checkpoint),
        mean=settings.mean,
        std=settings.std,
    )


def _history(checkpoint: Any) -> list[dict[str, float]]:
    with checkpoint.as_directory() as folder, open(os.path.join(folder, HISTORY_FILE)) as file:
        history: list[dict[str, float]] = json.load(file)["history"]
    return history


def _is_death(error: BaseException) -> bool:
    """Whether Ray found a worker dead, by its exit or by a health check."""
    return isinstance(getattr(error, "health_check_failure", error), ray.exceptions.RayActorError)


def _last_line(error: BaseException) -> str:
    """The message without the traceback of the worker."""
    return next((line for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)


def _checked_place(out: str | os.PathLike[str], resume: bool) -> tuple[str, str]:
    """The folder of runs and the name of this one, for Ray Train."""
    is_address = isinstance(out, str) and "://" in out
    path = str(out).rstrip("/") if is_address else os.path.abspath(out)
    system, inner = pyarrow.fs.FileSystem.from_uri(path) if is_address else (pyarrow.fs.LocalFileSystem(), path)
    if not resume and system.get_file_info(pyarrow.fs.FileSelector(inner, allow_not_found=True)):
        raise FileExistsError(f"{out} is not empty: give resume=True to go on with the run in it, or another folder")
    folder, _, name = path.rpartition("/")
    return folder or "/", name
