"""A created study: its folder, its scenes, its images and its plans."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from i2ibench.apps.study.define.definition import (
    DEGRADED,
    REFERENCE,
    Definition,
    read_definition,
)
from i2ibench.apps.study.define.design import Design, Trial
from i2ibench.errors import UserError
from i2ibench.io.file_integrity import is_whole_png, verify_checksum
from i2ibench.io.files import read_json
from i2ibench.io.safe_names import safe_name

NOTE = "study.json"
IMAGES = "pictures"
ANSWERS = "answers.sqlite"


@dataclass(frozen=True)
class Study:
    """A study in its folder.

    Attributes:
        folder: holds `study.json`, `pictures/` and `answers.sqlite`.
        definition: the study file.
        scenes: names of the scenes, in order.
        reference: the method whose images are degraded for catch and practice trials.
        secret: random text, from which the names of images and the completion codes are derived,
            so that nobody can guess them.
        origins: origin of each method's images: paths, hashes, settings.
        size: (width, height) of the largest image.
        created: UTC day of the creation.
    """

    folder: Path
    definition: Definition
    scenes: Sequence[str]
    reference: str
    secret: str
    origins: Mapping[str, Any]
    size: tuple[int, int]
    created: str

    @cached_property
    def design(self) -> Design:
        """Return the design, which makes the participants' plans."""
        return Design(self.definition, self.scenes, self.reference)

    def plan(self, slot: int) -> list[Trial]:
        """Return the trials of one participant in order.

        Args:
            slot: number of the participant's plan, from 0.
        """
        return self.design.plan(slot)

    def image_id(self, method: str, scene: str) -> str:
        """Return the name of a method's image of a scene: 24 hexadecimal digits.

        The name is the file's name without the ending. It does not reveal the method.
        """
        text = f"{self.secret}\0picture\0{method}\0{scene}"
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    def image_path(self, method: str, scene: str) -> Path:
        """Return the path of the PNG file with a method's image of a scene."""
        return self.folder / IMAGES / f"{self.image_id(method, scene)}.png"

    def code(self, token: str) -> str:
        """Return the completion code of a participant.

        It is the code of the study file if that has one, else 10 characters from a hash of the
        study's secret and the participant's token.
        """
        fixed = self.definition.completion.code
        text = f"{self.secret}\0code\0{token}"
        return fixed or hashlib.sha256(text.encode()).hexdigest()[:10].upper()

    @property
    def image_keys(self) -> list[tuple[str, str]]:
        """Return (method, scene) of every image, sorted by method.

        The reference and DEGRADED count as methods here.
        """
        methods = {*self.definition.methods, self.reference, DEGRADED}
        return [(method, scene) for method in sorted(methods) for scene in self.scenes]

    def require_images(self) -> None:
        """Read every image of the study, and check that it exists and is undamaged.

        Raises:
            UserError: some are missing or damaged.
        """
        keys = self.image_keys
        missing = [key for key in keys if not self.image_path(*key).is_file()]
        if missing:
            method, scene = missing[0]
            raise UserError(
                f"{self.folder} lacks {len(missing)} of {len(keys)} pictures, first that of "
                f"{method!r} and scene {scene!r}: {self.image_path(method, scene)}. Put them back, "
                "or create the study anew in another folder."
            )
        damaged = [path for key in keys if not is_whole_png(path := self.image_path(*key))]
        if damaged:
            raise UserError(
                f"{len(damaged)} of {len(keys)} pictures are damaged, first {damaged[0]}. Bring "
                "them back from a copy, or create the study anew in another folder."
            )

    @property
    def hash(self) -> str:
        """Return the SHA-256 of `as_dict`, in hexadecimal digits.

        The hash changes with everything that determines trials and exclusion.
        """
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """Return the contents of `study.json` without its checksum: every attribute but the folder.

        The definition and its parts are nested dicts.
        """
        return {name: value for name, value in asdict(self).items() if name != "folder"}


def open_study(folder: Path) -> Study:
    """Return the study in a folder that `create_study` wrote; its images are not checked.

    The checksum of `study.json` is verified, unless the file has no entries but the study's own.

    Raises:
        UserError: there is no complete study, or `study.json` is damaged.
    """
    note = folder / NOTE
    if not note.is_file():
        if (folder / IMAGES).is_dir() or (folder / "translations").is_dir():
            raise UserError(
                f"{folder} holds half a study: run the same `study create` again to finish it."
            )
        raise UserError(f"{folder} holds no study; make one with: study create STUDY.py")
    try:
        content = read_json(note)
    except ValueError as error:
        raise UserError(f"{note} does not describe a study: {error}") from None
    study = _read_note(folder, content, note)
    try:
        if set(content) != set(study.as_dict()):  # a file written by hand may have no checksum
            verify_checksum(content)
    except ValueError as error:
        raise UserError(f"{note} is damaged ({error}): bring it back from a copy.") from None
    return study


def _read_note(folder: Path, content: Any, note: Path) -> Study:
    """Return the study that the content of a `study.json` describes."""
    fault = f"{note} does not describe a study"
    kinds = {
        "definition": dict, "scenes": list, "reference": str, "secret": str, "origins": dict,
        "size": list, "created": str,
    }  # fmt: skip
    for key, kind in kinds.items():
        if not isinstance(content, dict) or not isinstance(content.get(key), kind):
            raise UserError(f"{fault}: {key!r} is missing or wrong.")
    definition = read_definition(content["definition"], str(note))
    scenes = [safe_name(name, f"{note}: a scene") for name in content["scenes"]]
    reference, size = content["reference"], content["size"]
    if not scenes or len(set(scenes)) < len(scenes):
        raise UserError(f"{fault}: there are no scenes, or two have one name.")
    if reference not in (REFERENCE, *definition.methods):
        raise UserError(f"{fault}: there is no method {reference!r}.")
    if len(size) != 2 or not all(type(side) is int and side > 0 for side in size):
        raise UserError(f"{fault}: the size must be [width, height], not {size!r}.")
    return Study(
        folder, definition, scenes, reference, content["secret"], content["origins"],
        (size[0], size[1]), content["created"],
    )  # fmt: skip
