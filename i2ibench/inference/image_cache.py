"""The image cache: a folder of translated images that are reused while nothing changes.

`translate`, `eval`, studies and grids use it. A JSON file in the folder records the origin of each
image. An image whose checkpoint, options, code or scene has changed is made again.
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from i2ibench.data.kinds import BUILT_IN, KINDS
from i2ibench.data.registered_readers import reader_of
from i2ibench.data.scenes import SceneFiles
from i2ibench.data.tar_members import scene_sha256
from i2ibench.errors import UserError
from i2ibench.inference.batch_splitting import split_on_out_of_memory
from i2ibench.io.file_integrity import add_checksum, is_whole_image, verify_checksum
from i2ibench.io.files import read_json, write_image, write_text
from i2ibench.io.folder_locks import holds_files
from i2ibench.io.process_group import barrier, get_rank, get_world_size, is_main_process
from i2ibench.io.progress import Progress, say
from i2ibench.io.provenance import fingerprint, sha256
from i2ibench.io.safe_names import safe_name
from i2ibench.models.ops.images import pixels_of
from i2ibench.registry.code_hashes import hash_code_of
from i2ibench.structures import Prediction

NOTE = "pictures.json"

PACKAGES = (
    "registry/contracts", "models", "inference", "data",
)  # fmt: skip
"""The packages of the core whose code affects images."""

Read = Callable[[Sequence[int]], Any]
"""A function from the numbers of a batch's scenes to their collated data."""

Paint = Callable[[Any, int], Sequence[Prediction]]
"""A function from the collated data and the number of a sample to the translations."""


@dataclass(frozen=True)
class Recipe:
    """The inputs of images besides the files of their scenes.

    Attributes:
        checkpoint: SHA-256 of the checkpoint.
        chosen: the options of the images as JSON values: precision, the method's own settings,
            styles, size. Tiles are left out, since they give the same images up to rounding.
        code: SHA-256 of the source code that computes the images; see `hash_code_of`.
    """

    checkpoint: str
    chosen: Mapping[str, Any]
    code: str


def recipe_of(
    checkpoint: Path,
    translator: nn.Module,
    config: Mapping[str, Any],
    chosen: Mapping[str, Any],
    reading: Sequence[Any],
) -> Recipe:
    """Return the recipe of a checkpoint's images; the checkpoint and source code are hashed now.

    Args:
        checkpoint: the checkpoint.
        translator: its translator.
        config: the config of its run.
        chosen: the options of the images, see `Recipe`.
        reading: the objects that read the scenes, such as data set, transforms and readers; their
            code may be a plugin's.
    """
    named = [config["model"], config["data_preprocessor"]]
    code = hash_code_of([translator, *reading], named, PACKAGES)
    return Recipe(sha256(checkpoint), chosen, code)


