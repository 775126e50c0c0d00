"""The style bank: K modes of appearance per class, found by K-means (Sec. 3.4)."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.models.styles.draws import draw
from i2ibench.models.styles.instances import Instances, instances_of, paint, read_runs, spread

__all__ = ["Instances", "Rows", "StyleBank", "instances_of", "paint"]

Rows = dict[int, NDArray[np.float32]]
"""Per class the features of its instances, float [instances, channels]."""

_LATER = ("sizes", "explained")
"""Buffers that older states lack."""


class StyleBank(nn.Module):
    """Up to K feature vectors per class, kept as buffers so that checkpoints carry them.

    Buffers:
        centres: float [N,K,C]; the modes of a class, the one with the most rows first, then zeros.
        counts: int64 [N], modes of each class.
        sizes: int64 [N,K], rows nearest to each mode; 0 throughout where they are not known.
        explained: float [N], the share of the rows' variance that their modes explain, 0..1; nan
            for a class without rows, 1 where the rows are all equal.

    Args:
        num_classes: N.
        channels: C, features per instance.
        num_styles: K; 10 in the paper.
        seed: of the clustering and of the draws.
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
        """Rows that each class was fitted to, int64 [N]."""
        return self.sizes.sum(1)

    def fit(self, rows: Rows) -> None:
        """Cluster each class's rows; a class with fewer distinct rows than K gets one mode each.

        Raises:
            UserError: features are not finite.
        """
        self.centres.zero_()
        self.counts.zero_()
        self.sizes.zero_()
        self.explained.fill_(torch.nan)
        for label, features in rows.items():
            if not np.isfinite(features).all():
                raise UserError(
                    f"The encoder gives NaN or infinity for instances of class {label}: the "
                    "training has diverged; take an earlier checkpoint."
                )
            if len(features):
                self._fit_class(label, features.astype(np.float64))

    def _fit_class(self, label: int, features: NDArray[np.float64]) -> None:
        from sklearn.cluster import KMeans  # two seconds that no other command should wait

        distinct = len(np.unique(features, axis=0))
        means = KMeans(min(self.num_styles, distinct), random_state=self.seed, n_init=10)
        sizes = np.bincount(means.fit(features).labels_)
        order = np.argsort(-sizes, kind="stable")
        number = len(order)
        self.centres[label, :number] = torch.from_numpy(means.cluster_centers_[order]).float()
        self.counts[label] = number
        self.sizes[label, :number] = torch.from_numpy(sizes[order])
        spread = float(((features - features.mean(0)) ** 2).sum())
        self.explained[label] = 1 - means.inertia_ / spread if distinct > 1 else 1.0

    def choose(self, scene: str, ids: Tensor, labels: Tensor) -> Tensor:
        """A mode for every instance, int64 [n]; -1 where its class has none.

        Uniform over the modes of the class, and decided by the bank's seed, the scene's name and
        the instance's own id alone: other instances, the batch, the device and the platform do not
        matter.

        Args:
            scene: the scene's name.
            ids: integer [n].
            labels: integer [n].
        """
        counts = self.counts[labels.long()].cpu().numpy()
        chosen = draw(self.seed, scene, ids.long().cpu().numpy(), counts)
        return torch.from_numpy(chosen).to(ids.device)

    def vectors(self, labels: Tensor, modes: Tensor) -> Tensor:
        """The features of modes, float [n,C].

        Zeros for mode -1, which is what is painted where a class has no modes: the middle of the
        encoder's range (its last layer is a tanh), where the released code leaves memory as it is.

        Args:
            labels: integer [n].
            modes: integer [n], below the class's count.
        """
        found = self.centres[labels.long(), modes.long().clamp(min=0)]
        return torch.where((modes >= 0)[:, None], found, torch.zeros_like(found))

    def sample(self, scene: str, label: Tensor, instance: Tensor) -> Tensor:
        """A random mode of its class for every instance, painted on its pixels, float CHW.

        Args:
            scene: the scene's name; see `choose` for what else the draws depend on.
            label: integer 1HW.
            instance: integer 1HW.
        """
        found, owners, lengths = read_runs(label[None], instance[None])
        modes = self.choose(scene, found.ids, found.labels)
        values = self.vectors(found.labels, modes).T[:, owners]
        return spread(values, lengths, instance.numel()).reshape(-1, *instance.shape[1:])

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        """Load; a state without what was added later says that it is not known."""
        missing = [name for name in _LATER if f"{prefix}{name}" not in state_dict]
        if f"{prefix}centres" in state_dict and len(missing) == len(_LATER):
            shape = state_dict[f"{prefix}centres"].shape[:2]
            state_dict[f"{prefix}sizes"] = self.sizes.new_zeros(shape)
            state_dict[f"{prefix}explained"] = self.explained.new_full(shape[:1], torch.nan)
        super()._load_from_state_dict(state_dict, prefix, *rest)
