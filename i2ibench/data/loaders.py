"""Building and checking of the data sets and data loaders of a config."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, default_collate

from i2ibench.data.image_reading import image_size
from i2ibench.data.sampler import EpochSampler
from i2ibench.data.scenes import Scenes
from i2ibench.errors import UserError, near_match
from i2ibench.io.process_group import barrier, get_rank, get_world_size, is_main_process
from i2ibench.registry import DATASETS, TRANSFORMS, check_names, check_options, options_of
from i2ibench.registry.configuration import Config
from i2ibench.registry.contracts import Dataset

OPTIONS = ("dataset", "batch_size", "num_workers", "accumulate", "cache", "prefetch")

CACHE = "i2ibench_cache"
"""The folder for the cache in a data set's root, used with `cache=True`."""

PROMISE = (
    "A data set takes the option seed, for random transforms, inherits from "
    "i2ibench.registry.contracts.Dataset and sets self.metainfo (ClassTable.metainfo) and "
    "self.scenes (a Scenes, with the files of every scene) in its constructor. "
    "`i2ibench new-plugin dataset NAME` writes an example."
)


def build_dataset(cfg: Mapping[str, Any], data_root: str | None, seed: int = 0) -> Dataset:
    """Build the data set of a loader's config, and choose the folder of its cache.

    Files that the data set makes itself must be there already, see `prepare_dataset`.

    Args:
        cfg: the loader's config, such as `train_dataloader`.
        data_root: the root of the data set if its options have none; None for data without a root.
        seed: the seed of random transforms; a seed in the data set's options comes first.

    Raises:
        UserError: the data is missing, the config is wrong, or the class is not a data set.
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
    """Check that the constructor of a data-set class has a parameter called `seed`.

    A constructor with **kwargs may have the parameter in a base class; **kwargs alone is not
    enough.

    Args:
        part: the class, or a function that returns a data set.

    Raises:
        UserError: there is no such parameter; the message names the class and quotes `PROMISE`.
    """
    if "seed" not in options_of(part):
        raise UserError(f"The data set {part.__name__} does not take 'seed'. {PROMISE}")


def check_scenes(dataset: Dataset) -> None:
    """Check that the attribute `scenes` of a built data set is a `Scenes`.

    Raises:
        UserError: it is something else; the message names the class and quotes `PROMISE`.
    """
    if not isinstance(dataset.scenes, Scenes):
        raise UserError(
            f"The data set {type(dataset).__name__} has no 'scenes', a Scenes. {PROMISE}"
        )


def build_datasets(config: Config) -> tuple[Dataset, Dataset]:
    """Make missing files of a config's data sets, and build the two for training and validation.

    Args:
        config: the config; `data_root` and `seed` are optional (None and 0).

    Raises:
        UserError: see `prepare_dataset` and `build_dataset`.
    """
    prepare_datasets(config)
    root, seed = config.get("data_root"), config.get("seed", 0)
    train = build_dataset(config.train_dataloader, root, seed)
    return train, build_dataset(config.val_dataloader, root, seed)


def prepare_dataset(cfg: Mapping[str, Any], data_root: str | None) -> Path | None:
    """Make the files of a loader's data set by `Dataset.prepare`, if it makes its own.

    Call this before `build_dataset`, in one process only, and only for the user's own configs.

    Args:
        cfg: the loader's config, such as `train_dataloader`.
        data_root: the root of the data set if its options have none; None for data without a root.

    Returns:
        The folder of the files, or None for a data set that makes no files.

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
    except UserError:
        raise
    except (TypeError, ValueError) as error:
        raise UserError(f"The dataset {part.__name__} refuses its options: {error}") from error


def prepare_datasets(config: Config) -> list[Path]:
    """Call `prepare_dataset` for a config's two loaders in the main process; other processes wait.

    Returns:
        The folders of data sets that make their own files, first that of the training data. The
        list is empty in the other processes.

    Raises:
        UserError: see `prepare_dataset`.
    """
    folders: list[Path | None] = []
    if is_main_process():
        root = config.get("data_root")
        folders = [prepare_dataset(config[f"{name}_dataloader"], root) for name in ("train", "val")]
    barrier()
    return [folder for folder in folders if folder is not None]


