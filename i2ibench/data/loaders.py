"""Data sets and data loaders of a config."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, default_collate

from i2ibench.data.image_files import image_size
from i2ibench.data.sampler import EpochSampler
from i2ibench.data.scenes import Scenes
from i2ibench.errors import UserError, near_match
from i2ibench.io.processes import barrier, get_rank, get_world_size, is_main_process
from i2ibench.registry import DATASETS, TRANSFORMS, check_names, check_options, options_of
from i2ibench.registry.configuration import Config
from i2ibench.registry.contracts import Dataset

OPTIONS = ("dataset", "batch_size", "num_workers", "accumulate", "cache", "prefetch")

CACHE = "i2ibench_cache"
"""The folder in a data set's root that `cache=True` stands for."""

PROMISE = (
    "A data set takes the option seed, for random transforms, inherits from "
    "i2ibench.registry.contracts.Dataset and sets self.metainfo (ClassTable.metainfo) and "
    "self.scenes (a Scenes, with the files of every scene) in its constructor. "
    "`i2ibench new-plugin dataset NAME` writes an example."
)


def build_dataset(cfg: Mapping[str, Any], data_root: str | None, seed: int = 0) -> Dataset:
    """The data set of a loader's config; the config's `data_root` is its root.

    Raises:
        UserError: the data is not there, the config is wrong, or the class is no data set.
    """
    check_loader(cfg)
    options = dict(cfg["dataset"])
    if "type" in options:
        check_class(DATASETS.part(options["type"]))
    derived = _root_of(options, data_root)
    dataset: Dataset = DATASETS.build({"seed": seed, **options}, **derived)
    check_scenes(dataset)
    dataset.scenes.cache_folder = _cache_folder(cfg.get("cache", False), options, data_root)
    return dataset


def check_class(part: Callable[..., Any]) -> None:
    """Refuse a class without the option `seed`, which every data set is given.

    Raises:
        UserError: names the class, and the promise.
    """
    if "seed" not in options_of(part):
        raise UserError(f"The data set {part.__name__} does not take 'seed'. {PROMISE}")


def check_scenes(dataset: Dataset) -> None:
    """Refuse a data set whose `scenes` are something else.

    Raises:
        UserError: names the class, and the promise.
    """
    if not isinstance(dataset.scenes, Scenes):
        raise UserError(
            f"The data set {type(dataset).__name__} has no 'scenes', a Scenes. {PROMISE}"
        )


def build_datasets(config: Config) -> tuple[Dataset, Dataset]:
    """Return the data sets for training and validation; one that makes its files has made them.

    Raises:
        UserError: see `prepare_dataset` and `build_dataset`.
    """
    prepare_datasets(config)
    root, seed = config.get("data_root"), config.get("seed", 0)
    train = build_dataset(config.train_dataloader, root, seed)
    return train, build_dataset(config.val_dataloader, root, seed)


def prepare_dataset(cfg: Mapping[str, Any], data_root: str | None) -> Path | None:
    """Let the data set of a loader's config make its files; see `Dataset.prepare`.

    To be called for configs of the user's own, before `build_dataset`, in one process alone.

    Returns:
        The folder that has the files, or None for a data set that makes none.

    Raises:
        UserError: the files cannot be made, or the config is wrong.
    """
    check_loader(cfg)
    options = dict(cfg["dataset"])
    part = DATASETS.part(options.pop("type", None))
    if not (isinstance(part, type) and issubclass(part, Dataset)):
        return None
    options |= _root_of(options, data_root)
    check_options(part, options)
    try:
        return part.prepare(options)
    except (TypeError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"The dataset {part.__name__} refuses its options: {error}") from error


def prepare_datasets(config: Config) -> list[Path]:
    """Let the data sets of both loaders make their files, in the main process; the others wait.

    Returns:
        The folders that have them; none in the other processes.

    Raises:
        UserError: see `prepare_dataset`.
    """
    found: list[Path | None] = []
    if is_main_process():
        root = config.get("data_root")
        found = [prepare_dataset(config[f"{name}_dataloader"], root) for name in ("train", "val")]
    barrier()  # the others read what the first has made
    return [folder for folder in found if folder is not None]


def _root_of(options: Mapping[str, Any], data_root: str | None) -> dict[str, Any]:
    """Return the option `root` that the config's `data_root` stands for, where none is given."""
    return {} if "root" in options or data_root is None else {"root": data_root}


def _cache_folder(
    cache: bool | str, options: Mapping[str, Any], data_root: str | None
) -> Path | None:
    root = options.get("root", data_root)
    if cache is True and root is None:
        raise UserError(
            "cache=True keeps scenes in the data's root, and there is none: cache=PATH."
        )
    if isinstance(cache, str):
        return Path(cache)
    return Path(str(root)) / CACHE if cache else None


class SceneLoader(DataLoader):
    """A DataLoader whose data set and sampler are this project's.

    Attributes:
        waited: seconds that have been spent waiting for batches, since it was made; without
            workers these are the seconds of reading.
    """

    dataset: Dataset  # type: ignore[assignment]
    sampler: EpochSampler
    waited = 0.0

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """The batches of an epoch; how long each lets one wait is added to `waited`.

        A cache of the scenes is opened before the first, or made.
        """
        self.dataset.scenes.open_cache()
        begin = time.perf_counter()
        for batch in super().__iter__():
            self.waited += time.perf_counter() - begin
            yield batch
            begin = time.perf_counter()


