from dataclasses import asdict, fields, replace

import numpy as np
import pytest

from i2ibench.apps.study.analyse.simulation import Crowd, simulate
from i2ibench.apps.study.answers import LEFT, TIE, read_answer
from i2ibench.apps.study.define.definition import DEGRADED
from i2ibench.apps.study.define.design import MAIN, Trial
from i2ibench.errors import UserError
from tests.unit.apps.study.crowds import study_of

STRENGTHS = {"ours": 0.8, "crn": -0.5, "photos": 1.0}


def test_the_same_seed_gives_the_same_answers_in_any_order():
    study = study_of()
    crowd = Crowd(STRENGTHS, participant_sd=0.5, scene_sd=0.5, missing=0.1, seed=4)
    whole = simulate(study, crowd, 4)
    again = Crowd(STRENGTHS, participant_sd=0.5, scene_sd=0.5, missing=0.1, seed=4)
    backwards = [again.answer(3, trial) for trial in reversed(study.plan(3))]
    found = [a for a in reversed(backwards) if a is not None]
    assert found == whole.answers[whole.participants[3].token]
    other, fresh = replace(crowd, seed=5), Crowd(**{**vars_of(crowd), "seed": 5})
    assert simulate(study, other, 4) == simulate(study, fresh, 4)
    assert choices(simulate(study, other, 4)) != choices(whole)


def vars_of(crowd):
    return {f.name: getattr(crowd, f.name) for f in fields(crowd) if f.init}


def choices(collected):
    return [[a.choice for a in answers] for answers in collected.answers.values()]


def test_answers_are_ones_that_the_server_takes():
    study = study_of(durations=[0.125, 1.0], per_pair=3)
    collected = simulate(study, Crowd(STRENGTHS, exposure_scale=0.5), 2)
    for person in collected.participants:
        assert person.simulated and person.finished
        answers = collected.answers[person.token]
        assert [a.trial for a in answers] == list(range(study.design.num_trials))
        for answer in answers:
            assert read_answer(asdict(answer), study.design.num_trials, ties=False) == answer
            assert answer.response_ms > answer.shown_ms


@pytest.mark.parametrize("side", [0, 1])
def test_catch_trials_are_answered_rightly_but_for_lapses(side):
    names = ("photos", DEGRADED) if side else (DEGRADED, "photos")
    trials = [Trial(number, "catch", "s", *names) for number in range(2000)]
    right = "left" if side else "right"
    assert {Crowd(STRENGTHS, side_bias=3.0).decide(0, t) for t in trials} == {right}
    lapses = Crowd(STRENGTHS, lapse=0.4)
    assert np.mean([lapses.decide(0, t) == right for t in trials]) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("duration", [None, 0.125, 8.0])
def test_rates_are_those_of_many_people_and_scenes(duration):
    crowd = Crowd(
        STRENGTHS, tie_width=0.4, lapse=0.1, side_bias=0.5, participant_sd=0.6, scene_sd=0.8,
        exposure_scale=1.0, missing=0.2, seed=1,
    )  # fmt: skip
    values = []
    for person in range(20_000):
        names = ("ours", "crn") if person % 2 else ("crn", "ours")
        choice = crowd.decide(person, Trial(0, MAIN, f"scene {person}", *names, duration))
        if choice is not None:
            ours = (choice == LEFT) == (names[0] == "ours")
            values.append(0.5 if choice == TIE else float(ours))
    assert len(values) == pytest.approx(16_000, rel=0.02)
    assert np.mean(values) == pytest.approx(crowd.rate("ours", "crn", duration), abs=0.01)


def test_more_time_shows_more_of_the_difference():
    crowd = Crowd(STRENGTHS, exposure_scale=0.5)
    rates = [crowd.rate("ours", "crn", t) for t in (0.125, 0.5, 2.0, 8.0, None)]
    assert rates == sorted(rates)
    assert rates[1] == pytest.approx(1 / (1 + np.exp(-1.3 / 2)))


def test_a_crowd_that_does_not_fit_the_study_is_refused():
    with pytest.raises(UserError, match="no strength for 'photos'"):
        simulate(study_of(), Crowd({"ours": 0.0, "crn": 0.0}), 1)
    with pytest.raises(UserError, match="ties=False"):
        simulate(study_of(), Crowd(STRENGTHS, tie_width=1.0), 1)


@pytest.mark.parametrize("wrong", [{"lapse": 7}, {"missing": -0.1}, {"scene_sd": -1}])
def test_a_crowd_that_cannot_be_is_refused(wrong):
    with pytest.raises(UserError, match=f"{next(iter(wrong))} must be "):
        Crowd({"ours": 0.0}, **wrong)
