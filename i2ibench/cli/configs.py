"""List, show or copy the configs of the package.

configs list [WORD ...]       names and first lines; only those that have every word
configs show NAME             the complete config, with its bases merged
configs copy NAME [FILE.py]   a file to edit, whose bases stay in the package

Every command that takes a config also takes such a name.
"""

import argparse
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.table import Table

from i2ibench.errors import UserError
from i2ibench.io.docstrings import first_line
from i2ibench.io.files import write_text
from i2ibench.registry.configuration import load_config
from i2ibench.registry.shipped_configs import (
    Kind,
    find_config,
    independent_text,
    shipped_configs,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command `configs` to its parser, in place."""
    parser.add_argument("action", choices=("list", "show", "copy"), help="see above")
    parser.add_argument("words", nargs="*", metavar="NAME", help="words, or a name and a file")
    parser.add_argument(
        "--kind", choices=get_args(Kind), default="config",
        help="configs of systems (the default), ablation grids or perceptual studies",
    )  # fmt: skip


def run(options: argparse.Namespace) -> None:
    """List, show or copy configs.

    Raises:
        UserError: the name or the number of words is wrong, or the file to write exists.
    """
    if options.action == "list":
        _list(options.kind, options.words)
        return
    most = 2 if options.action == "copy" else 1
    if not 1 <= len(options.words) <= most:
        raise UserError(f"`configs {options.action}` takes a name{' and a file' * (most - 1)}.")
    source = find_config(options.words[0], options.kind)
    if options.action == "copy":
        _copy(source, Path(options.words[1] if len(options.words) == 2 else source.name))
    elif options.kind == "config":
        print(load_config(source).pretty_text)
    else:
        print(independent_text(source), end="")


def _list(kind: Kind, words: list[str]) -> None:
    """Print the files of a kind whose name or first line has every word.

    Raises:
        UserError: there is none.
    """
    table = Table("name", "what it is", box=None)
    for name, path in shipped_configs(kind).items():
        line = first_line(path)
        if all(word.lower() in f"{name} {line}".lower() for word in words):
            table.add_row(name, line)
    if not table.rows:
        raise UserError(f"No {kind} of the package has {' and '.join(map(repr, words))}.")
    Console(soft_wrap=False).print(table)


def _copy(source: Path, target: Path) -> None:
    if target.exists():
        raise UserError(f"{target} exists; name another file.")
    if target.suffix != ".py":
        raise UserError(f"{target}: a config's name ends in .py.")
    write_text(target, independent_text(source))
    print(f"written: {target}")
