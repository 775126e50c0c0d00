"""Fitting a style bank to the training scenes of a checkpoint."""

import copy
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from i2ibench.data.loaders import build_dataset, ignore_worker_signals
from i2ibench.errors import UserError
from i2ibench.inference.checkpoints import OpenedCheckpoint, building_from, read_checkpoint
from i2ibench.inference.styles.instance_features import (
    collect_features,
    evenly_spread,
    read_batches,
    without_random,
)
from i2ibench.inference.styles.preview import bank_of
from i2ibench.io.files import write_file
from i2ibench.io.progress import Progress
from i2ibench.io.provenance import sha256
from i2ibench.models.styles.bank import StyleBank
from i2ibench.models.styles.bank_files import describe
from i2ibench.registry.assignments import resolve
from i2ibench.registry.configuration import Config
from i2ibench.registry.contracts import Dataset
from i2ibench.structures import Batch


@dataclass(frozen=True)
class FitOptions:
    """The options of fitting a bank.

    Attributes:
        num_styles: K, modes per class; None for the checkpoint's K.
        min_area: the share of an image that an instance must exceed to be used.
        seed: the seed of the clustering.
        max_scenes: the largest number of training scenes to read, evenly spread; 0 for all.
    """

    num_styles: int | None = None
    min_area: float = 0.0
    seed: int = 0
    max_scenes: int = 0


def scenes_of(
    opened: OpenedCheckpoint, loader: str, overrides: Mapping[str, Any] | None = None
) -> Dataset:
    """Return a data set of the checkpoint's config, without its random transforms.

    Args:
        opened: the checkpoint.
        loader: "train_dataloader" or "val_dataloader".
        overrides: values, or `Written` texts, that replace those of the config, by dotted key; None
            for none.

    Raises:
        UserError: the config names no data, the data is missing, has other classes, or lacks label
            or instance maps.
    """
    config = Config(copy.deepcopy(opened.config.to_dict()))
    config.merge_from_dict(resolve(overrides or {}, config.to_dict()))
    if not config.get(loader):
        raise UserError(
            f"{opened.path} does not say what it was trained on; name it with --cfg-options, as in "
            f"{loader}.dataset.type=Cityscapes {loader}.dataset.split=train data_root=DIR."
        )
    seed = config.get("seed", 0)
    with building_from(opened.path):
        dataset = build_dataset(config[loader], config.get("data_root"), seed)
    dataset = without_random(dataset)
    if dataset.metainfo["classes"] != opened.metainfo["classes"]:
        raise UserError(
            f"{opened.path} was trained on {opened.metainfo['dataset']}, whose classes differ from "
            f"those of {dataset.metainfo['dataset']}."
        )
    files = dataset.scenes.files[0]
    if files.label is None or files.instance is None:
        raise UserError("Styles belong to instances with a class, and the data lacks their maps.")
    return dataset


def fit_bank(
    opened: OpenedCheckpoint, dataset: Dataset, settings: FitOptions, batch_size: int = 4
) -> StyleBank:
    """Return a new bank that is fitted to the encoder's features of a data set's scenes.

    Args:
        opened: the checkpoint. Its own bank stays as it is.
        dataset: scenes with real images, label and instance maps.
        settings: the options, such as the largest number of scenes.
        batch_size: the number of scenes that are encoded together.

    Raises:
        UserError: the checkpoint has no encoder, a scene is broken or has no real image, or no
            instance is larger than `min_area`.
    """
    bank = _empty_bank(opened, settings)
    positions = evenly_spread(len(dataset), settings.max_scenes)
    wanted = opened.config.get("train_dataloader", {}).get("num_workers", 0)
    workers = min(wanted, os.cpu_count() or 1)  # a checkpoint may come from a larger machine
    data = read_batches(dataset, positions, batch_size, workers, ignore_worker_signals)
    with Progress("encoding scenes", len(positions)) as progress:
        batches = _preprocessed(opened, data, progress)
        features = collect_features(opened.inference, batches, settings.min_area)
    if not features:
        raise UserError(
            f"No instance in {len(positions)} scenes covers more than {settings.min_area:g} of its "
            "image, so there is nothing to cluster: lower --min-area."
        )
    bank.fit(features)
    return bank


def describe_fit(
    opened: OpenedCheckpoint, dataset: Dataset, settings: FitOptions
) -> dict[str, Any]:
    """Return the origin of a fitted bank as JSON values, for its description.

    Keys are `dataset` (the name of the checkpoint's training data), `checkpoint` (its SHA-256),
    `scenes` (the number of scenes read) and `settings`.

    Args:
        opened: the checkpoint.
        dataset: the scenes that the bank was fitted to.
        settings: the options of the fit.
    """
    return {
        "dataset": opened.metainfo["dataset"],
        "checkpoint": sha256(opened.path),
        "scenes": len(evenly_spread(len(dataset), settings.max_scenes)),
        "settings": asdict(settings),
    }


def check_copy(opened: OpenedCheckpoint, path: Path, settings: FitOptions) -> None:
    """Check, before fitting, that a copy of the checkpoint can hold the new bank.

    Args:
        opened: the checkpoint.
        path: the file of the copy.
        settings: the options of the fit, which state K.

    Raises:
        UserError: the path is the checkpoint itself, K differs from that of its config, or the
            checkpoint has no encoder.
    """
    if path.resolve() == opened.path.resolve():
        raise UserError(f"{path} is the checkpoint itself; name another file for the copy.")
    own, new = bank_of(opened), _empty_bank(opened, settings)
    if own.centres.shape != new.centres.shape:
        raise UserError(
            f"{opened.path} holds {own.num_styles} styles per class, so it cannot take "
            f"{new.num_styles}: fit {own.num_styles}, or write a bank of its own with --output."
        )


def write_copy(
    opened: OpenedCheckpoint, path: Path, bank: StyleBank, origin: Mapping[str, Any]
) -> None:
    """Write a copy of the checkpoint with another style bank, atomically.

    The bank is written beside the weights that the checkpoint was opened with, averaged ones or
    those of the last step. The other weights keep theirs.

    Args:
        opened: the checkpoint, whose file is read again.
        path: the file to write; an existing file is replaced.
        bank: the new bank.
        origin: JSON values about the origin of the bank, for the checkpoint's `meta`.
    """
    saved = read_checkpoint(opened.path)
    tensors = {f"style_bank.{name}": x.cpu() for name, x in bank.state_dict().items()}
    note = {**describe(bank, opened.metainfo["classes"]), **origin}
    weights = "ema_state_dict" if opened.averaged else "state_dict"
    changed = {
        **saved,
        weights: {**saved[weights], **tensors},
        "meta": {**saved["meta"], "style_bank": note},
    }
    write_file(path, lambda aside: torch.save(changed, aside))


def _empty_bank(opened: OpenedCheckpoint, settings: FitOptions) -> StyleBank:
    num_classes, num_styles, channels = bank_of(opened).centres.shape
    return StyleBank(num_classes, channels, settings.num_styles or num_styles, settings.seed)


def _preprocessed(
    opened: OpenedCheckpoint, data: Iterator[Any], progress: Progress
) -> Iterator[Batch]:
    for collated in data:
        yield opened.translator.data_preprocessor(collated)
        progress.advance(len(collated["name"]))
