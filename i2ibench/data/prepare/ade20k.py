"""ADE20K's scene parsing benchmark (Zhou et al. 2017, http://sceneparsing.csail.mit.edu)."""

from functools import partial
from pathlib import Path

from i2ibench.data.classes import ClassTable, class_table
from i2ibench.data.prepare.raw import (
    Content,
    PublishedData,
    RawData,
    RawScene,
    require,
    require_all,
    unpacked,
)
from i2ibench.errors import UserError
from i2ibench.io.files import read_text

OBTAIN = (
    "ADE20K's scene parsing benchmark is one archive of 967 MB, "
    "http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip; unpacked, it holds "
    "images/, annotations/ and objectInfo150.txt."
)
SPLITS = {"train": "training", "val": "validation"}


def read_ade20k(source: Path) -> RawData:
    """20,210 training and 2,000 validation scenes of 150 classes, without instances.

    Label maps are the publisher's 8-bit PNGs: 0 is everything else, which no score counts, and
    1..150 the classes of objectInfo150.txt.

    Args:
        source: the unpacked archive, or the folder that holds it.

    Raises:
        UserError: files are missing, or the class list is another.
    """
    root = unpacked(source, "ADEChallengeData2016")
    classes = read_object_info(require(root / "objectInfo150.txt", OBTAIN))
    splits = {}
    for split, folder in SPLITS.items():
        labels = sorted(require(root / "annotations" / folder, OBTAIN).glob("*.png"))
        photos = [root / "images" / folder / f"{label.stem}.jpg" for label in labels]
        require_all(photos, OBTAIN)
        pairs = zip(labels, photos, strict=True)
        splits[split] = [RawScene(p.stem, partial(_pair, label, p)) for label, p in pairs]
    return RawData(splits, classes)


def _pair(label: Path, photo: Path) -> dict[str, Content]:
    return {"label": label, "image": photo}


def read_object_info(path: Path) -> ClassTable:
    """The table of objectInfo150.txt, tabs between Idx, Ratio, Train, Val and Name; 0 is void.

    Raises:
        UserError: it is another file.
    """
    rows = [line.split("\t") for line in read_text(path).splitlines()]
    heads = [head.strip() for head in rows[0]] if rows else []
    if not {"Idx", "Name"} <= set(heads):
        raise UserError(f"{path} has no columns Idx and Name, separated by tabs. {OBTAIN}")
    idx, name = heads.index("Idx"), heads.index("Name")
    named = {int(row[idx]): row[name] for row in rows[1:] if len(row) == len(heads)}
    return ade_classes(named)


def ade_classes(named: dict[int, str], things: frozenset[int] = frozenset()) -> ClassTable:
    """Void with id 0, then each class by its first synonym, where that is its alone.

    Args:
        named: the synonyms of each id, between commas or semicolons.
        things: the ids of those that have instances.
    """
    firsts = {i: names.replace(";", ",").split(",")[0].strip() for i, names in named.items()}
    taken = list(firsts.values())
    entries = [
        {"name": f if taken.count(f) == 1 else named[i].strip(), "id": i, "thing": i in things}
        for i, f in sorted(firsts.items())
    ]
    void = {"name": "other", "id": 0, "colour": [0, 0, 0], "scored": False}
    return class_table([void, *entries])


ADE20K = PublishedData(read_ade20k, OBTAIN, "configs/pix2pixhd_ade20k.py")
