"""The shared rows: what was measured on photos and other controls, for every later evaluation.

They depend on the data and the metric alone, so that every system and every run on this machine
can use them. One file holds the rows of one metric on all scenes of one control. Its name is the
hash of all they depend on: contents of the scenes' files, metric, weights, code, packages, device.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from i2ibench.errors import UserError
from i2ibench.evaluation.image_sources import System
from i2ibench.evaluation.measurements import (
    CHUNK,
    DAMAGE,
    Rows,
    RowStore,
    load_rows,
    row_key,
    save_rows,
)
from i2ibench.evaluation.scored_scenes import ScoredScenes
from i2ibench.io.files import remove_leftovers
from i2ibench.io.folder_locks import lock_folder
from i2ibench.io.progress import say
from i2ibench.io.provenance import code_hash, versions
from i2ibench.registry.code_hashes import module_of
from i2ibench.registry.contracts import Metric
from i2ibench.registry.sources import is_core

LARGEST = 2**30
"""Bytes of shared rows; those unused for the longest time make way for new ones."""

OTHERWISE = "name another folder with I2IBENCH_CACHE"

Stores = Mapping[str, Mapping[str, RowStore]]


def shared_folder() -> Path:
    """Where shared rows lie: $I2IBENCH_CACHE, or `i2ibench` in the user's cache folder."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111
    return Path(os.environ.get("I2IBENCH_CACHE") or home / "i2ibench") / "rows"


class SharedRows:
    """The shared rows of some stores, for an evaluation's main process.

    Of a metric or a data set that is not this project's own nothing is shared: versions of the
    packages that it uses are in no hash.

    Args:
        stores: by system and metric; those of systems under test are left alone.
        systems: whose.
        metrics: by name.
        scenes: what they are measured on.
        device: where networks run.
    """

    def __init__(
        self,
        stores: Stores,
        systems: Sequence[System],
        metrics: Mapping[str, Metric],
        scenes: ScoredScenes,
        device: str,
    ) -> None:
        self.folder = shared_folder()
        self.scenes = scenes
        name = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
        facts = [versions(), name, code_hash("evaluation")]
        data = scenes.reading
        self._files = {
            (system.name, metric): (store, self.folder / f"{row_key(store.key, *facts)}.npz")
            for system in systems
            for metric, store in stores[system.name].items()
            if system.control and _is_own([*data, metrics[metric], *vars(metrics[metric]).values()])
        }
        self._new: list[tuple[RowStore, Path]] = []

    def fetch(self) -> None:
        """Give the stores that are empty what is shared, and say so."""
        systems, names = set(), set()
        for (system, metric), (store, path) in self._files.items():
            if any(store.has(start) for start in range(0, store.count, CHUNK)):
                continue
            rows = _read(path, store.count)
            if rows is None:
                self._new.append((store, path))
                continue
            for start in range(0, store.count, CHUNK):
                store.write(start, rows[start : start + CHUNK])
            systems.add(system)
            names.add(metric)
        if names:
            say(
                f"{len(self.scenes)} scenes, {', '.join(sorted(systems))}: "
                f"{', '.join(sorted(names))} from {self.folder}"
            )

    def keep(self) -> None:
        """Share what has been measured whole since `fetch`."""
        try:
            with lock_folder(self.folder, "sharing rows", OTHERWISE, wait=True):
                remove_leftovers(self.folder)
                for store, path in self._new:
                    save_rows(path, store.read())
                _make_way(self.folder)
        except (OSError, UserError) as error:
            reason = getattr(error, "strerror", None) or error
            say(
                f"{self.folder} cannot be written ({reason}): the next evaluation measures the "
                "photos again. I2IBENCH_CACHE names another folder."
            )


def _read(path: Path, count: int) -> Rows | None:
    """The rows in a file, which counts as used now; None if it is not there or damaged."""
    try:
        rows = load_rows(path)
        os.utime(path)
    except FileNotFoundError:
        return None
    except DAMAGE:
        rows = []
    if len(rows) != count:
        say(f"{path} is damaged and is made anew.")
        return None
    return rows


def _make_way(folder: Path) -> None:
    """Remove the files used longest ago until the rest is small enough."""
    files = [(path.stat(), path) for path in folder.glob("*.npz")]
    size = sum(stat.st_size for stat, _ in files)
    for stat, path in sorted(files, key=lambda file: file[0].st_mtime):
        if size <= LARGEST:
            break
        path.unlink(missing_ok=True)
        size -= stat.st_size


def _is_own(parts: Sequence[object]) -> bool:
    """Return whether all parts are of this project, or plain values and torch's."""
    plain = ("builtins", "pathlib", "torch", "numpy")
    modules = map(module_of, parts)
    return all(is_core(m) or m.partition(".")[0] in plain for m in modules)
