"""The encoder's features of the instances of a data set."""

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
from i2ibench.models.ops.instance_regions import read_runs
from i2ibench.models.styles.bank import ClassFeatures
from i2ibench.registry.contracts import Dataset
from i2ibench.structures import Batch, Sample, size_of


@dataclass(frozen=True)
class InstanceFeatures:
    """The features of the instances of a batch, in the order of image and id.

    Attributes:
        images: the position of each instance's image in the batch, int64 [n].
        ids: the ids, int64 [n].
        labels: the classes, int64 [n].
        features: the features, float32 [n,C].
    """

    images: NDArray[np.int64]
    ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    features: NDArray[np.float32]


def features_of_instances(
    features: Tensor, label: Tensor, instance: Tensor, min_area: float = 0.0
) -> InstanceFeatures:
    """Return the features of the instances of a batch, with a single copy from its device.

    Args:
        features: float BCHW, constant on each instance; the first pixel of each is read.
        label: integer B1HW.
        instance: integer B1HW.
        min_area: the share of the image's pixels, 0..1, that an instance must exceed to be
            included.
    """
    instances, _, _ = read_runs(label, instance)
    height, width = instance.shape[-2:]
    places = instances.pixels % (height * width)  # all pixels of an instance have its features
    values = features[instances.images, :, places // width, places % width]
    integers = torch.stack([instances.images, instances.ids, instances.labels, instances.sizes], 1)
    if integers.device.type == "mps":  # MPS has no float64
        integers, values = integers.cpu(), values.cpu()
    table = torch.cat([integers.double(), values.double()], 1).cpu().numpy()  # exact below 2^53
    table = table[table[:, 3] > min_area * height * width]
    whole = table[:, :3].astype(np.int64)
    return InstanceFeatures(whole[:, 0], whole[:, 1], whole[:, 2], table[:, 4:].astype(np.float32))


@torch.inference_mode()
def collect_features(
    inference: Inference, batches: Iterable[Batch], min_area: float = 0.0
) -> ClassFeatures:
    """Return the encoder's features of the instances of all batches, float [instances, C] by class.

    Args:
        inference: a translator with an encoder.
        batches: preprocessed batches with real images, read one at a time.
        min_area: see `features_of_instances`.
    """
    parts = [
        features_of_instances(inference.encode(batch), batch["label"], batch["instance"], min_area)
        for batch in batches
    ]
    return group_by_class(parts)


def group_by_class(parts: Sequence[InstanceFeatures]) -> ClassFeatures:
    """Return the features of the instances of many batches by class, float [instances, C].

    Instances stay in their order. Classes without instances are left out.
    """
    if not parts:
        return {}
    labels = np.concatenate([part.labels for part in parts])
    features = np.concatenate([part.features for part in parts])
    return {int(c): features[labels == c] for c in np.unique(labels)}


def evenly_spread(size: int, most: int) -> range:
    """Return evenly spread positions from 0 on, at most `most` of them, below `size`.

    All positions are returned if `most` is 0. The distance between them is an integer, so that
    there may be fewer than `most`.

    Args:
        size: the number of scenes.
        most: the largest number of positions.
    """
    return range(0, size, -(-size // most) if most else 1)


def without_random(dataset: Dataset) -> Dataset:
    """Return a copy of the data set without its random transforms, such as flips and crops.

    The data set itself stays as it is. Style banks are fitted to each scene once, as in the
    released `encode_features`.
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
    """Return an iterator over collated batches of neighbouring scenes of equal size.

    Scenes stay in their order. A batch has at most `batch_size` of them, and fewer where the size
    changes. Scenes are read while the iterator advances.

    Args:
        dataset: the scenes.
        positions: the positions of the scenes to read.
        batch_size: the largest number of scenes of a batch.
        num_workers: the number of processes that read; 0 reads in this process.
        worker_init_fn: a function that each of them calls first with its number; or None.
    """
    loader: DataLoader[Any] = DataLoader(
        Subset(dataset, positions),  # type: ignore[arg-type]
        batch_size=batch_size,
        num_workers=num_workers,
        worker_init_fn=worker_init_fn,
        collate_fn=collate_by_size,
    )
    return (data for group in loader for data in group)


def collate_by_size(samples: Sequence[Sample]) -> list[Any]:
    """Return collated batches of neighbouring samples of equal size, in their order.

    A new batch begins where the height or the width changes.
    """
    return [default_collate(list(group)) for _, group in groupby(samples, key=size_of)]
