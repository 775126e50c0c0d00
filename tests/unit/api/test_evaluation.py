"""Training and evaluation from Python, and the scores that a system knows of itself."""

import json

import pytest

import i2ibench


@pytest.fixture(scope="module")
def evaluation(run):
    config = run.parent / "tiny.py"
    return i2ibench.evaluate({"ours": run}, config, output=run / "evaluation", device="cpu")


def test_an_evaluation_shows_its_table_and_holds_its_numbers(evaluation):
    system = evaluation.results["systems"]["ours, styles sampled"]
    assert evaluation.scores["ours, styles sampled"]["seg/miou"] == system["seg/miou"]["value"]
    assert "| ours, styles sampled |" in evaluation._repr_markdown_()
    assert str(evaluation.report) in repr(evaluation) and evaluation.report.is_file()
    assert any("mean IoU" in line for line in evaluation.lines())


def test_a_system_finds_the_scores_of_its_very_file(evaluation, run):
    model = i2ibench.load(run, device="cpu")
    expected = evaluation.scores["ours, styles sampled"]["seg/miou"]
    assert model.scores["seg/miou"] == expected
    assert "scores: " in repr(model)
    earlier = i2ibench.load(run / "epoch_0001.pth", device="cpu")
    assert earlier.scores == {}, "these are another file's scores"


def test_damaged_results_are_no_scores(evaluation, run):
    path = run / "results.json"
    path.write_text(json.dumps({"origins": []}))
    try:
        assert i2ibench.load(run, device="cpu").scores["seg/miou"] > 0
    finally:
        path.unlink()


def test_a_finished_run_is_left_as_it_is(run):
    before = (run / "epoch_0002.pth").stat().st_mtime_ns
    config = run.parent / "tiny.py"
    assert i2ibench.train(config, {"hooks.images": None}, run) == run
    assert (run / "epoch_0002.pth").stat().st_mtime_ns == before


def test_nothing_to_evaluate_is_refused():
    with pytest.raises(i2ibench.UserError, match="Nothing to evaluate"):
        i2ibench.evaluate()
