"""The Fréchet and the kernel distance: known values, bias, spread."""

import warnings
from itertools import product

import numpy as np
import pytest
import scipy.linalg
from cleanfid import fid as clean_fid
from cleanfid.fid import kernel_distance as clean_fid_distance

from i2ibench.evaluation.metrics.distances import (
    frechet_distance,
    frechet_score,
    kernel_distance,
    kernel_score,
    subset_distances,
)

SQRTM_HAS_DISP = tuple(map(int, scipy.__version__.split(".")[:2])) < (1, 18)


def textbook(x, y):
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    eigenvalues = scipy.linalg.eigvals(a @ b)
    cross = np.sqrt(np.clip(eigenvalues.real, 0, None)).sum()
    return np.square(x.mean(0) - y.mean(0)).sum() + np.trace(a) + np.trace(b) - 2 * cross


def features(n, d=12, shift=0.0, seed=0):
    return np.random.default_rng(seed).normal(shift, 1 + shift, size=(n, d))


@pytest.mark.parametrize("n", [6, 40])
def test_frechet_distance_equals_the_textbook_formula(n):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, 12)), rng.normal(0.3, 1.4, size=(n + 3, 12))
    assert frechet_distance(x, y) == pytest.approx(textbook(x, y), rel=1e-5, abs=1e-4)


@pytest.mark.skipif(not SQRTM_HAS_DISP, reason="clean-fid 0.1.35 needs SciPy < 1.18")
@pytest.mark.parametrize(("n", "m"), [(60, 80), (300, 200)])
def test_frechet_distance_equals_clean_fids(n, m):
    x, y = features(n, 32), features(m, 32, 0.3, seed=1)
    moments = [f(side) for side in (x, y) for f in (lambda z: z.mean(0), lambda z: np.cov(z.T))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy announces that sqrtm loses an argument
        expected = clean_fid.frechet_distance(*moments)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("n", [4, 30])
def test_frechet_distance_of_a_set_from_itself_is_zero_and_from_a_shift_its_square(n):
    x = features(n, 5)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-10)
    assert frechet_distance(x, x + 2) == pytest.approx(4 * 5)


def test_frechet_distance_depends_on_no_order_and_is_symmetric():
    x, y = features(20, 12), features(30, 12, 0.5, seed=1)
    value = frechet_distance(x, y)
    assert frechet_distance(x[::-1], y) == pytest.approx(value)
    assert frechet_distance(y, x) == pytest.approx(value)


def test_the_score_tells_its_size_its_halves_and_its_curve():
    x, y = features(80), features(60, shift=0.5, seed=1)
    score = frechet_score(x.astype(np.float32), y.astype(np.float32))
    assert score.value == pytest.approx(frechet_distance(x, y), rel=1e-5)
    assert (score.n, score.m) == (80, 60)
    assert [n for n, _ in score.curve] == [10, 20, 40, 80]
    assert score.curve[-1] == (80, score.value)
    assert 0 < score.low < score.value < score.high
    assert "4 splits into disjoint halves of 40" in score.spread and score.warning == ""


@pytest.mark.parametrize("d", [8, 100])
def test_the_spread_is_twice_the_standard_error_of_the_value(d):
    """For few features and for more features than images, over new draws of 60 images."""
    reference = features(200, d, 0.4, seed=9999)
    truth = np.std([frechet_distance(features(60, d, seed=i), reference) for i in range(200)])
    scores = [frechet_score(features(60, d, seed=i), reference) for i in range(40)]
    claimed = np.sqrt(np.mean([((s.high - s.value) / 2) ** 2 for s in scores]))
    assert 0.75 * truth < claimed < 1.35 * truth


def test_the_curve_falls_towards_zero_on_two_sets_of_one_distribution():
    score = frechet_score(features(800, 24), features(800, 24, seed=1))
    values = [value for _, value in score.curve]
    assert values == sorted(values, reverse=True) and values[-1] < values[0] / 4


def test_too_few_images_are_warned_of():
    score = frechet_score(features(23), features(100, seed=1))
    assert "n = 23 is too small" in score.warning and "read KID" in score.warning
    assert frechet_score(features(24), features(100, seed=1)).warning == ""


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_images_have_no_frechet_distance(n):
    score = frechet_score(features(n), features(5))
    assert np.isnan(score.value) and score.low is None and score.curve == []


