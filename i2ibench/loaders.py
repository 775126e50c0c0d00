"""Data sets and data loaders of a config."""

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.dist import get_rank, get_world_size
from torch.utils.data import DataLoader

from i2ibench.datasets.sampler import EpochSampler
from i2ibench.datasets.scenes import SceneDataset
from i2ibench.errors import UserError, near_match
from i2ibench.registry import DATASETS

OPTIONS = ("dataset", "batch_size", "num_workers")


def build_dataset(cfg: Mapping[str, Any], data_root: str | None, seed: int = 0) -> SceneDataset:
    """The data set of a loader's config; the config's `data_root` is its root.

    Raises:
        UserError: the data is not there, or the config is wrong.
    """
    check_loader(cfg)
    options = dict(cfg["dataset"])
    derived: dict[str, Any] = {} if "root" in options or data_root is None else {"root": data_root}
    return DATASETS.build({"seed": seed, **options}, **derived)


class SceneLoader(DataLoader):
    """A DataLoader whose data set and sampler are this project's."""

    dataset: SceneDataset  # type: ignore[assignment]
    sampler: EpochSampler


def build_loader(
    dataset: SceneDataset, cfg: Mapping[str, Any], training: bool, seed: int = 0
) -> SceneLoader:
    """A loader over this process's share of the data set.

    In training the order is shuffled anew each epoch and a last incomplete batch is dropped.

    Raises:
        UserError: the data set is smaller than a batch.
    """
    batch_size, workers = cfg.get("batch_size", 1), cfg.get("num_workers", 0)
    sampler = EpochSampler(dataset, training, seed, get_rank(), get_world_size())
    if training and len(sampler) < batch_size:
        raise UserError(
            f"The training set has {len(sampler)} scenes per process, fewer than batch_size "
            f"{batch_size}."
        )
    return SceneLoader(
        dataset,  # type: ignore[arg-type]
        batch_size=batch_size,
        sampler=sampler,
        num_workers=workers,
        drop_last=training,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
        # Otherwise every epoch draws from torch's own generator, and a resumed run differs.
        generator=torch.Generator().manual_seed(seed),
    )


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
    for option, least in (("batch_size", 1), ("num_workers", 0)):
        value = cfg.get(option, least)
        if not isinstance(value, int) or value < least:
            raise UserError(f"{option} is an integer from {least} on, not {value!r}.")
