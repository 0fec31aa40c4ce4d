# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""Features of a whole data set, on one machine or a cluster, with Ray Data (`pip install 'backbone[ray]'`).

Example::

    import backbone.ray

    summary = backbone.ray.extract("photos/", "features/", "resnet50.pth", actors=2)
    print(summary)  # how many images, which failed and why

    from pyarrow import compute, parquet

    table = parquet.read_table("features/", filters=compute.field("error").is_null())
    features = table["layer4"].combine_chunks().flatten().to_numpy().reshape(table.num_rows, -1)  # (N, 2048)

Each actor is a process that holds one network. Such an actor runs `Extractor`, which your own pipelines can use too.

Memory. The checkpoint is put into Ray's object store once, and is stored once on each node: all actors there map those
pages and load from them, so that no node needs the file and none reads it twice. Each actor stores the weights twice:
in PyTorch's layout and packed. It uses as much memory as any process with such a network (the peak memory that
`scripts/bench` measures), plus the memory of Ray itself. If memory is short, use fewer actors with more `threads` each.
"""

try:
    import pyarrow  # noqa: F401
    import ray.data  # noqa: F401
except ImportError as error:
    raise ImportError(f"backbone.ray needs Ray Data ({error}): pip install 'backbone[ray]'") from error

from ._extractor import Extractor
from ._job import Summary, extract
from ._training import Trained, train

__all__ = ["Extractor", "Summary", "Trained", "extract", "train"]
