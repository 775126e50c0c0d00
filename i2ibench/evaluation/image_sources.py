"""Where the images of a system come from: a folder, the photos themselves, or plain paint."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from i2ibench.data.file_search import files_by_name, ignored_notes
from i2ibench.data.image_files import image_size, is_lossy_file
from i2ibench.data.pixel_formats import RGB, PixelFormat, format_in, read_image
from i2ibench.data.transforms import resize_image
from i2ibench.data.validation import raise_faults
from i2ibench.errors import UserError
from i2ibench.evaluation.scored_scenes import ScoredScenes
from i2ibench.evaluation.style_samples import StyleProbe
from i2ibench.io.progress import say
from i2ibench.models.ops.images import tensor_of
from i2ibench.structures import Sample, size_of

ORACLE = "real photos (oracle)"
FLOOR = "class colours (floor)"
MISMATCH = "photos of other scenes (mismatch)"
CONTROLS = (ORACLE, FLOOR, MISMATCH)


class Images(Protocol):
    """The images of one system, in the channels and depth of the scenes' photos."""

    def read(self, index: int, sample: Sample) -> Tensor:
        """The images of a scene, integers [S,C,H,W]; the first one is scored."""


@dataclass(frozen=True)
class System:
    """One row of the table.

    Attributes:
        name: what reports call it.
        images: where they come from.
        facts: what made them, in plain JSON; its hash decides whether old scores are still true.
        control: whether it is a control instead of a system under test.
        informed: whether it was shown part of the answer, so that it is not ranked.
        notes: what a reader of its scores must know.
        styles: its encoder and style bank, if it has them and its styles are sampled.
        no_styles: why there is none.
    """

    name: str
    images: Images
    facts: Mapping[str, Any]
    control: bool = False
    informed: bool = False
    notes: tuple[str, ...] = field(default=())
    styles: StyleProbe | None = None
    no_styles: str = "The system has no encoder: there are no styles to choose."


@dataclass(frozen=True)
class FolderImages:
    """Image files by scene name, one list entry per sample.

    Args:
        samples: for each sample the file of every scene.
        resize: filter for images of another size than the label map; None refuses them.
        repeat: how often a single sample is shown, for a system whose samples are all equal.
        made: the channels and depth that every file has.
    """

    samples: list[dict[str, Path]]
    resize: str | None = None
    repeat: int = 1
    made: PixelFormat = RGB

    def read(self, index: int, sample: Sample) -> Tensor:
        """The images of a scene, integers [S,C,H,W]."""
        height, width = size_of(sample)
        shown = [self._one(files[sample["name"]], height, width) for files in self.samples]
        return torch.stack(shown * self.repeat)

    def _one(self, path: Path, height: int, width: int) -> Tensor:
        image = read_image(path, self.made)
        if image.shape[:2] != (height, width):
            if self.resize is None:
                raise UserError(_other_size(path, image.shape[:2], (height, width)))
            filter_ = Image.Resampling[self.resize.upper()]
            image = resize_image(image, width, height, filter_)
        return tensor_of(image)


class RealPhotos:
    """The photos: what a perfect translation would score."""

    def read(self, index: int, sample: Sample) -> Tensor:
        """The photo, integers [1,C,H,W]."""
        return sample["image"][None]