@pytest.mark.parametrize("n", [2, 3, 5])
def test_a_handful_of_images_still_scores(n):
    score = frechet_score(features(n), features(9, seed=1))
    assert np.isfinite(score.value) and score.curve[-1][0] == n


def shifted(n, d=12, shift=0.0, seed=0):
    return np.random.default_rng(seed).normal(shift, 1, size=(n, d))


def by_loops(x, y):
    def mean(a, b, same):
        pairs = [(i, j) for i, j in product(range(len(a)), range(len(b))) if not (same and i == j)]
        return np.mean([(a[i] @ b[j] / len(a[i]) + 1) ** 3 for i, j in pairs])

    return mean(x, x, True) + mean(y, y, True) - 2 * mean(x, y, False)


@pytest.mark.parametrize(("n", "m"), [(2, 3), (9, 14)])
def test_kernel_distance_equals_the_definition(n, m):
    x, y = shifted(n), shifted(m, shift=0.4, seed=1)
    assert kernel_distance(x, y) == pytest.approx(by_loops(x, y), rel=1e-12)


@pytest.mark.parametrize("n", [20, 1000])
def test_kernel_distance_of_sets_of_one_size_is_clean_fids(n):
    x, y = shifted(n), shifted(n, shift=0.2, seed=1)
    expected = clean_fid_distance(x, y, num_subsets=1)  # every subset is the whole set
    assert kernel_distance(x, y) == pytest.approx(expected, rel=1e-9)


def test_sets_of_different_sizes_agree_with_the_mean_of_clean_fids_subsets():
    x, y = shifted(120), shifted(90, shift=0.4, seed=1)
    np.random.seed(0)  # what clean-fid draws from
    expected = clean_fid_distance(x, y, num_subsets=2000)
    assert kernel_distance(x, y) == pytest.approx(expected, rel=0.02)


def test_kernel_distance_is_zero_on_average_for_small_sets_of_one_distribution():
    values = [kernel_distance(shifted(12, seed=i), shifted(9, seed=1000 + i)) for i in range(800)]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 3 * error
    assert min(values) < 0 < max(values)


def test_the_spread_of_one_distribution_includes_zero_and_that_of_two_excludes_it():
    same = kernel_score(shifted(200), shifted(300, seed=1))
    assert same.low < 0 < same.high and same.low < same.value < same.high
    other = kernel_score(shifted(200), shifted(300, shift=0.5, seed=1))
    assert 0 < other.low < other.value < other.high
    assert "100 random subsets of 100 and 150" in other.spread


def test_the_spread_is_that_of_the_value_over_new_draws():
    """Half subsets without replacement spread as the whole set's distance does."""

    def pair(i):
        return shifted(60, seed=i), shifted(60, shift=0.5, seed=5000 + i)

    truth = np.std([kernel_distance(*pair(i)) for i in range(300)])
    claimed = [np.std(subset_distances(*pair(i), np.random.default_rng(i))) for i in range(20)]
    assert 0.8 * truth < np.mean(claimed) < 1.3 * truth


def test_each_subset_is_scored_without_bias():
    x, y = shifted(40), shifted(31, shift=0.5, seed=1)
    subsets = [subset_distances(x, y, np.random.default_rng(i)).mean() for i in range(50)]
    assert np.mean(subsets) == pytest.approx(kernel_distance(x, y), rel=0.02)


def test_kernel_distance_depends_on_no_order_and_is_symmetric():
    x, y = shifted(20), shifted(30, shift=0.5, seed=1)
    value = kernel_distance(x, y)
    assert kernel_distance(x[::-1], y) == pytest.approx(value)
    assert kernel_distance(y, x) == pytest.approx(value)


def test_the_same_sets_give_the_same_spread_whatever_the_global_seed():
    x, y = shifted(20), shifted(30, seed=1)
    first = kernel_score(x, y)
    np.random.seed(5)
    assert kernel_score(x, y) == first


@pytest.mark.parametrize(("n", "m"), [(1, 5), (5, 0)])
def test_fewer_than_two_images_have_no_kernel_distance(n, m):
    assert np.isnan(kernel_score(shifted(n), shifted(m)).value)


def test_three_images_have_a_kernel_distance_but_no_spread():
    score = kernel_score(shifted(3), shifted(9, seed=1))
    assert np.isfinite(score.value) and score.low is None
