import csv
import io
import json
from dataclasses import replace

import pytest

from i2ibench.apps.study.answers import Answer, Collected, Participant
from i2ibench.apps.study.collect.answer_files import (
    MTURK_COLUMN,
    answers_csv,
    count_by_kind,
    participant_json,
    participants_csv,
    read_collected,
    static_code,
)
from i2ibench.errors import UserError
from tests.study_folder import write_study

TOKEN = "0123456789abcdef" * 2


@pytest.fixture
def study(tmp_path):
    return write_study(tmp_path / "study", ties=True)


def note(asked, **changes):
    answers = [{"trial": 1, "choice": "left", "response_ms": 900},
               {"trial": 0, "choice": "tie", "response_ms": 1000}]  # fmt: skip
    return {
        "study": asked.hash, "token": TOKEN, "slot": 3, "simulated": False, "consented": True,
        "begun": "2026-11-23", "answers": answers, **changes,
    }  # fmt: skip


def written(folder, content, name="one.json"):
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def mturk(folder, *notes):
    path = folder / "results.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        rows = csv.writer(file)
        rows.writerow(("AssignmentId", MTURK_COLUMN))
        rows.writerows(("A1", json.dumps(n)) for n in notes)
    return path


def test_a_static_pages_file_is_read_in_the_order_of_the_trials(study, tmp_path):
    collected = read_collected(study, [written(tmp_path, note(study))])
    participant = Participant(
        TOKEN, 3, consented=True, begun="2026-11-23", origin="one.json", code="0123456789"
    )
    assert collected == Collected(
        [participant], {TOKEN: [Answer(0, "tie", 1000.0), Answer(1, "left", 900.0)]}
    )


