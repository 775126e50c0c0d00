"""Multinomial logit models: strengths of methods, and preference over exposure."""

from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.special import expit

from i2ibench.apps.study.analyse.bootstrap import Resampled, Values
from i2ibench.apps.study.analyse.statistics import holm
from i2ibench.apps.study.define.definition import Definition

RIDGE = 0.01
"""Weight of the ridge penalty: a method that always wins keeps a finite strength."""

STEPS = 200


def bradley_terry(resampled: Resampled, time: int) -> dict[str, Any]:
    """Return the methods' strengths at one duration, strongest first, or why there are none.

    log P(i) : log P(tie) : log P(j) = s_i + b/2 : c + (s_i + s_j)/2 : s_j - b/2 with i on the left
    (Bradley & Terry 1952; ties of Davidson 1970; b is a bias to the left). Strengths sum to zero. A
    difference of 1 means odds of 2.7 between untied answers.

    Args:
        resampled: counts of the judgments.
        time: index in the definition's `times`.

    Returns:
        "time" in seconds (None: unlimited), and "methods". If there are fewer than three methods,
        or no chain of judged pairs joins all, "methods" is empty and "reason" says why. Otherwise
        it has a dict for each method: "method", "strength", "interval" and, except for the last,
        "ahead_of_next" and "ahead_interval". "left_bias" (b) with its interval and p-value,
        "left_share_of_equals" and "tie" (exp(c); None without ties) are added then.
    """
    definition = resampled.judgments.definition
    names = list(dict.fromkeys(name for pair in definition.compared for name in pair))
    fit: dict[str, Any] = {"time": definition.times[time], "methods": []}
    if reason := _reason_not_fitted(definition, names, resampled.counts[0, :, time]):
        return fit | {"reason": reason}
    features = _strength_features(definition, names)
    values = _fit_strengths(resampled.counts, features, time)[0]
    count = len(names)
    ranked = [int(i) for i in np.argsort(-values[:count], kind="stable")]
    gaps = _gaps(values[None], ranked)[0]
    first_gap = len(values)

    def strengths_and_gaps(counts: Values) -> Values:
        own = _fit_strengths(counts, features, time)
        return np.concatenate([own, _gaps(own, ranked)], 1)

    margin = resampled.margin(strengths_and_gaps, time=time)
    for place, at in enumerate(ranked):
        row = {"method": names[at], "strength": float(values[at]),
               "interval": margin.interval(float(values[at]), at)}  # fmt: skip
        if place + 1 < count:
            row["ahead_of_next"] = float(gaps[place])
            row["ahead_interval"] = margin.interval(float(gaps[place]), first_gap + place)
        fit["methods"].append(row)
    bias = float(values[count])
    return fit | {
        "left_bias": bias,
        "left_bias_interval": margin.interval(bias, count),
        "left_bias_p": margin.p_value(bias, count),
        "left_share_of_equals": float(expit(bias)),
        "tie": float(np.exp(values[count + 1])) if definition.ties else None,
    }


def exposure_slopes(resampled: Resampled) -> list[dict[str, Any]]:
    """Return how each pair's preference changes with the exposure (Fig. 7).

    The model is a logistic regression of the preference (ties half) on log2 of the seconds.

    Returns:
        One dict for each pair. "slope" is the change of the log odds of preferring the first method
        per doubling of the exposure. It has an "interval", "p", and "p_holm", corrected for all
        pairs. A pair without judgments has None as "slope" and "p", and no interval. The list is
        empty if there are fewer than two limited durations.
    """
    definition = resampled.judgments.definition
    if len(definition.durations) < 2:
        return []
    features = np.zeros((len(definition.durations), 2, 2))  # [times, outcomes, intercept and slope]
    features[:, 0, 0], features[:, 0, 1] = 1, np.log2(definition.durations)
    rows: list[dict[str, Any]] = []
    for pair, (first, second) in enumerate(definition.compared):

        def fit(counts: Values, number: int = pair) -> Values:
            by_time = counts[:, number].sum(2)  # [D, times, outcomes]
            return fit_logits(by_time[..., [0, 2]] + by_time[..., [1]] / 2, features)

        row: dict[str, Any] = {"first": first, "second": second, "slope": None, "p": None}
        if resampled.counts[0, pair].sum():
            one_second, slope = (float(v) for v in fit(resampled.counts)[0])
            margin = resampled.margin(fit, pair)
            row |= {
                "slope": slope,
                "interval": margin.interval(slope, 1),
                "p": margin.p_value(slope, 1),
                "log_odds_at_one_second": one_second,
            }
        rows.append(row)
    for row, corrected in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = corrected
    return rows


