"""Collected answers as files: those of static pages and of MTurk come in, tables go out.

An answers file is what a static page hands to its participant: a JSON object with `study` (the
study's hash), `token`, `slot`, `simulated`, `consented`, `begun` (UTC day) and `answers`, a list of
`answers.Answer`; a file of `participant_json` has the served page's completion code as `code`,
which is kept. MTurk's results have the same text in the column `Answer.answers`.

`answers.csv` has a row for every answer: token, slot, simulated; trial, kind, scene, left, right,
duration_s, repeat_of as in `design.Trial`; choice, the method that was preferred (empty for a
tie), and what the page measured, as in `answers.Answer`. `participants.csv` has a row for every
participant: `answers.Participant`, the number of answers, and that of the trials in the plan.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from i2ibench.apps.study.analyse.judgments import preferred
from i2ibench.apps.study.answers import REAL, SIMULATED, TIE, Answer, Collected, Participant
from i2ibench.apps.study.collect.session import TOKEN, answer_in
from i2ibench.apps.study.define.study import Study
from i2ibench.errors import UserError
from i2ibench.io.files import read_text
from i2ibench.io.progress import say
from i2ibench.io.spreadsheets import csv_text

MTURK_COLUMN = "Answer.answers"
MAX_SLOT = 9999
_MAX_CELL = 2**26  # a long sitting has more than the csv module's 128 KiB
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}|")
_MEASURED = [f.name for f in fields(Answer) if f.name not in ("trial", "choice")]
_TRIAL = ("trial", "kind", "scene", "left", "right", "duration_s", "repeat_of")


def read_collected(study: Study, paths: Iterable[Path]) -> Collected:
    """The answers in files: static pages' .json and MTurk's results .csv; each participant once.

    Rows of MTurk's whose cell is empty are left out, and stderr says how many.

    Raises:
        UserError: names the file, the row and the field that is wrong.
    """
    participants: dict[str, Participant] = {}
    answers: dict[str, list[Answer]] = {}
    for path in paths:
        for place, text in _texts(path):
            participant, given = _read_one(study, text, place, path.name)
            token = participant.token
            if answers.setdefault(token, given) != given:
                raise UserError(f"{place}: participant {token} has other answers in another file.")
            participants.setdefault(token, participant)
    return Collected(list(participants.values()), answers)


def static_code(study: Study, token: str) -> str:
    """The completion code of a participant of a static page, which knows no secret."""
    return study.definition.completion.code or token[:10].upper()


def count_by_kind(collected: Collected) -> dict[str, dict[str, int]]:
    """How many sittings have `begun` and `finished`, and their `answers`: real, and simulated."""
    people: dict[str, list[Participant]] = {REAL: [], SIMULATED: []}
    for p in collected.participants:
        people[SIMULATED if p.simulated else REAL].append(p)
    return {
        kind: {
            "begun": len(group),
            "finished": sum(p.finished for p in group),
            "answers": sum(len(collected.answers.get(p.token, ())) for p in group),
        }
        for kind, group in people.items()
    }


def answers_csv(study: Study, collected: Collected) -> str:
    """`answers.csv`, as the module's docstring says."""
    head = ("token", "slot", "simulated", *_TRIAL, "choice", "preferred", *_MEASURED)
    return csv_text(head, _answer_rows(study, collected))


def participants_csv(study: Study, collected: Collected) -> str:
    """`participants.csv`, as the module's docstring says."""
    shown = [p if p.finished else replace(p, code="") for p in collected.participants]
    rows = [
        (*asdict(p).values(), len(collected.answers.get(p.token, ())), study.design.num_trials)
        for p in shown
    ]
    return csv_text((*(f.name for f in fields(Participant)), "answers", "trials"), rows)


def participant_json(study: Study, collected: Collected, token: str) -> str:
    """All that is stored of one participant, as an answers file.

    Raises:
        UserError: there is no such participant.
    """
    for participant in collected.participants:
        if participant.token == token:
            answers = [answer.as_dict() for answer in collected.answers.get(token, ())]
            note = {"study": study.hash, **asdict(participant), "answers": answers}
            return json.dumps(note, indent=1) + "\n"
    raise UserError(f"The study has no participant {token}.")


