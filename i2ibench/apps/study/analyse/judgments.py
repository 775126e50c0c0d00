"""Judgments: the answers to a study's main trials as arrays, and counts for each participant."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.apps.study.answers import (
    LEFT,
    REAL,
    SIMULATED,
    TIE,
    Answer,
    Collected,
    Participant,
)
from i2ibench.apps.study.define.definition import DEGRADED, Definition, Exclusion
from i2ibench.apps.study.define.design import CATCH, MAIN, REPEAT, Trial
from i2ibench.apps.study.define.study import Study
from i2ibench.errors import UserError

FIRST, TIED, SECOND = 0, 1, 2
"""Outcomes of a judgment: the pair's first method is preferred, a tie, or the second method."""


def waited_ms(answer: Answer) -> float:
    """Return the milliseconds between the moment an answer is possible and the answer.

    An answer is possible when the images appear or, with limited time, when they are covered again.
    """
    return answer.response_ms - (answer.shown_ms or 0.0)


def _is_off(answer: Answer, duration: float | None, rules: Exclusion) -> bool:
    """Return whether the images were shown for a wrong time, or for a time that was not measured.

    The error may be as large as `exposure_tolerance_ms` or half a frame of the screen, whichever is
    larger. With unlimited time the result is False.
    """
    if duration is None:
        return False
    if answer.shown_ms is None:
        return True
    limit = max(rules.exposure_tolerance_ms, answer.frame_ms / 2)
    return abs(answer.shown_ms - 1000 * duration) > limit


TRIAL_RULES: dict[str, Callable[[Answer, float | None, Exclusion], bool]] = {
    "too_quick": lambda answer, duration, rules: waited_ms(answer) < rules.min_response_ms,
    "exposure_off": _is_off,
    "unfocused": lambda answer, duration, rules: rules.drop_unfocused and answer.unfocused_ms > 0,
    "seen_again": lambda answer, duration, rules: duration is not None and answer.showings > 1,
}
"""Rules that leave out single answers. A function of (answer, seconds of exposure or None for
unlimited time, rules of the study file) returns whether the answer breaks the rule."""


def broken_rules(answer: Answer, trial: Trial, rules: Exclusion) -> list[bool]:
    """Return whether an answer breaks each of TRIAL_RULES, in their order."""
    return [breaks(answer, trial.duration, rules) for breaks in TRIAL_RULES.values()]


@dataclass(frozen=True)
class Judgments:
    """The answers to main trials: every array has one entry for each answer, [n].

    Attributes:
        definition: the study file.
        scenes: names of the study's scenes.
        participant: number of the participant among those analysed.
        scene: index in `scenes`.
        pair: index in `definition.compared`.
        time: index in `definition.times`.
        first_left: whether the pair's first method was on the left.
        outcome: FIRST, TIED or SECOND.
        broken: whether the answer breaks each of TRIAL_RULES, [n, rules].
    """

    definition: Definition
    scenes: Sequence[str]
    participant: NDArray[np.int64]
    scene: NDArray[np.int64]
    pair: NDArray[np.int64]
    time: NDArray[np.int64]
    first_left: NDArray[np.bool_]
    outcome: NDArray[np.int64]
    broken: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.outcome)

    @property
    def value(self) -> NDArray[np.float64]:
        """Return each judgment as a number, [n].

        The number is 1 if the pair's first method is preferred, 1/2 for a tie, and 0 if the second
        method is preferred.
        """
        return 1 - self.outcome / 2

    def where(self, mask: NDArray[np.bool_]) -> "Judgments":
        """Return new `Judgments` with only the entries that a boolean mask [n] selects.

        The list of scenes stays complete.
        """
        return replace(self, **{name: getattr(self, name)[mask] for name in _ARRAYS})


_ARRAYS = tuple(f.name for f in fields(Judgments) if f.name not in ("definition", "scenes"))


@dataclass(frozen=True)
class ParticipantRecord:
    """Counts that show how carefully one participant answered.

    Attributes:
        participant: the participant.
        planned: main trials in the plan.
        main: answered main trials.
        catch: (correct, answered) catch trials; only those that break no rule for trials.
        repeats: (answered as the first time, answered both times) repeats; only those where neither
            answer breaks a rule for trials.
        left: main trials answered with the left side.
        right: main trials answered with the right side.
        waited_ms: `waited_ms` of the answered main trials, in their order.
    """

    participant: Participant
    planned: int
    main: int
    catch: tuple[int, int]
    repeats: tuple[int, int]
    left: int
    right: int
    waited_ms: tuple[float, ...]


