import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from i2ibench.apps.editor.holes import nearest_sources
from i2ibench.apps.editor.rasterise import tight
from i2ibench.apps.editor.scene import Scene, delete
from i2ibench.errors import UserError


@settings(max_examples=60)
@given(st.integers(0, 2**31 - 1), st.integers(1, 90), st.sampled_from([0.003, 0.05, 0.6]))
def test_every_hole_pixel_gets_a_source_that_is_as_near_as_brute_force_finds(seed, side, density):
    rng = np.random.default_rng(seed)
    height, width = int(rng.integers(1, side + 1)), side
    mask = rng.random((height, width)) < 0.1
    mask[rng.integers(height), rng.integers(width)] = True
    sources = (rng.random((height, width)) < density) & ~mask
    if not sources.any():
        with pytest.raises(UserError, match="fill the hole"):
            nearest_sources(tight(mask), sources)
        return
    y, x = nearest_sources(tight(mask), sources)
    assert sources[y, x].all()
    at, where = np.argwhere(mask), np.argwhere(sources)
    distances = ((at[:, None] - where[None]) ** 2).sum(2)
    np.testing.assert_array_equal(((at - np.stack([y, x], 1)) ** 2).sum(1), distances.min(1))


def test_holes_take_stuff_before_things_and_things_before_nothing(classes):
    label = np.array([[0, 2, 2, 2, 2]], np.uint8)
    instance = np.array([[23, 5, 6, 7, 7]], np.int32)
    filled = delete(Scene("x", label, instance), classes, 7)
    assert filled.instance.tolist() == [[23, 5, 6, 23, 23]]
    assert filled.label.tolist() == [[0, 2, 2, 0, 0]]
    things = Scene("x", label[:, 1:].copy(), instance[:, 1:].copy())
    assert delete(things, classes, 7).instance.tolist() == [[5, 6, 6, 6]]
