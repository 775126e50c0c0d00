"""The instances of a scene: their ids, classes and pixels.

Maps are read as runs, sequences of pixels in scan order with the same id and label. A scene of two
million pixels has about ten thousand runs, which makes computations on them cheap.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Instances:
    """The instances of one scene in the order of their ids.

    Attributes:
        ids: the ids, int64 [n], rising.
        labels: the class of each instance, int64 [n]: the label of most of its pixels, and the
            smaller label if two are equally frequent.
        members: the position in `ids` of each pixel's instance, int64 [H,W].
    """

    ids: Tensor
    labels: Tensor
    members: Tensor

    @property
    def sizes(self) -> Tensor:
        """Return the number of pixels of each instance, int64 [n], in the order of the ids."""
        return torch.bincount(self.members.flatten(), minlength=len(self.ids))


@dataclass(frozen=True)
class BatchInstances:
    """The instances of a batch in the order of image and id.

    Attributes:
        images: the position of each instance's image in the batch, int64 [n].
        ids: the ids, int64 [n].
        labels: the classes, int64 [n]; see `Instances`.
        sizes: the numbers of pixels, int64 [n].
        pixels: the first pixel of each instance, int64 [n], as an index into the flattened batch.
    """

    images: Tensor
    ids: Tensor
    labels: Tensor
    sizes: Tensor
    pixels: Tensor


def instances_of(label: Tensor, instance: Tensor) -> Instances:
    """Return the instances of one scene, with the instance of each pixel.

    Ids may be any integers. Cityscapes' form, label * 1000 + number, is not required. Separate
    regions of one id are one instance, even with different labels.

    Args:
        label: the class of each pixel, integer 1HW, from 0 on.
        instance: the instance id of each pixel, integer 1HW.
    """
    table, owners, lengths = read_runs(label[None], instance[None])
    members = expand_runs(owners, lengths, instance.numel())
    return Instances(table.ids, table.labels, members.reshape(instance.shape[1:]))


def paint(vectors: Tensor, members: Tensor) -> Tensor:
    """Return an image CHW in which each pixel has the vector of its instance.

    Args:
        vectors: one vector per instance, [n,C].
        members: the position in `vectors` of each pixel's instance, integer HW.
    """
    flat = vectors.T.contiguous().index_select(1, members.flatten())
    return flat.reshape(-1, *members.shape)


def read_runs(label: Tensor, instance: Tensor) -> tuple[BatchInstances, Tensor, Tensor]:
    """Return the instances of a batch, and its runs of pixels with the same id and label.

    Args:
        label: the class of each pixel, integer B1HW, from 0 on.
        instance: the instance id of each pixel, integer B1HW. Equal ids in different images are
            different instances.

    Returns:
        The instances; the position in them of each run's instance, int64 [R]; and each run's length
        in pixels, int64 [R]. Runs are in scan order.
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
    table = BatchInstances(values // span, values % span + low, labels, sizes, pixels)
    return table, owners, lengths


def expand_runs(values: Tensor, lengths: Tensor, total: int) -> Tensor:
    """Return the value of each pixel, [..., total], from one value for each run of pixels.

    Args:
        values: one value per run, [..., R].
        lengths: the runs' lengths in pixels, int64 [R]; their sum is `total`.
        total: the number of pixels.
    """
    if values.device.type != "cpu":
        return torch.repeat_interleave(values, lengths, dim=-1, output_size=total)
    # On the CPU numpy is four times as fast.
    return torch.from_numpy(np.repeat(values.numpy(), lengths.numpy(), axis=-1))


def _runs(label: Tensor, instance: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first pixel and the length of each run of a batch, both int64 [R], in scan order.

    A run is a sequence of pixels with the same id and label. It ends at the end of an image at the
    latest. Pixels are indices into the flattened batch.
    """
    ids, labels = instance.flatten(), label.flatten()
    begins = torch.ones(len(ids), dtype=torch.bool, device=ids.device)
    torch.logical_or(ids[1:] != ids[:-1], labels[1:] != labels[:-1], out=begins[1:])
    begins[:: instance[0].numel()] = True
    starts = begins.nonzero()[:, 0]
    return starts, torch.diff(starts, append=starts.new_tensor([len(ids)]))


def _majority(labels: Tensor, areas: Tensor, owners: Tensor, count: int) -> Tensor:
    """Return the label with the largest area of each instance, int64 [count].

    The smallest label is taken if several have the largest area.
    """
    largest = areas.new_zeros(count).scatter_reduce_(0, owners, areas, "amax")
    most = areas == largest[owners]
    chosen = labels.new_full((count,), torch.iinfo(labels.dtype).max)
    return chosen.scatter_reduce_(0, owners[most], labels[most], "amin")
