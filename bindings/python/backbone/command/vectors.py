# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""`backbone features --out vectors.npy`: one vector per image, as the rows of one array."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from .._arrays import global_average
from .batches import Batches, Failure
from .group import Interrupted
from .inputs import Source
from .network import NetworkOptions, loading_of
from .options import Preparation
from .outputs import written
from .terminal import progress

ENDING = ".npy"


@dataclass
class Vectors:
    """The array, and beside it a file of JSON that names the image of each row.

    The second file is written last, and removed before the array is replaced: where both exist, they belong together.

    Attributes:
        out: the path of the array.
        settings: what the vectors depend on.
    """

    out: str
    settings: dict[str, Any]
    images: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    @property
    def index(self) -> str:
        """The path of the second file."""
        return self.out.removesuffix(ENDING) + ".json"

    def refuse_existing(self) -> None:
        """Check that no file would be replaced.

        Raises:
            click.ClickException: one would.
        """
        for path in (self.out, self.index):
            if os.path.lexists(path):
                raise click.ClickException(f"{path} exists; pass --overwrite to replace it, or another --out")

    def compute(
        self,
        sources: Sequence[Source],
        network: NetworkOptions,
        output: str,
        preparation: Preparation,
        size: int,
        decoders: int,
    ) -> dict[str, Any]:
        """Compute the vectors of these images and write both files. Returns what the network is."""
        rows: dict[str, npt.NDArray[np.float32]] = {}
        with network.open((output,)) as net:
            loaded = loading_of(net)
            try:
                with (
                    progress("features", len(sources)) as advance,
                    closing(Batches(sources, preparation.load, size, decoders).run()) as items,
                ):
                    for item in items:
                        if isinstance(item, Failure):
                            self.failures.append(item)
                            advance(1)
                            continue
                        try:
                            (features,) = net(item.images.transpose(0, 3, 1, 2))
                        except MemoryError as error:
                            self.failures += [Failure(source, error) for source in item.sources]
                        else:
                            # Of "pooled" each feature has one position.
                            means = [
                                feature[:, 0, 0] if output == "pooled" else global_average(feature)
                                for feature in features
                            ]
                            rows |= zip((source.path for source in item.sources), means, strict=True)
                        advance(len(item.sources))
            except KeyboardInterrupt:
                raise Interrupted(
                    f"interrupted: {self.out} is not written; a folder as --out keeps what is computed"
                ) from None
            channels = net.out_channels[0]
        self.images = [source.path for source in sources if source.path in rows]
        array = np.empty((len(self.images), channels), np.float32)
        for index, path in enumerate(self.images):
            array[index] = rows.pop(path)
        if self.images:
            self._write(array)
        return loaded

    def _write(self, array: npt.NDArray[np.float32]) -> None:
        if os.path.lexists(self.index):
            os.unlink(self.index)
        with written(self.out) as file:
            np.save(file, array)
        with written(self.index) as file:
            file.write(json.dumps({"images": self.images, "settings": self.settings}, indent=1).encode())
