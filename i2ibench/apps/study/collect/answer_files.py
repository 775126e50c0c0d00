"""Files of answers: static pages' and MTurk's files are imported, tables are exported.

An answers file is what a static page hands to its participant. It is a JSON object with `study`
(the study's hash), `token`, `slot`, `simulated`, `consented`, `begun` (UTC day) and `answers`, a
list of `answers.Answer`. A file of `participant_json` also has `code`, the served page's completion
code, which is kept. MTurk's results have the same text in the column `Answer.answers`.

`answers.csv` has a row for every answer: token, slot, simulated; trial, kind, scene, left, right,
duration_s and repeat_of as in `design.Trial`; choice, the preferred method (empty for a tie), and
the page's measurements as in `answers.Answer`. `participants.csv` has a row for every participant:
`answers.Participant`, the number of answers, and the number of trials in the plan.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from i2ibench.apps.study.analyse.judgments import preferred
from i2ibench.apps.study.answers import REAL, SIMULATED, TIE, Answer, Collected, Participant
from i2ibench.apps.study.collect.session import TOKEN, read_study_answer
from i2ibench.apps.study.define.study import Study
from i2ibench.errors import UserError
from i2ibench.io.files import read_text
from i2ibench.io.progress import say
from i2ibench.io.spreadsheets import csv_text

MTURK_COLUMN = "Answer.answers"
MAX_SLOT = 9999
_MAX_CELL = 2**26  # a long session is larger than the csv module's limit of 128 KiB
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}|")
_MEASURED = [f.name for f in fields(Answer) if f.name not in ("trial", "choice")]
_TRIAL = ("trial", "kind", "scene", "left", "right", "duration_s", "repeat_of")


def read_collected(study: Study, paths: Iterable[Path]) -> Collected:
    """Return the participants and answers in static pages' .json files and MTurk's .csv results.

    Nothing is stored. A participant may be in several files if all of them have the same answers;
    the first file's participant is kept then. MTurk's rows with an empty cell are left out, and
    stderr says how many.

    Args:
        study: the study to which the answers must belong.
        paths: the files. A file whose name does not end in .csv is read as JSON.

    Raises:
        UserError: a file cannot be read, or belongs to another study, or a field is wrong. The
            message names the file, the row and the field.
    """
    participants: dict[str, Participant] = {}
    answers: dict[str, list[Answer]] = {}
    for path in paths:
        for place, text in _texts(path):
            participant, own = _read_participant(study, text, place, path.name)
            token = participant.token
            if answers.setdefault(token, own) != own:
                raise UserError(f"{place}: participant {token} has other answers in another file.")
            participants.setdefault(token, participant)
    return Collected(list(participants.values()), answers)


def static_code(study: Study, token: str) -> str:
    """Return the completion code that a static page shows to a participant.

    It is the code of the study file if that has one, else the first 10 characters of the token in
    capitals, because a static page does not know the study's secret.
    """
    return study.definition.completion.code or token[:10].upper()


def count_by_kind(collected: Collected) -> dict[str, dict[str, int]]:
    """Return the numbers of participants and answers, for each kind of participants.

    The keys are always REAL and SIMULATED. Each has "begun" (all participants of the kind),
    "finished" (those of them who have answered every trial), and "answers".
    """
    counts = {}
    for kind, simulated in ((REAL, False), (SIMULATED, True)):
        people = [p for p in collected.participants if p.simulated == simulated]
        answers = sum(len(collected.answers.get(p.token, ())) for p in people)
        finished = sum(p.finished for p in people)
        counts[kind] = {"begun": len(people), "finished": finished, "answers": answers}
    return counts


def answers_csv(study: Study, collected: Collected) -> str:
    """Return the text of `answers.csv`, a table with a row for every answer of every participant.

    The columns are token, slot, simulated; trial, kind, scene, left, right, duration_s and
    repeat_of of the trial; choice, preferred (the method; empty for a tie), and the measurements.
    """
    head = ("token", "slot", "simulated", *_TRIAL, "choice", "preferred", *_MEASURED)
    return csv_text(head, _answer_rows(study, collected))


def participants_csv(study: Study, collected: Collected) -> str:
    """Return the text of `participants.csv`, a table with a row for every participant.

    The columns are the attributes of `Participant`, the number of answers, and the number of trials
    in the plan. The completion code is empty before a participant's end.
    """
    rows = [
        (*asdict(p if p.finished else replace(p, code="")).values(),
         len(collected.answers.get(p.token, ())), study.design.num_trials)
        for p in collected.participants
    ]  # fmt: skip
    return csv_text((*(f.name for f in fields(Participant)), "answers", "trials"), rows)


def participant_json(study: Study, collected: Collected, token: str) -> str:
    """Return everything that is stored of one participant, as the text of an answers file.

    The module's docstring describes such files.

    Raises:
        UserError: there is no such participant.
    """
    for participant in collected.participants:
        if participant.token == token:
            answers = [asdict(answer) for answer in collected.answers.get(token, ())]
            content = {"study": study.hash, **asdict(participant), "answers": answers}
            return json.dumps(content, indent=1) + "\n"
    raise UserError(f"The study has no participant {token}.")


def _answer_rows(study: Study, collected: Collected) -> Iterator[Sequence[Any]]:
    """Yield the rows of `answers.csv`, in the order of the columns that `answers_csv` describes."""
    for p in collected.participants:
        plan = study.plan(p.slot)
        for answer in collected.answers.get(p.token, ()):
            trial, values = plan[answer.trial], asdict(answer)
            yield (
                p.token, p.slot, p.simulated, answer.trial, trial.kind, trial.scene, trial.left,
                trial.right, trial.duration, trial.repeat_of, answer.choice,
                "" if answer.choice == TIE else preferred(trial, answer),
                *(values[name] for name in _MEASURED),
            )  # fmt: skip


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (place for messages, text of an answers file) for every participant in a file.

    A .csv file is MTurk's results: each row with a text in MTURK_COLUMN yields one. Other rows are
    left out, and stderr says how many. Any other file yields its whole text.
    """
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
    filled = [(f"{path}, row {n}", cell) for n, cell in enumerate(cells, start=1) if cell.strip()]
    if len(filled) < len(cells):
        say(f"{path}: {len(cells) - len(filled)} of {len(cells)} rows hold no answers, left out")
    yield from filled


