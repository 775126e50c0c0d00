"""The data sets that `prepare_data` knows by name, and the preparation of one of them."""

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from i2ibench.data.prepare.ade20k import ADE20K, ADE20K_FULL
from i2ibench.data.prepare.annotation_classes import CLASSES_FILE
from i2ibench.data.prepare.coco_instances import COCO
from i2ibench.data.prepare.coco_maps import COCO_PANOPTIC, COCO_STUFF
from i2ibench.data.prepare.cvat import CVAT
from i2ibench.data.prepare.dataset_readers import DatasetReader
from i2ibench.data.prepare.edges import EDGES
from i2ibench.data.prepare.folder import FOLDER
from i2ibench.data.prepare.helen import HELEN
from i2ibench.data.prepare.labelme import LABELME
from i2ibench.data.prepare.nyuv2 import NYUV2
from i2ibench.data.prepare.pairs import PAIRS
from i2ibench.data.prepare.write import is_prepared, write_data
from i2ibench.errors import UserError, near_match

READERS: dict[str, DatasetReader] = {
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
    """Write a data set into `target`, in the layout that `PairedFolder` reads, and return True.

    If `target` holds this data set already, nothing is written and False is returned. It is the
    same data set if the source folder, the options and the contents of annotation files are the
    same.

    Args:
        name: of the data set, a key of `READERS`.
        source: the folder of the publisher's or user's files.
        target: the folder to write, missing or empty.
        options: of the data set's reader, by name; the reader's defaults apply to the others.
        tell: is called with each line about what was used and left out, if the reader counts it.

    Raises:
        UserError: files are missing or broken, an option is unknown or of a wrong type, `target`
            holds something else, or the disk is full.
    """
    reader = READERS[name]
    source = source.resolve() if ".." in source.parts else source
    options = _check_options(name, options)
    values = {k: options.get(k, p.default) for k, p in reader_options(name).items()}
    provenance = {"data": name, "source": str(source.resolve()), "options": values}
    if reader.editable_files is not None and source.is_dir():
        provenance["files"] = _hash_annotations(reader.editable_files(source), source)
    if is_prepared(target, provenance):
        return False
    if not source.is_dir():
        raise UserError(f"{source} is no folder. {reader.obtain}")
    data = reader.load(source, options)
    write_data(data, target, provenance)
    for line in data.summary():
        tell(line)
    return True


def _hash_annotations(paths: Sequence[Path], root: Path) -> str:
    """Return a SHA-256 in hexadecimal of the paths, sizes and contents of annotation files."""
    class_file = root / CLASSES_FILE
    digest = hashlib.sha256()
    for path in sorted({*paths, class_file} if class_file.is_file() else paths):
        digest.update(f"{path.relative_to(root).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def reader_options(name: str) -> dict[str, inspect.Parameter]:
    """Return the parameters that hold the options of a data set, with their defaults, by name.

    Args:
        name: of the data set, a key of `READERS`.
    """
    reader = READERS[name]
    parameters = inspect.signature(reader.options or reader.read).parameters
    return {k: p for k, p in parameters.items() if k != "source"}


def _check_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a data set after a check of their names and types.

    A list becomes a text with commas where the default is a text, because the command line's parser
    splits texts at commas. An option whose default is None takes a text, one whose default is a
    float also an int.
    """
    known, checked = reader_options(name), {}
    for option, value in options.items():
        if option not in known:
            listing = ", ".join(f"{k}={p.default}" for k, p in known.items()) or "none"
            raise UserError(
                f"{name} has no option {option!r}.{near_match(option, known)} Options: {listing}."
            )
        default = known[option].default
        if isinstance(default, str) and isinstance(value, list):  # a text with commas
            value = ",".join(map(str, value))
        types = {float: (int, float), type(None): (str,)}.get(type(default), (type(default),))
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise UserError(f"{option} of {name} is such as {default!r}, not {value!r}.")
        checked[option] = value
    return checked
