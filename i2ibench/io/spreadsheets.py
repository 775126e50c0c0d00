"""CSV files that people open in spreadsheets, which run cells that look like formulas."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

_FORMULA = re.compile(r"(?:^|(?<=[;\t\r\n]))(?=[=+\-@\uff1d\uff0b\uff0d\uff20])|^(?=[\t\r\n])")
"""Where a formula could begin: at the cell's start, and after what some spreadsheets split at."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def csv_text(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table as CSV: UTF-8 text, commas, one line feed after every row.

    A text that a spreadsheet could run as a formula gets an apostrophe before its first =, +, -, @,
    tab or line break. Numbers, and texts that are numbers, stay as they are.

    Args:
        head: names of the columns.
        rows: cells, as long as `head`.
    """
    return "".join(_line(row) for row in (head, *rows))


def _line(cells: Sequence[Any]) -> str:
    text = io.StringIO(newline="")
    # With another line terminator Python before 3.13 leaves a carriage return in a cell unquoted.
    csv.writer(text, lineterminator="\r\n").writerow([_inert(cell) for cell in cells])
    return text.getvalue().removesuffix("\r\n") + "\n"


def _inert(cell: Any) -> Any:
    if isinstance(cell, str) and not _NUMBER.fullmatch(cell):
        return _FORMULA.sub("'", cell)
    return cell
