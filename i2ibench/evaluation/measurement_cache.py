"""A cache of measurements of the controls, which all evaluations of a user share.

Measurements of controls, such as real images, depend on the data and the metric but on no system.
One file holds the rows of one metric on all scenes of one control. Its name is the hash of
everything that the rows depend on: contents of the scenes' files, metric, weights, code, packages,
device.
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
from i2ibench.evaluation.protocol_scenes import ScoredScenes
from i2ibench.io.files import remove_leftovers
from i2ibench.io.folder_locks import lock_folder
from i2ibench.io.progress import say
from i2ibench.io.provenance import code_hash, versions
from i2ibench.registry.code_hashes import module_of
from i2ibench.registry.contracts import Metric
from i2ibench.registry.sources import is_core

MAX_BYTES = 2**30
"""The largest size of the cache; the files that were unused for the longest time are deleted."""

OTHERWISE = "name another folder with I2IBENCH_CACHE"

Stores = Mapping[str, Mapping[str, RowStore]]


def shared_folder() -> Path:
    """Return the path of the user's cache of measurements; the folder need not exist.

    This is `rows` in $I2IBENCH_CACHE, or else `i2ibench/rows` in $XDG_CACHE_HOME or ~/.cache.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111
    return Path(os.environ.get("I2IBENCH_CACHE") or home / "i2ibench") / "rows"


class SharedRows:
    """The cached rows of the controls of one evaluation; only the main process uses it.

    Rows of metrics and data sets from plugins are not cached, because the versions of the packages
    that plugins use are in no hash.

    Args:
        stores: the row files of the evaluation by system and metric.
        systems: the systems and controls.
        metrics: the metrics by name.
        scenes: the scored scenes.
        device: the device that computes networks.
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
        environment = [versions(), name, code_hash("evaluation")]
        data = scenes.reading
        self._files = {
            (system.name, metric): (store, self.folder / f"{row_key(store.key, *environment)}.npz")
            for system in systems
            for metric, store in stores[system.name].items()
            if system.control and _is_own([*data, metrics[metric], *vars(metrics[metric]).values()])
        }
        self._new: list[tuple[RowStore, Path]] = []

    def fetch(self) -> None:
        """Copy cached measurements of the control systems into this evaluation's files.

        The control systems are the real photos, the class colours and the photos of other scenes. A
        note names what was copied. A metric with some measurements on file is skipped, and `keep`
        will not cache it. What is missing or damaged in the cache is noted for `keep`.
        """
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
        """Write to the user's cache the new measurements that `fetch` did not find there.

        Call it after measuring. Then the files that were unused for the longest time are deleted
        until the rest has MAX_BYTES at most. If the folder cannot be written, a note is printed and
        nothing is raised.
        """
        try:
            with lock_folder(self.folder, "sharing rows", OTHERWISE, wait=True):
                remove_leftovers(self.folder)
                for store, path in self._new:
                    save_rows(path, store.read())
                _delete_oldest(self.folder)
        except (OSError, UserError) as error:
            reason = getattr(error, "strerror", None) or error
            say(
                f"{self.folder} cannot be written ({reason}): the next evaluation measures the "
                "photos again. I2IBENCH_CACHE names another folder."
            )


def _read(path: Path, count: int) -> Rows | None:
    """Read a cache file, one array of measurements for each scene, and set its time of use to now.

    Return None if the file is missing, or if it is damaged or has not `count` arrays. In the latter
    cases a note is printed.
    """
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


def _delete_oldest(folder: Path) -> None:
    """Delete the longest unused cache files until at most MAX_BYTES are left."""
    files = [(path.stat(), path) for path in folder.glob("*.npz")]
    size = sum(stat.st_size for stat, _ in files)
    for stat, path in sorted(files, key=lambda file: file[0].st_mtime):
        if size <= MAX_BYTES:
            break
        path.unlink(missing_ok=True)
        size -= stat.st_size


def _is_own(parts: Sequence[object]) -> bool:
    """Return whether all objects are plain values or belong to this project, torch or numpy.

    Objects from plugins do not.
    """
    plain = ("builtins", "pathlib", "torch", "numpy")
    modules = map(module_of, parts)
    return all(is_core(m) or m.partition(".")[0] in plain for m in modules)