def _read_participant(
    study: Study, text: str, place: str, origin: str
) -> tuple[Participant, list[Answer]]:
    """Return the participant and the answers of an answers file, checked against the study.

    The participant is finished if every trial is answered, whatever the file says. The code is the
    served page's if the file has that one, and else the static page's.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place} is no answers file: {error}.") from None
    if not isinstance(content, Mapping) or "study" not in content:
        raise UserError(f"{place} is no answers file: it names no study.")
    if content["study"] != study.hash:
        raise UserError(f"{place}: 'study' is not {study.folder}, but another or an older one.")

    def entry(name: str, fits: Callable[[Any], Any]) -> Any:
        value = content.get(name)
        if not fits(value):
            raise UserError(f"{place}: {name!r} is {str(value)[:80]!r}, which no page writes.")
        return value

    answers = _read_answers(study, content.get("answers"), place)
    token = entry("token", lambda v: isinstance(v, str) and TOKEN.fullmatch(v))
    served_code = study.code(token)
    participant = Participant(
        token,
        entry("slot", lambda v: type(v) is int and 0 <= v <= MAX_SLOT),
        simulated=entry("simulated", lambda v: isinstance(v, bool)),
        consented=entry("consented", lambda v: isinstance(v, bool)),
        finished=len(answers) == study.design.num_trials,
        begun=entry("begun", lambda v: isinstance(v, str) and _DAY.fullmatch(v)),
        origin=origin,
        code=served_code if content.get("code") == served_code else static_code(study, token),
    )
    return participant, answers


def _read_answers(study: Study, content: Any, place: str) -> list[Answer]:
    """Return the answers of one participant, sorted by trial."""
    if not isinstance(content, list):
        raise UserError(f"{place}: 'answers' must be a list, not {str(content)[:80]!r}.")
    answers: dict[int, Answer] = {}
    for number, value in enumerate(content):
        try:
            answer = read_study_answer(study, value)
        except UserError as error:
            raise UserError(f"{place}: answers[{number}]: {error}") from None
        if answer.trial in answers:
            raise UserError(f"{place}: answers[{number}]: trial {answer.trial} is there twice.")
        answers[answer.trial] = answer
    return [answers[trial] for trial in sorted(answers)]
