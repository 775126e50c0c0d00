import json

import pytest

from i2ibench.apps.study.analyse.analysis import agreement, analyse, write_analysis
from i2ibench.apps.study.analyse.judgments import gather
from i2ibench.apps.study.analyse.simulation import Crowd, simulate
from i2ibench.apps.study.answers import Collected
from i2ibench.errors import UserError
from tests.unit.apps.study.crowds import study_of

STRENGTHS = {"ours": 0.8, "crn": -0.5, "photos": 1.0}


def analysed(study=None, participants=10, draws=100, **crowd):
    study = study or study_of()
    return analyse(study, simulate(study, Crowd(STRENGTHS, **crowd), participants), draws=draws)


def test_the_same_answers_give_the_same_file(tmp_path):
    for name in ("one", "two"):
        write_analysis(tmp_path / name, analysed(durations_of(0.125, 2.0), scene_sd=0.5))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert json.loads((tmp_path / "one").read_text())["kind"] == "simulated"


def durations_of(*seconds):
    return study_of(durations=list(seconds), per_pair=4)


def test_it_holds_what_is_needed_to_repeat_it_but_no_secret_and_no_token():
    study = study_of()
    found = analysed(study)
    assert found["study"]["hash"] == study.hash
    assert found["study"]["definition"]["methods"].keys() == STRENGTHS.keys()
    assert found["settings"] == {"level": 0.95, "draws": 100, "seed": 5, "ridge": 0.01}
    assert found["versions"]["i2ibench"] and found["commit"]
    text = json.dumps(found, allow_nan=False)
    assert "secret" not in text and "simulated-0" not in text


def test_counts_say_who_answered_and_who_is_used():
    study = study_of(catch=10)
    good = simulate(study, Crowd(STRENGTHS), 8)
    bad = simulate(study, Crowd(STRENGTHS, lapse=1.0, seed=3), 2)
    both = Collected([*good.participants, *bad.participants], {**good.answers, **bad.answers})
    found = analyse(study, both, draws=100)
    assert found["counts"] == {
        "real": 0, "simulated": 10, "participants": 10, "finished": 10, "participants_used": 8,
        "judgments": 180, "judgments_used": 144, "scenes_used": 30,
    }  # fmt: skip
    assert found["exclusion"]["participants"]["catch"] == 2
    assert found["exclusion"]["participants_total"] == 2
    for row in found["comparisons"]:
        assert row["n"] == 48 and row["n_without_exclusions"] == 60
    assert [p["excluded_by"] for p in found["quality"]["participants"]] == [[]] * 8 + [
        ["catch"]
    ] * 2


def test_quality_counts_catch_trials_repeats_sides_and_times():
    facts = analysed(side_bias=2.0)["quality"]["kept"]
    assert facts["main"] == [180, 180] and facts["catch"] == [50, 50] and facts["repeats"][1] == 50
    assert facts["left_share"] > 0.6
    low, middle, high = facts["waited_ms"]
    assert 800 < low < middle < high < 3000


def test_nobody_kept_is_an_analysis_without_numbers():
    found = analysed(missing=1.0)
    assert found["counts"]["participants_used"] == 0
    assert found["counts"]["judgments_used"] == 0
    assert {row["rate"] for row in found["comparisons"]} == {None}
    json.dumps(found, allow_nan=False)


def test_a_study_without_participants_is_not_analysed():
    with pytest.raises(UserError, match="no answers of real participants"):
        analyse(study_of(), Collected([]))


def test_votes_are_counted_by_scene_and_the_clearest_and_closest_are_named():
    study = study_of(("ours", "crn"), scenes=12)
    judgments, _ = gather(study, simulate(study, Crowd(STRENGTHS, scene_sd=2.0), 30))
    (found,) = agreement(judgments)
    votes = {row["scene"]: row for row in found["scenes"]}
    assert sum(r["first"] + r["ties"] + r["second"] for r in found["scenes"]) == 180

    def apart(scene):
        return abs(votes[scene]["first"] - votes[scene]["second"])

    assert len(found["highest"]) == len(found["lowest"]) == 4
    assert not set(found["highest"]) & set(found["lowest"])
    assert min(map(apart, found["highest"])) > max(map(apart, found["lowest"]))
    same = sum(r[k] * (r[k] - 1) for r in found["scenes"] for k in ("first", "second"))
    met = sum((r["first"] + r["second"]) * (r["first"] + r["second"] - 1) for r in found["scenes"])
    assert found["same_vote"] == pytest.approx(same / met)
