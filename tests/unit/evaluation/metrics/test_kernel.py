"""The kernel distance against clean-fid and the definition, and its laws."""

from itertools import product

import numpy as np
import pytest
from cleanfid.fid import kernel_distance as clean_fid_distance

from i2ibench.evaluation.metrics.kernel import kernel_distance, kernel_score, subset_distances


def features(n, d=12, shift=0.0, seed=0):
    return np.random.default_rng(seed).normal(shift, 1, size=(n, d))


def by_loops(x, y):
    def mean(a, b, same):
        pairs = [(i, j) for i, j in product(range(len(a)), range(len(b))) if not (same and i == j)]
        return np.mean([(a[i] @ b[j] / len(a[i]) + 1) ** 3 for i, j in pairs])

    return mean(x, x, True) + mean(y, y, True) - 2 * mean(x, y, False)


@pytest.mark.parametrize(("n", "m"), [(2, 3), (9, 14)])
def test_kernel_distance_equals_the_definition(n, m):
    x, y = features(n), features(m, shift=0.4, seed=1)
    assert kernel_distance(x, y) == pytest.approx(by_loops(x, y), rel=1e-12)


@pytest.mark.parametrize("n", [20, 1000])
def test_kernel_distance_of_sets_of_one_size_is_clean_fids(n):
    x, y = features(n), features(n, shift=0.2, seed=1)
    expected = clean_fid_distance(x, y, num_subsets=1)  # every subset is the whole set
    assert kernel_distance(x, y) == pytest.approx(expected, rel=1e-9)


def test_sets_of_different_sizes_agree_with_the_mean_of_clean_fids_subsets():
    x, y = features(120), features(90, shift=0.4, seed=1)
    np.random.seed(0)  # what clean-fid draws from
    expected = clean_fid_distance(x, y, num_subsets=2000)
    assert kernel_distance(x, y) == pytest.approx(expected, rel=0.02)


def test_kernel_distance_is_zero_on_average_for_small_sets_of_one_distribution():
    values = [kernel_distance(features(12, seed=i), features(9, seed=1000 + i)) for i in range(800)]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 3 * error
    assert min(values) < 0 < max(values)


def test_the_spread_of_one_distribution_includes_zero_and_that_of_two_excludes_it():
    same = kernel_score(features(200), features(300, seed=1))
    assert same.low < 0 < same.high and same.low < same.value < same.high
    other = kernel_score(features(200), features(300, shift=0.5, seed=1))
    assert 0 < other.low < other.value < other.high
    assert "100 random subsets of 100 and 150" in other.spread


def test_the_spread_is_that_of_the_value_over_new_draws():
    """Half subsets without replacement spread as the whole set's distance does."""

    def pair(i):
        return features(60, seed=i), features(60, shift=0.5, seed=5000 + i)

    truth = np.std([kernel_distance(*pair(i)) for i in range(300)])
    claimed = [np.std(subset_distances(*pair(i), np.random.default_rng(i))) for i in range(20)]
    assert 0.8 * truth < np.mean(claimed) < 1.3 * truth


def test_each_subset_is_scored_without_bias():
    x, y = features(40), features(31, shift=0.5, seed=1)
    subsets = [subset_distances(x, y, np.random.default_rng(i)).mean() for i in range(50)]
    assert np.mean(subsets) == pytest.approx(kernel_distance(x, y), rel=0.02)


def test_kernel_distance_depends_on_no_order_and_is_symmetric():
    x, y = features(20), features(30, shift=0.5, seed=1)
    value = kernel_distance(x, y)
    assert kernel_distance(x[::-1], y) == pytest.approx(value)
    assert kernel_distance(y, x) == pytest.approx(value)


def test_the_same_sets_give_the_same_spread_whatever_the_global_seed():
    x, y = features(20), features(30, seed=1)
    first = kernel_score(x, y)
    np.random.seed(5)
    assert kernel_score(x, y) == first


@pytest.mark.parametrize(("n", "m"), [(1, 5), (5, 0)])
def test_fewer_than_two_images_have_no_kernel_distance(n, m):
    assert np.isnan(kernel_score(features(n), features(m)).value)


def test_three_images_have_a_kernel_distance_but_no_spread():
    score = kernel_score(features(3), features(9, seed=1))
    assert np.isfinite(score.value) and score.low is None
