"""Published numbers: where each was seen, and what its label must not claim."""

from pathlib import Path

import pytest

from i2ibench.reports import published
from i2ibench.reports.published import SEEN, published_preferences, published_rows

ROOT = Path(__file__).parents[3]
ROWS = published_rows()


def values(score, **wanted):
    rows = [row for row in ROWS if row["score"] == score]
    return [r["value"] for r in rows if all(r[key] == value for key, value in wanted.items())]


def test_every_number_says_where_it_was_seen_in_a_word_of_the_closed_list():
    assert {row["seen"] for row in ROWS} == set(SEEN)
    assert {row["seen"] for row in published_preferences()} <= set(SEEN)
    text = (ROOT / "docs/reproduction.md").read_text(encoding="utf-8")
    assert all(f"| {word} | {meaning} |" in text for word, meaning in SEEN.items())


def test_a_word_outside_the_list_is_refused(monkeypatch):
    monkeypatch.setattr(published, "SEEN", {"paper": "x"})
    with pytest.raises(AssertionError, match="`seen` is one of"):
        published_rows()


def test_numbers_have_a_source_a_protocol_and_costs_and_are_read_by_data_set():
    texts = ("data", "system", "protocol", "source", "pretrained", "nfe")
    assert all(isinstance(row[key], str) and row[key] for row in ROWS for key in texts)
    assert {row["data"] for row in published_rows("ADE20K")} == {"ADE20K"}
    assert published_rows("nothing") == []


def test_shares_are_below_1_and_no_number_stands_twice():
    for row in ROWS:
        assert (0 < row["value"] < 1) != (row["score"] == "fid"), row
    keys = [(row["data"], row["system"], row["score"], row["protocol"]) for row in ROWS]
    assert len(set(keys)) == len(keys)


def test_spade_has_its_twelve_numbers_and_no_size_that_it_does_not_state():
    spade = [row for row in ROWS if row["system"] == "SPADE"]
    assert len(spade) == 12 and {row["seen"] for row in spade} == {"aggregator"}
    assert not any("512" in row["protocol"] for row in spade)
    assert all("size not stated" in r["protocol"] for r in spade if r["data"] == "Cityscapes")
    assert values("seg/pixel_acc_void_err", system="SPADE") == [0.819]


def test_accuracies_with_an_unknown_void_rule_have_no_name_of_this_projects():
    assert values("seg/pixel_acc", system="SPADE") == []
    assert values("seg/pixel_acc", system="CC-FPSE") == []
    assert {0.799, 0.707} <= set(values("pixel accuracy (void rule not stated)"))
    for row in ROWS:
        assert row["score"] != "seg/pixel_acc" or row["protocol"] != "SPADE's: UperNet101"


def test_pix2pixhd_is_recalled_but_for_what_is_confirmed_indirectly():
    rows = [row for row in ROWS if "1711.11585" in row["source"]]
    assert len(rows) == 14
    seen = [row["value"] for row in rows if row["seen"] != "recalled"]
    assert seen == values("seg/miou", seen="indirect") == [0.3483]


def test_sources_that_disagree_stand_side_by_side():
    control = [
        r for r in ROWS if r["system"].startswith("ControlNet") and r["data"] == "Cityscapes"
    ]
    assert {row["value"] for row in control} == {0.552, 57.1, 0.6514, 23.35}
    assert len({row["source"] for row in control}) == 2
    assert values("seg/miou", system="SDM", data="Cityscapes") == []
    assert sorted(values("fid", data="COCO-Stuff"))[:3] == [7.0, 13.3, 13.6]
