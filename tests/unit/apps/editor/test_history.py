import numpy as np

from i2ibench.apps.editor.history import History
from i2ibench.apps.editor.scene import Brush, Scene, brush_stroke


def test_only_so_many_steps_are_kept(scene):
    history, now = History(max_steps=3), scene
    for n in range(5):
        after = brush_stroke(now, [(n, n)], 2, Brush(0, 100 + n))
        assert history.record(now, after)
        now = after
    undone = 0
    while history.can_undo:
        now, undone = history.undo(now), undone + 1
    assert undone == 3


def test_only_so_many_bytes_are_kept_but_the_last_step_always():
    rng = np.random.default_rng(0)

    def noise() -> Scene:
        ids = rng.integers(0, 60000, (40, 40)).astype(np.int32)
        return Scene("x", np.zeros((40, 40), np.uint8), ids)

    history, scenes = History(max_bytes=9000), [noise() for _ in range(6)]
    for before, after in zip(scenes, scenes[1:], strict=False):
        history.record(before, after)
    back = history.undo(scenes[-1])
    np.testing.assert_array_equal(back.instance, scenes[-2].instance)
    steps = 1
    while history.can_undo:
        back, steps = history.undo(back), steps + 1
    assert steps < 5
    tiny = History(max_bytes=1)
    tiny.record(scenes[0], scenes[1])
    assert tiny.can_undo


def test_a_step_that_changes_nothing_is_none_and_leaves_redo(scene):
    history = History()
    after = brush_stroke(scene, [(5, 5)], 3, Brush(0, 23))
    history.record(scene, after)
    back = history.undo(after)
    assert not history.record(back, back)
    assert history.can_redo
    history.record(back, brush_stroke(back, [(30, 20)], 3, Brush(0, 23)))
    assert not history.can_redo


def test_a_copy_goes_its_own_way(scene):
    history = History()
    after = brush_stroke(scene, [(5, 5)], 3, Brush(1, 7))
    history.record(scene, after)
    other = history.copy()
    other.undo(after)
    assert history.can_undo and not other.can_undo
