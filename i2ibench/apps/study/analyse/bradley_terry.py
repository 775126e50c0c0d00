"""Bradley-Terry strengths of three or more methods, with ties and a bias to the left side."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.special import expit

from i2ibench.apps.study.analyse.bootstrap import Resampled
from i2ibench.apps.study.analyse.logit_fit import fit_logits
from i2ibench.apps.study.define.definition import Definition

Values = NDArray[np.float64]


def bradley_terry(resampled: Resampled, time: int) -> dict[str, Any]:
    """Strengths at one of the study's times, strongest first, or the reason why there are none.

    log P(i) : log P(tie) : log P(j) = s_i + b/2 : c + (s_i + s_j)/2 : s_j - b/2 with i on the left
    (Bradley & Terry 1952; ties of Davidson 1970; b a bias to the left). Strengths sum to zero; a
    difference of 1 is odds of 2.7 between untied answers.
    """
    definition = resampled.judgments.definition
    names = list(dict.fromkeys(name for pair in definition.compared for name in pair))
    found: dict[str, Any] = {"time": definition.times[time], "methods": []}
    counts = resampled.counts[0, :, time]
    if reason := _unfit(definition, names, counts):
        return found | {"reason": reason}
    features = _features(definition, names)
    values = _fit(resampled.counts, features, time)[0]
    count = len(names)
    ranked = [int(i) for i in np.argsort(-values[:count], kind="stable")]
    gaps = _gaps(values[None], ranked)[0]
    first_gap = len(values)

    def fitted(drawn: Values) -> Values:
        own = _fit(drawn, features, time)
        return np.concatenate([own, _gaps(own, ranked)], 1)

    margin = resampled.margin(fitted, time=time)
    for place, at in enumerate(ranked):
        row = {"method": names[at], "strength": float(values[at]),
               "interval": margin.interval(float(values[at]), at)}  # fmt: skip
        if place + 1 < count:
            row["ahead_of_next"] = float(gaps[place])
            row["ahead_interval"] = margin.interval(float(gaps[place]), first_gap + place)
        found["methods"].append(row)
    bias = float(values[count])
    return found | {
        "left_bias": bias,
        "left_bias_interval": margin.interval(bias, count),
        "left_bias_p": margin.p_value(bias, count),
        "left_share_of_equals": float(expit(bias)),
        "tie": float(np.exp(values[count + 1])) if definition.ties else None,
    }


def _unfit(definition: Definition, names: list[str], counts: Values) -> str:
    """Why strengths cannot be compared; counts are [pairs, 2, 3]."""
    if len(names) < 3:
        return "Two methods are compared by their preference rate."
    met = [pair for pair, c in zip(definition.compared, counts, strict=True) if c.sum()]
    at = np.array([[names.index(name) for name in pair] for pair in met]).reshape(-1, 2)
    graph = coo_array((np.ones(len(at)), (at[:, 0], at[:, 1])), shape=(len(names), len(names)))
    if connected_components(graph, directed=False, return_labels=False) > 1:
        return "No chain of compared pairs joins all methods."
    return ""


def _features(definition: Definition, names: list[str]) -> Values:
    """[pairs x 2 sides, outcomes, strengths + bias (+ tie)]."""
    ties = definition.ties
    size = len(names) + 1 + ties
    rows = np.zeros((len(definition.compared), 2, 3, size))
    for number, (one, other) in enumerate(definition.compared):
        i, j = names.index(one), names.index(other)
        rows[number, :, 0, i] = rows[number, :, 2, j] = 1
        rows[number, :, 1, [i, j]] = 0.5
        for side, sign in enumerate((1, -1)):
            rows[number, side, 0, len(names)] = sign / 2
            rows[number, side, 2, len(names)] = -sign / 2
    if ties:
        rows[:, :, 1, -1] = 1
    flat = rows.reshape(-1, 3, size)
    return flat if ties else flat[:, [0, 2]]


def _fit(drawn: Values, features: Values, time: int) -> Values:
    """Parameters [D, P] of counts [D, pairs, times, 2, 3]."""
    counts = drawn[:, :, time].reshape(len(drawn), -1, 3)
    return fit_logits(counts if features.shape[1] == 3 else counts[:, :, [0, 2]], features)


def _gaps(values: Values, ranked: list[int]) -> Values:
    """How far each method is ahead of the next one, [D, methods - 1]."""
    ordered = values[:, ranked]
    return ordered[:, :-1] - ordered[:, 1:]
