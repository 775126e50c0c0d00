"""CSV files hold numbers as numbers, and nothing that a spreadsheet runs."""

import csv
import io
import re
from pathlib import Path

import pytest

import i2ibench
from i2ibench.io.spreadsheets import csv_text


def read(text):
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("-inf", "'-inf"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        ("\n=1", "'\n'=1"),
        ("a;=1+1", "a;'=1+1"),
        ("a\n@b", "a\n'@b"),
        ("＝1", "'＝1"),
        ("=", "'="),
    ],
)
def test_what_could_be_a_formula_gets_an_apostrophe(cell, written):
    head, row = read(csv_text([cell, "n"], [[cell, 1]]))
    assert head == [written, "n"] and row == [written, "1"]


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        (-0.5, "-0.5"), (-7, "-7"), (1e-9, "1e-09"), (-1e300, "-1e+300"), ("-0.5", "-0.5"),
        ("+3", "+3"), ("-1e-5", "-1e-5"), ("-.5", "-.5"), (True, "True"), (None, ""), ("", ""),
        ("a=b", "a=b"), ("a-b", "a-b"), ("it's, \"so\"", "it's, \"so\""), ("x@y", "x@y"),
        ("– 5", "– 5"), ("'=1", "'=1"),
    ],
)  # fmt: skip
def test_numbers_and_plain_texts_stay_as_they_are(cell, written):
    assert read(csv_text(["a"], [[cell], ["end"]]))[1] == ([written] if written else [""])


def test_every_csv_file_is_written_here():
    source = Path(i2ibench.__file__).parent
    writers = [
        path.name
        for path in source.rglob("*.py")
        if re.search(r"csv\.(writer|DictWriter)|to_csv", path.read_text(encoding="utf-8"))
    ]
    assert writers == ["spreadsheets.py"]
