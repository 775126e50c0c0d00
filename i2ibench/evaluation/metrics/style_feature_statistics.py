"""Statistics of features and recorded appearances that add over scenes, and their scores."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from i2ibench.evaluation.metrics.perceptual import mean

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NEIGHBOURS = 5
RIDGE = 1.0


@dataclass(frozen=True)
class Standard:
    """A shift and a scale that give the features they were fitted to mean 0 and variance 1."""

    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, features: Floats) -> "Standard":
        """Return the shift and scale that give the columns of features [n,C] mean 0 and variance 1.

        A constant column is only shifted, so that it becomes 0.
        """
        deviation = features.std(0)
        return cls(features.mean(0), np.where(deviation > 1e-8, deviation, 1.0))

    def __call__(self, features: Floats) -> Floats:
        return (features - self.mean) / self.deviation


def predict_values(fit: Floats, values: Floats, queries: Floats) -> Floats:
    """Predict values [m,D] by ridge regression on standardised features and their products.

    The columns of the regression are a constant, the standardised features, and all products of two
    features, squares included. The penalty is RIDGE times the squared coefficients, except that of
    the constant.

    Args:
        fit: features [n,C] to fit to.
        values: the values [n,D] of these features.
        queries: features [m,C] to predict values for.
    """
    standard = Standard.of(fit)
    known, new = _quadratic(standard(fit)), _quadratic(standard(queries))
    centre, middle = known.mean(0), values.mean(0)
    known = known - centre
    penalty = RIDGE * np.eye(known.shape[1])
    weights = np.linalg.solve(known.T @ known + penalty, known.T @ (values - middle))
    return (new - centre) @ weights + middle


def _quadratic(x: Floats) -> Floats:
    first, second = np.triu_indices(x.shape[1])
    return np.concatenate([x, x[:, first] * x[:, second]], 1)


def predict_names(fit: Floats, names: Ints, queries: Floats) -> Ints:
    """Predict names [m] as the most common name of the NEIGHBOURS nearest standardised features.

    Names are numbers that stand for recorded appearances. Of equally common names the smallest
    number is taken. The features are standardised with the mean and deviation of `fit`.

    Args:
        fit: features [n,C] with known names.
        names: their names as numbers from 0, [n].
        queries: features [m,C] to predict names for.
    """
    standard = Standard.of(fit)
    known, new = standard(fit), standard(queries)
    far = np.square(new[:, None] - known[None]).sum(-1)
    nearest = np.argsort(far, 1, kind="stable")[:, :NEIGHBOURS]
    votes = np.eye(names.max() + 1)[names[nearest]].sum(1)
    return votes.argmax(1)


def most_common(names: Ints) -> int:
    """Return the most common of numbers from 0 on; of equally common numbers the smallest."""
    return int(np.bincount(names).argmax())


def purity(table: Floats) -> Floats:
    """Return the share [...] of instances with the most common name of their mode; nan without any.

    Args:
        table: numbers of instances by style mode and by name (recorded appearance), [...,K,N].
    """
    total = table.sum((-1, -2))
    right = table.max(-1).sum(-1)
    return np.divide(right, total, out=np.full_like(total, np.nan), where=total > 0)


LABEL, MODE, RGB, SEEN, FEATURES = 0, 1, slice(2, 5), slice(5, 8), 8
"""Columns of a row: class, nearest mode, recorded colour, mean colour in the image, features."""

SHUFFLES = 10
FOLDS = 5


@dataclass(frozen=True)
class ClassStatistics:
    """Sums over the instances of one class, by scene.

    Attributes:
        squares: sums [scenes,3,8] for regressions of the recorded colour, of the colour in the
            image, and of the recorded colour from shuffled features: the count, the three colour
            channels, their squares, and the squared error.
        names: counts [scenes,3]: instances, instances with the right predicted name, and instances
            with the most common name of the other folds.
        modes: counts [scenes,K,N] of instances by mode and name.
        shuffled: counts [scenes,SHUFFLES,K,N] with the modes shuffled.
    """

    squares: Floats
    names: Floats
    modes: Floats
    shuffled: Floats


def tabulate(rows: Floats, scenes: Ints, count: int) -> ClassStatistics:
    """Compute by cross-validation the sums by scene for the instances of one class.

    Instances with equal recorded colours have the same name. All random choices have a fixed seed.

    Args:
        rows: the instances of the class, float64 [n,8+C]; the columns are named above.
        scenes: the scene of each instance, int64 [n].
        count: the number of all scenes. A scene without an instance has zeros.
    """
    generator = np.random.default_rng(0)
    features, rgb = rows[:, FEATURES:], rows[:, RGB]
    names = np.unique(rgb, axis=0, return_inverse=True)[1].reshape(-1)  # each name has one colour
    order = generator.permutation(len(rows))
    squares = [
        _squares(x, y, scenes)
        for x, y in ((features, rgb), (features, rows[:, SEEN]), (features[order], rgb))
    ]
    modes = rows[:, MODE].astype(np.int64) + 1  # -1: the class has no modes
    shuffled = [generator.permutation(modes) for _ in range(SHUFFLES)]
    tables = [_counts(m, names) for m in (modes, *shuffled)]
    return ClassStatistics(
        _by_scene(np.stack(squares, 1), scenes, count),
        _by_scene(_named(features, names, scenes), scenes, count),
        _by_scene(tables[0], scenes, count),
        _by_scene(np.stack(tables[1:], 1), scenes, count),
    )


def folds(scenes: Ints) -> Iterator[NDArray[np.bool_]]:
    """Yield a mask, bool [n], of the rows that each fold of a cross-validation holds out.

    Fold k holds out the scenes k, k + FOLDS, k + 2 FOLDS and so on. Empty folds are left out.

    Args:
        scenes: the number of the scene of each row, [n].
    """
    for fold in range(FOLDS):
        held = scenes % FOLDS == fold
        if held.any():
            yield held


def _squares(features: Floats, values: Floats, scenes: Ints) -> Floats:
    """Return for each row [8]: 1, three values, their squares, and the held-out squared error.

    The error comes from a ridge regression that was fitted to the other folds, added over the
    values.
    """
    errors = np.zeros(len(values))
    for held in folds(scenes):
        guess = predict_values(features[~held], values[~held], features[held])
        errors[held] = np.square(guess - values[held]).sum(1)
    return np.column_stack([np.ones(len(values)), values, np.square(values), errors])


def _named(features: Floats, names: Ints, scenes: Ints) -> Floats:
    """Return for each row [3]: 1, and 1 or 0 for the right name by neighbours and by frequency.

    The first guess comes from the nearest neighbours in the other folds, the second is the most
    common name of the other folds.
    """
    right = np.zeros((len(names), 2))
    for held in folds(scenes):
        guess = predict_names(features[~held], names[~held], features[held])
        right[held, 0] = guess == names[held]
        right[held, 1] = most_common(names[~held]) == names[held]
    return np.column_stack([np.ones(len(names)), right])


def _counts(modes: Ints, names: Ints) -> Floats:
    """Return for each instance a table with 1 at its mode and name and 0 elsewhere, [n,K,N]."""
    table = np.zeros((len(modes), modes.max() + 1, names.max() + 1))
    table[np.arange(len(modes)), modes, names] = 1
    return table


def _by_scene(rows: Floats, scenes: Ints, count: int) -> Floats:
    sums = np.zeros((count, *rows.shape[1:]))
    np.add.at(sums, scenes, rows)
    return sums


class FeatureScores:
    """One row of sums for each scene, and the scores of added rows.

    Args:
        tables: the sums by class name.
        count: the number of scenes.

    Attributes:
        rows: float64 [scenes,D].
    """

    def __init__(self, tables: dict[str, ClassStatistics], count: int) -> None:
        self.shapes: dict[tuple[str, str], tuple[int, ...]] = {}
        parts = []
        for name, table in tables.items():
            for kind, values in vars(table).items():
                self.shapes[name, kind] = values.shape[1:]
                parts.append(values.reshape(len(values), -1))
        self.rows = np.concatenate(parts, 1) if parts else np.zeros((count, 0))

    def scores(self, sums: Floats) -> dict[str, Floats]:
        """Return the scores that `StyleFeatures` describes, by name, each an array [...].

        `style/r2`, `style/acc` and `style/purity` are averages over the classes with a defined
        score. They are nan without such a class.

        Args:
            sums: the attribute `rows`, added over scenes, [...,D].
        """
        found: dict[str, Floats] = {}
        start = 0
        for (name, kind), shape in self.shapes.items():
            stop = start + int(np.prod(shape))
            values = sums[..., start:stop].reshape(*sums.shape[:-1], *shape)
            found |= {f"style/{score}/{name}": v for score, v in _SCORES[kind](values).items()}
            start = stop
        means = {}
        for score in ("r2", "acc", "purity"):
            empty = np.full((1, *sums.shape[:-1]), np.nan)
            own = [v for key, v in found.items() if key.startswith(f"style/{score}/")]
            values = np.concatenate([empty, np.array(own).reshape(-1, *sums.shape[:-1])])
            known = (~np.isnan(values)).sum(0).astype(np.float64)
            means[f"style/{score}"] = mean(np.nansum(values, 0), known)
        return means | found


def _r2(sums: Floats) -> dict[str, Floats]:
    n, first, second = sums[..., 0], sums[..., 1:4], sums[..., 4:7]
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (second - np.square(first) / n[..., None]).sum(-1)
        value = 1 - sums[..., 7] / np.where(spread > 1e-9, spread, np.nan)
    return dict(zip(("r2", "r2_seen", "r2_chance"), np.moveaxis(value, -1, 0), strict=True))


def _accuracy(sums: Floats) -> dict[str, Floats]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return {"acc": sums[..., 1] / sums[..., 0], "acc_chance": sums[..., 2] / sums[..., 0],
                "n": sums[..., 0]}  # fmt: skip


def _purity(sums: Floats) -> dict[str, Floats]:
    return {"purity": purity(sums)}


def _chance_purity(sums: Floats) -> dict[str, Floats]:
    return {"purity_chance": purity(sums).mean(-1)}


_SCORES = {"squares": _r2, "names": _accuracy, "modes": _purity, "shuffled": _chance_purity}
