"""Published numbers: what papers and their readers reported, each with its source and protocol."""

import json
from importlib.resources import files
from typing import Any

FIELDS = ("data", "system", "score", "value", "protocol", "source", "checked")


def published_rows(data: str | None = None) -> list[dict[str, Any]]:
    """The published numbers, of one data set or of all.

    Each row has FIELDS: `score` is this project's name for the quantity, `checked` says how the
    number was seen ("document": in the source itself).
    """
    text = (files("i2ibench.report") / "published.json").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = json.loads(text)
    for row in rows:
        assert set(row) == set(FIELDS), f"a published number has {FIELDS}: {row}"
    return [row for row in rows if data is None or row["data"] == data]