def build_loader(
    dataset: Dataset, cfg: Mapping[str, Any], training: bool, seed: int = 0
) -> SceneLoader:
    """A loader over this process's share of the data set.

    In training the order is shuffled anew each epoch and a last incomplete batch is dropped. With
    `accumulate=N` each item is a list of N batches, which make one update together: the gradients
    are those of a batch N times as large, the memory is one batch's. With `cache=True` or a path
    scenes come from a file at training size, which is made for the first batch if it is not there
    yet. Each of `num_workers` reads `prefetch` items ahead (2).

    Raises:
        UserError: the data set is smaller than what one update takes, or `accumulate` is given
            where nothing is updated.
    """
    batch_size, workers = cfg.get("batch_size", 1), cfg.get("num_workers", 0)
    if not training and "accumulate" in cfg:
        raise UserError("accumulate is for train_dataloader: nothing is updated in validation.")
    update_size = batch_size * cfg.get("accumulate", 1)
    sampler = EpochSampler(dataset, training, seed, get_rank(), get_world_size())
    if training and len(sampler) < update_size:
        raise UserError(
            f"The training set has {len(sampler)} scenes per process, fewer than the "
            f"{update_size} of one update: batch_size {batch_size}"
            f"{', accumulate ' + str(cfg['accumulate']) if 'accumulate' in cfg else ''}."
        )
    return SceneLoader(
        dataset,  # type: ignore[arg-type]
        batch_size=update_size,
        collate_fn=BatchList(batch_size) if update_size > batch_size else default_collate,
        worker_init_fn=ignore_worker_signals,
        sampler=sampler,
        num_workers=workers,
        drop_last=training,
        persistent_workers=workers > 0,
        prefetch_factor=cfg.get("prefetch", 2) if workers else None,
        pin_memory=torch.cuda.is_available(),  # only from there a copy need not be waited for
        # Otherwise every epoch draws from torch's own generator, and a resumed run differs.
        generator=torch.Generator().manual_seed(seed),
    )


class BatchList:
    """Collates scenes into a list of batches.

    Args:
        batch_size: scenes in each.
    """

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size

    def __call__(self, samples: list[Any]) -> list[Any]:
        """The batches of the samples in order."""
        starts = range(0, len(samples), self.batch_size)
        return [default_collate(samples[i : i + self.batch_size]) for i in starts]


def ignore_worker_signals(worker: int) -> None:
    """Let a worker go on when a scheduler or a terminal signals all processes of a run.

    The process that trains decides when to end, and ends its workers with SIGTERM; only its own
    counts. macOS and Windows cannot tell who sent a signal: there a worker ends with any SIGTERM.
    """
    for name in ("SIGINT", "SIGUSR1", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)


def check_loader(cfg: Mapping[str, Any]) -> None:
    """Refuse a loader's config with an unknown option or an impossible number.

    Raises:
        UserError: names the option and its value.
    """
    for option in cfg:
        if option not in OPTIONS:
            raise UserError(
                f"A data loader has no option {option!r}.{near_match(option, OPTIONS)} "
                f"Options: {', '.join(OPTIONS)}."
            )
    if not isinstance(cfg.get("dataset"), Mapping):
        raise UserError(f"A data loader needs a 'dataset' with a type, got {cfg.get('dataset')!r}.")
    for option, least in (
        ("batch_size", 1),
        ("num_workers", 0),
        ("accumulate", 1),
        ("prefetch", 1),
    ):
        value = cfg.get(option, least)
        if not isinstance(value, int) or value < least:
            raise UserError(f"{option} is an integer from {least} on, not {value!r}.")
    if "prefetch" in cfg and not cfg.get("num_workers", 0):
        raise UserError("prefetch counts the updates that each worker reads ahead: num_workers=0.")
    if not isinstance(cfg.get("cache", False), bool | str):
        raise UserError(f"cache is True, False or a folder, not {cfg['cache']!r}.")


@dataclass(frozen=True)
class BatchSpec:
    """Facts of a loader's output: a class table's metainfo, pixels, scenes in a batch."""

    metainfo: dict[str, Any]
    width: int
    height: int
    batch_size: int


def batch_spec(cfg: Mapping[str, Any], data_root: str | None) -> BatchSpec:
    """What the loader of a config will yield; see `build_dataset`.

    Data sets that know their classes and sizes need not be there. Of several sizes the largest
    counts; transforms see an empty label map of it.

    Raises:
        UserError: the config is wrong, or the data is needed and not there.
    """
    check_loader(cfg)
    options = dict(cfg["dataset"])
    transforms = [TRANSFORMS.build(one) for one in options.get("transforms", [])]
    metainfo, (width, height) = _known(cfg, options, data_root)
    arrays: dict[str, Any] = {
        "label": np.zeros((height, width), np.uint8),
        "rng": np.random.default_rng(0),
    }
    for transform in transforms:
        arrays = transform(arrays)
    height, width = arrays["label"].shape
    return BatchSpec(metainfo, width, height, cfg.get("batch_size", 1))


def _known(
    cfg: Mapping[str, Any], options: dict[str, Any], data_root: str | None
) -> tuple[dict[str, Any], tuple[int, int]]:
    """Metainfo and the (width, height) of the files, which are looked at only if need be."""
    kind = options.get("type")
    part: Any = DATASETS.find(kind) if isinstance(kind, str) else None
    if isinstance(part, type) and issubclass(part, Dataset):
        check_names(part, [option for option in options if option != "type"])
        known = part.static_info(options)
        if known is not None:
            return known[0].metainfo(str(kind)), known[1]
    dataset = build_dataset(cfg, data_root)
    sizes = {image_size(files.input) for files in dataset.scenes.files}
    height, width = max(sizes, key=lambda size: size[0] * size[1])
    return dataset.metainfo, (width, height)
