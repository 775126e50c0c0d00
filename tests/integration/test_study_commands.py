"""A study as users run it: created, served, filled in through HTTP, analysed, reported."""

import contextlib
import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from i2ibench.apps.study.analyse.simulation import Crowd
from i2ibench.apps.study.answers import Answer, Collected, Participant
from i2ibench.apps.study.collect.answer_store import AnswerStore
from i2ibench.apps.study.collect.simulated_participants import send_participants
from i2ibench.apps.study.define.definition import REFERENCE
from i2ibench.apps.study.define.study import ANSWERS, open_study
from i2ibench.apps.web import serving
from i2ibench.cli.main import main
from i2ibench.testing.tiny_datasets import write_paired_scenes
from tests.integration.study_driver import served

testclient = pytest.importorskip("fastapi.testclient", reason="pip install -e '.[dev]'")

METHODS = ("ours", "theirs", "photos")
STRENGTHS = {"ours": 0.8, "theirs": 0.0, "photos": 2.0}


def write_study_file(folder: Path, more: str = "") -> Path:
    for number, method in enumerate(METHODS):
        for scene in range(8):
            pixels = np.full((16, 32, 3), 40 * number + 8 * scene, np.uint8)
            path = folder / method / f"scene_{scene}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(pixels).save(path)
    methods = {m: dict(images=str(folder / m)) for m in METHODS}
    path = folder / "streets.py"
    path.write_text(
        f"title = 'Streets'\nmethods = {methods!r}\nper_pair = 4\nparticipants = 10\ncatch = 2\n"
        f"practice = 1\nrepeats = 2\n{more}\n"
    )
    return path


@pytest.fixture
def study(tmp_path):
    main("study", ["create", str(write_study_file(tmp_path)), "--output", str(tmp_path / "study")])
    return open_study(tmp_path / "study")


def run(capsys, *arguments):
    capsys.readouterr()
    main("study", [str(a) for a in arguments])
    return capsys.readouterr().out


def refused(capsys, *arguments):
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main("study", [str(a) for a in arguments])
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_a_study_from_its_file_to_its_report(study, capsys):
    folder = study.folder
    out = run(
        capsys, "simulate", folder, "--number", 12, "--concurrent", 4,
        "--strengths", "photos=3", "ours=1", "--crowd", "lapse=0.02", "seed=4",
    )  # fmt: skip
    assert f"12 participants, 4 at a time, {12 * study.design.num_trials} answers" in out
    assert "simulated: 12 participants, 12 finished" in run(capsys, "status", folder)
    assert "report.html" in run(capsys, "report", folder)
    analysis = json.loads((folder / "analysis.json").read_text())
    assert analysis["kind"] == "simulated"
    rates = {(row["first"], row["second"]): row["rate"] for row in analysis["comparisons"]}
    assert rates["theirs", "photos"] < 0.3
    assert "SIMULATED" in (folder / "report.html").read_text().upper()
    before = (folder / "analysis.json").read_bytes()
    run(capsys, "analyse", folder)
    assert (folder / "analysis.json").read_bytes() == before


def test_real_and_simulated_answers_are_never_mixed(study, capsys):
    run(capsys, "simulate", study.folder, "--number", 3)
    token = "ab" * 16
    answers = [Answer(t.number, "left", 900.0) for t in study.plan(0)]
    with AnswerStore(study) as store:
        store.add(Collected([Participant(token, 0, consented=True)], {token: answers}))
    message = refused(capsys, "report", study.folder)
    assert "1 real and 3 simulated participants" in message
    assert "--participants" in message
    run(capsys, "analyse", study.folder, "--participants", "simulated")
    analysis = json.loads((study.folder / "analysis.json").read_text())
    assert (analysis["kind"], analysis["counts"]["participants"]) == ("simulated", 3)
    assert "forgotten: 3" in run(capsys, "forget", study.folder, "--simulated")
    assert "real: 1 participants" in run(capsys, "status", study.folder)


def test_one_participants_data_can_be_taken_out_and_deleted(study, capsys, tmp_path):
    run(capsys, "simulate", study.folder, "--number", 2)
    with AnswerStore(study) as store:
        token = store.collected().participants[0].token
    run(capsys, "export", study.folder, tmp_path / "own.json", "--token", token)
    own = json.loads((tmp_path / "own.json").read_text())
    assert len(own["answers"]) == study.design.num_trials
    run(capsys, "forget", study.folder, token)
    assert "no participant" in refused(capsys, "forget", study.folder, token)
    run(capsys, "export", study.folder, tmp_path / "tables", "--answers")
    assert token not in (tmp_path / "tables/answers.csv").read_text()
    assert "imported: 1 new" in run(capsys, "import", study.folder, tmp_path / "own.json")
    assert "imported: 0 new" in run(capsys, "import", study.folder, tmp_path / "own.json")


