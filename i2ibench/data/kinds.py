"""Table of the kinds of files that a scene may have, such as label maps and photos."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from i2ibench.data.classes import ClassTable
from i2ibench.data.maps import read_instance, read_label
from i2ibench.errors import UserError, near_match
from i2ibench.io.safe_names import safe_name

Reading = Callable[[Path, ClassTable], NDArray[Any]]


@dataclass(frozen=True)
class Kind:
    """A kind of data, such as label maps, photos or depth.

    A kind is a map or an image. A map holds ids, integers [H,W] that are never interpolated. An
    image holds brightness or distance, [H,W,C], and is resized by PIL's bicubic filter.

    Attributes:
        name: the key in samples and batches, and the folder that `translate` reads.
        called: the plural in messages, such as "label maps".
        one: the singular in messages, such as "a label map".
        way_out: advice for users who lack such files, a sentence without its full stop.
        read: reads a map's file as integers [H,W]; None for an image.
        wide: whether a map's ids need int32 in a sample instead of uint8.
    """

    name: str
    called: str
    one: str
    way_out: str
    read: Reading | None = None
    wide: bool = False

    @property
    def is_map(self) -> bool:
        """Return whether files of the kind are maps of ids, not images."""
        return self.read is not None


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "label", "label maps", "a label map",
            "For data without classes take data_preprocessor=dict(type='ImagePreprocessor')",
            read=read_label,
        ),
        Kind(
            "source", "sources", "a source",
            "Name the folder of the images that are translated as the data set's source_dir; to "
            "translate, put them into the input folder's source/",
        ),
        Kind(
            "instance", "instance maps", "an instance map",
            "Add them (PairedFolder: instance_dir), or leave 'instances' out of the condition "
            "(LabelPreprocessor: data_preprocessor.boundaries=False)",
            read=lambda path, _: read_instance(path), wide=True,
        ),
        Kind(
            "image", "photos", "a photo",
            "Add them (PairedFolder: image_dir; Cityscapes: photos=True); edges can be of other "
            "images, too: data_preprocessor.edges_of='source'",
        ),
    )
}  # fmt: skip
"""Every kind by name, in the order in which a scene's files are read and hashed. `image` is the
target of training. `label` and `source` are inputs. Plugins add kinds by `register_kind`."""

BUILT_IN = tuple(KINDS)
"""The names of the kinds that no plugin added."""

RESERVED = (
    "name", "names", "rng", "condition", "real", "fake", "samples", "styles", "appearances",
    "labels", "colours", "instances", "edges", "features",
)  # fmt: skip
"""Names that a kind cannot have: other keys of samples and batches, and words of conditions."""


def register_kind(kind: Kind) -> None:
    """Add a kind of data for data sets, transforms, caches, shards and conditions.

    Nothing happens if an equal kind is there already. A condition may name the kind. It then
    contains an image as channels in [-1, 1], or the boundaries between the ids of a map.

    Raises:
        UserError: a different kind has that name, or the name is reserved or not a valid folder
            name.
    """
    safe_name(kind.name, "A kind of data", folders=False)
    if kind.name in RESERVED:
        raise UserError(f"{kind.name!r} has another meaning; give the kind of data another name.")
    if KINDS.get(kind.name, kind) != kind:
        raise UserError(f"Two kinds of data are called {kind.name!r}; rename one of them.")
    KINDS[kind.name] = kind


def kind_of(name: str) -> Kind:
    """Return the kind of data with a name, such as "label".

    Raises:
        UserError: there is no such kind; the message lists all kinds and the closest match.
    """
    if name not in KINDS:
        known = ", ".join(KINDS)
        raise UserError(f"No kind of data {name!r}.{near_match(name, KINDS)} Known: {known}.")
    return KINDS[name]


def in_order(names: Iterable[str]) -> list[Kind]:
    """Return the kinds of data with some names, each once, in the order of `KINDS`.

    Raises:
        UserError: a name is not a kind of data.
    """
    chosen = {kind_of(name).name for name in names}
    return [kind for kind in KINDS.values() if kind.name in chosen]


def images_among(names: Iterable[str]) -> list[str]:
    """Return the names of those kinds of data that are images, not maps, in the order of `KINDS`.

    Raises:
        UserError: a name is not a kind of data.
    """
    return [kind.name for kind in in_order(names) if not kind.is_map]
