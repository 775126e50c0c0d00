import choix
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp

from i2ibench.apps.study.analyse.bootstrap import Resampled
from i2ibench.apps.study.analyse.exclusion import exclude
from i2ibench.apps.study.analyse.judgments import gather
from i2ibench.apps.study.analyse.logit_models import (
    RIDGE,
    bradley_terry,
    exposure_slopes,
    fit_logits,
)
from i2ibench.apps.study.analyse.simulation import Crowd, simulate
from i2ibench.apps.study.analyse.statistics import compare
from tests.unit.apps.study.crowds import study_of

STRENGTHS = {"ours": 0.9, "crn": -0.5, "pix2pix": -1.0, "photos": 0.6}
METHODS = tuple(STRENGTHS)
DURATIONS = [0.125, 0.5, 2.0, 8.0]
EXPOSED = {"ours": 2.0, "crn": -0.5, "photos": 2.0}


def resampled(study, crowd, participants=12, draws=200):
    judgments, records = gather(study, simulate(study, crowd, participants))
    return Resampled(exclude(judgments, records, study.definition.exclusion).judgments, 1, draws)


def by_method(found):
    return {m["method"]: m for m in found["methods"]}


def test_without_ties_and_sides_strengths_are_those_of_choix():
    own = resampled(study_of(METHODS), Crowd(STRENGTHS), draws=2)
    judgments = own.judgments
    wins = []
    for pair, first in zip(judgments.pair, judgments.value, strict=True):
        numbers = [METHODS.index(name) for name in judgments.definition.compared[pair]]
        wins.append(tuple(numbers if first else reversed(numbers)))
    counts = own.counts.sum(3, keepdims=True) / 2  # both sides alike: the bias is nought
    own.counts = np.broadcast_to(counts, own.counts.shape)
    found = by_method(bradley_terry(own, 0))
    theirs = choix.opt_pairwise(len(METHODS), wins, alpha=RIDGE / 2, method="Newton-CG")
    ours = [found[name]["strength"] for name in METHODS]
    assert ours == pytest.approx(list(theirs - theirs.mean()), abs=1e-4)


def test_fits_are_the_maximum_that_scipy_finds():
    random = np.random.default_rng(3)
    features = random.normal(size=(5, 3, 4))
    counts = random.integers(0, 9, size=(6, 5, 3)).astype(float)
    found = fit_logits(counts, features)

    for table, parameters in zip(counts, found, strict=True):

        def loss(at, table=table):
            scores = features @ at
            logs = scores - logsumexp(scores, axis=1, keepdims=True)
            return RIDGE / 2 * at @ at - (table * logs).sum()

        best = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-7})
        assert parameters == pytest.approx(best.x, abs=1e-4)


def test_known_strengths_ties_and_side_bias_are_found_again():
    crowd = Crowd(STRENGTHS, tie_width=0.5, side_bias=0.4, seed=2)
    found = bradley_terry(resampled(study_of(METHODS, 40, ties=True, per_pair=20), crowd, 40), 0)
    methods = by_method(found)
    assert [m["method"] for m in found["methods"]] == sorted(METHODS, key=lambda m: -STRENGTHS[m])
    assert sum(m["strength"] for m in found["methods"]) == pytest.approx(0, abs=1e-9)
    for name, strength in STRENGTHS.items():
        assert methods[name]["strength"] == pytest.approx(strength, abs=0.15)
        low, high = methods[name]["interval"]
        assert low < methods[name]["strength"] < high and high - low < 0.5
    assert found["tie"] == pytest.approx(0.5, abs=0.1)
    assert found["left_bias"] == pytest.approx(0.4, abs=0.15)
    assert found["left_bias_p"] < 0.01


def test_a_method_that_always_wins_has_a_large_but_finite_strength():
    crowd = Crowd({"ours": 200.0, "crn": 0.0, "photos": 0.3})
    found = by_method(bradley_terry(resampled(study_of(), crowd), 0))
    assert 3 < found["ours"]["strength"] < 10
    assert all(np.isfinite(m["interval"]).all() for m in found.values())


def test_two_methods_or_unconnected_ones_have_no_strengths():
    two = resampled(study_of(("ours", "crn")), Crowd(STRENGTHS))
    assert "preference rate" in bradley_terry(two, 0)["reason"]
    apart = study_of(METHODS, pairs=[("ours", "crn"), ("pix2pix", "photos")])
    assert "No chain" in bradley_terry(resampled(apart, Crowd(STRENGTHS)), 0)["reason"]


def test_methods_that_met_only_a_third_one_are_compared_through_it():
    study = study_of(METHODS, pairs=[("ours", m) for m in METHODS[1:]], per_pair=20)
    found = by_method(bradley_terry(resampled(study, Crowd(STRENGTHS), 40), 0))
    apart = found["photos"]["strength"] - found["pix2pix"]["strength"]
    assert apart == pytest.approx(1.6, abs=0.35)


@pytest.fixture(scope="module")
def exposed():
    study = study_of(durations=DURATIONS, per_pair=6)
    crowd = Crowd(EXPOSED, participant_sd=0.3, exposure_scale=0.8, seed=1)
    judgments, _ = gather(study, simulate(study, crowd, 25))
    return Resampled(judgments, 1, 400)


def test_preference_grows_with_time_where_there_is_one(exposed):
    ours_crn, ours_photos, crn_photos = exposure_slopes(exposed)
    assert ours_crn["interval"][0] > 0 and ours_crn["p_holm"] < 0.01
    assert ours_photos["interval"][0] < 0 < ours_photos["interval"][1]
    assert crn_photos["interval"][1] < 0
    rates = [r["rate"] for r in compare(exposed) if (r["first"], r["second"]) == ("ours", "crn")]
    assert len(rates) == 4 and rates[0] < rates[-1]


def test_slopes_are_those_of_a_logistic_regression_of_single_answers(exposed):
    chosen = exposed.judgments.where(exposed.judgments.pair == 0)
    logs, values = np.log2(np.array(DURATIONS))[chosen.time], chosen.value

    def loss(at):
        score = at[0] + at[1] * logs
        return np.logaddexp(0, score).sum() - values @ score

    best = minimize(loss, np.zeros(2)).x
    found = exposure_slopes(exposed)[0]
    assert [found["log_odds_at_one_second"], found["slope"]] == pytest.approx(best, abs=1e-3)


def test_unlimited_time_has_no_slopes():
    study = study_of()
    judgments, _ = gather(study, simulate(study, Crowd(EXPOSED), 3))
    assert exposure_slopes(Resampled(judgments, 1, 10)) == []


def test_strengths_are_fitted_at_each_duration(exposed):
    found = [bradley_terry(exposed, time) for time in range(4)]
    assert [f["time"] for f in found] == DURATIONS
    crn = [next(m for m in f["methods"] if m["method"] == "crn")["strength"] for f in found]
    assert crn == sorted(crn, reverse=True)
