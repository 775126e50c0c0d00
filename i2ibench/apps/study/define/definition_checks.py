"""What no study may say: numbers, names and texts that make none."""

from i2ibench.apps.study.define.definition import DEGRADED, REFERENCE, Definition, Exclusion
from i2ibench.apps.web.addresses import is_web_address
from i2ibench.errors import UserError, near_match

MAX_WIDTH = 2000
"""CSS pixels of an image."""

LEAST = {
    "per_pair": 1, "participants": 1, "repeats": 0, "catch": 0, "practice": 0, "width": 0,
    "seed": 0,
}  # fmt: skip
"""The smallest values of the counts."""


def check_definition(definition: Definition, place: str) -> None:
    """Refuse numbers and names that make no study.

    Raises:
        UserError: names the place, the key and the value.
    """
    _check_pairs(definition, place)
    for key, least in LEAST.items():
        if getattr(definition, key) < least:
            given = getattr(definition, key)
            raise UserError(f"{place}: {key!r} is at least {least}, not {given}.")
    number, durations = definition.scenes.number, definition.durations
    if number < 0:
        raise UserError(f"{place}: scenes: 'number' is 0 for all, or more, not {number}.")
    if definition.width > MAX_WIDTH:
        raise UserError(
            f"{place}: 'width' is at most {MAX_WIDTH}, not {definition.width}: two pictures stand "
            "side by side on a screen."
        )
    if any(not 0 < d <= 60 for d in durations) or len(set(durations)) < len(durations):
        raise UserError(f"{place}: 'durations' are different seconds up to 60, not {durations}.")
    _check_texts(definition, place)
    _check_exclusion(definition.exclusion, f"{place}: exclusion")
    _check_sizes(definition, place)
    if not 0 <= definition.regions.dim <= 1:
        raise UserError(f"{place}: regions: 'dim' is a share, not {definition.regions.dim}.")


def _check_texts(definition: Definition, place: str) -> None:
    """Refuse a title that says nothing, and a link that is none."""
    if not definition.title.strip():
        raise UserError(f"{place}: 'title' is empty; participants read it first.")
    if not definition.texts.question.strip():
        raise UserError(f"{place}: texts: 'question' is empty; it stands above every pair.")
    url = definition.completion.url
    if url and not is_web_address(url):
        raise UserError(
            f"{place}: completion: 'url' is an address such as https://lab.example/done?code="
            f"{{code}}, not {url!r}."
        )


def _check_exclusion(exclusion: Exclusion, place: str) -> None:
    """Refuse what is no share, and times below zero."""
    for key in ("min_catch_correct", "min_repeat_agreement", "min_answered", "max_one_side"):
        if not 0 <= getattr(exclusion, key) <= 1:
            given = getattr(exclusion, key)
            raise UserError(f"{place}: {key!r} is a share from 0 to 1, not {given}.")
    for key in ("min_response_ms", "exposure_tolerance_ms"):
        if getattr(exclusion, key) < 0:
            raise UserError(f"{place}: {key!r} is at least 0, not {getattr(exclusion, key)}.")


def _check_sizes(definition: Definition, place: str) -> None:
    """Refuse sizes that are not two numbers from 1 on."""
    for size in (definition.size, *(method.size for method in definition.methods.values())):
        if size and (len(size) != 2 or min(size) < 1):
            raise UserError(f"{place}: a 'size' is (width, height), not {size}.")


def _check_pairs(definition: Definition, place: str) -> None:
    """Refuse pairs that are not two methods, or stand twice."""
    for pair in definition.pairs:
        for name in pair:
            if name not in definition.methods:
                near = near_match(str(name), definition.methods)
                raise UserError(f"{place}: pair {pair} names no method {name!r}.{near}")
        if len(pair) != 2 or pair[0] == pair[1]:
            raise UserError(f"{place}: a pair is two different methods, not {pair}.")
    if len({frozenset(pair) for pair in definition.pairs}) < len(definition.pairs):
        raise UserError(f"{place}: 'pairs' names a pair twice.")
    for name in (DEGRADED, REFERENCE):
        if name in definition.methods:
            raise UserError(f"{place}: the name {name!r} is taken; call the method otherwise.")