def _root_of(options: Mapping[str, Any], data_root: str | None) -> dict[str, Any]:
    """Return `data_root` as the option `root`, or {} if `options` has a root or there is none."""
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
    """A DataLoader that opens the cache of its scenes and measures the waiting for batches.

    Attributes:
        waited: the total seconds that `for` loops waited for batches. Without workers these are the
            seconds spent reading.
    """

    dataset: Dataset  # type: ignore[assignment]
    sampler: EpochSampler
    waited = 0.0

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Yield the batches of an epoch; the scenes' cache is opened or made before the first.

        The seconds spent waiting for batches are added to `waited`.
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
    """Return a loader over this process's share of a data set; no file is read yet.

    With `accumulate=N` in the config, each item is a list of N batches for one update. The
    gradients equal those of one batch that is N times as large, with the memory of one batch. Each
    of `num_workers` worker processes reads `prefetch` items ahead (default 2).

    Args:
        dataset: the data set.
        cfg: the loader's config, see `check_loader`.
        training: shuffle the order anew each epoch, and drop an incomplete last batch.
        seed: the seed of the order.

    Raises:
        UserError: the training share is smaller than one update, or `accumulate` is in a config for
            validation.
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
        collate_fn=partial(_collate_batches, batch_size=batch_size)
        if update_size > batch_size
        else default_collate,
        worker_init_fn=ignore_worker_signals,
        sampler=sampler,
        num_workers=workers,
        drop_last=training,
        persistent_workers=workers > 0,
        prefetch_factor=cfg.get("prefetch", 2) if workers else None,
        pin_memory=torch.cuda.is_available(),  # copies to the GPU are asynchronous only if pinned
        # Without a generator every epoch draws from torch's global one, and a resumed run differs.
        generator=torch.Generator().manual_seed(seed),
    )


def _collate_batches(samples: list[Any], batch_size: int) -> list[Any]:
    """Collate samples into a list of batches, in order; the last may be smaller."""
    starts = range(0, len(samples), batch_size)
    return [default_collate(samples[i : i + batch_size]) for i in starts]


def ignore_worker_signals(worker: int) -> None:
    """Keep a worker running when a scheduler or a terminal signals all processes of a run.

    SIGINT, SIGUSR1 and SIGBREAK are ignored. The training process decides when to end and then
    sends SIGTERM to its workers. A worker ignores SIGTERM from any other process, except on macOS
    and Windows, where the sender is unknown.

    Args:
        worker: the number of the worker, which torch passes; it is not used.
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
    """Check the options of a loader's config, but not those of its data set.

    Raises:
        UserError: an option is unknown or its value is impossible, `dataset` is missing, or
            `prefetch` is given without `num_workers`.
    """
    for option in cfg:
        if option not in OPTIONS:
            raise UserError(
                f"A data loader has no option {option!r}.{near_match(option, OPTIONS)} "
                f"Options: {', '.join(OPTIONS)}."
            )
    if not isinstance(cfg.get("dataset"), Mapping):
        raise UserError(f"A data loader needs a 'dataset' with a type, got {cfg.get('dataset')!r}.")
    minimum = {"batch_size": 1, "num_workers": 0, "accumulate": 1, "prefetch": 1}
    for option, least in minimum.items():
        value = cfg.get(option, least)
        if not isinstance(value, int) or value < least:
            raise UserError(f"{option} is an integer from {least} on, not {value!r}.")
    if "prefetch" in cfg and not cfg.get("num_workers", 0):
        raise UserError("prefetch counts the updates that each worker reads ahead: num_workers=0.")
    if not isinstance(cfg.get("cache", False), bool | str):
        raise UserError(f"cache is True, False or a folder, not {cfg['cache']!r}.")


@dataclass(frozen=True)
class BatchSpec:
    """The size of a loader's batches in pixels and scenes, and the metainfo of the data set."""

    metainfo: dict[str, Any]
    width: int
    height: int
    batch_size: int


def batch_spec(cfg: Mapping[str, Any], data_root: str | None) -> BatchSpec:
    """Return the metainfo of a loader's data set, and the size of the loader's batches.

    If the data set implements `static_info`, no data is needed. Otherwise the data set is built and
    the size of every image is read; the largest image counts. The size after the transforms is
    found with an empty label map.

    Args:
        cfg: the loader's config, such as `train_dataloader`.
        data_root: the root of the data set if its options have none; None for data without a root.

    Raises:
        UserError: the config is wrong, or the data is needed and missing.
    """
    check_loader(cfg)
    transforms = [TRANSFORMS.build(one) for one in cfg["dataset"].get("transforms", [])]
    metainfo, (width, height) = _metainfo_and_size(cfg, data_root)
    arrays: dict[str, Any] = {
        "label": np.zeros((height, width), np.uint8),
        "rng": np.random.default_rng(0),
    }
    for transform in transforms:
        arrays = transform(arrays)
    height, width = arrays["label"].shape
    return BatchSpec(metainfo, width, height, cfg.get("batch_size", 1))


def _metainfo_and_size(
    cfg: Mapping[str, Any], data_root: str | None
) -> tuple[dict[str, Any], tuple[int, int]]:
    """Return a data set's metainfo and (width, height) from `static_info`, or else from the files.

    From the files, the size is that of the input with the most pixels, before the transforms.
    """
    options = dict(cfg["dataset"])
    kind = options.get("type")
    part: Any = DATASETS.find(kind) if isinstance(kind, str) else None
    if isinstance(part, type) and issubclass(part, Dataset):
        check_names(part, [option for option in options if option != "type"])
        static = part.static_info(options)
        if static is not None:
            return static[0].metainfo(str(kind)), static[1]
    dataset = build_dataset(cfg, data_root)
    sizes = {image_size(files.input) for files in dataset.scenes.files}
    height, width = max(sizes, key=lambda size: size[0] * size[1])
    return dataset.metainfo, (width, height)
