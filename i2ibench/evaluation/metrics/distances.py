"""The Fréchet and the kernel distance between two sets of features."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.evaluation.features.networks import SetScore

Floats = NDArray[np.float64]

NUM_SPLITS = 4


@dataclass(frozen=True)
class Gaussian:
    """A Gaussian with mean [d] and a factor A [k,d] of its covariance A^T A."""

    mean: Floats
    factor: Floats


def fit_gaussian(x: Floats) -> Gaussian:
    """Fit a Gaussian to features [n,d], n at least 2; its covariance is unbiased, as in np.cov."""
    mean = x.mean(0)
    deviations = (x - mean) / np.sqrt(len(x) - 1)
    # R of a QR decomposition has the same R^T R = A^T A, and at most d rows.
    tall = len(x) > x.shape[1]
    factor: Any = np.linalg.qr(deviations, mode="r") if tall else deviations
    return Gaussian(mean, factor)


def gaussian_distance(p: Gaussian, q: Gaussian) -> float:
    """Return the Fréchet distance of two Gaussians, as FID defines it (Dowson & Landau 1982).

    Tr sqrt(S_p S_q) is the sum of the singular values of A B^T, where A^T A = S_p and B^T B = S_q.
    This is exact for any number of rows and needs no matrix square root.
    """
    cross = np.linalg.svd(p.factor @ q.factor.T, compute_uv=False).sum()
    spread = np.square(p.factor).sum() + np.square(q.factor).sum()
    return float(np.square(p.mean - q.mean).sum() + spread - 2 * cross)


def frechet_distance(x: Floats, y: Floats) -> float:
    """Return the Fréchet distance, as FID has it, of Gaussians fitted to features [n,d] and [m,d].

    n and m must be at least 2.
    """
    return gaussian_distance(fit_gaussian(x), fit_gaussian(y))


def frechet_score(rows: NDArray[np.float32], reference: NDArray[np.float32]) -> SetScore:
    """Return the Fréchet distance of features [n,d] from a reference [m,d], with spread and curve.

    The distance is biased upwards, and the bias grows as n falls. A bootstrap interval would
    therefore exclude the value itself. Two disjoint halves have the same bias. The root mean square
    of half their difference estimates the standard error of the value, and `low` and `high` are two
    standard errors away, `low` at least 0. The curve has the distances of nested random subsets of
    n/8, n/4, n/2 and n rows. Its intercept over 1/n (Chong & Forsyth 2020) is not given, because
    below n = 2 d the curve is far from a line in 1/n.

    The value is nan if a side has fewer than 2 rows. There is no spread if n is below 4. There is a
    warning if n or m is below 2 d. Random choices have a fixed seed.
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


NUM_SUBSETS = 100
POOL = 2000
"""The largest number of rows of each side that the spread uses, in subsets of half of them."""
BLOCK = 1024


def kernel(x: Floats, y: Floats) -> Floats:
    """Return the kernel (x·y / d + 1)^3 of KID for each row of x and each row of y, [n,m].

    See Binkowski et al. 2018, Sec. 3.

    Args:
        x, y: features [n,d] and [m,d].
    """
    return (x @ y.T / x.shape[1] + 1) ** 3


def kernel_distance(x: Floats, y: Floats) -> float:
    """Return the kernel distance (KID) of features [n,d] and [m,d], with n and m at least 2.

    This is the unbiased squared maximum mean discrepancy. Its expectation for two sets of one
    distribution is 0 at any n, so it may be negative. The unit is that of the kernel; many papers
    print the value times 100 or times 1000.
    """
    n, m = len(x), len(y)
    within = (_sum_of_pairs(x) / (n * (n - 1))) + _sum_of_pairs(y) / (m * (m - 1))
    across = sum(kernel(block, y).sum() for block in _blocks(x))
    return float(within - 2 * across / (n * m))


def kernel_score(rows: NDArray[np.float32], reference: NDArray[np.float32]) -> SetScore:
    """Return the kernel distance (KID) of features [n,d] from a reference [m,d], with its spread.

    The value is the unbiased squared discrepancy of all rows. The spread comes from 100 random
    pairs of subsets, each with half of the rows (at most 1000), drawn without replacement. The
    distances of such halves vary around the value as the value varies around the true discrepancy.
    Subsets with all rows, which clean-fid takes below n = 1000, would not vary at all.

    The value is nan if a side has fewer than 2 rows. There is no spread if a side has fewer than 4.
    Random choices have a fixed seed.
    """
    n, m = len(rows), len(reference)
    if min(n, m) < 2:
        return SetScore(float("nan"), None, None, "", n, m)
    x, y = rows.astype(np.float64), reference.astype(np.float64)
    value = kernel_distance(x, y)
    if min(n, m) < 4:
        return SetScore(value, None, None, "", n, m)
    values = subset_distances(x, y, np.random.default_rng(0))
    low, high = np.percentile(values, (2.5, 97.5))
    sizes = f"{min(n, POOL) // 2} and {min(m, POOL) // 2}"
    spread = f"2.5 and 97.5 percentiles of {NUM_SUBSETS} random subsets of {sizes}"
    return SetScore(value, float(low), float(high), spread, n, m)


def subset_distances(x: Floats, y: Floats, generator: np.random.Generator) -> Floats:
    """Return the kernel distances, float64 [100], of random subsets of two sets of features.

    Each subset has half of the rows of its side, at most 1000. The distances are unbiased.

    Args:
        x, y: features [n,d] and [m,d]; n and m are at least 4.
        generator: the source of the random choices.
    """
    x, y = (_draw(side, min(len(side), POOL), generator) for side in (x, y))
    a, b = (_choose_halves(len(side), generator) for side in (x, y))
    k, l = (len(side) // 2 for side in (x, y))  # noqa: E741
    within_x, within_y = (kernel(side, side) for side in (x, y))
    np.fill_diagonal(within_x, 0)
    np.fill_diagonal(within_y, 0)
    # With 0/1 rows a, a K a^T on the diagonal sums K over each chosen subset.
    return (
        ((a @ within_x) * a).sum(1) / (k * (k - 1))
        + ((b @ within_y) * b).sum(1) / (l * (l - 1))
        - 2 * ((a @ kernel(x, y)) * b).sum(1) / (k * l)
    )


def _draw(x: Floats, size: int, generator: np.random.Generator) -> Floats:
    return x[generator.permutation(len(x))[:size]]


def _choose_halves(n: int, generator: np.random.Generator) -> Floats:
    """Return 100 random rows of 0 and 1, float64 [100,n], each with n // 2 ones."""
    first = (np.arange(n) < n // 2).astype(np.float64)
    return generator.permuted(np.tile(first, (NUM_SUBSETS, 1)), axis=1)


def _blocks(x: Floats) -> Iterator[Floats]:
    for start in range(0, len(x), BLOCK):
        yield x[start : start + BLOCK]


def _sum_of_pairs(x: Floats) -> float:
    """Return the sum of KID's kernel over all ordered pairs of two different rows of x."""
    diagonal = (np.square(x).sum(1) / x.shape[1] + 1) ** 3
    return float(sum(kernel(block, x).sum() for block in _blocks(x)) - diagonal.sum())
