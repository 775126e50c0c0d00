"""The analysis of a study as plain JSON; the same answers give the same file."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from i2ibench.apps.study.analyse.bootstrap import DRAWS, LEVEL, Resampled
from i2ibench.apps.study.analyse.exclusion import ExclusionResult, exclude
from i2ibench.apps.study.analyse.judgments import (
    FIRST,
    SECOND,
    TIED,
    Judgments,
    ParticipantRecord,
    chosen_participants,
    gather,
)
from i2ibench.apps.study.analyse.logit_models import RIDGE, bradley_terry, exposure_slopes
from i2ibench.apps.study.analyse.statistics import compare, rates
from i2ibench.apps.study.answers import Collected
from i2ibench.apps.study.define.study import Study
from i2ibench.io.files import write_text
from i2ibench.io.provenance import commit, versions

EXAMPLES = 4
"""Number of scenes with the highest and with the lowest agreement."""


def analyse(
    study: Study, collected: Collected, participants: str | None = None, draws: int = DRAWS
) -> dict[str, Any]:
    """Return the analysis of a study, which is everything that the report shows, as plain JSON.

    The comparisons, the models and the agreement use only what the study file's exclusion rules
    keep. The entries named `..._without_exclusions` use all judgments of the chosen kind.

    Args:
        study: the study.
        collected: its participants and answers.
        participants: "real" or "simulated", the kind to analyse. None takes all participants if
            they are of one kind.
        draws: bootstrap draws of participants, of scenes, and of cells.

    Raises:
        UserError: there are both kinds and none is chosen, there is nobody of the kind, or
            `participants` is another text.
    """
    chosen = chosen_participants(collected, participants)
    judgments, records = gather(study, chosen)
    kept = exclude(judgments, records, study.definition.exclusion)
    resampled = Resampled(kept.judgments, study.definition.seed, draws)
    comparisons = compare(resampled)
    _add_unexcluded(comparisons, judgments)
    times = range(len(study.definition.times))
    return {
        "kind": chosen.kind,
        "study": _about(study),
        "counts": _counts(collected, judgments, records, kept),
        "comparisons": comparisons,
        "bradley_terry": [bradley_terry(resampled, time) for time in times],
        "exposure": exposure_slopes(resampled),
        "exclusion": {
            "rules": asdict(study.definition.exclusion),
            "participants": kept.broken,
            "participants_total": len(kept.people) - sum(kept.people),
            "judgments": kept.dropped,
            "judgments_total": kept.dropped_total,
        },
        "quality": quality(records, kept),
        "agreement": agreement(kept.judgments),
        "settings": {
            "level": LEVEL, "draws": draws, "seed": study.definition.seed, "ridge": RIDGE,
        },
        "commit": commit(),
        "versions": versions(),
    }  # fmt: skip


def write_analysis(path: Path, analysis: dict[str, Any]) -> None:
    """Write the dict that `analyse` returned to a file as JSON; an existing file is replaced.

    Raises:
        ValueError: the analysis holds nan or infinity.
    """
    write_text(path, json.dumps(analysis, indent=1, allow_nan=False) + "\n")


def quality(records: Sequence[ParticipantRecord], kept: ExclusionResult) -> dict[str, Any]:
    """Return how carefully people answered: the kept ones, all of them, and each one.

    Args:
        records: one record for each analysed participant.
        kept: the result of the exclusion for the same participants.

    Returns:
        "kept" and "everybody" have the sums of `_quality_of` over the kept and over all
        participants. "participants" is a list with one dict for each record, in their order. The
        dict has the participant's own `_quality_of`, "number" (from 1; tokens are not part of the
        analysis), "finished", and "excluded_by" (names of the broken rules for participants).
    """
    people = [
        _quality_of([record])
        | {"number": number, "finished": record.participant.finished, "excluded_by": list(reasons)}
        for number, (record, reasons) in enumerate(zip(records, kept.reasons, strict=True), start=1)
    ]
    left = [record for record, keep in zip(records, kept.people, strict=True) if keep]
    return {"kept": _quality_of(left), "everybody": _quality_of(records), "participants": people}


def agreement(judgments: Judgments) -> list[dict[str, Any]]:
    """Return the votes of every compared pair by scene, and how much people agree.

    A vote is one judgment. Votes at all durations are added.

    Returns:
        One dict for each pair, in the definition's order. "first" and "second" are the methods.
        "same_vote" is how often two people who saw the same two images gave the same answer; it is
        None if no images were seen twice. "scenes" has the votes of each scene that got any.
        "highest" and "lowest" name up to EXAMPLES scenes with the highest and lowest agreement.
    """
    definition = judgments.definition
    shape = (len(definition.compared), len(judgments.scenes), 3)
    votes = np.zeros(shape, dtype=np.int64)
    np.add.at(votes, (judgments.pair, judgments.scene, judgments.outcome), 1)
    pairs = []
    for (first, second), own in zip(definition.compared, votes, strict=True):
        rows = [
            {"scene": name, "first": int(v[FIRST]), "ties": int(v[TIED]), "second": int(v[SECOND])}
            for name, v in zip(judgments.scenes, own, strict=True)
            if v.sum()
        ]
        totals = own.sum(1)
        encounters = int((totals * (totals - 1)).sum())
        highest, lowest = _extremes(rows)
        pairs.append({
            "first": first, "second": second,
            "same_vote": float((own * (own - 1)).sum() / encounters) if encounters else None,
            "scenes": rows, "highest": highest, "lowest": lowest,
        })  # fmt: skip
    return pairs


def _about(study: Study) -> dict[str, Any]:
    """Return the contents of `study.json` for the report, without its secret and its image size.

    The hash of the study is added, and the definition gets the list of compared pairs.
    """
    definition: dict[str, Any] = json.loads(json.dumps(asdict(study.definition)))
    return {
        "hash": study.hash,
        "created": study.created,
        "reference": study.reference,
        "scenes": list(study.scenes),
        "origins": dict(study.origins),
        "definition": definition | {"compared": [list(p) for p in study.definition.compared]},
    }


def _counts(
    collected: Collected,
    judgments: Judgments,
    records: list[ParticipantRecord],
    kept: ExclusionResult,
) -> dict[str, Any]:
    """Return the numbers of participants, judgments and scenes, before and after exclusion.

    "real" and "simulated" count everybody in `collected`. The other entries count only the analysed
    kind. Those named `..._used` count what the exclusion keeps.
    """
    simulated = sum(p.simulated for p in collected.participants)
    return {
        "real": len(collected.participants) - simulated,
        "simulated": simulated,
        "participants": len(records),
        "finished": sum(r.participant.finished for r in records),
        "participants_used": sum(kept.people),
        "judgments": len(judgments),
        "judgments_used": len(kept.judgments),
        "scenes_used": len(set(kept.judgments.scene.tolist())),
    }


def _add_unexcluded(rows: list[dict[str, Any]], judgments: Judgments) -> None:
    """Add the number of judgments and the rate without any exclusion to each comparison, in place.

    The rate is None if there are no judgments.
    """
    everything = Resampled(judgments, draws=0).counts[0].sum(2)
    for row, counts in zip(rows, everything.reshape(len(rows), 3), strict=True):
        row["n_without_exclusions"] = int(counts.sum())
        row["rate_without_exclusions"] = float(rates(counts)) if counts.sum() else None


def _quality_of(records: Sequence[ParticipantRecord]) -> dict[str, Any]:
    """Return sums over participants that show how carefully they answered."""
    times = [ms for r in records for ms in r.waited_ms]
    sided = sum(r.left + r.right for r in records)
    return {
        "main": [sum(r.main for r in records), sum(r.planned for r in records)],
        "catch": [sum(r.catch[i] for r in records) for i in range(2)],
        "repeats": [sum(r.repeats[i] for r in records) for i in range(2)],
        "left_share": sum(r.left for r in records) / sided if sided else None,
        "waited_ms": [float(q) for q in np.quantile(times, (0.25, 0.5, 0.75))] if times else None,
    }


def _extremes(rows: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Return the names of the scenes with the highest and with the lowest agreement.

    Each list has at most EXAMPLES names, and no scene is in both. The first list takes its scenes
    first. Agreement is |first - second| / (all votes + 2), so ties lower it. One virtual vote for
    each side prevents a scene with a single vote from being the clearest. Of equal scenes, those
    with more votes come first.
    """

    def total(row: dict[str, Any]) -> int:
        return int(row["first"] + row["ties"] + row["second"])

    def clearness(row: dict[str, Any]) -> float:
        return float(abs(row["first"] - row["second"]) / (total(row) + 2))

    ranked = sorted(rows, key=lambda row: (-clearness(row), -total(row)))
    others = sorted(ranked[EXAMPLES:], key=lambda row: (clearness(row), -total(row)))
    return [row["scene"] for row in ranked[:EXAMPLES]], [row["scene"] for row in others[:EXAMPLES]]
