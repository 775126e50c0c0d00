"""The texts and numbers that the page shows before the consent: no method and no code."""

import math
from typing import Any

from i2ibench.apps.study.define.study import Study

_SECONDS_A_TRIAL = 5
"""Assumed time for an answer, beside the exposure."""


def public_study(study: Study, offline: bool = False) -> dict[str, Any]:
    """Return the public description of a study as plain JSON for the page.

    `id` names the entries that the browser keeps. `timed` says whether the exposure is limited.
    `width` and `height` are CSS pixels of an image. Texts that the study file leaves empty are
    written here.

    Args:
        study: the study.
        offline: whether participants hand over a file of answers, instead of using a server.
    """
    definition, texts, (width, height) = study.definition, study.definition.texts, study.size
    css_width = definition.width or width
    return {
        "id": study.hash[:16],
        "title": definition.title,
        "question": texts.question,
        "contact": texts.contact,
        "consent": _paragraphs(texts.consent) or _consent(study),
        "stored": _stored(offline),
        "instructions": _paragraphs(texts.instructions) or _instructions(study),
        "trials": study.design.num_trials,
        "timed": bool(definition.durations),
        "ties": definition.ties,
        "width": css_width,
        "height": round(css_width * height / width),
    }


def _paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]


def _consent(study: Study) -> list[str]:
    durations, num_trials = study.definition.durations, study.design.num_trials
    exposure = sum(durations) / len(durations) if durations else 0
    minutes = math.ceil(num_trials * (exposure + _SECONDS_A_TRIAL) / 60)
    return [
        f"You will see {num_trials} pairs of pictures and judge each. It takes about "
        f"{minutes} minute{'s' if minutes > 1 else ''}.",
        "Taking part is voluntary. You may stop at any time, go on later in this browser, or have "
        "all your answers deleted.",
    ]


def _stored(offline: bool) -> list[str]:
    kept = (
        "Until you hand your answers over at the end, they stay in this browser alone, under a "
        "random number."
        if offline
        else "Your answers stand under a random number that this browser keeps, so that you can go "
        "on after a break."
    )
    return [
        "Your choices and how long they took; what this page measures about the display (size of "
        "the window, zoom, frame rate, how long and how often the pictures were on the screen, "
        "whether the page was in the background); and the day.",
        f"No name, no network address, no details of your browser. {kept} "
        "You are shown that number when you leave and at the end.",
    ]


def _instructions(study: Study) -> list[str]:
    definition = study.definition
    lines = ["Two pictures of the same scene are shown side by side."]
    if definition.durations:
        lines.append(
            "They are visible for a limited time, sometimes very short: look at the cross in the "
            "middle until they appear. A pattern then covers them, and you answer without hurry."
        )
    else:
        lines.append("They stay until you answer. There is no time limit; go by your impression.")
    if definition.regions.classes:
        lines.append("Judge the highlighted part; the rest is darkened.")
    if definition.practice:
        many = definition.practice
        first = "first pair is" if many == 1 else f"first {many} pairs are"
        lines.append(f"The {first} for practice: you are told which picture is the better one.")
    lines.append("Please keep this window in front and answer alone, without other tasks.")
    return lines
