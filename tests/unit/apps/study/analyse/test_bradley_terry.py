import choix
import numpy as np
import pytest
from scipy.optimize import minimize

from i2ibench.apps.study.analyse.bootstrap import Resampled
from i2ibench.apps.study.analyse.bradley_terry import bradley_terry
from i2ibench.apps.study.analyse.exclusion import exclude
from i2ibench.apps.study.analyse.judgments import gather
from i2ibench.apps.study.analyse.logit_fit import RIDGE, fit_logits, log_likelihood
from i2ibench.apps.study.analyse.simulation import Crowd, simulate
from tests.unit.apps.study.crowds import study_of

STRENGTHS = {"ours": 0.9, "crn": -0.5, "pix2pix": -1.0, "photos": 0.6}
METHODS = tuple(STRENGTHS)


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
            return RIDGE / 2 * at @ at - log_likelihood(table[None], features, at[None])[0]

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
