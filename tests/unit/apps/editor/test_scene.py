import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from i2ibench.apps.editor.edit_requests import choose_brush
from i2ibench.apps.editor.history import History
from i2ibench.apps.editor.instances import (
    LARGEST_ID,
    derived_instances,
    labels_of,
    list_instances,
    next_id,
    one_class_each,
)
from i2ibench.apps.editor.rasterise import tight
from i2ibench.apps.editor.scene import (
    Mode,
    Scene,
    Vector,
    brush_stroke,
    class_of,
    delete,
    duplicate,
    fill,
    lasso,
    move,
    nearest_sources,
    randomise_styles,
    region_of,
    relabel,
    set_style,
    stamp,
)
from i2ibench.errors import UserError
from tests.unit.apps.editor.conftest import CLASSES, street

POINT = st.tuples(st.integers(-10, 50), st.integers(-10, 34))
TARGET = st.sampled_from(["auto", "new"]) | st.integers(0, 30)
LABEL = st.integers(0, 3)
SHIFT = st.integers(-45, 45)
EDITS = st.one_of(
    st.tuples(st.just("stroke"), st.lists(POINT, min_size=1, max_size=4), st.integers(0, 9), LABEL,
              TARGET),
    st.tuples(st.just("fill"), st.integers(0, 39), st.integers(0, 23), LABEL, TARGET),
    st.tuples(st.just("lasso"), st.lists(POINT, min_size=3, max_size=5), LABEL, TARGET),
    st.tuples(st.just("stamp"), POINT, LABEL),
    st.tuples(st.just("relabel"), st.integers(0, 30), LABEL),
    st.tuples(st.just("move"), st.integers(0, 30), SHIFT, SHIFT),
    st.tuples(st.just("duplicate"), st.integers(0, 30), SHIFT, SHIFT),
    st.tuples(st.just("delete"), st.integers(0, 30)),
    st.tuples(st.just("style"), st.integers(0, 30), st.integers(0, 9)),
    st.tuples(st.just("draw"), st.integers(0, 5)),
)  # fmt: skip


def apply(scene: Scene, edit: tuple) -> Scene:  # noqa: C901  one line per edit
    """An edit whose numbers up to 30 pick one of the instances that there are."""
    ids = np.unique(scene.instance).tolist()

    def pick(n):
        return n if isinstance(n, str) else ids[n % len(ids)]

    def paint(label, target):
        return choose_brush(scene, CLASSES, label, pick(target))

    kind, *rest = edit
    if kind == "stroke":
        return brush_stroke(scene, rest[0], rest[1], paint(rest[2], rest[3]))
    if kind == "fill":
        return fill(scene, rest[0], rest[1], paint(rest[2], rest[3]))
    if kind == "lasso":
        return lasso(scene, rest[0], paint(rest[1], rest[2]))
    if kind == "stamp":
        return stamp(scene, np.ones((5, 7), bool), *rest[0], paint(rest[1], "new"))
    if kind == "draw":
        return randomise_styles(scene, rest[0])
    if kind == "style":
        return set_style(scene, [pick(rest[0])], Mode(rest[1]))
    if kind == "relabel":
        return relabel(scene, pick(rest[0]), rest[1])
    if kind == "delete":
        return delete(scene, CLASSES, pick(rest[0]))
    if kind == "move":
        return move(scene, CLASSES, pick(rest[0]), rest[1], rest[2])
    return duplicate(scene, pick(rest[0]), rest[1], rest[2], Mode(1))


def same(one: Scene, other: Scene) -> bool:
    maps = np.array_equal(one.label, other.label) and np.array_equal(one.instance, other.instance)
    return maps and dict(one.styles) == dict(other.styles) and one.draw == other.draw


def check(scene: Scene) -> None:
    """The promises that every scene keeps."""
    assert scene.label.dtype == np.uint8 and scene.instance.dtype == np.int32
    assert scene.label.shape == scene.instance.shape == (24, 40)
    assert scene.label.max() < len(CLASSES)
    assert scene.instance.min() >= 0 and scene.instance.max() <= LARGEST_ID
    for i in np.unique(scene.instance):
        assert len(np.unique(scene.label[scene.instance == i])) == 1
    assert set(scene.styles) <= set(np.unique(scene.instance).tolist())


