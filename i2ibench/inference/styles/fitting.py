"""Fitting a checkpoint's style bank anew, and looking at it."""

import copy
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from i2ibench.data.loaders import build_dataset, ignore_worker_signals
from i2ibench.errors import UserError
from i2ibench.inference.checkpoints import OpenedCheckpoint, building_from, read_checkpoint
from i2ibench.inference.styles.bank_text import facts_of, headings_of
from i2ibench.inference.styles.contact_sheet import Block, draw_sheet, tile
from i2ibench.inference.styles.instance_features import (
    collect_rows,
    evenly_spread,
    read_batches,
    without_random,
)
from i2ibench.inference.styles.previews import largest_scenes, render_modes
from i2ibench.io.files import write_file
from i2ibench.io.progress import Progress
from i2ibench.io.provenance import sha256
from i2ibench.models.styles.bank import StyleBank
from i2ibench.models.styles.bank_files import describe
from i2ibench.registry.assignments import resolve
from i2ibench.registry.configuration import Config
from i2ibench.registry.contracts import Dataset
from i2ibench.structures import Batch

LOOKED_AT = 60
"""Scenes among which a preview chooses, evenly spread."""

LEGEND = (
    "Each column paints one mode on every instance of the class (outlined); all others stay as "
    "sampled.",
    "Behind a mode's number: how many training instances are nearest to it.",
)


@dataclass(frozen=True)
class Fitting:
    """The options by which a bank is fitted.

    Attributes:
        num_styles: K; None for the checkpoint's.
        min_area: instances that cover no more than this share of the image are left out.
        seed: of the clustering.
        max_scenes: how many training scenes are read, evenly spread; all with 0.
    """

    num_styles: int | None = None
    min_area: float = 0.0
    seed: int = 0
    max_scenes: int = 0


def bank_of(opened: OpenedCheckpoint) -> StyleBank:
    """The checkpoint's own bank.

    Raises:
        UserError: it has no encoder.
    """
    bank = opened.inference.bank
    if bank is None:
        raise UserError(f"{opened.path} has no encoder, so it has no styles.")
    return bank


def scenes_of(
    opened: OpenedCheckpoint, loader: str, overrides: Mapping[str, Any] | None = None
) -> Dataset:
    """The scenes that the checkpoint's config names, at their size there, not flipped or cropped.

    Args:
        opened: the checkpoint.
        loader: "train_dataloader" or "val_dataloader".
        overrides: values, or `Written` texts, by dotted key that replace the config's.

    Raises:
        UserError: no data is named, it is not there, or it has other classes or lacks maps.
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
            f"{opened.path} was trained on {opened.metainfo['dataset']}, whose classes are others "
            f"than those of {dataset.metainfo['dataset']}."
        )
    files = dataset.scenes.files[0]
    if files.label is None or files.instance is None:
        raise UserError("Styles belong to instances with a class, and the data lacks their maps.")
    return dataset


def fit_bank(
    opened: OpenedCheckpoint, dataset: Dataset, settings: Fitting, batch_size: int = 4
) -> StyleBank:
    """A bank of the encoder's features in the scenes, read in one pass.

    Raises:
        UserError: the checkpoint has no encoder, a scene is broken or has no photo, or no instance
            is as large as asked for.
    """
    bank = _empty_bank(opened, settings)
    positions = evenly_spread(len(dataset), settings.max_scenes)
    wanted = opened.config.get("train_dataloader", {}).get("num_workers", 0)
    workers = min(wanted, os.cpu_count() or 1)  # a checkpoint may come from a larger machine
    data = read_batches(dataset, positions, batch_size, workers, ignore_worker_signals)
    with Progress("encoding scenes", len(positions)) as progress:
        batches = _preprocessed(opened, data, progress)
        rows = collect_rows(opened.inference, batches, settings.min_area)
    if not rows:
        raise UserError(
            f"No instance in {len(positions)} scenes covers more than {settings.min_area:g} of its "
            "image, so there is nothing to cluster: lower --min-area."
        )
    bank.fit(rows)
    return bank


def facts_of_fit(opened: OpenedCheckpoint, dataset: Dataset, settings: Fitting) -> dict[str, Any]:
    """Return the origin of a fitted bank, for its note."""
    return {
        "dataset": opened.metainfo["dataset"],
        "checkpoint": sha256(opened.path),
        "scenes": len(evenly_spread(len(dataset), settings.max_scenes)),
        "settings": asdict(settings),
    }


def check_copy(opened: OpenedCheckpoint, path: Path, settings: Fitting) -> None:
    """Refuse, before the work, to put a bank into a copy that cannot hold it.

    Raises:
        UserError: the path is the checkpoint itself, or K is not the one of its config.
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
    opened: OpenedCheckpoint, path: Path, bank: StyleBank, facts: Mapping[str, Any]
) -> None:
    """Write the checkpoint with another bank in it, whole or not at all; `meta` has its note."""
    saved = read_checkpoint(opened.path)
    tensors = {f"style_bank.{name}": x.cpu() for name, x in bank.state_dict().items()}
    note = {**describe(bank, opened.metainfo["classes"]), **facts}
    changed = {
        **saved,
        "state_dict": {**saved["state_dict"], **tensors},
        "meta": {**saved["meta"], "style_bank": note},
    }
    write_file(path, lambda aside: torch.save(changed, aside))


def preview(
    opened: OpenedCheckpoint, dataset: Dataset, num_scenes: int, title: str
) -> NDArray[Any]:
    """The contact sheet of the bank: its modes on the scenes where the class is largest, HW3."""
    bank, classes = bank_of(opened), opened.metainfo["classes"]
    positions = evenly_spread(len(dataset), LOOKED_AT)
    scenes = largest_scenes(dataset, positions, len(classes), num_scenes)
    counts = bank.counts.tolist()
    total = sum(n * len(found) for n, found in zip(counts, scenes, strict=True))
    with Progress("painting modes", total) as progress:
        blocks = [
            _block(opened, dataset, label, scenes[label], progress)
            for label, count in enumerate(counts)
            if count and scenes[label]
        ]
    unseen = [classes[label] for label, count in enumerate(counts) if count and not scenes[label]]
    note = f"Too small in these scenes to be shown: {', '.join(unseen)}." if unseen else ""
    return draw_sheet(title, LEGEND, blocks, note)


def _block(
    opened: OpenedCheckpoint,
    dataset: Dataset,
    label: int,
    scenes: list[int],
    progress: Progress,
) -> Block:
    """A class on the contact sheet: photo and modes, a row for each scene."""
    images, photos = [], False
    for position in scenes:
        row = render_modes(opened.inference, dataset[position], label, progress.advance)
        photos = row.photo is not None
        shown = [*([row.photo] if row.photo is not None else []), *row.images]
        images.append([tile(image, row.region) for image in shown])
    bank, meta = bank_of(opened), opened.metainfo
    headings = [*(["photo"] if photos else []), *headings_of(bank, label)]
    colour = tuple(meta["palette"][label])
    return Block(meta["classes"][label], facts_of(bank, label), colour, headings, images)


def _empty_bank(opened: OpenedCheckpoint, settings: Fitting) -> StyleBank:
    num_classes, num_styles, channels = bank_of(opened).centres.shape
    return StyleBank(num_classes, channels, settings.num_styles or num_styles, settings.seed)


def _preprocessed(
    opened: OpenedCheckpoint, data: Iterator[Any], progress: Progress
) -> Iterator[Batch]:
    for collated in data:
        yield opened.translator.data_preprocessor(collated)
        progress.advance(len(collated["name"]))