def _answer_rows(study: Study, collected: Collected) -> Iterator[Sequence[Any]]:
    for p in collected.participants:
        plan = study.plan(p.slot)
        for answer in collected.answers.get(p.token, ()):
            trial, measured = plan[answer.trial], answer.as_dict()
            yield (
                p.token, p.slot, p.simulated, answer.trial, trial.kind, trial.scene, trial.left,
                trial.right, trial.duration, trial.repeat_of, answer.choice,
                "" if answer.choice == TIE else preferred(trial, answer),
                *(measured[name] for name in _MEASURED),
            )  # fmt: skip


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    """(where it stands, text) of every participant in a file."""
    try:
        content = read_text(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error}.") from None
    if path.suffix.lower() != ".csv":
        yield str(path), content
        return
    limit = csv.field_size_limit(_MAX_CELL)
    try:
        rows = csv.DictReader(io.StringIO(content, newline=""))
        if MTURK_COLUMN not in (rows.fieldnames or ()):
            raise UserError(f"{path} has no column {MTURK_COLUMN!r}; is it MTurk's results file?")
        cells = [row[MTURK_COLUMN] or "" for row in rows]
    except csv.Error as error:
        raise UserError(f"{path}: {error}.") from None
    finally:
        csv.field_size_limit(limit)
    given = [(f"{path}, row {n}", cell) for n, cell in enumerate(cells, start=1) if cell.strip()]
    if len(given) < len(cells):
        say(f"{path}: {len(cells) - len(given)} of {len(cells)} rows hold no answers, left out")
    yield from given


def _read_one(study: Study, text: str, place: str, origin: str) -> tuple[Participant, list[Answer]]:
    """A participant's answers file, checked against the study."""
    try:
        note = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place} is no answers file: {error}.") from None
    if not isinstance(note, Mapping) or "study" not in note:
        raise UserError(f"{place} is no answers file: it names no study.")
    if note["study"] != study.hash:
        raise UserError(f"{place}: 'study' is not {study.folder}, but another or an older one.")
    answers = _answers(study, note.get("answers"), place)
    token = _checked(note, "token", place, lambda v: isinstance(v, str) and TOKEN.fullmatch(v))
    served = study.code(token)
    participant = Participant(
        token,
        _checked(note, "slot", place, lambda v: type(v) is int and 0 <= v <= MAX_SLOT),
        simulated=_checked(note, "simulated", place, lambda v: isinstance(v, bool)),
        consented=_checked(note, "consented", place, lambda v: isinstance(v, bool)),
        finished=len(answers) == study.design.num_trials,
        begun=_checked(note, "begun", place, lambda v: isinstance(v, str) and _DAY.fullmatch(v)),
        origin=origin,
        code=served if note.get("code") == served else static_code(study, token),
    )
    return participant, answers


def _checked(note: Mapping[str, Any], name: str, place: str, fits: Any) -> Any:
    if not fits(note.get(name)):
        given = str(note.get(name))[:80]
        raise UserError(f"{place}: {name!r} is {given!r}, which no static page writes.")
    return note[name]


def _answers(study: Study, given: Any, place: str) -> list[Answer]:
    """The answers in the order of their trials."""
    if not isinstance(given, list):
        raise UserError(f"{place}: 'answers' is a list, not {str(given)[:80]!r}.")
    answers: dict[int, Answer] = {}
    for number, entry in enumerate(given):
        try:
            answer = answer_in(study, entry)
        except UserError as error:
            raise UserError(f"{place}: answers[{number}]: {error}") from None
        if answer.trial in answers:
            raise UserError(f"{place}: answers[{number}]: trial {answer.trial} is there twice.")
        answers[answer.trial] = answer
    return [answers[trial] for trial in sorted(answers)]