def fit_logits(counts: Values, features: Values) -> Values:
    """Return parameters [D, P] that maximise Σ count · log p(outcome) - RIDGE/2 · |parameters|².

    p(outcome) in a cell is the softmax over its outcomes of features · parameters. The function is
    concave. Newton's steps, limited to a change of 1 in each parameter, find its only maximum.
    After STEPS steps the search ends without a check.

    Args:
        counts: D tables of counts, [D, cells, outcomes]. A cell is a kind of trial.
        features: [cells, outcomes, P].
    """
    parameters = np.zeros((len(counts), features.shape[2]))
    totals = counts.sum(2)
    active = np.arange(len(counts))
    for _ in range(STEPS):
        step = _newton_step(counts[active], totals[active], features, parameters[active])
        step /= np.maximum(np.abs(step).max(1, keepdims=True), 1)
        parameters[active] += step
        active = active[np.abs(step).max(1) > 1e-9]
        if not len(active):
            break
    return parameters


def _newton_step(counts: Values, totals: Values, features: Values, parameters: Values) -> Values:
    """Return the full Newton step [D, P] of the function that `fit_logits` maximises."""
    scores = np.einsum("cop,dp->dco", features, parameters)
    shares = np.exp(scores - scores.max(2, keepdims=True))
    shares /= shares.sum(2, keepdims=True)
    expected = totals[:, :, None] * shares
    gradient = np.einsum("dco,cop->dp", counts - expected, features) - RIDGE * parameters
    means = np.einsum("dco,cop->dcp", shares, features)
    squares = np.einsum("cop,coq->copq", features, features)
    hessian = np.einsum("dco,copq->dpq", expected, squares)
    hessian -= np.einsum("dc,dcp,dcq->dpq", totals, means, means)
    hessian += RIDGE * np.eye(features.shape[2])
    return np.asarray(np.linalg.solve(hessian, gradient[..., None])[..., 0])


def _reason_not_fitted(definition: Definition, names: list[str], counts: Values) -> str:
    """Return a sentence that says why strengths cannot be compared, or "" if they can.

    They cannot if there are fewer than three methods, or if the pairs that have judgments do not
    join all methods.
    """
    if len(names) < 3:
        return "Two methods are compared by their preference rate."
    judged = [pair for pair, c in zip(definition.compared, counts, strict=True) if c.sum()]
    at = np.array([[names.index(name) for name in pair] for pair in judged]).reshape(-1, 2)
    graph = coo_array((np.ones(len(at)), (at[:, 0], at[:, 1])), shape=(len(names), len(names)))
    if connected_components(graph, directed=False, return_labels=False) > 1:
        return "No chain of compared pairs joins all methods."
    return ""


def _strength_features(definition: Definition, names: list[str]) -> Values:
    """Return the features of the model of strengths, [pairs x 2 sides, outcomes, parameters].

    The parameters are the strengths in the order of `names`, the bias to the left and, if the study
    has ties, that of a tie. Without ties the outcomes are only FIRST and SECOND.
    """
    ties = definition.ties
    size = len(names) + 1 + ties
    features = np.zeros((len(definition.compared), 2, 3, size))
    for number, (one, other) in enumerate(definition.compared):
        i, j = names.index(one), names.index(other)
        features[number, :, 0, i] = features[number, :, 2, j] = 1
        features[number, :, 1, [i, j]] = 0.5
        for side, sign in enumerate((1, -1)):
            features[number, side, 0, len(names)] = sign / 2
            features[number, side, 2, len(names)] = -sign / 2
    if ties:
        features[:, :, 1, -1] = 1
    flat = features.reshape(-1, 3, size)
    return flat if ties else flat[:, [0, 2]]


def _fit_strengths(counts: Values, features: Values, time: int) -> Values:
    """Fit the strengths at one duration to each of D tables of counts; return parameters [D, P]."""
    cells = counts[:, :, time].reshape(len(counts), -1, 3)
    return fit_logits(cells if features.shape[1] == 3 else cells[:, :, [0, 2]], features)


def _gaps(values: Values, ranked: list[int]) -> Values:
    """Return how far each method's strength is ahead of the next one's, [D, methods - 1]."""
    ordered = values[:, ranked]
    return ordered[:, :-1] - ordered[:, 1:]