def test_answers_that_another_program_still_reads_are_said_to_be_there(study, capsys):
    run(capsys, "simulate", study.folder, "--number", 1)
    with contextlib.closing(sqlite3.connect(study.folder / ANSWERS)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM answers").fetchall()
        assert "the log of the file still holds" in run(
            capsys, "forget", study.folder, "--simulated"
        )
        reader.rollback()
        run(capsys, "status", study.folder)
        assert not (study.folder / f"{ANSWERS}-wal").stat().st_size


def test_a_page_without_a_server_and_mturks_files_are_written(study, capsys, tmp_path):
    out = run(capsys, "export", study.folder, tmp_path / "page.html", "--static", "--slots", 3)
    assert f"page: {(tmp_path / 'page.html').stat().st_size / 1e6:.1f} MB, plans for 3" in out
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    url = "https://lab.example/page.html"
    run(capsys, "export", study.folder, tmp_path / "mturk", "--mturk", url, "--slots", 3)
    assert (tmp_path / "mturk/hits.csv").read_text().count(url) == 3


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ((), ["study: http://127.0.0.1:{port}/ (", "results: http://127.0.0.1:{port}/results\n"]),
        (("--public-url", "https://lab.example/s"), ["s (", "results: need --results-key FILE\n"]),
        (("--public-url", "https://lab.example/s/", "--results-key", "key"),
         ["study: https://lab.example/s/ (", "results: https://lab.example/s/results?key=KEY, "]),
    ],
)  # fmt: skip
def test_serving_says_where_the_results_are_read(
    study, capsys, monkeypatch, tmp_path, options, lines
):
    ports = []

    def serve(app, listening):
        with testclient.TestClient(app), listening:
            ports.append(listening.getsockname()[1])

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(serving, "serve", serve)
    out = run(capsys, "serve", study.folder, "--port", 0, *options)
    for line in lines:
        assert line.format(port=ports[0]) in out


def test_fifty_participants_at_once_lose_nothing(study):
    crowd = Crowd(STRENGTHS, missing=0.05)
    with served(study) as url:
        traffic = send_participants(study, url, crowd, participants=60, concurrent=50)
    with AnswerStore(study) as store:
        collected = store.collected()
    assert len(collected.participants) == 60
    assert {t: list(a) for t, a in collected.answers.items() if a} == traffic.acknowledged
    assert sorted(p.slot for p in collected.participants) == list(range(60))


def test_photos_that_are_no_method_are_served_for_catch_trials(tmp_path, capsys):
    paired = write_paired_scenes(tmp_path / "paired", count=5)
    methods = {}
    for name in ("ours", "theirs"):
        methods[name] = dict(images=str(paired / "train" / "image"))
    study_file = tmp_path / "study.py"
    study_file.write_text(
        f"title = 'Streets'\nmethods = {methods!r}\nper_pair = 2\ncatch = 2\n"
        f"scenes = dict(folder={str(paired / 'train')!r})\n"
    )
    run(capsys, "create", study_file, "--output", tmp_path / "study")
    assert open_study(tmp_path / "study").reference == REFERENCE
    assert "2 participants" in run(capsys, "simulate", tmp_path / "study", "--number", 2)


def test_power_is_told_of_a_study_or_of_numbers(study, capsys):
    of_numbers = run(capsys, "power", "--per-participant", 1, "--participant-share", 0,
                     "--scene-share", 0)  # fmt: skip
    assert "820" in of_numbers  # scipy: power 0.7995 with 819, 0.8099 with 820
    assert "3 comparisons" in run(capsys, "power", study.folder)
    study_file = study.folder.parent / "streets.py"
    assert "10 participants can tell" in run(capsys, "power", study_file)


def test_mistakes_are_told_in_a_line(study, capsys, tmp_path):
    mistakes = {
        "holds no study": ["serve", tmp_path],
        "--strengths has no 'ous'. Did you mean 'ours'?": [
            "simulate", study.folder, "--strengths", "ous=1"],
        "--crowd has no 'laps'. Did you mean 'lapse'?": [
            "simulate", study.folder, "--crowd", "laps=1"],
        "does not answer": ["simulate", study.folder, "--url", "http://127.0.0.1:9/"],
        "such as http://": ["simulate", study.folder, "--url", "localhost"],
        "either a token or --simulated": ["forget", study.folder],
        "The output must be a file": ["export", study.folder, tmp_path, "--static"],
        "The output must be a folder": ["export", study.folder, _short_key(tmp_path), "--answers"],
        "There is no study": ["create", tmp_path / "none.py"],
        "none.json cannot be read": ["import", study.folder, tmp_path / "none.json"],
        "it needs at least 12": ["serve", study.folder, "--results-key", _short_key(tmp_path)],
    }  # fmt: skip
    for message, arguments in mistakes.items():
        assert message in refused(capsys, *arguments)


def test_a_study_without_all_of_its_images_is_not_served(study, capsys):
    study.image_path("ours", "scene_3").unlink()
    message = refused(capsys, "serve", study.folder, "--port", 0)
    assert "lacks 1 of 32 pictures, first that of 'ours' and scene 'scene_3'" in message


def test_a_study_that_was_left_half_made_is_gone_on_with(tmp_path, capsys):
    (tmp_path / "study" / "pictures").mkdir(parents=True)
    assert "half a study" in refused(capsys, "status", tmp_path / "study")
    study_file = write_study_file(tmp_path)
    out = run(capsys, "create", study_file, "--output", tmp_path / "study")
    assert "17 trials: 1 practice, 12 main, 2 repeated, 2 catch" in out


def _short_key(folder):
    path = folder / "key"
    path.write_text("short\n")
    return path


def test_an_analysis_of_nobody_is_refused(study, capsys):
    assert "participants" in refused(capsys, "report", study.folder)
