"""A study that was created: its folder, its scenes, its images and its plans."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from i2ibench.apps.study.answers import Collected
from i2ibench.apps.study.define.definition import DEGRADED, REFERENCE, Definition
from i2ibench.apps.study.define.design import Design, Trial
from i2ibench.apps.study.define.study_file import read_definition
from i2ibench.errors import UserError
from i2ibench.io.checksums import is_whole_png, verify_checksum
from i2ibench.io.files import read_json
from i2ibench.io.safe_names import safe_name

NOTE = "study.json"
IMAGES = "pictures"
ANSWERS = "answers.sqlite"


@dataclass(frozen=True)
class Study:
    """A study folder.

    Attributes:
        folder: holds `study.json`, `images/` and `answers.sqlite`.
        definition: the study file.
        scenes: names, in order.
        reference: the method whose images are degraded for catch and practice trials.
        secret: random; names of images and codes are made of it, so that nobody guesses them.
        origins: by method what made its images: paths, hashes, settings.
        size: (width, height) of the largest image.
        created: UTC day.
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
        """The plans of the participants."""
        return Design(self.definition, self.scenes, self.reference)

    def plan(self, slot: int) -> list[Trial]:
        """The trials of the participant with a number, from 0."""
        return self.design.plan(slot)

    def image_id(self, method: str, scene: str) -> str:
        """An image's name, which does not tell its method."""
        text = f"{self.secret}\0picture\0{method}\0{scene}"
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    def image(self, method: str, scene: str) -> Path:
        """The file of a method's image of a scene, PNG."""
        return self.folder / IMAGES / f"{self.image_id(method, scene)}.png"

    def code(self, token: str) -> str:
        """The completion code of a participant."""
        fixed = self.definition.completion.code
        text = f"{self.secret}\0code\0{token}"
        return fixed or hashlib.sha256(text.encode()).hexdigest()[:10].upper()

    @property
    def shown(self) -> list[tuple[str, str]]:
        """(method, scene) of every image, the reference's and the degraded ones too."""
        methods = {*self.definition.methods, self.reference, DEGRADED}
        return [(method, scene) for method in sorted(methods) for scene in self.scenes]

    def require_images(self) -> None:
        """Refuse to go on without every image.

        Raises:
            UserError: some are missing or damaged.
        """
        wanted = self.shown
        there = {shown: self.image(*shown) for shown in wanted if self.image(*shown).is_file()}
        missing = [shown for shown in wanted if shown not in there]
        if missing:
            method, scene = missing[0]
            raise UserError(
                f"{self.folder} lacks {len(missing)} of {len(wanted)} pictures, first that of "
                f"{method!r} and scene {scene!r}: {self.image(method, scene)}. Put them back, or "
                "create the study anew in another folder."
            )
        damaged = [path for path in there.values() if not is_whole_png(path)]
        if damaged:
            raise UserError(
                f"{len(damaged)} of {len(wanted)} pictures are damaged, first {damaged[0]}. Bring "
                "them back from a copy, or create the study anew in another folder."
            )

    @property
    def hash(self) -> str:
        """SHA-256 of all that decides which trials are shown, and of the rules of exclusion."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """Return the contents of `study.json`."""
        return {
            "definition": asdict(self.definition),
            "scenes": list(self.scenes),
            "reference": self.reference,
            "secret": self.secret,
            "origins": dict(self.origins),
            "size": list(self.size),
            "created": self.created,
        }


def open_study(folder: Path) -> Study:
    """The study in a folder that `create` wrote.

    Raises:
        UserError: there is none.
    """
    note = folder / NOTE
    if not note.is_file():
        if (folder / IMAGES).is_dir() or (folder / "translations").is_dir():
            raise UserError(
                f"{folder} holds half a study: the same `study create` goes on with it."
            )
        raise UserError(f"{folder} holds no study; make one with: study create STUDY.py")
    try:
        content = read_json(note)
    except ValueError as error:
        raise UserError(f"{note} is no note of a study: {error}") from None
    study = _checked(folder, content, note)
    try:
        if set(content) != set(study.as_dict()):  # without a checksum it may have been made by hand
            verify_checksum(content)
    except ValueError as error:
        raise UserError(f"{note} is damaged ({error}): bring it back from a copy.") from None
    return study


def _checked(folder: Path, content: Any, note: Path) -> Study:
    """Return the study that a note describes.

    Raises:
        UserError: an entry is missing or wrong; the message names it.
    """
    kinds = {
        "definition": dict, "scenes": list, "reference": str, "secret": str, "origins": dict,
        "size": list, "created": str,
    }  # fmt: skip
    for key, kind in kinds.items():
        if not isinstance(content, dict) or not isinstance(content.get(key), kind):
            raise UserError(f"{note} is no note of a study: {key!r} is missing or wrong.")
    definition = read_definition(content["definition"], str(note))
    scenes = [safe_name(name, f"{note}: a scene") for name in content["scenes"]]
    reference, size = content["reference"], content["size"]
    if not scenes or len(set(scenes)) < len(scenes):
        raise UserError(f"{note} is no note of a study: its scenes are none, or share names.")
    if reference not in (REFERENCE, *definition.methods):
        raise UserError(f"{note} is no note of a study: there is no method {reference!r}.")
    if len(size) != 2 or not all(type(side) is int and side > 0 for side in size):
        raise UserError(f"{note} is no note of a study: a size is [width, height], not {size!r}.")
    return Study(
        folder, definition, scenes, reference, content["secret"], content["origins"],
        (size[0], size[1]), content["created"],
    )  # fmt: skip


def collected_kind(collected: Collected) -> str:
    """ "real" or "simulated", whichever all participants are.

    Raises:
        UserError: there are both.
    """
    simulated = sum(p.simulated for p in collected.participants)
    real = len(collected.participants) - simulated
    if real and simulated:
        raise UserError(
            f"The study holds answers of {real} real and {simulated} simulated participants, which "
            "are never analysed together; choose with --participants real or simulated."
        )
    return "simulated" if simulated else "real"
