"""The kernel distance between two sets of features."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from i2ibench.evaluation.features.networks import SetScore

Floats = NDArray[np.float64]

NUM_SUBSETS = 100
POOL = 2000
"""At most so many rows of each side give the spread, in subsets of half of them."""
BLOCK = 1024


def kernel(x: Floats, y: Floats) -> Floats:
    """(x y / d + 1)^3 for all pairs of rows, [n,m] (Binkowski et al. 2018, Sec. 3)."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def kernel_distance(x: Floats, y: Floats) -> float:
    """Unbiased squared maximum mean discrepancy of features [n,d] and [m,d], n and m at least 2.

    It is 0 on average for two sets of one distribution at any n, and so may be negative. In units
    of the kernel: papers often print it times 1000 or times 100, this function does not.
    """
    n, m = len(x), len(y)
    within = (_sum_of_pairs(x) / (n * (n - 1))) + _sum_of_pairs(y) / (m * (m - 1))
    across = sum(kernel(block, y).sum() for block in _blocks(x))
    return float(within - 2 * across / (n * m))


def kernel_score(rows: NDArray[np.float32], reference: NDArray[np.float32]) -> SetScore:
    """The squared discrepancy of features [n,d] from a reference [m,d], with its spread.

    The value is over all rows. The spread is that of 100 random pairs of subsets, each half of
    the rows (1000 at most): drawn without replacement, such halves spread about the value as the
    value itself does about the truth. Whole-set subsets, which clean-fid takes below n = 1000,
    would not spread at all.

    nan, if a side has fewer than 2 rows.
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
    """The unbiased distances of 100 random pairs of subsets, half of each side's rows (1000 at
    most), for features [n,d] and [m,d], n and m at least 4."""
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
    """100 rows of 0 and 1 [n] that choose n // 2 of n."""
    first = (np.arange(n) < n // 2).astype(np.float64)
    return generator.permuted(np.tile(first, (NUM_SUBSETS, 1)), axis=1)


def _blocks(x: Floats) -> Iterator[Floats]:
    for start in range(0, len(x), BLOCK):
        yield x[start : start + BLOCK]


def _sum_of_pairs(x: Floats) -> float:
    """The kernel summed over all ordered pairs of two different rows."""
    diagonal = (np.square(x).sum(1) / x.shape[1] + 1) ** 3
    return float(sum(kernel(block, x).sum() for block in _blocks(x)) - diagonal.sum())
