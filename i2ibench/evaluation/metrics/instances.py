"""Instance scores: does each object keep its class, small ones too?"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

SIZES = {"S": (0, 32**2), "M": (32**2, 96**2), "L": (96**2, np.inf)}
"""Areas in pixels of the scored image, as in COCO."""

BETTER = {f"inst/recall50_{size}": "higher" for size in SIZES} | {"inst/iiou": "higher"}

PER_CLASS = 5


def instance_row(
    predicted: NDArray[np.int64],
    truth: NDArray[np.int64],
    instance: NDArray[np.int64],
    thing_rows: Mapping[int, int],
    void: int,
) -> list[float]:
    """Numbers of one scene whose sums decide `instance_scores`.

    For each size: instances of which half the pixels got the right class, and all; then for each
    thing the sums over instances of hits / area and misses / area, of areas, the count, and the
    pixels wrongly given its class.

    Args:
        predicted: scored rows [H,W].
        truth: true scored rows [H,W].
        instance: ids [H,W].
        thing_rows: by the scored row of each thing the id of pixels without an own instance.
        void: the row that stands for unknown truth.
    """
    found = dict.fromkeys(SIZES, 0.0)
    total = dict.fromkeys(SIZES, 0.0)
    classes: list[float] = []
    for row, group in thing_rows.items():
        here = truth == row
        areas, hits = _areas_and_hits(instance[here], predicted[here] == row, group)
        for size, (least, most) in SIZES.items():
            chosen = (areas >= least) & (areas < most)
            found[size] += float((hits[chosen] * 2 >= areas[chosen]).sum())
            total[size] += float(chosen.sum())
        share = hits / areas
        wrong = float(((predicted == row) & ~here & (truth != void)).sum())
        classes += [share.sum(), (1 - share).sum(), areas.sum(), float(len(areas)), wrong]
    return [n for size in SIZES for n in (found[size], total[size])] + classes


def _areas_and_hits(
    ids: NDArray[np.int64], right: NDArray[np.bool_], group: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Per instance its pixels and those with the right class; groups are no instances."""
    ids, right = ids[ids != group], right[ids != group]
    _, members, areas = np.unique(ids, return_inverse=True, return_counts=True)
    hits = np.bincount(members, weights=right, minlength=len(areas))
    return areas.astype(np.float64), hits.astype(np.float64)


def instance_scores(sums: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """`inst/recall50_<size>` and `inst/iiou`, 0..1, for sums of rows [..., 6 + 5 T].

    The latter is Cityscapes' instance-weighted IoU: a pixel weighs the mean area of its class over
    the area of its instance (here the mean over the evaluated scenes), so that small objects
    count as much as large ones.
    """
    scores = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        for number, size in enumerate(SIZES):
            scores[f"inst/recall50_{size}"] = sums[..., 2 * number] / sums[..., 2 * number + 1]
        classes = sums[..., 2 * len(SIZES) :].reshape(*sums.shape[:-1], -1, PER_CLASS)
        hit, missed, area, count, wrong = np.moveaxis(classes, -1, 0)
        weight = area / count
        iiou = weight * hit / (weight * (hit + missed) + wrong)
        known = ~np.isnan(iiou)
        scores["inst/iiou"] = np.where(known, iiou, 0).sum(-1) / known.sum(-1)
    return scores