def chosen_participants(collected: Collected, kind: str | None = None) -> Collected:
    """Return the participants of one kind and their answers, which may be none.

    Args:
        collected: all participants.
        kind: REAL or SIMULATED; None takes all participants if they are of one kind.

    Raises:
        UserError: there are both kinds and none is chosen, there is nobody of the kind, or `kind`
            is another text.
    """
    if kind not in (None, REAL, SIMULATED):
        raise UserError(f"Participants must be real or simulated, not {kind!r}.")
    kind = kind or collected.kind
    people = [p for p in collected.participants if p.simulated == (kind == SIMULATED)]
    if not people:
        raise UserError(f"The study holds no answers of {kind} participants.")
    return Collected(people, {p.token: collected.answers.get(p.token, ()) for p in people})


def gather(study: Study, collected: Collected) -> tuple[Judgments, list[ParticipantRecord]]:
    """Return the judgments of all participants, and one record for each participant.

    A judgment is the answer to a main trial. Answers to repeats and catch trials are only counted
    in the records. Nothing is excluded here.

    Args:
        study: the study, which gives the plan of each participant.
        collected: the participants to analyse; their position is their number in the judgments.
    """
    rows: list[dict[str, Any]] = []
    records = []
    for number, person in enumerate(collected.participants):
        plan = study.plan(person.slot)
        answers = {a.trial: a for a in collected.answers.get(person.token, ())}
        rows += _judgments_of(study, number, plan, answers)
        records.append(_record(person, plan, answers, study.definition.exclusion))
    kinds = {"first_left": bool, "broken": bool}
    arrays = {
        name: np.array([row[name] for row in rows], dtype=kinds.get(name, np.int64))
        for name in _ARRAYS
    }
    arrays["broken"] = arrays["broken"].reshape(len(rows), len(TRIAL_RULES))
    return Judgments(study.definition, list(study.scenes), **arrays), records


def _judgments_of(
    study: Study, number: int, plan: Sequence[Trial], answers: dict[int, Answer]
) -> list[dict[str, Any]]:
    """Return one participant's judgments, as dicts with an entry for every array of `Judgments`.

    Trials of other kinds than MAIN and trials without an answer are left out.
    """
    definition = study.definition
    pairs = {frozenset(pair): at for at, pair in enumerate(definition.compared)}
    times = {duration: at for at, duration in enumerate(definition.times)}
    scenes = {name: at for at, name in enumerate(study.scenes)}
    rows = []
    for trial in plan:
        answer = answers.get(trial.number)
        if trial.kind != MAIN or answer is None:
            continue
        pair = pairs[frozenset((trial.left, trial.right))]
        first_left = trial.left == definition.compared[pair][0]
        chose_first = (answer.choice == LEFT) == first_left
        rows.append({
            "participant": number, "scene": scenes[trial.scene], "pair": pair,
            "time": times[trial.duration], "first_left": first_left,
            "outcome": TIED if answer.choice == TIE else FIRST if chose_first else SECOND,
            "broken": broken_rules(answer, trial, definition.exclusion),
        })  # fmt: skip
    return rows


def preferred(trial: Trial, answer: Answer) -> str:
    """Return the name of the method that an answer to a trial prefers, or TIE."""
    if answer.choice == TIE:
        return TIE
    return trial.left if answer.choice == LEFT else trial.right


def _record(
    person: Participant, plan: Sequence[Trial], answers: dict[int, Answer], rules: Exclusion
) -> ParticipantRecord:
    """Return the counts that show how carefully one participant answered."""
    valid = {
        t.number: preferred(t, answers[t.number])
        for t in plan
        if t.number in answers and not any(broken_rules(answers[t.number], t, rules))
    }
    main = [t for t in plan if t.kind == MAIN]
    answered = [answers[t.number] for t in main if t.number in answers]
    caught = [valid[t.number] for t in plan if t.kind == CATCH and t.number in valid]
    repeats = [
        valid[t.number] == valid[t.repeat_of]
        for t in plan
        if t.kind == REPEAT and t.number in valid and t.repeat_of in valid
    ]
    left = sum(a.choice == LEFT for a in answered)
    return ParticipantRecord(
        person,
        planned=len(main),
        main=len(answered),
        catch=(sum(method not in (DEGRADED, TIE) for method in caught), len(caught)),
        repeats=(sum(repeats), len(repeats)),
        left=left,
        right=sum(a.choice != TIE for a in answered) - left,
        waited_ms=tuple(waited_ms(a) for a in answered),
    )