@settings(max_examples=150)
@given(st.lists(EDITS, max_size=12))
def test_any_sequence_of_edits_keeps_the_promises_and_can_be_undone_and_redone(edits):
    scene, history = street(), History()
    states = [scene]
    for edit in edits:
        before = scene.label.copy(), scene.instance.copy()
        try:
            after = apply(scene, edit)
        except UserError:
            after = scene
        check(after)
        np.testing.assert_array_equal(before, (scene.label, scene.instance))  # nothing in place
        if history.record(scene, after):
            states.append(after)
        scene = after
    for expected in reversed(states[:-1]):
        assert history.can_undo
        scene = history.undo(scene)
        assert same(scene, expected)
    assert not history.can_undo and history.undo(scene) is scene
    for expected in states[1:]:
        scene = history.redo(scene)
        assert same(scene, expected)
    assert not history.can_redo and history.redo(scene) is scene


@given(st.integers(-4, 27), st.integers(-8, 10))
def test_moving_within_the_canvas_conserves_the_area(dx, dy):
    scene = street()
    moved = move(scene, CLASSES, 26000, dx, dy)  # the box 4..12 x 8..13 stays inside
    assert (moved.instance == 26000).sum() == (scene.instance == 26000).sum()
    assert moved.instance.size == scene.instance.size
    region, was = region_of(moved, 26000), region_of(scene, 26000)
    assert (region.left, region.top) == (was.left + dx, was.top + dy)


def test_moving_there_and_back_over_stuff_restores_the_scene(classes):
    scene = street()
    there = move(scene, classes, 26000, 5, -6)
    assert not same(there, scene)
    assert same(move(there, classes, 26000, -5, 6), scene)


def test_moving_out_of_the_canvas_cuts_off_and_then_deletes(classes, scene):
    styled = set_style(scene, [26000], Mode(3))
    cut = move(styled, classes, 26000, -8, 0)
    assert (cut.instance == 26000).sum() == 4 * 5
    assert cut.styles[26000] == Mode(3)
    gone = move(styled, classes, 26000, -12, 0)
    assert not (gone.instance == 26000).any() and 26000 not in gone.styles
    assert same(gone, delete(styled, classes, 26000))


def test_a_style_stays_with_a_moved_object_and_goes_with_a_covered_one(classes, scene):
    styled = set_style(scene, [26000, 26001], Mode(2))
    covered = move(styled, classes, 26001, -18, -6)  # over the smaller car
    assert dict(covered.styles) == {26001: Mode(2)}


def test_a_duplicate_is_a_new_instance_of_the_same_class_and_area(classes, scene):
    twin = duplicate(scene, 26000, 10, -8, Mode(4))
    assert class_of(twin, 26002) == class_of(scene, 26000)
    assert (twin.instance == 26002).sum() == (scene.instance == 26000).sum()
    assert dict(twin.styles) == {26002: Mode(4)}
    with pytest.raises(UserError, match="outside"):
        duplicate(scene, 26000, 100, 0)


def test_relabelling_gives_a_new_id_and_drops_the_style(scene):
    styled = set_style(scene, [21], Vector((1.0, 2.0), "photo"))
    built = relabel(styled, 21, 0)
    assert class_of(built, 26002) == 0
    assert not (built.instance == 21).any() and not built.styles
    assert ((built.instance == 26002) == (scene.instance == 21)).all()
    assert relabel(styled, 21, 3) is styled


@pytest.mark.parametrize(
    ("label", "target", "expected"),
    [
        (0, "auto", (0, 23)),  # the sky that is there
        (2, "auto", (2, 26002)),  # a new car
        (0, "new", (0, 26002)),
        (0, 26000, (2, 26000)),  # an instance's own class
    ],
)
def test_what_is_painted_follows_the_rule(classes, scene, label, target, expected):
    paint = choose_brush(scene, classes, label, target)
    assert (paint.label, paint.instance) == expected


def test_a_class_that_is_not_there_begins_with_its_own_id(classes, scene):
    bare = delete(scene, classes, 21)
    assert choose_brush(bare, classes, 3, "auto").instance == 21
    taken = Scene("x", bare.label, np.where(bare.instance == 23, 21, bare.instance))
    assert choose_brush(taken, classes, 3, "auto").instance == 26002


