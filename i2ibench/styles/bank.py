"""The style bank: K modes of appearance per class, found by K-means (Sec. 3.4)."""

import zlib
from collections.abc import Iterable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Rows = dict[int, NDArray[np.float32]]
"""Per class the features of its instances, float [instances, channels]."""


class StyleBank(nn.Module):
    """Up to K feature vectors per class, kept as buffers so that checkpoints carry them.

    Args:
        num_classes: N.
        channels: features per instance.
        num_styles: K; 10 in the paper.
        seed: of the clustering and of the sampling.
    """

    centres: Tensor
    counts: Tensor

    def __init__(
        self, num_classes: int, channels: int, num_styles: int = 10, seed: int = 0
    ) -> None:
        super().__init__()
        self.num_styles, self.seed = num_styles, seed
        self.register_buffer("centres", torch.zeros(num_classes, num_styles, channels))
        self.register_buffer("counts", torch.zeros(num_classes, dtype=torch.int64))

    def fit(self, rows: Rows) -> None:
        """Cluster each class's rows; a class with fewer rows than K gets one style per row."""
        from sklearn.cluster import KMeans  # two seconds that no other command should wait

        self.centres.zero_()
        self.counts.zero_()
        for label, features in rows.items():
            distinct = len(np.unique(features, axis=0))
            means = KMeans(min(self.num_styles, distinct), random_state=self.seed, n_init=10)
            centres = torch.from_numpy(means.fit(features).cluster_centers_)
            self.centres[label, : len(centres)] = centres.to(self.centres)
            self.counts[label] = len(centres)

    def sample(self, scene: str, label: Tensor, instance: Tensor) -> Tensor:
        """A random style of its class for every instance, painted on its pixels, float CHW.

        Instances of a class without styles are painted with zeros, the middle of the range. The
        draw depends on the seed and the scene's name alone, not on what else is in the batch.

        Args:
            scene: the scene's name.
            label: integer 1HW.
            instance: integer 1HW; instances are drawn for in the order of their ids.
        """
        generator = torch.Generator().manual_seed(zlib.crc32(f"{self.seed}/{scene}".encode()))
        members, labels = _instances(label, instance)
        counts = self.counts[labels]
        draws = torch.rand(len(labels), generator=generator).to(self.centres.device)
        styles = self.centres[labels, (draws * counts).long()]
        return styles[members].movedim(-1, 0)


def _instances(label: Tensor, instance: Tensor) -> tuple[Tensor, Tensor]:
    """Per pixel the number of its instance, HW, and per instance the label of its first pixel."""
    ids, members = torch.unique(instance[0], return_inverse=True)
    positions = torch.arange(members.numel(), device=members.device)
    first = torch.full((len(ids),), members.numel(), device=members.device)
    first.scatter_reduce_(0, members.flatten(), positions, "amin")
    return members, label.flatten()[first].long()


def instance_rows(features: Tensor, label: Tensor, instance: Tensor, min_area: float = 0.0) -> Rows:
    """The features of the instances of one image, by class.

    Args:
        features: float CHW, constant on each instance.
        label: integer 1HW.
        instance: integer 1HW.
        min_area: instances that cover no more than this share of the picture are left out.
    """
    _, first, sizes = np.unique(instance.cpu().numpy(), return_index=True, return_counts=True)
    first = first[sizes > min_area * instance.numel()]
    labels = label.flatten().cpu().numpy()[first]
    values = features.flatten(1).float().cpu().numpy()[:, first].T
    return {int(c): values[labels == c] for c in np.unique(labels)}


def merge_rows(parts: Iterable[Mapping[int, NDArray[np.float32]]]) -> Rows:
    """The rows of many images together."""
    collected: dict[int, list[NDArray[np.float32]]] = {}
    for part in parts:
        for label, values in part.items():
            collected.setdefault(label, []).append(values)
    return {label: np.concatenate(values) for label, values in sorted(collected.items())}
