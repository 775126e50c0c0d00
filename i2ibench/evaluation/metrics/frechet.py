"""The Fréchet distance between two sets of features."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.evaluation.features.networks import SetScore

Floats = NDArray[np.float64]

NUM_SPLITS = 4


@dataclass(frozen=True)
class Gaussian:
    """The Gaussian fitted to rows of features: mean [d], and A [k,d] with covariance A^T A."""

    mean: Floats
    factor: Floats


def fit_gaussian(x: Floats) -> Gaussian:
    """The Gaussian of features [n,d], n at least 2; unbiased covariance, as in np.cov."""
    mean = x.mean(0)
    deviations = (x - mean) / np.sqrt(len(x) - 1)
    # R of a QR decomposition has the same R^T R = A^T A, and at most d rows.
    tall = len(x) > x.shape[1]
    factor: Any = np.linalg.qr(deviations, mode="r") if tall else deviations
    return Gaussian(mean, factor)


def gaussian_distance(p: Gaussian, q: Gaussian) -> float:
    """Fréchet distance between two Gaussians (Dowson & Landau 1982).

    Tr sqrt(S_p S_q) is the sum of the singular values of A B^T, where A^T A = S_p and B^T B = S_q:
    exact for any number of rows, without a matrix square root.
    """
    cross = np.linalg.svd(p.factor @ q.factor.T, compute_uv=False).sum()
    spread = np.square(p.factor).sum() + np.square(q.factor).sum()
    return float(np.square(p.mean - q.mean).sum() + spread - 2 * cross)


def frechet_distance(x: Floats, y: Floats) -> float:
    """Fréchet distance between the Gaussians fitted to two sets of features, [n,d] and [m,d]."""
    return gaussian_distance(fit_gaussian(x), fit_gaussian(y))


def frechet_score(rows: NDArray[np.float32], reference: NDArray[np.float32]) -> SetScore:
    """The distance of features [n,d] from a reference [m,d], with its spread and its curve over n.

    The distance is biased upwards, the more the smaller n is, so that a bootstrap excludes the
    value itself. Two disjoint halves are biased alike: the root mean square of half their
    difference estimates the value's standard error, and `low` and `high` are two of it away. The
    curve is over nested random subsets of n/8, n/4, n/2 and n rows. Its 1/n intercept (Chong &
    Forsyth 2020) is not given: below n = 2 d the curve is far from a line in 1/n.

    nan, if a side has fewer than 2 rows; no spread below 4.
    """
    n, m = len(rows), len(reference)
    warning = _warning(min(n, m), reference.shape[1])
    if min(n, m) < 2:
        return SetScore(float("nan"), None, None, "", n, m, [], warning)
    generator = np.random.default_rng(0)
    orders = [generator.permutation(n) for _ in range(NUM_SPLITS)]
    target = fit_gaussian(reference.astype(np.float64))

    def distance(chosen: NDArray[np.int64]) -> float:
        return gaussian_distance(fit_gaussian(rows[chosen].astype(np.float64)), target)

    value = distance(np.arange(n))
    sizes = sorted({size for size in (n // 8, n // 4) if size >= 2})
    curve = [(size, distance(orders[0][:size])) for size in sizes]
    half = n // 2
    if half < 2:
        return SetScore(value, None, None, "", n, m, [(n, value)], warning)
    halves = np.array([[distance(o[:half]), distance(o[half : 2 * half])] for o in orders])
    curve += [(half, float(halves[0, 0])), (n, value)]
    error = float(np.sqrt(np.square(np.diff(halves) / 2).mean()))
    spread = f"two standard errors, from {NUM_SPLITS} splits into disjoint halves of {half}"
    return SetScore(
        value, max(value - 2 * error, 0.0), value + 2 * error, spread, n, m, curve, warning
    )


def _warning(n: int, width: int) -> str:
    if n >= 2 * width:
        return ""
    return f"n = {n} is too small for {width} features (2 x {width} is the least): read KID."
