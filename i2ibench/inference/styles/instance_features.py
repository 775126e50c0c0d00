"""Rows: the encoder's features of the instances of a data set, one row each."""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Subset, default_collate

from i2ibench.inference.inference import Inference
from i2ibench.models.styles.bank import Rows
from i2ibench.models.styles.instances import read_runs
from i2ibench.registry.contracts import Dataset
from i2ibench.structures import Batch, Sample, size_of


@dataclass(frozen=True)
class BatchRows:
    """The instances of a batch in the order of image and id.

    Attributes:
        images: int64 [n], position in the batch.
        ids: int64 [n].
        labels: int64 [n].
        features: float32 [n,C].
    """

    images: NDArray[np.int64]
    ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    features: NDArray[np.float32]


def batch_rows(
    features: Tensor, label: Tensor, instance: Tensor, min_area: float = 0.0
) -> BatchRows:
    """The features of every instance of a batch, found on its device and fetched at once.

    Args:
        features: float BCHW, constant on each instance.
        label: integer B1HW.
        instance: integer B1HW.
        min_area: instances that cover no more than this share of the image are left out.
    """
    found, _, _ = read_runs(label, instance)
    height, width = instance.shape[-2:]
    places = found.pixels % (height * width)  # any pixel would do: all have the same features
    values = features[found.images, :, places // width, places % width]
    facts = torch.stack([found.images, found.ids, found.labels, found.sizes], 1)
    if facts.device.type == "mps":  # which has no float64
        facts, values = facts.cpu(), values.cpu()
    table = torch.cat([facts.double(), values.double()], 1).cpu().numpy()  # exact below 2^53
    table = table[table[:, 3] > min_area * height * width]
    whole = table[:, :3].astype(np.int64)
    return BatchRows(whole[:, 0], whole[:, 1], whole[:, 2], table[:, 4:].astype(np.float32))


@torch.inference_mode()
def collect_rows(inference: Inference, batches: Iterable[Batch], min_area: float = 0.0) -> Rows:
    """The encoder's features of every instance of the batches, by class.

    Args:
        inference: with an encoder.
        batches: preprocessed, with photos.
        min_area: see `batch_rows`.
    """
    parts = [
        batch_rows(inference.encode(batch), batch["label"], batch["instance"], min_area)
        for batch in batches
    ]
    return by_class(parts)


def by_class(parts: Iterable[BatchRows]) -> Rows:
    """The rows of many batches, by class and in their order."""
    found = list(parts)
    if not found:
        return {}
    labels = np.concatenate([part.labels for part in found])
    features = np.concatenate([part.features for part in found])
    return {int(c): features[labels == c] for c in np.unique(labels)}


def evenly_spread(size: int, most: int) -> range:
    """Positions of at most `most` of `size` scenes, evenly spread; all of them with 0."""
    return range(0, size, -(-size // most) if most else 1)


def without_random(dataset: Dataset) -> Dataset:
    """The same scenes at the same scale, but neither flipped nor cropped.

    Transforms that are not `deterministic` are left out: the modes should be those of the scenes
    themselves, each read once (as the released `encode_features` does).
    """
    plain = copy.copy(dataset)
    plain.scenes = copy.copy(dataset.scenes)
    plain.scenes.transforms = [t for t in dataset.scenes.transforms if t.deterministic]
    return plain


def read_batches(
    dataset: Dataset,
    positions: Sequence[int],
    batch_size: int = 1,
    num_workers: int = 0,
    worker_init_fn: Callable[[int], None] | None = None,
) -> Iterator[Any]:
    """Collated scenes in order, of one size each and no more than `batch_size`."""
    loader: DataLoader[Any] = DataLoader(
        Subset(dataset, positions),  # type: ignore[arg-type]
        batch_size=batch_size,
        num_workers=num_workers,
        worker_init_fn=worker_init_fn,
        collate_fn=collate_by_size,
    )
    return (data for group in loader for data in group)


def collate_by_size(samples: Sequence[Sample]) -> list[Any]:
    """The samples in order, neighbours of equal size collated."""
    return [default_collate(list(group)) for _, group in groupby(samples, key=size_of)]
