from collections import Counter
from dataclasses import replace
from itertools import combinations

import pytest

from i2ibench.apps.study.define.definition import DEGRADED, read_definition
from i2ibench.apps.study.define.design import CATCH, MAIN, PRACTICE, REPEAT, Design
from i2ibench.errors import UserError

METHODS = ("ours", "theirs", "photos")
SCENES = [f"scene_{i}" for i in range(21)]
DURATIONS = (0.125, 1.0, 8.0)


def design(num_scenes=21, **changes):
    content = dict(
        title="Streets", methods={m: dict(images=m) for m in METHODS}, per_pair=4,
        durations=list(DURATIONS), repeats=4, catch=3, practice=2, **changes,
    )  # fmt: skip
    return Design(read_definition(content, "study.py"), SCENES[:num_scenes], "photos")


def main_trials(plan):
    return [t for t in plan if t.kind == MAIN]


def pair_of(trial):
    return tuple(sorted((trial.left, trial.right)))


@pytest.mark.parametrize("slot", [0, 3, 57])
def test_a_participant_judges_every_pair_at_every_duration_equally_often(slot):
    plan = design().plan(slot)
    seen = Counter((pair_of(t), t.duration) for t in main_trials(plan))
    assert set(seen) == {(tuple(sorted(p)), d) for p in combinations(METHODS, 2) for d in DURATIONS}
    assert set(seen.values()) == {4}
    assert [t.number for t in plan] == list(range(design().num_trials))


@pytest.mark.parametrize("num_scenes", [12, 13, 20, 21])
def test_nobody_judges_a_pair_twice_on_a_scene(num_scenes):
    planned = design(num_scenes)
    for slot in range(30):
        seen = Counter((pair_of(t), t.scene) for t in main_trials(planned.plan(slot)))
        assert max(seen.values()) == 1


@pytest.mark.parametrize("num_scenes", [12, 13, 21])
def test_over_participants_every_scene_is_judged_equally_often(num_scenes):
    planned, seen = design(num_scenes), Counter()
    for slot in range(17):
        seen.update((pair_of(t), t.scene) for t in main_trials(planned.plan(slot)))
        counts = [seen[pair, scene] for pair in {p for p, _ in seen} for scene in planned.scenes]
        assert max(counts) - min(counts) <= 1


def test_who_always_takes_one_side_prefers_nothing():
    for slot in range(20):
        for pair in combinations(METHODS, 2):
            own = [t for t in main_trials(design().plan(slot)) if pair_of(t) == tuple(sorted(pair))]
            assert sum(t.left == pair[0] for t in own) * 2 == len(own)


def test_odd_numbers_of_judgments_are_balanced_over_participants():
    planned = Design(replace(design().definition, per_pair=3, durations=()), SCENES, "photos")
    left = [t.left == "ours" for s in range(400) for t in main_trials(planned.plan(s))
            if pair_of(t) == ("ours", "theirs")]  # fmt: skip
    assert abs(sum(left) / len(left) - 0.5) < 0.03


def test_orders_and_sides_differ_between_participants_and_are_the_same_again():
    one, other = design().plan(0), design().plan(1)
    assert one == design().plan(0)
    assert [t.scene for t in one] != [t.scene for t in other]
    assert design(seed=1).plan(0) != one


def test_each_block_has_every_pair_at_every_duration_once():
    trials, size = main_trials(design().plan(5)), 9
    for start in range(0, len(trials), size):
        assert len({(pair_of(t), t.duration) for t in trials[start : start + size]}) == size


def test_repeats_show_trials_of_the_first_third_again_with_sides_swapped():
    for slot in range(20):
        plan = design().plan(slot)
        repeats = [t for t in plan if t.kind == REPEAT]
        assert len(repeats) == 4
        assert len({t.repeat_of for t in repeats}) == 4
        for trial in repeats:
            first = plan[trial.repeat_of]
            assert (first.kind, first.left, first.right) == (MAIN, trial.right, trial.left)
            assert (first.scene, first.duration) == (trial.scene, trial.duration)
            between = [t for t in plan[trial.repeat_of : trial.number] if t.kind == MAIN]
            assert len(between) > len(main_trials(plan)) / 4


def test_catch_trials_are_spread_and_compare_the_reference_with_its_degraded_image():
    for slot in range(20):
        plan = design().plan(slot)
        places = [t.number for t in plan if t.kind == CATCH]
        before = [sum(t.kind == MAIN for t in plan[:n]) / len(main_trials(plan)) for n in places]
        assert [0 <= share - piece / 3 <= 0.4 for piece, share in enumerate(before)] == [True] * 3
        for number in places:
            assert {plan[number].left, plan[number].right} == {"photos", DEGRADED}
            assert plan[number].duration == 8.0


def test_practice_comes_first_from_long_to_short():
    plan = design().plan(4)
    assert [t.kind for t in plan].count(PRACTICE) == 2
    assert [t.kind for t in plan[:2]] == [PRACTICE] * 2
    assert plan[0].duration >= plan[1].duration


def test_too_few_scenes_are_refused_with_the_numbers():
    with pytest.raises(UserError, match="12 times.* there are 11 scenes"):
        design(num_scenes=11)
