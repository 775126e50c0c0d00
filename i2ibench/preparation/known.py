"""The data sets that `prepare_data` knows by name, and preparing one of them."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from i2ibench.errors import UserError, near_match
from i2ibench.preparation.ade20k import ADE20K
from i2ibench.preparation.ade20k_full import ADE20K_FULL
from i2ibench.preparation.coco import COCO_PANOPTIC
from i2ibench.preparation.coco_stuff import COCO_STUFF
from i2ibench.preparation.edges import EDGES
from i2ibench.preparation.folder import FOLDER
from i2ibench.preparation.helen import HELEN
from i2ibench.preparation.nyuv2 import NYUV2
from i2ibench.preparation.pairs import PAIRS
from i2ibench.preparation.raw import PublishedData
from i2ibench.preparation.write import is_prepared, write_data

KNOWN: dict[str, PublishedData] = {
    "nyuv2": NYUV2,
    "ade20k": ADE20K,
    "ade20k_full": ADE20K_FULL,
    "helen": HELEN,
    "coco_panoptic": COCO_PANOPTIC,
    "coco_stuff": COCO_STUFF,
    "pairs": PAIRS,
    "edges": EDGES,
    "folder": FOLDER,
}


def prepare(name: str, source: Path, target: Path, options: Mapping[str, Any]) -> bool:
    """Bring a published data set into the layout that `PairedFolder` reads; False if it was there.

    Raises:
        UserError: files are missing or broken, an option is unknown, `target` holds something
            else, or the disk is full.
    """
    data = KNOWN[name]
    check_options(name, options)
    chosen = {k: options.get(k, p.default) for k, p in reader_options(name).items()}
    facts = {"data": name, "source": str(source.resolve()), "options": chosen}
    if is_prepared(target, facts):
        return False
    if not source.is_dir():
        raise UserError(f"{source} is no folder. {data.obtain}")
    write_data(data.read(source, **options), target, facts)
    return True


def reader_options(name: str) -> dict[str, inspect.Parameter]:
    """The options of a data set's reader, by name."""
    parameters = inspect.signature(KNOWN[name].read).parameters
    return {k: p for k, p in parameters.items() if k != "source"}


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Refuse an option that the data set's reader does not have, or of another type.

    Raises:
        UserError: names the option and those that there are.
    """
    known = reader_options(name)
    for option, value in options.items():
        if option not in known:
            listing = ", ".join(f"{k}={p.default}" for k, p in known.items()) or "none"
            raise UserError(
                f"{name} has no option {option!r}.{near_match(option, known)} Options: {listing}."
            )
        default = known[option].default
        kinds = {float: (int, float), type(None): (str,)}.get(type(default), (type(default),))
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise UserError(f"{option} of {name} is such as {default!r}, not {value!r}.")
