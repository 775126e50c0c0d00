"""How much of an attribute a few numbers tell: held-out regression, neighbours, clusters."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NEIGHBOURS = 5
RIDGE = 1.0


@dataclass(frozen=True)
class Standard:
    """Shifts and scales features as those it was made from have mean 0 and variance 1."""

    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, features: Floats) -> "Standard":
        """From rows [n,C]; a constant column stays 0."""
        deviation = features.std(0)
        return cls(features.mean(0), np.where(deviation > 1e-8, deviation, 1.0))

    def __call__(self, features: Floats) -> Floats:
        return (features - self.mean) / self.deviation


def predict_values(fit: Floats, values: Floats, asked: Floats) -> Floats:
    """Values [m,D] for features asked [m,C]: ridge regression on all products of two features.

    The columns are 1, the standardised features and their products of degree 2; the penalty is
    RIDGE times the squared coefficients, the constant's left out.

    Args:
        fit: features [n,C].
        values: what belongs to them, [n,D].
        asked: features [m,C].
    """
    standard = Standard.of(fit)
    known, new = _quadratic(standard(fit)), _quadratic(standard(asked))
    centre, middle = known.mean(0), values.mean(0)
    known = known - centre
    penalty = RIDGE * np.eye(known.shape[1])
    weights = np.linalg.solve(known.T @ known + penalty, known.T @ (values - middle))
    return (new - centre) @ weights + middle


def _quadratic(x: Floats) -> Floats:
    first, second = np.triu_indices(x.shape[1])
    return np.concatenate([x, x[:, first] * x[:, second]], 1)


def predict_names(fit: Floats, names: Ints, asked: Floats) -> Ints:
    """Names [m] for features asked [m,C]: the commonest among the NEIGHBOURS nearest, standardised.

    Of equally common ones the smaller number.

    Args:
        fit: features [n,C].
        names: numbers from 0 on, [n].
        asked: features [m,C].
    """
    standard = Standard.of(fit)
    known, new = standard(fit), standard(asked)
    far = np.square(new[:, None] - known[None]).sum(-1)
    nearest = np.argsort(far, 1, kind="stable")[:, :NEIGHBOURS]
    votes = np.eye(names.max() + 1)[names[nearest]].sum(1)
    return votes.argmax(1)


def commonest(names: Ints) -> int:
    """The commonest number; of equally common ones the smallest."""
    return int(np.bincount(names).argmax())


def purity(table: Floats) -> Floats:
    """The share of rows whose mode's commonest name is theirs, from counts [...,K,names]."""
    total = table.sum((-1, -2))
    right = table.max(-1).sum(-1)
    return np.divide(right, total, out=np.full_like(total, np.nan), where=total > 0)
