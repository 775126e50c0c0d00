import numpy as np
import pytest
from scipy.optimize import minimize

from i2ibench.apps.study.analyse.bootstrap import Resampled
from i2ibench.apps.study.analyse.bradley_terry import bradley_terry
from i2ibench.apps.study.analyse.exposure_curves import exposure_slopes
from i2ibench.apps.study.analyse.judgments import gather
from i2ibench.apps.study.analyse.simulation import Crowd, simulate
from i2ibench.apps.study.analyse.statistics import compare
from tests.unit.apps.study.crowds import study_of

DURATIONS = [0.125, 0.5, 2.0, 8.0]
STRENGTHS = {"ours": 2.0, "crn": -0.5, "photos": 2.0}


@pytest.fixture(scope="module")
def own():
    study = study_of(durations=DURATIONS, per_pair=6)
    crowd = Crowd(STRENGTHS, participant_sd=0.3, exposure_scale=0.8, seed=1)
    judgments, _ = gather(study, simulate(study, crowd, 25))
    return Resampled(judgments, 1, 400)


def test_preference_grows_with_time_where_there_is_one(own):
    ours_crn, ours_photos, crn_photos = exposure_slopes(own)
    assert ours_crn["interval"][0] > 0 and ours_crn["p_holm"] < 0.01
    assert ours_photos["interval"][0] < 0 < ours_photos["interval"][1]
    assert crn_photos["interval"][1] < 0
    rates = [r["rate"] for r in compare(own) if (r["first"], r["second"]) == ("ours", "crn")]
    assert len(rates) == 4 and rates[0] < rates[-1]


def test_slopes_are_those_of_a_logistic_regression_of_single_answers(own):
    chosen = own.judgments.where(own.judgments.pair == 0)
    logs, values = np.log2(np.array(DURATIONS))[chosen.time], chosen.value

    def loss(at):
        score = at[0] + at[1] * logs
        return np.logaddexp(0, score).sum() - values @ score

    best = minimize(loss, np.zeros(2)).x
    found = exposure_slopes(own)[0]
    assert [found["log_odds_at_one_second"], found["slope"]] == pytest.approx(best, abs=1e-3)


def test_unlimited_time_has_no_slopes():
    study = study_of()
    judgments, _ = gather(study, simulate(study, Crowd(STRENGTHS), 3))
    assert exposure_slopes(Resampled(judgments, 1, 10)) == []


def test_strengths_are_fitted_at_each_duration(own):
    found = [bradley_terry(own, time) for time in range(4)]
    assert [f["time"] for f in found] == DURATIONS
    crn = [next(m for m in f["methods"] if m["method"] == "crn")["strength"] for f in found]
    assert crn == sorted(crn, reverse=True)
