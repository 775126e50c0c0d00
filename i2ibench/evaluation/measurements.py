"""Rows of measurements of each metric on each scene, kept in files.

One file holds the rows of a chunk of scenes. The processes of a group divide the chunks, so every
scene is measured once. A run that was killed continues with the missing chunks.
"""

import io
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.evaluation.image_sources import System
from i2ibench.evaluation.metric_building import rows_of
from i2ibench.evaluation.protocol_scenes import ScoredScenes
from i2ibench.inference.batch_splitting import split_on_out_of_memory
from i2ibench.io.files import write_file
from i2ibench.io.process_group import barrier, get_rank, get_world_size, is_main_process
from i2ibench.io.progress import Progress, say
from i2ibench.io.provenance import fingerprint
from i2ibench.registry.contracts import Metric
from i2ibench.structures import Prediction, to_predictions

CHUNK = 8
"""The number of scenes of a file."""

Rows = list[NDArray[Any]]

DAMAGE = (
    OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, SyntaxError,
    NotImplementedError, RuntimeError, OverflowError, MemoryError, struct.error,
)  # fmt: skip
"""The exceptions that numpy and zipfile raise for damaged files."""


def save_rows(path: Path, rows: Rows) -> None:
    """Write measurements, one array for each scene, to an .npz file, whole or not at all.

    Missing folders are made.
    """
    buffer = io.BytesIO()
    named: dict[str, Any] = {str(i): row for i, row in enumerate(rows)}
    np.savez(buffer, **named)
    write_file(path, lambda aside: aside.write_bytes(buffer.getvalue()))


def load_rows(path: Path) -> Rows:
    """Read a file that `save_rows` wrote; return one array of measurements for each scene.

    Raises:
        DAMAGE: the file is missing or damaged.
    """
    with path.open("rb") as opened, np.load(opened) as file:
        return [file[str(i)] for i in range(len(file.files))]


@dataclass(frozen=True)
class RowStore:
    """The row files of one metric and one system.

    Attributes:
        folder: the folder of the metric. Subfolders with another key are deleted.
        key: the hash of everything that the rows depend on, the name of the subfolder.
        count: the number of scenes.
    """

    folder: Path
    key: str
    count: int

    def path(self, start: int) -> Path:
        """Return the path of the file for the measurements of CHUNK scenes from `start` on."""
        return self.folder / self.key / f"{start:06d}.npz"

    def has(self, start: int) -> bool:
        """Return whether the file for the scenes from `start` on exists; it may be damaged."""
        return self.path(start).is_file()

    def write(self, start: int, rows: Rows) -> None:
        """Write the measurements of CHUNK or fewer scenes from `start` on, whole or not at all."""
        save_rows(self.path(start), rows)

    def read(self) -> Rows:
        """Read the measurements of all scenes: one array for each scene, in order.

        Raises:
            DAMAGE: a file is missing or damaged.
        """
        rows: Rows = []
        for start in range(0, self.count, CHUNK):
            rows += load_rows(self.path(start))
        assert len(rows) == self.count, "every scene is measured once"
        return rows

    def delete_outdated(self) -> None:
        """Delete the metric's subfolders with another key, and the damaged files of this key.

        Subfolders with another key hold rows of other images, data or settings. A note is printed
        for each damaged file.
        """
        for left in self.folder.glob("*") if self.folder.is_dir() else ():
            if left.name != self.key:
                shutil.rmtree(left)
        for start in range(0, self.count, CHUNK):
            if self.has(start) and not self._is_whole(start):
                say(f"{self.path(start)} is damaged and is measured anew.")
                self.path(start).unlink()

    def _is_whole(self, start: int) -> bool:
        try:
            return len(load_rows(self.path(start))) == min(CHUNK, self.count - start)
        except DAMAGE:
            return False


def measure(
    systems: Sequence[System],
    stores: Mapping[str, Mapping[str, RowStore]],
    metrics: Mapping[str, Metric],
    scenes: ScoredScenes,
    device: str,
) -> None:
    """Measure every system's images with every metric, except what is on file, and write the files.

    A row is what one metric measures on one scene. First outdated and damaged row files are
    deleted. Every process of a group takes part. A device without enough memory measures fewer
    scenes at once.

    Args:
        systems: the systems whose images are measured.
        stores: the row files by system and metric; other pairs are not measured.
        metrics: the metrics by name.
        scenes: the scored scenes.
        device: the device that computes metrics.

    Raises:
        UserError: an image, or the weights of a metric, cannot be used.
        torch.OutOfMemoryError: the memory is too small for one scene.
    """
    if is_main_process():
        for own in stores.values():
            for store in own.values():
                store.delete_outdated()
    barrier()
    starts = [s for s in range(0, len(scenes), CHUNK) if _is_missing(s, stores)]
    barrier()  # no process writes before all processes know what is missing
    share = starts[get_rank() :: get_world_size()]
    if share:
        with Progress("measuring", len(share), visible=is_main_process()) as progress:
            for start in share:
                _measure_chunk(start, systems, stores, metrics, scenes, device)
                progress.advance()
    barrier()


def _is_missing(start: int, stores: Mapping[str, Mapping[str, RowStore]]) -> bool:
    return any(not store.has(start) for own in stores.values() for store in own.values())


def _measure_chunk(
    start: int,
    systems: Sequence[System],
    stores: Mapping[str, Mapping[str, RowStore]],
    metrics: Mapping[str, Metric],
    scenes: ScoredScenes,
    device: str,
) -> None:
    indices = range(start, min(start + CHUNK, len(scenes)))
    samples = [scenes.sample(index) for index in indices]
    for system in systems:
        missing = {n: s for n, s in stores[system.name].items() if not s.has(start)}
        if not missing:
            continue
        needs = {need for name in missing for need in metrics[name].needs}
        predictions = list(_predictions(system, indices, samples, device))
        for index, sample, prediction in zip(indices, samples, predictions, strict=True):
            if "appearances" in needs:
                prediction["appearances"] = scenes.appearances(index) or {}
            if "styles" in needs and system.styles is not None:
                prediction["styles"] = system.styles.on(sample)
        for name, store in missing.items():
            store.write(start, measured(metrics[name], predictions))


def _predictions(
    system: System, indices: Sequence[int], samples: Sequence[Any], device: str
) -> Iterator[Prediction]:
    for index, sample in zip(indices, samples, strict=True):
        images = system.images.read(index, sample).to(device)
        data = {k: v.to(device) for k, v in sample.items() if k != "name"}
        data = {key: value[None] for key, value in data.items()} | {"name": [sample["name"]]}
        prediction = to_predictions(images[:1], data)[0]
        prediction["samples"] = images
        yield prediction


def measured(metric: Metric, predictions: Sequence[Prediction]) -> Rows:
    """Measure scenes with a metric and return one row for each scene, in order.

    When the device's memory runs out, the scenes are split in halves and measured again.

    Raises:
        torch.OutOfMemoryError: the memory is too small for one scene.
    """
    return list(chain.from_iterable(split_on_out_of_memory(partial(rows_of, metric), predictions)))


def row_key(*dependencies: Any) -> str:
    """Return a hash of 16 hex digits of JSON values on which measured rows depend."""
    return fingerprint(dependencies)[:16]
