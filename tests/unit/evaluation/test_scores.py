"""Intervals by bootstrap: against closed forms and SciPy, and their laws."""

import numpy as np
import pytest
import scipy.stats

from i2ibench.evaluation.scores import difference, estimate, interval, ratio, resamplings


class Mean:
    """The mean of one number per scene."""

    better = {"mean": "higher"}

    def scores(self, sums):
        with np.errstate(invalid="ignore"):
            return {"mean": sums[..., 0] / sums[..., 1]}


def rows(values):
    return np.stack([values, np.ones(len(values))], 1)


def test_every_draw_takes_as_many_scenes_as_there_are():
    weights = resamplings(7, 50, seed=0)
    assert weights.shape == (50, 7) and (weights.sum(1) == 7).all()
    assert np.array_equal(weights, resamplings(7, 50, seed=0))


def test_the_interval_of_a_mean_equals_scipys_bootstrap():
    values = np.random.default_rng(0).gamma(2.0, size=60)
    found = interval(estimate(Mean(), rows(values), resamplings(60, 4000, 1)).draws["mean"])
    reference = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert found == pytest.approx(tuple(reference), abs=0.05)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    covered = []
    for trial in range(200):
        draws = estimate(Mean(), rows(rng.normal(size=40)), resamplings(40, 400, trial)).draws
        low, high = interval(draws["mean"])
        covered.append(low <= 0 <= high)
    assert 0.88 <= np.mean(covered) <= 0.99


def test_a_difference_is_paired_so_that_a_small_constant_gain_is_seen():
    hard = np.random.default_rng(4).normal(0, 10, 50)
    weights = resamplings(50, 500, 0)
    one, other = (estimate(Mean(), rows(hard + gain), weights) for gain in (0.1, 0.0))
    low, high = difference(one, other, "mean")
    assert low == pytest.approx(0.1) and high == pytest.approx(0.1)
    wide = interval(one.draws["mean"])
    assert wide[1] - wide[0] > 1


def test_a_score_as_a_share_of_itself_is_one():
    found = estimate(Mean(), rows(np.arange(1.0, 9)), resamplings(8, 100, 0))
    value, draws = ratio(found, found, "mean")
    assert value == 1 and (draws == 1).all()


def test_a_score_that_most_draws_leave_undefined_has_no_interval():
    assert interval(np.array([np.nan] * 6 + [1.0] * 94)) is None
    assert interval(np.array([np.nan] * 4 + [1.0] * 96)) == (1, 1)
