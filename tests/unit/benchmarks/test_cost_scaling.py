"""benchmarks/cost_scaling.py: fitted exponents, verdicts that can fail, and the files of a run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def curves(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from scaling_parts import curves

    return curves


def curve(curves, costs, bar, sizes=(1, 2, 4, 8)):
    labels = curves.named(sizes)
    return curves.Curve("panel", "line", "size", "cost", labels, [list(costs)] * 3, bar)


@pytest.mark.parametrize("power", [0, 0.5, 1, 2])
def test_the_exponent_of_a_power_is_found(curves, power):
    found = curve(curves, [3 * n**power for n in (1, 2, 4, 8)], curves.LINEAR)
    assert found.exponent == pytest.approx(power, abs=1e-9)
    assert found.growth == pytest.approx(8 ** (power - 1))


def test_work_in_proportion_to_the_size_is_measured_as_linear(curves):
    """A busy machine may disturb a round; not the exponent of five by a third."""

    def prepare(size):
        return lambda: sum(range(100_000 * size))

    rounds = curves.timed(prepare, [1, 2, 4, 8], rounds=5)
    found = curves.Curve("", "", "", "", curves.named([1, 2, 4, 8]), rounds, curves.LINEAR)
    assert found.exponent == pytest.approx(1, abs=0.33)


def test_a_verdict_can_fail(curves):
    linear, flat = curves.LINEAR, curves.Bar(0, 2.0)
    assert curve(curves, [1, 2, 4, 8], linear).verdict == "holds"
    assert curve(curves, [1, 4, 16, 64], linear).verdict == "MISSED"
    assert curve(curves, [1, 1, 1, 1.9], flat).verdict == "holds"
    assert curve(curves, [1, 1, 1, 2.1], flat).verdict == "MISSED"


def test_one_disturbed_round_does_not_decide(curves):
    rounds = [[1, 8], [1, 90], [1, 8.1]]
    found = curves.Curve("", "", "", "", curves.named([1, 8]), rounds, curves.LINEAR)
    assert found.verdict == "holds"
    assert found.exponents[1] > 2  # and is not hidden


@pytest.mark.slow
def test_a_quick_run_writes_its_plots_and_figures(tmp_path):
    command = [
        sys.executable,
        str(BENCHMARKS / "cost_scaling.py"),
        str(tmp_path / "out"),
        "--quick",
    ]
    paths = os.pathsep.join([str(BENCHMARKS.parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
    answer = subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False, timeout=300
    )
    assert answer.returncode == 0, answer.stderr
    parts = ["data", "evaluation", "ranks", "synthesis", "training"]
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == sorted(
        [*(f"{part}.png" for part in parts), "cost_scaling.json", "cost_scaling.md"]
    )
    facts = json.loads((tmp_path / "out" / "cost_scaling.json").read_text())
    for part in parts:
        assert all(c["verdict"] in ("holds", "MISSED", "-") for c in facts[part])
        assert f"| {facts[part][0]['panel']}, " in answer.stdout