def test_the_same_answers_in_two_files_count_once_and_others_are_refused(study, tmp_path):
    first = written(tmp_path, note(study))
    again = mturk(tmp_path, note(study), note(study, token="f" * 32))
    collected = read_collected(study, [first, again])
    assert [p.token for p in collected.participants] == [TOKEN, "f" * 32]
    assert [p.origin for p in collected.participants] == ["one.json", "results.csv"]
    other = written(tmp_path, note(study, answers=[]), "two.json")
    with pytest.raises(UserError, match=r"two.json: participant 0123.* other answers"):
        read_collected(study, [first, other])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"study": "0" * 64}, "one.json: 'study' is not"),
        ({"token": "../x"}, "one.json: 'token' is '../x'"),
        ({"slot": 10**6}, "'slot' is '1000000'"),
        ({"slot": True}, "'slot' is 'True'"),
        ({"simulated": 1}, "'simulated' is '1'"),
        ({"consented": None}, "'consented' is 'None'"),
        ({"begun": "yesterday"}, "'begun' is 'yesterday'"),
        ({"answers": {}}, "'answers' must be a list"),
        ({"answers": [7]}, r"answers\[0\]: An answer must be a JSON object"),
        ({"answers": [{"trial": 99, "choice": "left", "response_ms": 1}]}, "no trial 99"),
        ({"answers": [{"trial": 0, "choice": "up", "response_ms": 1}]}, "'choice' must be left"),
        ({"answers": [{"trial": 0, "choice": "left", "response_ms": 1, "shown_ms": 9}]},
         "'shown_ms' must be null"),
        ({"answers": 2 * [{"trial": 0, "choice": "left", "response_ms": 1}]},
         r"answers\[1\]: trial 0 is there twice"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file_is_named(study, tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        read_collected(study, [written(tmp_path, note(study, **changes))])


def test_files_that_hold_no_answers_are_named(study, tmp_path):
    for content in ("", "{", "[]", "[" * 100000, "{}"):
        with pytest.raises(UserError, match=r"one.json is no answers file"):
            read_collected(study, [written(tmp_path, content)])
    with pytest.raises(UserError, match=r"gone.json cannot be read"):
        read_collected(study, [tmp_path / "gone.json"])
    with pytest.raises(UserError, match="no column 'Answer.answers'"):
        read_collected(study, [written(tmp_path, "a,b\n1,2\n", "results.csv")])
    with pytest.raises(UserError, match=r"results.csv, row 2: 'slot' is '-1'"):
        read_collected(study, [mturk(tmp_path, note(study), note(study, slot=-1))])


def test_rows_without_answers_are_left_out_and_counted(study, tmp_path, capsys):
    path = mturk(tmp_path, note(study))
    rows = list(csv.reader(path.read_text("utf-8-sig").splitlines()))
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([rows[0], ("A0", ""), rows[1], ("A2", " "), ("A3",)])
    assert [p.token for p in read_collected(study, [path]).participants] == [TOKEN]
    assert "results.csv: 3 of 4 rows hold no answers, left out" in capsys.readouterr().err
    with path.open("a", newline="") as file:
        csv.writer(file).writerow(("A4", "{"))
    with pytest.raises(UserError, match=r"results.csv, row 5 is no answers file"):
        read_collected(study, [path])


def test_results_of_long_studies_are_read(study, tmp_path):
    path = mturk(tmp_path, note(study, padding="x" * 200_000))
    assert len(read_collected(study, [path]).participants) == 1


def test_a_study_with_a_code_of_its_own_shows_that(tmp_path):
    assert static_code(write_study(tmp_path, completion={"code": "C1"}), TOKEN) == "C1"


def test_tables_name_the_methods_and_what_was_preferred(study, tmp_path):
    collected = read_collected(study, [written(tmp_path, note(study))])
    rows = list(csv.DictReader(io.StringIO(answers_csv(study, collected))))
    plan = study.plan(3)
    assert [row["preferred"] for row in rows] == ["", plan[1].left]
    for row, trial in zip(rows, plan, strict=False):
        shown = (trial.kind, trial.scene, trial.left, trial.right)
        assert (row["kind"], row["scene"], row["left"], row["right"]) == shown
        assert row["shown_ms"] == "" and float(row["response_ms"]) >= 900
    (row,) = csv.DictReader(io.StringIO(participants_csv(study, collected)))
    assert (row["token"], row["answers"], row["trials"]) == (TOKEN, "2", "7")


def test_real_and_simulated_sessions_are_counted_apart():
    people = [Participant("a", 0, finished=True), Participant("b", 1), Participant("c", 0, True)]
    answer = Answer(0, "left", 900.0)
    counts = count_by_kind(Collected(people, {"a": [answer, answer], "c": [answer]}))
    assert counts == {
        "real": {"begun": 2, "finished": 1, "answers": 2},
        "simulated": {"begun": 1, "finished": 0, "answers": 1},
    }


def test_one_participants_data_are_an_answers_file(study, tmp_path):
    collected = read_collected(study, [written(tmp_path, note(study))])
    text = participant_json(study, collected, TOKEN)
    assert read_collected(study, [written(tmp_path, text)]) == collected
    (participant,) = collected.participants
    for code in (study.code(TOKEN), "GUESS"):
        served = Collected([replace(participant, code=code)], collected.answers)
        path = written(tmp_path, participant_json(study, served, TOKEN))
        kept = static_code(study, TOKEN) if code == "GUESS" else code
        assert read_collected(study, [path]).participants == [replace(participant, code=kept)]
    with pytest.raises(UserError, match="no participant"):
        participant_json(study, collected, "f" * 32)


def test_a_file_name_is_no_formula_in_the_tables_and_comes_back_from_the_answers_file(
    study, tmp_path
):
    name = "=HYPERLINK(1).json"
    collected = read_collected(study, [written(tmp_path, note(study), name)])
    (row,) = csv.DictReader(io.StringIO(participants_csv(study, collected)))
    assert row["origin"] == f"'{name}"
    path = written(tmp_path, participant_json(study, collected, TOKEN), name)
    assert read_collected(study, [path]) == collected
