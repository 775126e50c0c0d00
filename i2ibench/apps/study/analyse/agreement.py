"""Agreement: how people voted on each pair of images."""

from typing import Any

import numpy as np

from i2ibench.apps.study.analyse.judgments import FIRST, SECOND, TIED, Judgments

EXAMPLES = 4


def agreement(judgments: Judgments) -> list[dict[str, Any]]:
    """Of every pair the votes by scene (all times together), and the clearest and closest scenes.

    `same_vote` is how often two people who saw the same two images gave the same answer; None
    where no images were seen twice.
    """
    definition = judgments.definition
    shape = (len(definition.compared), len(judgments.scenes), 3)
    votes = np.zeros(shape, dtype=np.int64)
    np.add.at(votes, (judgments.pair, judgments.scene, judgments.outcome), 1)
    found = []
    for (first, second), own in zip(definition.compared, votes, strict=True):
        rows = [
            {"scene": name, "first": int(v[FIRST]), "ties": int(v[TIED]), "second": int(v[SECOND])}
            for name, v in zip(judgments.scenes, own, strict=True)
            if v.sum()
        ]
        totals = own.sum(1)
        met = int((totals * (totals - 1)).sum())
        highest, lowest = _extremes(rows)
        found.append({
            "first": first, "second": second,
            "same_vote": float((own * (own - 1)).sum() / met) if met else None,
            "scenes": rows, "highest": highest, "lowest": lowest,
        })  # fmt: skip
    return found


def _extremes(rows: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Names of the scenes with the highest agreement and, of the others, with the lowest.

    One imagined vote for each side keeps a scene with a single vote from being the clearest.
    """

    def clearness(row: dict[str, Any]) -> float:
        return float(abs(row["first"] - row["second"]) / (_total(row) + 2))

    ranked = sorted(rows, key=lambda row: (-clearness(row), -_total(row)))
    highest = [row["scene"] for row in ranked[:EXAMPLES]]
    others = sorted(ranked[EXAMPLES:], key=lambda row: (clearness(row), -_total(row)))
    return highest, [row["scene"] for row in others[:EXAMPLES]]


def _total(row: dict[str, Any]) -> int:
    return int(row["first"] + row["ties"] + row["second"])
