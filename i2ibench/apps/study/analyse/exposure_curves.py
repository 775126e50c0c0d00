"""Preference over exposure: how the preference for a method grows with time (Fig. 7)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.apps.study.analyse.bootstrap import Resampled
from i2ibench.apps.study.analyse.logit_fit import fit_logits
from i2ibench.apps.study.analyse.statistics import holm

Values = NDArray[np.float64]


def exposure_slopes(resampled: Resampled) -> list[dict[str, Any]]:
    """Of every pair the slope per doubling of the time, in log odds; nothing for one time only.

    Logistic regression of the preference (ties half) on log2 of the seconds.
    """
    definition = resampled.judgments.definition
    if len(definition.durations) < 2:
        return []
    features = _features(np.log2(definition.durations))
    found: list[dict[str, Any]] = []
    for pair, (first, second) in enumerate(definition.compared):

        def fit(drawn: Values, number: int = pair) -> Values:
            return fit_logits(_halves(drawn[:, number]), features)

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
        found.append(row)
    for row, corrected in zip(found, holm([row["p"] for row in found]), strict=True):
        row["p_holm"] = corrected
    return found


def _features(logs: Values) -> Values:
    """[times, 2 outcomes, intercept and slope]."""
    rows = np.zeros((len(logs), 2, 2))
    rows[:, 0, 0], rows[:, 0, 1] = 1, logs
    return rows


def _halves(drawn: Values) -> Values:
    """Counts [D, times, 2] of first and second from [D, times, 2 sides, 3], ties half to each."""
    counts = drawn.sum(2)
    return counts[..., [0, 2]] + counts[..., [1]] / 2
