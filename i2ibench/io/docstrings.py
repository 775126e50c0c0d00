"""Docstrings of files that are not imported."""

import ast
from pathlib import Path


def first_line(path: Path) -> str:
    """Return the first line of a Python file's docstring, "" without one.

    The file is not run, and nothing is imported: the program's help takes no seconds for torch.

    Args:
        path: a file of this package, in UTF-8.
    """
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]
