"""Tables of features and recorded appearances that add over scenes, and their scores."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from i2ibench.evaluation.metrics.perceptual import mean
from i2ibench.evaluation.metrics.style_regression import (
    commonest,
    predict_names,
    predict_values,
    purity,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LABEL, MODE, RGB, SEEN, FEATURES = 0, 1, slice(2, 5), slice(5, 8), 8
"""Columns of a row: class, nearest mode, recorded and mean seen colour, and features from 8 on."""

SHUFFLES = 10
FOLDS = 5


@dataclass(frozen=True)
class ClassStatistics:
    """What the instances of one class add up to, by scene.

    Attributes:
        squares: [scenes,3,1+3+3+1]: of recorded, seen and shuffled regression the count, the sums
            and squares of the three colours, and the squared errors.
        names: [scenes,3]: instances, rightly named, rightly named by the commonest.
        modes: [scenes,K,N]: instances by mode and name.
        shuffled: [scenes,SHUFFLES,K,N]: the same with modes shuffled.
    """

    squares: Floats
    names: Floats
    modes: Floats
    shuffled: Floats


def tabulate(rows: Floats, scenes: Ints, count: int) -> ClassStatistics:
    """The table of one class.

    Args:
        rows: float64 [n,8+C].
        scenes: int64 [n], the scene of each.
        count: scenes in all.
    """
    generator = np.random.default_rng(0)
    features, rgb = rows[:, FEATURES:], rows[:, RGB]
    names = np.unique(rgb, axis=0, return_inverse=True)[1].reshape(-1)  # a name has one colour
    order = generator.permutation(len(rows))
    squares = [
        _squares(x, y, scenes)
        for x, y in ((features, rgb), (features, rows[:, SEEN]), (features[order], rgb))
    ]
    modes = rows[:, MODE].astype(np.int64) + 1  # -1: the class has no modes
    tables = [_counts(m, names) for m in (modes, *_shuffled(modes, generator))]
    return ClassStatistics(
        _by_scene(np.stack(squares, 1), scenes, count),
        _by_scene(_named(features, names, scenes), scenes, count),
        _by_scene(tables[0], scenes, count),
        _by_scene(np.stack(tables[1:], 1), scenes, count),
    )


def folds(scenes: Ints) -> Iterator[NDArray[np.bool_]]:
    """Per fold which rows are held out: those of every FOLDS-th scene; empty folds are passed over.

    Args:
        scenes: the scene of each row, [n].
    """
    for fold in range(FOLDS):
        held = scenes % FOLDS == fold
        if held.any():
            yield held


def _shuffled(modes: Ints, generator: np.random.Generator) -> list[Ints]:
    return [generator.permutation(modes) for _ in range(SHUFFLES)]


def _squares(features: Floats, values: Floats, scenes: Ints) -> Floats:
    """Of each row [n,8]: 1, its values, their squares, and its squared error when held out."""
    errors = np.zeros(len(values))
    for held in folds(scenes):
        guess = predict_values(features[~held], values[~held], features[held])
        errors[held] = np.square(guess - values[held]).sum(1)
    return np.column_stack([np.ones(len(values)), values, np.square(values), errors])


def _named(features: Floats, names: Ints, scenes: Ints) -> Floats:
    """Of each row [n,3]: 1, whether its neighbours name it rightly, whether the commonest does."""
    right = np.zeros((len(names), 2))
    for held in folds(scenes):
        guess = predict_names(features[~held], names[~held], features[held])
        right[held, 0] = guess == names[held]
        right[held, 1] = commonest(names[~held]) == names[held]
    return np.column_stack([np.ones(len(names)), right])


def _counts(modes: Ints, names: Ints) -> Floats:
    """One 1 per row at its mode and name, [n,K,N]."""
    table = np.zeros((len(modes), modes.max() + 1, names.max() + 1))
    table[np.arange(len(modes)), modes, names] = 1
    return table


def _by_scene(rows: Floats, scenes: Ints, count: int) -> Floats:
    sums = np.zeros((count, *rows.shape[1:]))
    np.add.at(sums, scenes, rows)
    return sums


class FeatureScores:
    """Rows that add, one per scene, and the scores of their sums.

    Args:
        tables: by class.
        count: scenes.
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
        """The scores of StyleFeatures, from sums [...,D] of the rows; nan without a class."""
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