@dataclass(frozen=True)
class ImageCache:
    """The images of a list of scenes, in a folder that this process or its group owns.

    Attributes:
        folder: the folder.
        recipe: the recipe of the images.
        scenes: SHA-256 of the files of each scene.
        paths: the images of each scene, one for each sample.
        batches: the numbers of the scenes that are translated together. Rounding depends on the
            batch, so that an image is made again if another scene of its batch changes.
    """

    folder: Path
    recipe: Recipe
    scenes: Sequence[str]
    paths: Sequence[Sequence[Path]]
    batches: Sequence[Sequence[int]]

    @property
    def key(self) -> str:
        """Return SHA-256 of all inputs of the images, apart from their number for each scene."""
        return fingerprint([asdict(self.recipe), [self._source(batch) for batch in self.batches]])

    def claim(self, refuse: bool) -> None:
        """Delete outdated images from the cache folder, and record the origin of all others in it.

        Only the main process does this; the others wait. Images are outdated if their checkpoint,
        options, code or scenes have changed. Images of scenes that this cache does not list stay.

        Args:
            refuse: raise an error if the folder holds other files, or images of another checkpoint
                or other options. Use this for folders of the user. Otherwise the whole folder is
                deleted then.

        Raises:
            UserError: the folder is refused; nothing has changed.
        """
        if is_main_process():
            kept = self._kept(refuse)
            now = self._made_from()
            for path, source in kept.items():
                if now.get(path, source) != source:
                    (self.folder / path).unlink(missing_ok=True)
            note = {**asdict(self.recipe), "pictures": {**kept, **now}}
            write_text(self.folder / NOTE, json.dumps(add_checksum(note)))
        barrier()

    def fill(self, read: Read, paint: Paint) -> None:
        """Make the images that are missing or damaged; each process makes its share.

        The batches are the same for any number of processes and after an interruption. A batch is
        read once for all of its samples. For a missing image, all images of its batch with the same
        number of the sample are made. If memory runs out, a batch is split in halves.

        Args:
            read: reads a batch, given the numbers of its scenes.
            paint: translates a batch, given its data and the number of the sample.
        """
        if is_main_process():
            self._remove_damaged()
        barrier()
        todo = [
            batch
            for batch in self.batches
            if not all(path.exists() for scene in batch for path in self.paths[scene])
        ]
        barrier()  # no process writes before all have listed the missing images
        share = todo[get_rank() :: get_world_size()]
        count = sum(map(len, share))
        with Progress("translating", count, visible=is_main_process()) as progress:
            for batch in share:
                split_on_out_of_memory(partial(self._make, read, paint), batch)
                progress.advance(len(batch))
        barrier()

    def _make(self, read: Read, paint: Paint, batch: Sequence[int]) -> None:
        data = read(batch)
        for sample in range(len(self.paths[batch[0]])):
            paths = [self.paths[scene][sample] for scene in batch]
            if not all(path.exists() for path in paths):
                for path, prediction in zip(paths, paint(data, sample), strict=True):
                    write_image(path, pixels_of(prediction["fake"]))

    def _remove_damaged(self) -> None:
        for path in (path for own in self.paths for path in own if path.exists()):
            if not is_whole_image(path):
                say(f"{path} is damaged and is made anew.")
                path.unlink()

    def _kept(self, refuse: bool) -> dict[str, str]:
        """Return the source hash of each image of the folder that has this recipe, by path.

        Images with other code are deleted, or the whole folder if it has another checkpoint or
        other options, or no valid note.
        """
        before = _read_note(self.folder / NOTE, refuse)
        if before is None and refuse and holds_files(self.folder):
            raise UserError(
                f"The output folder {self.folder} holds other files; choose an empty one."
            )
        differing = self._differing(before[0]) if before is not None else []
        if differing and refuse:
            raise UserError(
                f"{self.folder} holds images of another checkpoint or other settings (differing: "
                f"{', '.join(differing)}); choose another output folder."
            )
        if before is None or differing:
            if self.folder.exists() and not refuse:
                shutil.rmtree(self.folder)
            return {}
        recipe, images = before
        if recipe.code == self.recipe.code:
            return images
        say(f"{self.folder}: code that its images depend on has changed; they are made anew.")
        for path in images:
            (self.folder / path).unlink(missing_ok=True)
        return {}

    def _differing(self, before: Recipe) -> list[str]:
        """Return the sorted names of the options that differ from those of another recipe.

        "checkpoint" is one of them. The code is not compared.
        """
        own = {**json.loads(json.dumps(self.recipe.chosen)), "checkpoint": self.recipe.checkpoint}
        others = {**before.chosen, "checkpoint": before.checkpoint}
        return sorted(name for name in own | others if own.get(name) != others.get(name))

    def _made_from(self) -> dict[str, str]:
        """Return the source hash of each image, by the image's path in the cache folder.

        The source hash covers the files of all scenes of the image's batch.
        """
        return {
            path.relative_to(self.folder).as_posix(): self._source(batch)
            for batch in self.batches
            for scene in batch
            for path in self.paths[scene]
        }

    def _source(self, batch: Sequence[int]) -> str:
        return fingerprint([self.scenes[scene] for scene in batch])


def _read_note(note: Path, refuse: bool) -> tuple[Recipe, dict[str, str]] | None:
    """Return the recipe in a folder's note, and the source hash of each image by its path.

    The result is None if there is no note, or if the note is invalid and `refuse` is False.
    """
    if not note.is_file():
        return None
    try:
        content = verify_checksum(read_json(note))
        recipe = Recipe(content["checkpoint"], dict(content["chosen"]), content["code"])
        return recipe, {safe_name(k, str(note)): v for k, v in content["pictures"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if not refuse:
            return None
        raise UserError(
            f"{note} is no note of a translation: {error}. Choose another output folder, or delete "
            "this one."
        ) from None


def file_hashes(scene: SceneFiles) -> list[str]:
    """Return a scene's name and SHA-256 of each of its files, in the order of their kinds.

    A missing file of a built-in kind gives "", so that plugins change no hashes. The file of
    attributes comes last, if there is one.
    """
    # A missing file of a built-in kind counts as "", so that plugins change no hashes.
    paths = [scene.paths.get(k) for k in KINDS if k in BUILT_IN or k in scene.paths]
    if scene.attributes is not None and scene.attributes.is_file():
        paths.append(scene.attributes)
    return [scene.name, *("" if path is None else scene_sha256(path) for path in paths)]


def readers_of(scenes: Sequence[SceneFiles]) -> list[Any]:
    """Return the functions that read the scenes' files, whose code affects the images.

    They are the readers for the suffixes of the files and the functions of the files' kinds, where
    there are any. Nothing is read.
    """
    by_ending = {path.suffix: path for scene in scenes for path in scene.paths.values()}
    readers = [reader_of(path) for path in by_ending.values()]
    kinds = {kind for scene in scenes for kind in scene.paths}
    return [part for part in (*readers, *(KINDS[kind].read for kind in kinds)) if part is not None]