class ShiftedPhotos:
    """To each label map the photo of another scene of the same size, half the set away."""

    def __init__(self, scenes: ScoredScenes) -> None:
        self.scenes = scenes
        sizes = [image_size(files.input) for files in scenes.dataset.scenes.files]
        groups: dict[tuple[int, int], list[int]] = {}
        for index, size in enumerate(sizes):
            groups.setdefault(size, []).append(index)
        self.partner = {
            index: group[(position + max(len(group) // 2, 1)) % len(group)]
            for group in groups.values()
            for position, index in enumerate(group)
        }

    def read(self, index: int, sample: Sample) -> Tensor:
        """The other scene's photo, integers [1,C,H,W]."""
        return self.scenes.sample(self.partner[index])["image"][None]


class ClassColours:
    """Every class in its mean colour over the scored photos: layout without texture."""

    def __init__(self, scenes: ScoredScenes) -> None:
        self.scenes = scenes

    @cached_property
    def colours(self) -> Tensor:
        """The mean colour of each class, integers [N,C]; every photo is read for it, when asked."""
        info = self.scenes.dataset.metainfo
        count, made = len(info["classes"]), format_in(info)
        sums, pixels = np.zeros((count, made.channels)), np.zeros(count)
        for index in range(len(self.scenes)):
            sample = self.scenes.sample(index)
            label = sample["label"].flatten().numpy()
            pixels += np.bincount(label, minlength=count)
            for channel in range(made.channels):
                values = sample["image"][channel].flatten().numpy()
                sums[:, channel] += np.bincount(label, weights=values, minlength=count)
        means = np.round(sums / np.maximum(pixels, 1)[:, None])
        return torch.from_numpy(means.astype(np.uint8 if made.bits == 8 else np.int32))

    def read(self, index: int, sample: Sample) -> Tensor:
        """The painted label map, integers [1,C,H,W]."""
        return self.colours[sample["label"][0].long()].permute(2, 0, 1)[None]


def real_photos() -> System:
    """The oracle."""
    return System(ORACLE, RealPhotos(), {"control": "oracle"}, control=True)


def list_controls(scenes: ScoredScenes) -> list[System]:
    """Oracle, floor and mismatch, as far as the data allows."""
    if not scenes.has_photos:
        return []
    controls = [real_photos()]
    if scenes.dataset.metainfo["classes"]:
        paint = System(FLOOR, ClassColours(scenes), {"control": "class means"}, control=True)
        controls.append(paint)
    if len(scenes) > 1:
        other = System(MISMATCH, ShiftedPhotos(scenes), {"control": "half shift"}, control=True)
        controls.append(other)
    return controls


def given_images(folder: Path, scenes: ScoredScenes, resize: str | None) -> FolderImages:
    """The images of any code, paired with the scenes by name and checked.

    An image belongs to the scene whose name it has, or begins with, before an underscore; of
    several such scenes to the one with the longest name. Folders count if the scene's name has
    them and the images lie in such folders.

    Raises:
        UserError: scenes without an image or with several, broken files, or another size; the
            first five are named.
    """
    given = files_by_name(folder)
    candidates = pair_images(scenes.names, given)
    made = format_in(scenes.dataset.metainfo)
    files = scenes.dataset.scenes.files
    sizes = {  # by a file's size a scene's; reading every scene for it would take as long again
        image_size(files[i].input): size_of(scenes.sample(i))
        for i in scenes.dataset.scenes.one_of_each_size()
    }
    chosen: dict[str, Path] = {}
    faults: list[str] = []
    for index, name in enumerate(scenes.names):
        found = candidates.get(name, [])
        if len(found) == 1:
            chosen[name] = found[0]
            wanted = sizes[image_size(files[index].input)]
            faults += _faults(found[0], made, None if resize else wanted)
        else:
            several = ", ".join(str(path.relative_to(folder)) for path in found[:3])
            faults.append(
                f"{folder} has several images for scene {name!r}: {several}. Leave one."
                if found
                else f"{folder} has no image for scene {name!r} (such as {name}.png)."
            )
    raise_faults(faults)
    for note in [*_unused(folder, given, chosen), *ignored_notes([folder])]:
        say(note)
    return FolderImages([chosen], resize, made=made)


def _unused(folder: Path, given: Mapping[str, Path], chosen: Mapping[str, Path]) -> list[str]:
    """Return a sentence on the images of a folder that belong to no scene, if there are any."""
    left = sorted(set(given.values()) - set(chosen.values()))
    if not left:
        return []
    return [
        f"{len(left)} of {len(given)} images in {folder} belong to no scene, such as {left[0]}."
    ]


def is_lossy(images: FolderImages) -> bool:
    """Return whether some images are stored with loss, so that compression counts in scores."""
    return any(is_lossy_file(path) for files in images.samples for path in files.values())


def pair_images(names: Sequence[str], files: Mapping[str, Path]) -> dict[str, list[Path]]:
    """By scene the images that belong to it; an exact name goes before a longer one."""
    scene_of = {name: name for name in names}
    alone = Counter(name.rpartition("/")[2] for name in names)
    for name in names:  # without its folders, where that is one scene's alone
        short = name.rpartition("/")[2]
        if alone[short] == 1:
            scene_of.setdefault(short, name)
    towns = {name.rpartition("/")[0] for name in names} - {""}
    exact: dict[str, list[Path]] = {}
    longer: dict[str, list[Path]] = {}
    for key, path in files.items():
        folder, _, short = key.rpartition("/")
        for text in (key, short):
            owner = _owner(text, scene_of)
            if owner is not None and not _of_another_town(text, folder, owner, towns):
                (exact if text in scene_of else longer).setdefault(owner, []).append(path)
                break
    return {**longer, **exact}


def _of_another_town(text: str, folder: str, owner: str, towns: Collection[str]) -> bool:
    """Return whether an image that only its short name joins to a scene lies in another town."""
    return "/" not in text and folder in towns and "/" in owner


def _owner(text: str, scene_of: Mapping[str, str]) -> str | None:
    """The scene with the longest name that an image's name is, or begins with before "_"."""
    while text and text not in scene_of:
        text = text.rpartition("_")[0]
    return scene_of.get(text)


def _faults(path: Path, made: PixelFormat, wanted: tuple[int, ...] | None) -> list[str]:
    """Return why an image cannot be scored; None for `wanted` allows any size."""
    try:
        found = read_image(path, made).shape[:2]
    except UserError as error:
        return [str(error)]
    return [] if wanted in (None, found) else [_other_size(path, found, wanted)]


def _other_size(path: Path, found: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    return (
        f"{path} is {found[1]}x{found[0]}, but the protocol scores {wanted[1]}x{wanted[0]}. Make "
        "images of that size, or name the filter that resizes them: --protocol-options "
        "resize=bicubic (a protocol of its own)."
    )
