"""Published numbers of papers and their readers, each with its source and protocol."""

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

FIELDS = ("data", "system", "score", "value", "protocol", "source", "checked")
STUDY_FIELDS = ("table", "row", "column", "value", "data", "source", "checked")


def published_rows(data: str | None = None) -> list[dict[str, Any]]:
    """Return the published scores of the data set `data`, one dict each; all for None.

    Each row has the keys FIELDS. `score` is this project's name of the score. `checked` says how
    the number was verified ("document": in the source itself). Return [] for unknown data.
    """
    rows = _read("published.json", FIELDS)
    return [row for row in rows if data is None or row["data"] == data]


def published_preferences() -> list[dict[str, Any]]:
    """Return the published preference rates of user studies, one dict each.

    `value` is the percentage of answers that preferred the method in `row` to the one in `column`.
    Each rate has the keys STUDY_FIELDS. `checked` is "document" (verified in the source) or
    "recalled" (not verified: look the number up before you quote it).
    """
    return _read("published_study.json", STUDY_FIELDS)


def _read(name: str, fields: Sequence[str]) -> list[dict[str, Any]]:
    text = (files("i2ibench.reports") / name).read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = json.loads(text)
    for row in rows:
        assert set(row) == set(fields), f"a published number has {fields}: {row}"
    return rows
