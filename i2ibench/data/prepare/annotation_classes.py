"""The classes of annotated photos, taken from their labels or from the user's classes.json."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from i2ibench.data.classes import MAX_CLASSES, ClassTable, class_table
from i2ibench.data.datasets.paired_folder import read_classes
from i2ibench.data.file_search import to_nfc
from i2ibench.data.prepare.annotated_photos import AnnotationOptions
from i2ibench.errors import UserError, near_match

IGNORED = "__ignore__"
"""labelme's label for pixels that are not trained on; it becomes a class that no score counts."""

CLASSES_FILE = "classes.json"


def annotation_classes(
    source: Path, entries: Sequence[Mapping[str, Any]], options: AnnotationOptions
) -> ClassTable:
    """Return the classes in `source/classes.json`, or else the background and all labels.

    Without classes.json the background has id 0, and the classes follow in the order of `entries`.
    A class without an id gets its position, from 1. All are things, except those in `options.stuff`
    and "__ignore__", which is not scored either.

    Args:
        source: the user's folder.
        entries: a dict for each label in the annotations that is not the background: its "name",
            and "id" and "colour" if the annotations state them.
        options: of the user.

    Raises:
        UserError: classes.json is malformed, lacks the background or a label (unless
            `options.others` names the class of all other labels), or is given together with `stuff`
            or `score_background`. Without classes.json: `others` is given, two labels differ only
            in spelling, there are too many labels, or `stuff` names no label.
    """
    names = [entry["name"] for entry in entries]
    if (source / CLASSES_FILE).is_file():
        table = _read_class_file(source, options)
        if not options.others:
            _refuse_unknown(source, table, names)
        return table
    _refuse_without_file(source, len(entries), options)
    _refuse_similar(source, names)
    stuff = _stuff(options, names)
    background = {"name": options.background, "id": 0, "colour": [0, 0, 0],
                  "scored": options.score_background}  # fmt: skip
    own = [
        {"id": i, **entry, "thing": entry["name"] not in {*stuff, IGNORED}}
        | ({"scored": False} if entry["name"] == IGNORED else {})
        for i, entry in enumerate(entries, 1)
    ]
    return class_table([background, *own])


def _refuse_without_file(source: Path, labels: int, options: AnnotationOptions) -> None:
    """Raise an error if the options or labels need a classes.json, which `source` does not have."""
    if options.others:
        raise UserError(
            f"others={options.others} is the class of labels that {source / CLASSES_FILE} lacks, "
            "and there is no such file. Write it, or leave others out."
        )
    if labels >= MAX_CLASSES:
        raise UserError(
            f"{labels} labels and the background are more than {MAX_CLASSES} classes. List those "
            f"that you need in {source / CLASSES_FILE}, with one for all others, and name that by "
            "--options others=NAME."
        )


def _refuse_similar(source: Path, labels: Iterable[str]) -> None:
    """Raise an error if two labels, such as Car and car, differ only in spelling."""
    by_spelling: dict[str, str] = {}
    for label in labels:
        other = by_spelling.setdefault(" ".join(to_nfc(label).casefold().split()), label)
        if other != label:
            raise UserError(
                f"The labels {ascii(other)} and {ascii(label)} differ in capitals, spaces or the "
                "form of their letters only. Correct the annotations, or list both in "
                f"{source / CLASSES_FILE} if they are two classes."
            )


def _read_class_file(source: Path, options: AnnotationOptions) -> ClassTable:
    path = source / CLASSES_FILE
    if options.stuff or options.score_background:
        raise UserError(
            f'The entries "thing" and "scored" in {path} replace the options stuff and '
            "score_background; leave these options out."
        )
    table = read_classes(source)
    names = [c.name for c in table.classes]
    if options.others and options.others not in names:
        raise UserError(
            f"{path} has no class {options.others!r} for labels that it lacks."
            f"{near_match(options.others, names)} Add it, or name another by others."
        )
    if options.background not in names:
        raise UserError(
            f"{path} has no class {options.background!r} for the pixels that no shape covers. Add "
            f'{{"name": "{options.background}", "id": 0, "scored": false}} to it, or name one of '
            "its classes with --options background=NAME."
        )
    return table


def _refuse_unknown(source: Path, table: ClassTable, labels: Iterable[str]) -> None:
    known = [c.name for c in table.classes]
    for label in labels:
        if label not in known:
            raise UserError(
                f"The label {label!r} is no class of {source / CLASSES_FILE}."
                f"{near_match(label, known)} Add it there, correct the annotation, or name the "
                "class of all such labels with --options others=NAME."
            )


def _stuff(options: AnnotationOptions, labels: Sequence[str]) -> list[str]:
    names = [name.strip() for name in options.stuff.split(",") if name.strip()]
    for name in names:
        if name not in labels:
            raise UserError(
                f"stuff names {name!r}, which is no label.{near_match(name, labels)} "
                f"Labels: {', '.join(labels)}."
            )
    return names
