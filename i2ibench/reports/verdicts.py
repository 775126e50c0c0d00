"""Sentences that name the best system of an evaluation by each of a few scores."""

from i2ibench.reports.tables import Results, cell, rank, title

DECIDING = ("seg/miou", "edge/bf1", "lpips_vgg", "lpips_alex")
"""Scores with paired intervals, for which the report says in words which system is best."""


def verdicts(results: Results) -> list[str]:
    """Return a sentence for each score of DECIDING that ranks at least two systems.

    A sentence names the best system and its value, and the systems of which the paired intervals
    cannot say that they are worse. Unranked systems are left out.
    """
    sentences = []
    for score in DECIDING:
        marks = {system: rank(results, system, score) for system in results["systems"]}
        best = [system for system, mark in marks.items() if mark == "best"]
        if not best:
            continue
        tied = [system for system, mark in marks.items() if mark == "tied"]
        found = f"{title(score)}: {best[0]} is best ({cell(results, best[0], score).text})"
        values = ", ".join(f"{system} ({cell(results, system, score).text})" for system in tied)
        ending = f"; {values} may be equally good" if tied else ", by the paired interval"
        sentences.append(f"{found}{ending}.")
    return sentences
