import numpy as np
import pytest
from scipy.stats import binom, binomtest

from i2ibench.apps.study.analyse.power import (
    Clusters,
    Question,
    judgments_needed,
    needs,
    power_lines,
    smallest_rate,
    study_question,
)
from i2ibench.errors import UserError
from tests.unit.apps.study.crowds import study_of


def power_by_listing(n, rate, level):
    counts = np.arange(n + 1)
    rejected = [binomtest(int(k), n).pvalue <= level for k in counts]
    return binom.pmf(counts, n, rate)[rejected].sum()


@pytest.mark.parametrize("rate, question", [
    (0.7, Question()), (0.8, Question(power=0.9)), (0.75, Question(comparisons=3)),
    (0.1, Question()),
])  # fmt: skip
def test_so_many_judgments_have_the_power_and_one_less_has_not(rate, question):
    n = judgments_needed(rate, question)
    powers = {m: power_by_listing(m, rate, question.level) for m in range(n - 1, n + 12)}
    assert powers.pop(n - 1) < question.power
    assert min(powers.values()) >= question.power


def test_to_tell_55_from_50_percent_takes_about_800_independent_judgments():
    assert judgments_needed(0.55) == judgments_needed(0.45) == 820
    near = (1.96 + 0.8416) ** 2 * 0.25 / 0.05**2  # without the exact test's teeth
    assert judgments_needed(0.55) == pytest.approx(near, rel=0.06)


def test_clusters_cost_judgments_and_too_few_scenes_are_never_enough():
    free = needs(Clusters(10, 500, 0.0, 0.0), rates=[0.55])[0]
    assert free.judgments == free.independent and free.participants == 82
    people = needs(Clusters(10, 10_000, 0.05, 0.05), rates=[0.55])[0]
    assert people.judgments == np.ceil(820 * 1.45)
    both = Clusters(10, 500, 0.05, 0.05)
    found = needs(both, rates=[0.55])[0]
    assert found.judgments / both.design_effect(found.judgments) == pytest.approx(820, rel=0.002)
    assert needs(Clusters(10, 30, 0.05, 0.05), rates=[0.55])[0].judgments is None


def test_the_smallest_rate_is_one_that_so_many_participants_can_tell():
    clusters = Clusters(10, 200, 0.05, 0.02)
    rate = smallest_rate(60, clusters)
    assert needs(clusters, rates=[rate + 0.004])[0].participants <= 60
    assert needs(clusters, rates=[rate - 0.004])[0].participants > 60
    assert smallest_rate(1, Clusters(1, 5)) is None


def test_a_studys_question_counts_pairs_at_every_duration():
    assert study_question(study_of().definition).comparisons == 3
    timed = study_of(durations=[0.125, 1.0]).definition
    assert study_question(timed).level == pytest.approx(0.05 / 6)


def test_the_table_names_its_assumptions():
    text = "\n".join(power_lines(Clusters(10, 30), Question(comparisons=3), 50))
    assert "alpha 0.05 over 3 comparisons" in text and "5 %" in text
    assert "more scenes" in text and "50 participants can tell" in text


@pytest.mark.parametrize("wrong", [
    lambda: judgments_needed(0.5), lambda: judgments_needed(1.0), lambda: Question(alpha=0.0),
    lambda: Question(comparisons=0), lambda: Clusters(0, 5), lambda: Clusters(5, -1),
    lambda: Clusters(10, 30, scene_share=1.0),
])  # fmt: skip
def test_what_makes_no_question_is_refused(wrong):
    with pytest.raises(UserError):
        wrong()
