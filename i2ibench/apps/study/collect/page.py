"""What the page is told of a study before the consent: texts and numbers, no method and no code."""

from typing import Any

from i2ibench.apps.study.define.study import Study
from i2ibench.apps.study.define.texts import public_texts


def public_study(study: Study, offline: bool = False) -> dict[str, Any]:
    """Plain JSON for the page; `offline` is for one whose answers are handed over as a file.

    `id` names what the browser keeps; `width` and `height` are CSS pixels of a shown image.
    """
    definition, (width, height) = study.definition, study.size
    shown = definition.width or width
    return {
        "id": study.hash[:16],
        **public_texts(study, offline),
        "trials": study.design.num_trials,
        "timed": bool(definition.durations),
        "ties": definition.ties,
        "width": shown,
        "height": round(shown * height / width),
    }
