# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors
"""Checkpoints whose state dicts are in other objects than dicts, and tensors that are saved twice or not as numbers:
generate_checkpoints.py.
"""

from pathlib import Path

import checkpoint_containers as containers
import torch

FOLDER = Path(__file__).parent / "checkpoints"


def save(name, value, **options):
    torch.save(value, FOLDER / name, **options)


def write_identities():
    """Names of the same tensor, and of others that share its storage or its values only."""
    tensor = torch.arange(12, dtype=torch.float32).view(3, 4)
    tensors = {
        "a": tensor,
        "a.again": tensor,
        "a.view": tensor.view(3, 4),
        "flat": tensor.view(12),
        "transposed": tensor.view(4, 3).t(),
        "rows": tensor[1:],
        "rows.again": tensor[1:],
        "copy": tensor.clone(),
    }
    save("identities.pth", tensors)
    containers.write_legacy(FOLDER / "identities-views.pth", tensors, views=True)
    containers.write_tar(FOLDER / "identities-tar.pth", tensors)
    array = tensor.numpy()
    arrays = {"a": array, "a.again": array, "copy": array.copy(), "b": array.astype(">f4")}
    containers.write_pickle(FOLDER / "identities-numpy.pkl", arrays, 4)


def write_all():
    write_identities()


if __name__ == "__main__":
    write_all()
