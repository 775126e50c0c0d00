"""The classes of annotated photos: from the labels in use, or from the user's classes.json."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from i2ibench.data.classes import MAX_CLASSES, ClassTable, class_table
from i2ibench.data.datasets.paired_folder import read_classes
from i2ibench.data.file_search import to_nfc
from i2ibench.data.prepare.annotated import Choices
from i2ibench.errors import UserError, near_match

IGNORED = "__ignore__"
"""labelme's label for pixels that are left out of training; a class that no score counts."""

CLASSES_FILE = "classes.json"


def is_background(label: str, choices: Choices) -> bool:
    """Return whether a label means pixels that no shape covers, as `_background_` does."""
    return label.casefold() in (choices.background.casefold(), "_background_")


def canonical(label: str, choices: Choices) -> str:
    """Return the class name of a label: all names of the background are one."""
    return choices.background if is_background(label, choices) else label


def annotation_classes(
    source: Path, entries: Sequence[Mapping[str, Any]], choices: Choices
) -> ClassTable:
    """Return the classes: those of `source/classes.json`, or the background and `entries`.

    Args:
        source: the user's folder.
        entries: name and by choice id and colour of each label that is not the background.
        choices: of the user.

    Raises:
        UserError: classes.json lacks a label or the background, or a choice contradicts it.
    """
    if (source / CLASSES_FILE).is_file():
        table = _given(source, choices)
        if not choices.others:
            _refuse_unknown(source, table, [entry["name"] for entry in entries])
        return table
    _refuse_without_file(source, len(entries), choices)
    names = [entry["name"] for entry in entries]
    _refuse_alike(source, names)
    stuff = _stuff(choices, names)
    background = {"name": choices.background, "id": 0, "colour": [0, 0, 0],
                  "scored": choices.score_background}  # fmt: skip
    own = [
        {"id": i, **entry, "thing": entry["name"] not in {*stuff, IGNORED}}
        | ({"scored": False} if entry["name"] == IGNORED else {})
        for i, entry in enumerate(entries, 1)
    ]
    return class_table([background, *own])


def _refuse_without_file(source: Path, labels: int, choices: Choices) -> None:
    """Refuse what needs a class list: an option that is about it, or more labels than classes."""
    if choices.others:
        raise UserError(
            f"others={choices.others} is the class of labels that {source / CLASSES_FILE} lacks, "
            "and there is no such file. Write it, or leave others out."
        )
    if labels >= MAX_CLASSES:
        raise UserError(
            f"{labels} labels and the background are more than {MAX_CLASSES} classes. List those "
            f"that you need in {source / CLASSES_FILE}, with one for all others, and name that by "
            "--options others=NAME."
        )


def _refuse_alike(source: Path, labels: Iterable[str]) -> None:
    """Refuse labels that are one word to people, such as Car and car."""
    seen: dict[str, str] = {}
    for label in labels:
        other = seen.setdefault(" ".join(to_nfc(label).casefold().split()), label)
        if other != label:
            raise UserError(
                f"The labels {ascii(other)} and {ascii(label)} differ in capitals, spaces or the "
                "form of their letters only. Mend the annotations, or list both in "
                f"{source / CLASSES_FILE} if they are two classes."
            )


def _given(source: Path, choices: Choices) -> ClassTable:
    path = source / CLASSES_FILE
    if choices.stuff or choices.score_background:
        raise UserError(
            f'{path} says by "thing" and "scored" what stuff and score_background say; leave these '
            "options out."
        )
    table = read_classes(source)
    names = [c.name for c in table.classes]
    if choices.others and choices.others not in names:
        raise UserError(
            f"{path} has no class {choices.others!r} for labels that it lacks."
            f"{near_match(choices.others, names)} Add it, or name another by others."
        )
    if choices.background not in names:
        raise UserError(
            f"{path} has no class {choices.background!r} for the pixels that no shape covers. Add "
            f'{{"name": "{choices.background}", "id": 0, "scored": false}} to it, or name one of '
            "its classes with --options background=NAME."
        )
    return table


def _refuse_unknown(source: Path, table: ClassTable, labels: Iterable[str]) -> None:
    known = [c.name for c in table.classes]
    for label in labels:
        if label not in known:
            raise UserError(
                f"The label {label!r} is no class of {source / CLASSES_FILE}."
                f"{near_match(label, known)} Add it there, mend the annotation, or name the class "
                "of all such labels with --options others=NAME."
            )


def _stuff(choices: Choices, labels: Sequence[str]) -> list[str]:
    names = [name.strip() for name in choices.stuff.split(",") if name.strip()]
    for name in names:
        if name not in labels:
            raise UserError(
                f"stuff names {name!r}, which is no label.{near_match(name, labels)} "
                f"Labels: {', '.join(labels)}."
            )
    return names
