"""The data sets that `prepare_data` knows by name, and preparing one of them."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from i2ibench.data.prepare.ade20k import ADE20K
from i2ibench.data.prepare.ade20k_full import ADE20K_FULL
from i2ibench.data.prepare.coco import COCO_PANOPTIC
from i2ibench.data.prepare.coco_instances import COCO
from i2ibench.data.prepare.coco_stuff import COCO_STUFF
from i2ibench.data.prepare.cvat import CVAT
from i2ibench.data.prepare.edges import EDGES
from i2ibench.data.prepare.folder import FOLDER
from i2ibench.data.prepare.helen import HELEN
from i2ibench.data.prepare.labelme import LABELME
from i2ibench.data.prepare.nyuv2 import NYUV2
from i2ibench.data.prepare.pairs import PAIRS
from i2ibench.data.prepare.raw import PublishedData
from i2ibench.data.prepare.write import is_prepared, write_data
from i2ibench.errors import UserError, near_match

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
    "labelme": LABELME,
    "coco": COCO,
    "cvat": CVAT,
}


def prepare(
    name: str,
    source: Path,
    target: Path,
    options: Mapping[str, Any],
    tell: Callable[[str], None] = lambda line: None,
) -> bool:
    """Bring a published data set into the layout that `PairedFolder` reads; False if it was there.

    Args:
        name: of the data set.
        source: the folder of the publisher's or user's files.
        target: the folder to write.
        options: of the data set's reader.
        tell: is given a line for what was used and left out, where the reader counts it.

    Raises:
        UserError: files are missing or broken, an option is unknown, `target` holds something
            else, or the disk is full.
    """
    data = KNOWN[name]
    source = source.resolve() if ".." in source.parts else source
    options = _joined(name, options)
    check_options(name, options)
    chosen = {k: options.get(k, p.default) for k, p in reader_options(name).items()}
    facts = {"data": name, "source": str(source.resolve()), "options": chosen}
    if data.digest is not None and source.is_dir():
        facts["files"] = data.digest(source)
    if is_prepared(target, facts):
        return False
    if not source.is_dir():
        raise UserError(f"{source} is no folder. {data.obtain}")
    raw = data.read(source, **options)
    write_data(raw, target, facts)
    for line in raw.closing():
        tell(line)
    return True


def _joined(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with texts that a comma had made a list of joined again."""
    texts = [k for k, p in reader_options(name).items() if isinstance(p.default, str)]
    return {
        k: ",".join(map(str, v)) if k in texts and isinstance(v, list) else v
        for k, v in options.items()
    }


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
