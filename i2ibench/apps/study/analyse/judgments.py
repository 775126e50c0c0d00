"""Judgments: the answers of a study as flat arrays, one entry for each main trial."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.apps.study.analyse.trial_rules import TRIAL_RULES, broken_rules, waited_ms
from i2ibench.apps.study.answers import LEFT, REAL, SIMULATED, TIE, Answer, Collected, Participant
from i2ibench.apps.study.define.definition import DEGRADED, Definition, Exclusion
from i2ibench.apps.study.define.design import CATCH, MAIN, REPEAT, Trial
from i2ibench.apps.study.define.study import Study
from i2ibench.errors import UserError

FIRST, TIED, SECOND = 0, 1, 2
"""Outcomes of a judgment for the first method of its pair."""


@dataclass(frozen=True)
class Judgments:
    """The answers to main trials: every array has one entry for each, [n].

    Attributes:
        definition: the study's.
        scenes: names; `scene` counts in them.
        participant: number of the sitting among those analysed.
        scene: which one.
        pair: number in `definition.compared`.
        time: number in `definition.times`.
        first_left: whether the pair's first method was on the left.
        outcome: FIRST, TIED or SECOND.
        broken: which of TRIAL_RULES the answer breaks, [n, rules].
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
        """1 where the pair's first method was preferred, 0 where the second was, 1/2 for a tie."""
        return 1 - self.outcome / 2

    def where(self, kept: NDArray[np.bool_]) -> "Judgments":
        """Those of the judgments that a mask [n] keeps."""
        arrays = {name: getattr(self, name)[kept] for name in _ARRAYS}
        return replace(self, **arrays)


_ARRAYS = tuple(f.name for f in fields(Judgments) if f.name not in ("definition", "scenes"))


@dataclass(frozen=True)
class ParticipantRecord:
    """Counts that show how carefully one participant answered.

    Attributes:
        participant: who.
        planned: main trials in the plan.
        main: main trials that are answered.
        catch: (right, answered) catch trials; only those that break no rule for trials.
        repeats: (answered as the first time, answered both times) repeats; likewise.
        left: how many main trials were answered with the left side.
        right: and with the right.
        waited_ms: of the main trials, in their order; see `waited_ms`.
    """

    participant: Participant
    planned: int
    main: int
    catch: tuple[int, int]
    repeats: tuple[int, int]
    left: int
    right: int
    waited_ms: tuple[float, ...]


def chosen_participants(collected: Collected, participants: str | None = None) -> Collected:
    """The sittings of one kind and their answers.

    Args:
        collected: all of them.
        participants: "real" or "simulated"; None takes all if they are of one kind.

    Raises:
        UserError: there are both kinds and none is chosen, or there is nobody.
    """
    if participants not in (None, REAL, SIMULATED):
        raise UserError(f"Participants are real or simulated, not {participants!r}.")
    wanted = participants or collected.kind
    people = [p for p in collected.participants if p.simulated == (wanted == SIMULATED)]
    if not people:
        raise UserError(f"The study holds no answers of {wanted} participants.")
    return Collected(people, {p.token: collected.answers.get(p.token, ()) for p in people})


def gather(study: Study, collected: Collected) -> tuple[Judgments, list[ParticipantRecord]]:
    """The judgments of all participants, and what each one's answers say of them."""
    rows: list[dict[str, Any]] = []
    conducts = []
    for number, person in enumerate(collected.participants):
        plan = study.plan(person.slot)
        answers = {a.trial: a for a in collected.answers.get(person.token, ())}
        rows += _rows(study, number, plan, answers)
        conducts.append(_conduct(person, plan, answers, study.definition.exclusion))
    columns = {name: [row[name] for row in rows] for name in _ARRAYS}
    kinds = {"first_left": bool, "broken": bool}
    arrays = {n: np.array(v, dtype=kinds.get(n, np.int64)) for n, v in columns.items()}
    arrays["broken"] = arrays["broken"].reshape(len(rows), len(TRIAL_RULES))
    return Judgments(study.definition, list(study.scenes), **arrays), conducts


def _rows(
    study: Study, number: int, plan: Sequence[Trial], answers: dict[int, Answer]
) -> list[dict[str, Any]]:
    """One participant's judgments as dicts."""
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
        side = answer.choice == LEFT
        rows.append({
            "participant": number, "scene": scenes[trial.scene], "pair": pair,
            "time": times[trial.duration], "first_left": first_left,
            "outcome": TIED if answer.choice == TIE else FIRST if side == first_left else SECOND,
            "broken": broken_rules(answer, trial.duration, definition.exclusion),
        })  # fmt: skip
    return rows


def preferred(trial: Trial, answer: Answer) -> str:
    """The method that an answer prefers, or TIE."""
    if answer.choice == TIE:
        return TIE
    return trial.left if answer.choice == LEFT else trial.right


def _conduct(
    person: Participant, plan: Sequence[Trial], answers: dict[int, Answer], rules: Exclusion
) -> ParticipantRecord:
    """Catch trials, repeats and sides of one participant."""
    fair = {
        t.number: preferred(t, answers[t.number])
        for t in plan
        if t.number in answers and not any(broken_rules(answers[t.number], t.duration, rules))
    }
    main = [t for t in plan if t.kind == MAIN]
    answered = [answers[t.number] for t in main if t.number in answers]
    catch = [
        fair[t.number] not in (DEGRADED, TIE) for t in plan if t.kind == CATCH and t.number in fair
    ]
    repeats = [
        fair[t.number] == fair[t.repeat_of]
        for t in plan
        if t.kind == REPEAT and t.number in fair and t.repeat_of in fair
    ]
    left = sum(a.choice == LEFT for a in answered)
    return ParticipantRecord(
        person,
        len(main),
        len(answered),
        (sum(catch), len(catch)),
        (sum(repeats), len(repeats)),
        left,
        sum(a.choice != TIE for a in answered) - left,
        tuple(waited_ms(a) for a in answered),
    )
