"""Download pretrained weights that losses and scores can use.

get                 what there is: names, sizes, licences, addresses, and what is here already
get NAME [NAME ...] download these, for example: get alexnet fid

Nothing is downloaded but by this command. A download that was interrupted continues, and a file
with a wrong hash is not kept.
"""

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from i2ibench.errors import UserError, near_match
from i2ibench.io.downloads import fetch
from i2ibench.io.weights import BY_NAME, PretrainedWeights, search_folders


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command `get` to its parser, in place."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to download (see above)")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR",
        help="where to (default: $I2IBENCH_WEIGHTS, else the folder of torch's hub)",
    )  # fmt: skip


def run(options: argparse.Namespace) -> None:
    """List the weights, or download some.

    Raises:
        UserError: a name is unknown, a file comes in another way, or a download fails.
    """
    if not options.names:
        _list()
        return
    chosen = [_named(name) for name in options.names]
    folder = options.folder or search_folders()[0]
    for weights in chosen:
        present = weights.find() if options.folder is None else None
        if present is not None:
            print(f"{weights.name}: {present}")
            continue
        assert weights.download is not None
        size = weights.download.megabytes
        print(f"{weights.name}: {size} MiB, {weights.licence}, from {weights.download.url}")
        target = folder / weights.filename
        fetch(weights.download, target)
        print(f"written: {target}")


def _named(name: str) -> PretrainedWeights:
    weights = BY_NAME.get(name)
    if weights is None:
        raise UserError(
            f"There are no weights {name!r}.{near_match(name, BY_NAME)} Names: "
            f"{', '.join(BY_NAME)}."
        )
    if weights.download is None:
        raise UserError(f"{weights.name} comes in another way: {weights.obtain}")
    return weights


def _list() -> None:
    table = Table(box=None)
    table.add_column("name", no_wrap=True)
    for title in ("for", "size", "licence"):
        table.add_column(title)
    table.add_column("from, or where it is", overflow="fold")
    for name, weights in BY_NAME.items():
        found, download = weights.find(), weights.download
        where = str(found) if found else (download.url if download else weights.obtain)
        size = f"{download.megabytes} MiB" if download else ""
        table.add_row(name, weights.purpose, size, weights.licence, where)
    Console().print(table)
