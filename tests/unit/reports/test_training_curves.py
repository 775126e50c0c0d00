"""Plots of a run's log."""

import numpy as np

from i2ibench.reports.training_curves import COLUMNS, visible


def noisy(count):
    values = np.random.default_rng(0).normal(size=count).cumsum()
    return list(zip(range(count), values.tolist(), strict=True))


def test_a_short_line_is_drawn_whole():
    assert visible(noisy(4 * COLUMNS)) == noisy(4 * COLUMNS)


def test_a_long_line_keeps_its_ends_and_the_reach_of_every_pixel():
    pairs, kept = noisy(50_000), visible(noisy(50_000))
    assert len(kept) <= 4 * COLUMNS
    assert set(kept) <= set(pairs) and kept == sorted(kept)
    assert kept[0] == pairs[0] and kept[-1] == pairs[-1]
    piece = 50_000 // COLUMNS
    for column in range(COLUMNS):
        reach = [
            (min(v), max(v))
            for v in ([y for x, y in own if x // piece == column] for own in (pairs, kept))
        ]
        assert reach[0] == reach[1]


def test_what_is_not_finite_stays_visible_as_a_gap():
    pairs = noisy(50_000)
    for place, value in ((7, np.nan), (12_345, np.inf), (40_000, -np.inf)):
        pairs[place] = (place, value)
    kept = dict(visible(pairs))
    assert np.isnan(kept[7]) and kept[12_345] == np.inf and kept[40_000] == -np.inf
    assert len([x for x in kept if x < 200]) > 5
