"""Published numbers: what papers and their readers reported, each with its source and protocol."""

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

FIELDS = ("data", "system", "score", "value", "protocol", "source", "checked")
STUDY_FIELDS = ("table", "row", "column", "value", "data", "source", "checked")


def published_rows(data: str | None = None) -> list[dict[str, Any]]:
    """The published numbers, of one data set or of all.

    Each row has FIELDS: `score` is this project's name for the quantity, `checked` says how the
    number was seen ("document": in the source itself).
    """
    rows = _read("published.json", FIELDS)
    return [row for row in rows if data is None or row["data"] == data]


def published_preferences() -> list[dict[str, Any]]:
    """The published preference rates, in percent of answers that preferred the row.

    Each has STUDY_FIELDS; `checked` is "document" (seen in the source's own words) or "recalled"
    (the table could not be opened here: look it up before quoting it).
    """
    return _read("published_study.json", STUDY_FIELDS)


def _read(name: str, fields: Sequence[str]) -> list[dict[str, Any]]:
    text = (files("i2ibench.reports") / name).read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = json.loads(text)
    for row in rows:
        assert set(row) == set(fields), f"a published number has {fields}: {row}"
    return rows
