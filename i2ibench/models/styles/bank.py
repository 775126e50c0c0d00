"""The style bank: K modes of appearance per class, found by K-means (Sec. 3.4)."""

import hashlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.models.ops.instance_regions import expand_runs, read_runs

ClassFeatures = dict[int, NDArray[np.float32]]
"""The features of the instances of each class, float [instances, channels], by label."""

_ADDED_BUFFERS = ("sizes", "explained")
"""Buffers that the state dicts of older checkpoints lack."""


class StyleBank(nn.Module):
    """A bank of up to K feature vectors (modes) per class, stored as buffers of the checkpoint.

    Buffers:
        centres: float [N,K,C], the modes of each class by falling size, padded with zeros.
        counts: int64 [N], the number of modes of each class.
        sizes: int64 [N,K], the number of training instances nearest to each mode; all 0 if unknown.
        explained: float [N], the share of the features' variance that the modes explain, 0..1. It
            is nan for a class without instances, and 1 for equal features.

    Args:
        num_classes: N.
        channels: C, features per instance.
        num_styles: K; 10 in the paper.
        seed: the seed of the clustering and of the random choice of modes.
    """

    centres: Tensor
    counts: Tensor
    sizes: Tensor
    explained: Tensor

    def __init__(
        self, num_classes: int, channels: int, num_styles: int = 10, seed: int = 0
    ) -> None:
        super().__init__()
        self.num_styles, self.seed = num_styles, seed
        self.register_buffer("centres", torch.zeros(num_classes, num_styles, channels))
        self.register_buffer("counts", torch.zeros(num_classes, dtype=torch.int64))
        self.register_buffer("sizes", torch.zeros(num_classes, num_styles, dtype=torch.int64))
        self.register_buffer("explained", torch.full((num_classes,), torch.nan))

    @property
    def instances(self) -> Tensor:
        """Return the number of training instances of each class, int64 [N]; 0 if unknown."""
        return self.sizes.sum(1)

    def fit(self, features_by_class: ClassFeatures) -> None:
        """Replace this bank's modes by clusters (K-means) of the features of each class.

        A class with fewer than K distinct features gets one mode for each of them. A class that is
        not given, or has no features, has no modes afterwards.

        Args:
            features_by_class: the features of the training instances, float [instances, C], by
                class.

        Raises:
            UserError: a feature is NaN or infinite. The bank is then incomplete.
        """
        self.centres.zero_()
        self.counts.zero_()
        self.sizes.zero_()
        self.explained.fill_(torch.nan)
        for label, features in features_by_class.items():
            if not np.isfinite(features).all():
                raise UserError(
                    f"The encoder gives NaN or infinity for instances of class {label}: the "
                    "training has diverged; take an earlier checkpoint."
                )
            if len(features):
                self._fit_class(label, features.astype(np.float64))

    def _fit_class(self, label: int, features: NDArray[np.float64]) -> None:
        from sklearn.cluster import KMeans  # importing it takes two seconds

        distinct = len(np.unique(features, axis=0))
        means = KMeans(min(self.num_styles, distinct), random_state=self.seed, n_init=10)
        sizes = np.bincount(means.fit(features).labels_)
        order = np.argsort(-sizes, kind="stable")
        number = len(order)
        self.centres[label, :number] = torch.from_numpy(means.cluster_centers_[order]).float()
        self.counts[label] = number
        self.sizes[label, :number] = torch.from_numpy(sizes[order])
        deviation = float(((features - features.mean(0)) ** 2).sum())
        self.explained[label] = 1 - means.inertia_ / deviation if distinct > 1 else 1.0

    def choose(self, scene: str, ids: Tensor, labels: Tensor) -> Tensor:
        """Return a random mode of its class for each instance, int64 [n]; -1 if the class has none.

        All modes of a class are equally likely. The choice depends only on the bank's seed, the
        scene's name, the instance's id and the number of modes, not on other instances, batch or
        device.

        Args:
            scene: the scene's name.
            ids: the instances' ids, integer [n].
            labels: the instances' classes, integer [n].
        """
        counts = self.counts[labels.long()].cpu().numpy()
        chosen = draw_modes(self.seed, scene, ids.long().cpu().numpy(), counts)
        return torch.from_numpy(chosen).to(ids.device)

    def vectors(self, labels: Tensor, modes: Tensor) -> Tensor:
        """Return the features of modes, the bank's `centres`, float [n,C]; zeros for mode -1.

        Zero is the middle of the encoder's range, whose last layer is a tanh. The released code
        leaves the features of classes without modes uninitialised.

        Args:
            labels: the classes, integer [n].
            modes: a mode of each class, integer [n], below the class's count; or -1.
        """
        features = self.centres[labels.long(), modes.long().clamp(min=0)]
        return torch.where((modes >= 0)[:, None], features, torch.zeros_like(features))

    def sample(self, scene: str, label: Tensor, instance: Tensor) -> Tensor:
        """Return features float CHW in which each instance has a random mode of its class.

        Instances of a class without modes get zeros.

        Args:
            scene: the scene's name, which seeds the choice; see `choose`.
            label: the class of each pixel, integer 1HW.
            instance: the instance of each pixel, integer 1HW.
        """
        table, owners, lengths = read_runs(label[None], instance[None])
        modes = self.choose(scene, table.ids, table.labels)
        values = self.vectors(table.labels, modes).T[:, owners]
        return expand_runs(values, lengths, instance.numel()).reshape(-1, *instance.shape[1:])

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        """Load a state dict; torch calls this.

        An older one may lack both `sizes` and `explained`. They become 0 and nan, which mean
        "unknown".
        """
        missing = [name for name in _ADDED_BUFFERS if f"{prefix}{name}" not in state_dict]
        if f"{prefix}centres" in state_dict and len(missing) == len(_ADDED_BUFFERS):
            shape = state_dict[f"{prefix}centres"].shape[:2]
            state_dict[f"{prefix}sizes"] = self.sizes.new_zeros(shape)
            state_dict[f"{prefix}explained"] = self.explained.new_full(shape[:1], torch.nan)
        super()._load_from_state_dict(state_dict, prefix, *rest)


def draw_modes(
    seed: int, scene: str, ids: NDArray[np.int64], counts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return a random number below each instance's count, int64 [n]; -1 if the count is 0.

    The number of instance `id` is number `id` of the SplitMix64 stream (Steele, Lea & Flood 2014,
    "Fast splittable pseudorandom number generators") that is seeded by SHA-256 of seed and scene.
    Integer arithmetic makes it equal on every machine and independent of the other ids.

    Args:
        seed: any integer.
        scene: the scene's name.
        ids: the instances' ids, [n].
        counts: the number of modes to choose from, [n], below 2^32.
    """
    name = f"{seed}/{scene}".encode(errors="surrogateescape")
    start = np.frombuffer(hashlib.sha256(name).digest()[:8], "<u8").astype(np.uint64)
    increment = np.uint64(0x9E3779B97F4A7C15)
    x = start + (ids.astype(np.int64).view(np.uint64) + np.uint64(1)) * increment
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x = x ^ (x >> np.uint64(31))
    # The upper 32 bits as a fraction of 2^32 favour no count by more than 1 in 2^32 / count.
    chosen = ((x >> np.uint64(32)) * counts.astype(np.uint64)) >> np.uint64(32)
    return np.where(counts > 0, chosen.astype(np.int64), -1)
