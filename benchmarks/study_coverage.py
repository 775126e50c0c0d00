"""How often a study's 95 % intervals hold the truth, over simulated studies, as a Markdown table.

    OMP_NUM_THREADS=1 python benchmarks/study_coverage.py > benchmarks/results/study_coverage.md

Every study has a crowd of its own: other participants, other scenes, the same population. The
truth is the population's preference rate, by quadrature over participants and scenes.
`--studies` says how many of each kind.
"""

import argparse
import platform
from functools import cache
from pathlib import Path

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import expit

from i2ibench.apps.study.analyse.bootstrap import Resampled
from i2ibench.apps.study.analyse.judgments import gather
from i2ibench.apps.study.analyse.logit_models import bradley_terry, exposure_slopes
from i2ibench.apps.study.analyse.simulation import Crowd, simulate
from i2ibench.apps.study.analyse.statistics import compare
from i2ibench.apps.study.define.definition import Definition, Method
from i2ibench.apps.study.define.study import Study

SIZES = {"30 x 40 x 10": (30, 40, 10), "12 x 20 x 5": (12, 20, 5)}
"""Participants, scenes, judgments of a pair by each participant."""

SPREADS = {
    "answers independent": (0.0, 0.0), "participants differ": (0.6, 0.0),
    "scenes differ": (0.0, 0.6), "both differ": (0.6, 0.6),
}  # fmt: skip
"""What participants and scenes add to a method's strength (sd, log odds); √2 of it to a pair's."""

DURATIONS = (0.125, 0.5, 2.0, 8.0)

STRENGTHS = (0.0, 0.6, 2.2)
"""Of the first method above the second, in log odds."""


def study_of(size, methods=("one", "two"), durations=()):
    """A study in memory whose plans are made once."""
    _, scenes, per_pair = size
    definition = Definition(
        "coverage", {name: Method(images=name) for name in methods}, per_pair=per_pair,
        durations=tuple(durations), repeats=0, catch=0, practice=0,
    )  # fmt: skip
    names = [f"scene {number}" for number in range(scenes)]
    study = Study(Path("memory"), definition, names, methods[0], "", {}, (1, 1), "")
    study.design.plan = cache(study.design.plan)
    return study


def resampled_study(study, crowd, participants, draws):
    judgments, _ = gather(study, simulate(study, crowd, participants))
    return Resampled(judgments, crowd.seed, draws)


def coverage(size, spread, strength, studies, draws=2000, first_seed=0):
    """Shares of studies whose cluster and Wilson intervals hold the truth, and mean half-widths."""
    study = study_of(size)
    strengths = {"one": strength, "two": 0.0}
    rows = []
    for seed in range(first_seed, first_seed + studies):
        people, scenes = spread
        crowd = Crowd(strengths, participant_sd=people, scene_sd=scenes, seed=seed)
        found = compare(resampled_study(study, crowd, size[0], draws))[0]
        truth = crowd.rate("one", "two")
        row = []
        for low, high in (found["interval"], found["wilson"]):
            row += [low <= truth <= high, (high - low) / 2]
        rows.append(row)
    return truth, np.mean(rows, axis=0)


def strength_coverage(size, spread, studies, draws=500):
    """Share of Bradley-Terry intervals of three methods that hold the population's strengths.

    With rates p(one over two) = p(two over three) and p(one over three) the best strengths are
    (a, 0, -a) with p12 + p13 = logistic(a) + logistic(2a): marginal rates are not quite a
    Bradley-Terry model's.
    """
    study = study_of(size, ("one", "two", "three"))
    held = []
    for seed in range(studies):
        crowd = Crowd({"one": 0.7, "two": 0.0, "three": -0.7}, participant_sd=spread[0],
                      scene_sd=spread[1], seed=seed)  # fmt: skip
        wanted = crowd.rate("one", "two") + crowd.rate("one", "three")
        a = brentq(lambda x, wanted=wanted: expit(x) + expit(2 * x) - wanted, 0, 5)
        true = {"one": a, "two": 0.0, "three": -a}
        found = bradley_terry(resampled_study(study, crowd, size[0], draws), 0)
        held += [m["interval"][0] <= true[m["method"]] <= m["interval"][1]
                 for m in found["methods"]]  # fmt: skip
    return float(np.mean(held))


def slope_coverage(size, spread, studies, draws=500):
    """Share of intervals of the slope over exposure that hold the population's slope."""
    study = study_of(size, durations=DURATIONS)
    logs = np.log2(DURATIONS)
    held = []
    for seed in range(studies):
        crowd = Crowd({"one": 1.5, "two": 0.0}, participant_sd=spread[0], scene_sd=spread[1],
                      exposure_scale=0.5, seed=seed)  # fmt: skip
        rates = np.array([crowd.rate("one", "two", t) for t in DURATIONS])
        true = minimize(
            lambda at, rates=rates: (np.logaddexp(0, at[0] + at[1] * logs)
                                     - rates * (at[0] + at[1] * logs)).sum(), np.zeros(2),
        ).x[1]  # fmt: skip
        low, high = exposure_slopes(resampled_study(study, crowd, size[0], draws))[0]["interval"]
        held.append(low <= true <= high)
    return float(np.mean(held))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--studies", type=int, default=1000)
    studies = parser.parse_args().studies
    print("# Coverage of a study's intervals\n")
    print(f"`python benchmarks/study_coverage.py --studies {studies}`, {studies} simulated studies "
          f"a row,\n2,000 bootstrap draws of each kind; {platform.machine()}, "
          f"Python {platform.python_version()}, NumPy {np.__version__}.\n")  # fmt: skip
    print("| participants x scenes x judgments each | answers | true rate | cluster interval | "
          "half-width | Wilson | half-width |")  # fmt: skip
    print("|---|---|---|---|---|---|---|")
    for name, size in SIZES.items():
        for kind, spread in SPREADS.items():
            for strength in STRENGTHS:
                truth, (held, half, plain, plain_half) = coverage(size, spread, strength, studies)
                print(f"| {name} | {kind} | {truth:.3f} | **{held:.1%}** | {half:.3f} | "
                      f"{plain:.1%} | {plain_half:.3f} |", flush=True)  # fmt: skip
    error = 100 * (0.95 * 0.05 / studies) ** 0.5
    print(f"\nThe standard error of a share is {error:.1f} points.\n")
    print("Strengths of three methods (Bradley-Terry), and the slope of the preference over\n"
          "exposure (durations 1/8, 1/2, 2 and 8 s; a quarter of the judgments at each); 500 "
          "draws:\n\n| size | answers | strengths | slope |\n|---|---|---|---|")  # fmt: skip
    for name, (people, scenes, per_pair) in SIZES.items():
        for kind in ("answers independent", "both differ"):
            strengths = strength_coverage((people, scenes, per_pair), SPREADS[kind], studies)
            each = (people, scenes, -(-per_pair // len(DURATIONS)))
            slopes = slope_coverage(each, SPREADS[kind], studies)
            print(f"| {name} | {kind} | {strengths:.1%} | {slopes:.1%} |", flush=True)


if __name__ == "__main__":
    main()
