"""The instances of a scene: their ids, their classes and their pixels.

Maps are read as runs: stretches of pixels in scan order with one id and one label. A scene of two
million pixels has some ten thousand, so that everything but finding them and painting is short.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Instances:
    """The instances of one label and instance map, in the order of their ids.

    Attributes:
        ids: int64 [n], rising.
        labels: int64 [n], the class of each: the label that most of its pixels have, the smaller
            one where two have equally many.
        members: int64 [H,W], per pixel the position of its instance in `ids`.
    """

    ids: Tensor
    labels: Tensor
    members: Tensor

    @property
    def sizes(self) -> Tensor:
        """Pixels of each instance, int64 [n]."""
        return torch.bincount(self.members.flatten(), minlength=len(self.ids))


@dataclass(frozen=True)
class Table:
    """The instances of a batch in the order of image and id.

    Attributes:
        images: int64 [n], position in the batch.
        ids: int64 [n].
        labels: int64 [n]; see `Instances`.
        sizes: int64 [n], pixels.
        pixels: int64 [n], the first pixel of each, counted through the whole batch.
    """

    images: Tensor
    ids: Tensor
    labels: Tensor
    sizes: Tensor
    pixels: Tensor


def instances_of(label: Tensor, instance: Tensor) -> Instances:
    """The instances of one scene, with the class of each stated by the maps themselves.

    Nothing is assumed about ids (such as Cityscapes' label * 1000 + number): any integers that the
    tensor's type holds are told apart exactly.

    Args:
        label: integer 1HW, from 0 on.
        instance: integer 1HW.
    """
    table, owners, lengths = read_runs(label[None], instance[None])
    members = spread(owners, lengths, instance.numel())
    return Instances(table.ids, table.labels, members.reshape(instance.shape[1:]))


def paint(vectors: Tensor, members: Tensor) -> Tensor:
    """Every pixel's own instance's vector, CHW.

    Args:
        vectors: [n,C].
        members: integer HW, positions in `vectors`.
    """
    flat = vectors.T.contiguous().index_select(1, members.flatten())
    return flat.reshape(-1, *members.shape)


def read_runs(label: Tensor, instance: Tensor) -> tuple[Table, Tensor, Tensor]:
    """The instances of a batch, and for every run in scan order its instance and its length.

    Args:
        label: integer B1HW, from 0 on.
        instance: integer B1HW.
    """
    starts, lengths = _runs(label, instance)
    labels = label.flatten()[starts].long()
    ids = instance.flatten()[starts].long()
    images = starts // instance[0].numel()
    low, span, num_classes = ids.min(), ids.max() - ids.min() + 1, labels.max() + 1
    keys = (images * span + ids - low) * num_classes + labels  # below 2^63 for 2^31 scenes
    pairs, pair_of_run = torch.unique(keys, return_inverse=True)
    areas = torch.zeros_like(pairs).index_add_(0, pair_of_run, lengths)
    values, owner_of_pair = torch.unique_consecutive(pairs // num_classes, return_inverse=True)
    sizes = torch.zeros_like(values).index_add_(0, owner_of_pair, areas)
    owners = owner_of_pair[pair_of_run]
    pixels = torch.full_like(values, instance.numel()).scatter_reduce_(0, owners, starts, "amin")
    labels = _majority(pairs % num_classes, areas, owner_of_pair, len(values))
    table = Table(values // span, values % span + low, labels, sizes, pixels)
    return table, owners, lengths


def spread(values: Tensor, lengths: Tensor, total: int) -> Tensor:
    """Every run's value on each of its pixels, [..., total].

    Args:
        values: [..., R].
        lengths: int64 [R]; their sum is `total`.
        total: pixels in all.
    """
    if values.device.type != "cpu":
        return torch.repeat_interleave(values, lengths, dim=-1, output_size=total)
    # On the CPU numpy's is four times as fast.
    return torch.from_numpy(np.repeat(values.numpy(), lengths.numpy(), axis=-1))


def _runs(label: Tensor, instance: Tensor) -> tuple[Tensor, Tensor]:
    """The first pixel of each run and the run's length; no run goes on in the next image."""
    ids, labels = instance.flatten(), label.flatten()
    begins = torch.ones(len(ids), dtype=torch.bool, device=ids.device)
    torch.logical_or(ids[1:] != ids[:-1], labels[1:] != labels[:-1], out=begins[1:])
    begins[:: instance[0].numel()] = True
    starts = begins.nonzero()[:, 0]
    return starts, torch.diff(starts, append=starts.new_tensor([len(ids)]))


def _majority(labels: Tensor, areas: Tensor, owners: Tensor, count: int) -> Tensor:
    """For each owner the label with the largest area, the smallest of several such."""
    largest = areas.new_zeros(count).scatter_reduce_(0, owners, areas, "amax")
    most = areas == largest[owners]
    chosen = labels.new_full((count,), torch.iinfo(labels.dtype).max)
    return chosen.scatter_reduce_(0, owners[most], labels[most], "amin")
