"""Published numbers of papers and their readers, each with its source and protocol."""

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

FIELDS = (
    "data", "system", "score", "value", "protocol", "source", "seen", "pretrained", "nfe",
)  # fmt: skip
STUDY_FIELDS = ("table", "row", "column", "value", "data", "source", "seen")

SEEN = {
    "paper": "in the paper itself, or in its abstract",
    "repository": "in a README or an issue of the repository that the source names",
    "aggregator": "in a list of other people's results, not in the paper",
    "indirect": "not itself, but it agrees with numbers that were seen",
    "recalled": "nowhere; look it up before you quote it",
}
"""Where a number was seen: the only values of the field `seen`, and their meanings."""


def published_rows(data: str | None = None) -> list[dict[str, Any]]:
    """Return the published scores of the data set `data`, one dict each; all for None.

    Each row has the keys FIELDS. `score` is this project's name of the score, or words if its
    definition is not known. `seen` is a key of SEEN. `pretrained` names the pretrained networks
    that training used, and `nfe` the network evaluations for one image; both are texts, "unknown"
    if unknown. Where sources disagree, each value has its own row. Return [] for unknown data.
    """
    rows = _read("published.json", FIELDS)
    return [row for row in rows if data is None or row["data"] == data]


def published_preferences() -> list[dict[str, Any]]:
    """Return the published preference rates of user studies, one dict each.

    `value` is the percentage of answers that preferred the method in `row` to the one in `column`.
    Each rate has the keys STUDY_FIELDS. `seen` is a key of SEEN.
    """
    return _read("published_study.json", STUDY_FIELDS)


def _read(name: str, fields: Sequence[str]) -> list[dict[str, Any]]:
    text = (files("i2ibench.reports") / name).read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = json.loads(text)
    for row in rows:
        assert set(row) == set(fields), f"a published number has {fields}: {row}"
        assert row["seen"] in SEEN, f"`seen` is one of {list(SEEN)}: {row}"
    return rows
