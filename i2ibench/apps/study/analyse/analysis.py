"""The analysis of a study, as plain JSON: the same answers give the same file."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from i2ibench.apps.study.analyse.agreement import agreement
from i2ibench.apps.study.analyse.bootstrap import DRAWS, LEVEL, Resampled
from i2ibench.apps.study.analyse.bradley_terry import bradley_terry
from i2ibench.apps.study.analyse.exclusion import Kept, exclude
from i2ibench.apps.study.analyse.exposure_curves import exposure_slopes
from i2ibench.apps.study.analyse.judgments import (
    Judgments,
    ParticipantRecord,
    chosen_participants,
    gather,
)
from i2ibench.apps.study.analyse.logit_fit import RIDGE
from i2ibench.apps.study.analyse.quality import quality
from i2ibench.apps.study.analyse.statistics import compare, rates
from i2ibench.apps.study.answers import Collected
from i2ibench.apps.study.define.study import Study
from i2ibench.io.files import write_text
from i2ibench.io.provenance import commit, versions


def analyse(
    study: Study, collected: Collected, participants: str | None = None, draws: int = DRAWS
) -> dict[str, Any]:
    """Everything that the report says, in plain JSON.

    Args:
        study: what was asked.
        collected: what was answered.
        participants: "real" or "simulated"; None takes all if they are of one kind.
        draws: of the bootstrap, of each kind.

    Raises:
        UserError: there are both kinds and none is chosen, or there is nobody.
    """
    chosen = chosen_participants(collected, participants)
    judgments, conducts = gather(study, chosen)
    kept = exclude(judgments, conducts, study.definition.exclusion)
    resampled = Resampled(kept.judgments, study.definition.seed, draws)
    times = range(len(study.definition.times))
    rows = compare(resampled)
    _add_unexcluded(rows, judgments)
    return {
        "kind": chosen.kind,
        "study": _about(study),
        "counts": _counts(collected, judgments, conducts, kept),
        "comparisons": rows,
        "bradley_terry": [bradley_terry(resampled, time) for time in times],
        "exposure": exposure_slopes(resampled),
        "exclusion": _exclusions(study, kept),
        "quality": quality(conducts, kept),
        "agreement": agreement(kept.judgments),
        "settings": {
            "level": LEVEL, "draws": draws, "seed": study.definition.seed, "ridge": RIDGE,
        },
        "commit": commit(),
        "versions": versions(),
    }  # fmt: skip


def write_analysis(path: Path, analysis: dict[str, Any]) -> None:
    """Make `path` hold the analysis as JSON."""
    write_text(path, json.dumps(analysis, indent=1, allow_nan=False) + "\n")


def _about(study: Study) -> dict[str, Any]:
    """The study without its secret."""
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
    collected: Collected, judgments: Judgments, conducts: list[ParticipantRecord], kept: Kept
) -> dict[str, Any]:
    """How many people and answers there are, of whom the analysis is, and what it uses."""
    simulated = sum(p.simulated for p in collected.participants)
    return {
        "real": len(collected.participants) - simulated,
        "simulated": simulated,
        "participants": len(conducts),
        "finished": sum(s.participant.finished for s in conducts),
        "participants_used": sum(kept.people),
        "judgments": len(judgments),
        "judgments_used": len(kept.judgments),
        "scenes_used": len(set(kept.judgments.scene.tolist())),
    }


def _exclusions(study: Study, kept: Kept) -> dict[str, Any]:
    """The rules, and how many participants and judgments each left out."""
    return {
        "rules": asdict(study.definition.exclusion),
        "participants": kept.broken,
        "participants_total": len(kept.people) - sum(kept.people),
        "judgments": kept.dropped,
        "judgments_total": kept.dropped_total,
    }


def _add_unexcluded(rows: list[dict[str, Any]], judgments: Judgments) -> None:
    """Beside each rate what it would be if nothing were left out."""
    everything = Resampled(judgments, draws=0).counts[0].sum(2)
    cells = everything.reshape(len(rows), 3)
    for row, counts in zip(rows, cells, strict=True):
        row["n_without_exclusions"] = int(counts.sum())
        row["rate_without_exclusions"] = float(rates(counts)) if counts.sum() else None
