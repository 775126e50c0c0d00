"""Boundary F1: are the borders between the classes where they should be?

Csurka et al. 2013, "What is a good evaluation measure for semantic segmentation?"; pooled over
the data set instead of averaged over scenes.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

BETTER = {"edge/bf1": "higher"}

TOLERANCE = 2 / 512
"""Pixels within which borders agree, per row of the image."""

SIZE = 4


def boundary_row(predicted: NDArray[np.int64], truth: NDArray[np.int64], void: int) -> list[float]:
    """Predicted border pixels near a true one, and all; true ones near a predicted one, and all.

    Args:
        predicted: class ids [H,W].
        truth: class ids [H,W]; `void` where unknown: borders near void do not count.
        void: that id.
    """
    reach = max(TOLERANCE * truth.shape[0], 1.0)
    known = _distance(truth == void) > reach
    guess, real = borders(predicted) & known, borders(truth) & known
    near_real, near_guess = _distance(real) <= reach, _distance(guess) <= reach
    return [(guess & near_real).sum(), guess.sum(), (real & near_guess).sum(), real.sum()]


def borders(ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return bool [H,W]: True where a pixel differs from one of its four neighbours."""
    edge = np.zeros(ids.shape, bool)
    across, down = ids[:, 1:] != ids[:, :-1], ids[1:] != ids[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge


def boundary_scores(sums: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """`edge/bf1`, 0..1, nan only without any border, for sums of rows [..., 4]."""
    near_real, guessed, near_guess, real = np.moveaxis(sums, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(guessed > 0, near_real / guessed, 0)
        recall = np.where(real > 0, near_guess / real, 0)
        both = precision + recall
        f1 = np.where(both > 0, 2 * precision * recall / both, 0)
    return {"edge/bf1": np.where(guessed + real > 0, f1, np.nan)}


def _distance(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The Euclidean distance of each pixel from the mask, in pixels; infinite without any."""
    if not mask.any():
        return np.full(mask.shape, np.inf, np.float32)
    return np.asarray(
        cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    )
