from dataclasses import replace

import numpy as np
import pytest

from i2ibench.apps.study.analyse.exclusion import exclude
from i2ibench.apps.study.analyse.judgments import TRIAL_RULES, chosen_participants, gather
from i2ibench.apps.study.analyse.simulation import Crowd, simulate
from i2ibench.apps.study.answers import Answer, Collected, Participant
from i2ibench.apps.study.define.definition import DEGRADED
from i2ibench.errors import UserError
from tests.unit.apps.study.crowds import study_of

EVEN = {"ours": 0.0, "crn": 0.0, "photos": 0.0}


def answered(study, choose, slot=0, **changes):
    """Return one participant, who answers trials by a function; None leaves one out."""
    chosen = [(t, choose(t)) for t in study.plan(slot)]
    waited = {"response_ms": 900.0 + (changes.get("shown_ms") or 0.0)} | changes
    answers = [Answer(t.number, c, **waited) for t, c in chosen if c is not None]
    return Collected([Participant("a", slot, consented=True)], {"a": answers})


def prefer(*order):
    """Return a function that chooses the method which comes first in an order."""
    ranks = {DEGRADED: 9} | {name: at for at, name in enumerate(order)}
    return lambda trial: "left" if ranks[trial.left] < ranks[trial.right] else "right"


def kept_of(study, collected):
    return exclude(*gather(study, collected), study.definition.exclusion)


def test_outcomes_are_told_from_the_pairs_first_method_whichever_side_it_was_on():
    study = study_of()
    judgments, (record,) = gather(study, answered(study, prefer("ours", "photos", "crn")))
    assert len(judgments) == study.design.num_main == record.main == record.planned
    compared = study.definition.compared
    assert 0 < judgments.first_left.mean() < 1
    for at, (first, second) in enumerate(compared):
        expected = 1.0 if (first, second) != ("crn", "photos") else 0.0
        assert set(judgments.value[judgments.pair == at]) == {expected}
    assert record.catch == (5, 5) and record.repeats == (5, 5)
    assert record.left + record.right == record.main


def test_ties_are_half_and_are_wrong_in_catch_trials():
    study = study_of(ties=True)
    judgments, (record,) = gather(study, answered(study, lambda t: "tie"))
    assert set(judgments.value) == {0.5}
    assert record.catch == (0, 5) and record.repeats == (5, 5) and record.left == 0


def test_real_and_simulated_participants_are_never_mixed():
    study = study_of()
    real, made = answered(study, prefer("ours", "crn", "photos")), simulate(study, Crowd(EVEN), 2)
    both = Collected([*real.participants, *made.participants], {**real.answers, **made.answers})
    with pytest.raises(UserError, match="1 real and 2 simulated"):
        chosen_participants(both)
    assert [p.token for p in chosen_participants(both, "real").participants] == ["a"]
    assert len(chosen_participants(both, "simulated").participants) == 2
    with pytest.raises(UserError, match="no answers of simulated"):
        chosen_participants(real, "simulated")


@pytest.mark.parametrize("rule, choose, changes", [
    ("catch", prefer(DEGRADED, "ours", "crn", "photos"), {}),
    ("repeats", lambda t: "left", {"min_repeat_agreement": 0.2}),
    ("one_side", lambda t: "left" if t.kind == "main" else prefer(*EVEN)(t), {}),
    ("answered", lambda t: None if t.kind == "main" and t.number % 3 else "left", {}),
])  # fmt: skip
def test_participants_who_break_a_rule_are_left_out(rule, choose, changes):
    study = study_of(exclusion=changes)
    kept = kept_of(study, answered(study, choose))
    assert kept.broken[rule] == 1 and kept.people == [False] and len(kept.judgments) == 0


def test_participants_without_consent_are_left_out():
    study = study_of()
    given = answered(study, prefer("ours", "crn", "photos"))
    without = Collected([replace(given.participants[0], consented=False)], given.answers)
    assert kept_of(study, without).broken["no_consent"] == 1
    assert kept_of(study, given).people == [True]


def test_a_study_without_catch_trials_and_repeats_excludes_nobody_by_them():
    study = study_of(catch=0, repeats=0, exclusion={"min_repeat_agreement": 1.0})
    assert kept_of(study, answered(study, prefer("ours", "crn", "photos"))).people == [True]


@pytest.mark.parametrize("changes, rule", [
    ({"shown_ms": 1000.0, "frame_ms": 16.7}, None),
    ({"shown_ms": 1020.0, "frame_ms": 16.7}, None),
    ({"shown_ms": 1020.1, "frame_ms": 16.7}, "exposure_off"),
    ({"shown_ms": 1030.0, "frame_ms": 62.0}, None),  # half a frame of a slow screen is 31 ms
    ({"shown_ms": 979.0, "frame_ms": 0.0}, "exposure_off"),
    ({}, "exposure_off"),  # it was not measured
    ({"shown_ms": 1000.0, "unfocused_ms": 1.0}, "unfocused"),
    ({"shown_ms": 1000.0, "response_ms": 1200.0}, None),
    ({"shown_ms": 1000.0, "response_ms": 1199.0}, "too_quick"),  # 199 ms after the mask
    ({"shown_ms": 1000.0, "showings": 2}, "seen_again"),
])  # fmt: skip
def test_judgments_that_break_a_rule_are_left_out(changes, rule):
    study = study_of(durations=[1.0])
    kept = kept_of(study, answered(study, prefer("ours", "crn", "photos"), **changes))
    count = study.design.num_main
    assert kept.people == [True] and len(kept.judgments) == (0 if rule else count)
    assert kept.dropped == {name: count * (name == rule) for name in TRIAL_RULES}


def test_catch_trials_and_repeats_that_break_a_rule_count_for_nothing():
    study = study_of(durations=[1.0])
    wrong = prefer(DEGRADED, "ours", "crn", "photos")
    given = answered(study, wrong, shown_ms=40.0, response_ms=90.0)
    _, (record,) = gather(study, given)
    assert record.catch == (0, 0) and record.repeats == (0, 0)
    assert kept_of(study, given).people == [True]


def test_quick_answers_are_left_out_and_counted_once():
    study = study_of()
    given = answered(study, prefer("ours", "crn", "photos"), unfocused_ms=5.0)
    quick = [replace(a, response_ms=199.9) if a.trial < 10 else a for a in given.answers["a"]]
    kept = kept_of(study, Collected(given.participants, {"a": quick}))
    count = study.design.num_main
    assert 0 < kept.dropped["too_quick"] < 10 and kept.dropped["unfocused"] == count
    assert kept.dropped_total == count


def test_careless_participants_are_found_among_attentive_ones():
    study = study_of(catch=10)
    good = simulate(study, Crowd({"ours": 1.0, "crn": 0.0, "photos": 1.0}), 10)
    bad = simulate(study, Crowd(EVEN, lapse=1.0, seed=9), 10)
    people = [*good.participants, *bad.participants]
    kept = kept_of(study, Collected(people, {**good.answers, **bad.answers}))
    assert np.array(kept.people)[:10].all() and np.array(kept.people)[10:].sum() <= 1