def test_the_largest_instance_of_a_class_is_extended(classes, scene):
    split = relabel(relabel(scene, 21, 0), 26000, 0)
    assert choose_brush(split, classes, 0, "auto").instance == 23


def test_new_ids_are_the_smallest_free_ones_where_16_bits_end():
    ids = np.array([[0, 1], [3, LARGEST_ID]], np.int32)
    assert next_id(ids) == 2
    assert next_id(np.array([[5]], np.int32)) == 1000
    with pytest.raises(UserError, match="taken"):
        next_id(np.arange(LARGEST_ID + 1, dtype=np.int32).reshape(256, 256))


def test_errors_name_what_is_missing(classes, scene):
    for act in (
        lambda: delete(scene, classes, 5),
        lambda: move(scene, classes, 5, 1, 1),
        lambda: relabel(scene, 5, 1),
        lambda: choose_brush(scene, classes, 1, 5),
    ):
        with pytest.raises(UserError, match="no instance 5"):
            act()
    with pytest.raises(UserError, match="outside"):
        fill(scene, 40, 0, choose_brush(scene, classes, 0, "auto"))


def test_the_last_instance_cannot_be_deleted(classes):
    alone = Scene("x", np.zeros((4, 4), np.uint8), np.full((4, 4), 9, np.int32))
    with pytest.raises(UserError, match="fill the hole"):
        delete(alone, classes, 9)
    with pytest.raises(UserError, match="fill the hole"):
        move(alone, classes, 9, 99, 0)


def test_the_map_is_never_empty_of_ids_by_painting_over_everything(classes, scene):
    paint = choose_brush(scene, classes, 1, "new")
    full = brush_stroke(scene, [(20, 12)], 60, paint)
    assert np.unique(full.instance).tolist() == [paint.instance]


def test_random_styles_drop_the_chosen_and_reset_goes_back(scene):
    styled = set_style(scene, [26000], Mode(1))
    drawn = randomise_styles(styled, 3)
    assert drawn.draw == 3 and not drawn.styles
    assert same(randomise_styles(drawn, 0), scene)


def test_arrays_cannot_be_changed(scene):
    with pytest.raises(ValueError, match="read-only"):
        scene.label[0, 0] = 1
    with pytest.raises(TypeError):
        scene.styles[1] = Mode(1)


def test_stock_is_what_a_loop_counts(scene):
    stock = list_instances(scene.label, scene.instance)
    for i, label, area, (x, y, w, h) in zip(
        stock.ids, stock.labels, stock.areas, stock.boxes, strict=True
    ):
        ys, xs = np.nonzero(scene.instance == i)
        assert area == len(xs) and label == scene.label[ys[0], xs[0]]
        assert (x, y, w, h) == (
            xs.min(), ys.min(), xs.max() - xs.min() + 1, ys.max() - ys.min() + 1,
        )  # fmt: skip
    assert labels_of(scene.label, scene.instance, stock.ids).tolist() == stock.labels.tolist()


@given(st.integers(0, 2**31 - 1))
def test_repaired_maps_have_one_class_per_id_and_keep_the_majority(seed):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 4, (8, 9)).astype(np.uint8)
    instance = rng.integers(0, 5, (8, 9)).astype(np.int32) + 60
    repaired, notes = one_class_each(label, instance)
    assert notes
    for i in np.unique(repaired):
        assert len(np.unique(label[repaired == i])) == 1
    for i in np.unique(instance):
        own = label[instance == i]
        counts = np.bincount(own)
        assert (label[repaired == i] == counts.argmax()).all()
        assert (repaired == i).sum() == counts.max()
    again, nothing = one_class_each(label, repaired)
    assert again is repaired and not nothing


def test_ids_outside_16_bits_are_refused():
    label = np.zeros((2, 2), np.uint8)
    for wrong in (-1, LARGEST_ID + 1):
        with pytest.raises(UserError, match="65535"):
            one_class_each(label, np.full((2, 2), wrong, np.int32))


def test_derived_maps_part_things_and_join_stuff(classes, scene):
    found = derived_instances(scene.label, classes)
    assert set(np.unique(found)) == {23, 7, 21, 1000, 1001}
    assert one_class_each(scene.label, found)[1] == []
    assert ((found == 1000) == (scene.instance == 26000)).all()


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
