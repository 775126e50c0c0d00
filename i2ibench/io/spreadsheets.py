"""CSV text that is safe to open in spreadsheets, which run cells that look like formulas."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

_FORMULA = re.compile(r"(?:^|(?<=[;\t\r\n]))(?=[=+\-@\uff1d\uff0b\uff0d\uff20])|^(?=[\t\r\n])")
"""Positions where a formula could begin: the cell's start, and after a cell separator."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def csv_text(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table as CSV text with commas and one line feed after every row, the head first.

    In text that a spreadsheet could run as a formula, an apostrophe is put before the =, +, -, @,
    tab or line break at the cell's start or after a cell separator. Numbers, and texts that are
    numbers, stay unchanged.

    Args:
        head: names of the columns.
        rows: the cells of each row, as many as `head`.
    """
    return "".join(_line(row) for row in (head, *rows))


def _line(cells: Sequence[Any]) -> str:
    text = io.StringIO(newline="")
    # Python before 3.13 does not quote a carriage return in a cell with other line terminators.
    csv.writer(text, lineterminator="\r\n").writerow([_escape(cell) for cell in cells])
    return text.getvalue().removesuffix("\r\n") + "\n"


def _escape(cell: Any) -> Any:
    if isinstance(cell, str) and not _NUMBER.fullmatch(cell):
        return _FORMULA.sub("'", cell)
    return cell
