"""What participants read before they begin, where the study file does not say it."""

import math

from i2ibench.apps.study.define.study import Study

_SECONDS_A_TRIAL = 5


def public_texts(study: Study, offline: bool = False) -> dict[str, object]:
    """Title, question, contact, and the paragraphs of consent, storage and instructions.

    Args:
        study: that participants read of.
        offline: whether they hand their answers over at the end, instead of a server.
    """
    texts = study.definition.texts
    return {
        "title": study.definition.title,
        "question": texts.question,
        "contact": texts.contact,
        "consent": _paragraphs(texts.consent) or _consent(study),
        "stored": _stored(offline),
        "instructions": _paragraphs(texts.instructions) or _instructions(study),
    }


def minutes(study: Study) -> int:
    """About how long a sitting takes."""
    durations = study.definition.durations
    exposure = sum(durations) / len(durations) if durations else 0
    return math.ceil(study.design.num_trials * (exposure + _SECONDS_A_TRIAL) / 60)


def _paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]


def _consent(study: Study) -> list[str]:
    return [
        f"You will see {study.design.num_trials} pairs of pictures and judge each. It takes about "
        f"{minutes(study)} minute{'s' if minutes(study) > 1 else ''}.",
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
