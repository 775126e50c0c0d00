"""Sources of a system's images: image files, real images, or class colours."""

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
from i2ibench.data.image_reading import image_size, is_lossy_file
from i2ibench.data.pixel_formats import RGB, PixelFormat, format_in, read_image
from i2ibench.data.transforms import resize_image
from i2ibench.data.validation import raise_faults
from i2ibench.errors import UserError
from i2ibench.evaluation.protocol_scenes import ScoredScenes
from i2ibench.evaluation.style_probes import StyleProbe
from i2ibench.io.progress import say
from i2ibench.models.ops.images import tensor_of
from i2ibench.structures import Sample, size_of

ORACLE = "real photos (oracle)"
FLOOR = "class colours (floor)"
MISMATCH = "photos of other scenes (mismatch)"
CONTROLS = (ORACLE, FLOOR, MISMATCH)


class ImageSource(Protocol):
    """A source of the images of one system, with the channels and bits of the real images."""

    def read(self, index: int, sample: Sample) -> Tensor:
        """Return the S images of a system for one scene, integers [S,C,H,W]; the first is scored.

        Args:
            index: the position of the scene among the scored scenes.
            sample: the scene at that position.
        """


@dataclass(frozen=True)
class System:
    """A system or a control, one row of the table.

    Attributes:
        name: the name in reports.
        images: the source of its images.
        dependencies: everything that the images depend on, as JSON values. Old measurements are
            used again while it stays the same.
        control: True for a control, False for a system under test.
        informed: True if the system has seen part of the real image, so that it is not ranked.
        notes: notes for readers of its scores.
        styles: the encoder and style bank of a system whose styles are sampled, or None.
        no_styles: the reason why `styles` is None.
    """

    name: str
    images: ImageSource
    dependencies: Mapping[str, Any]
    control: bool = False
    informed: bool = False
    notes: tuple[str, ...] = field(default=())
    styles: StyleProbe | None = None
    no_styles: str = "The system has no encoder: there are no styles to choose."


@dataclass(frozen=True)
class FolderImages:
    """A source of image files.

    Attributes:
        samples: for each sample the files by scene name.
        resize: the filter that resizes images to the label map's size; None refuses other sizes.
        repeat: how often the samples are repeated, for a system with equal samples.
        image_format: the channels and bits of every file.
    """

    samples: list[dict[str, Path]]
    resize: str | None = None
    repeat: int = 1
    image_format: PixelFormat = RGB

    def read(self, index: int, sample: Sample) -> Tensor:
        """Read the image files of a scene and return them as integers [S,C,H,W].

        S is the number of samples times `repeat`. Files are found by the scene's name; `index` is
        not used.

        Raises:
            UserError: a file cannot be read, or has another size than the label map without
                `resize`.
        """
        height, width = size_of(sample)
        images = [self._read_one(files[sample["name"]], height, width) for files in self.samples]
        return torch.stack(images * self.repeat)

    def _read_one(self, path: Path, height: int, width: int) -> Tensor:
        image = read_image(path, self.image_format)
        if image.shape[:2] != (height, width):
            if self.resize is None:
                raise UserError(_other_size(path, image.shape[:2], (height, width)))
            filter_ = Image.Resampling[self.resize.upper()]
            image = resize_image(image, width, height, filter_)
        return tensor_of(image)


class RealPhotos:
    """The real images, which show the scores of a perfect translation."""

    def read(self, index: int, sample: Sample) -> Tensor:
        """Return the scene's real image, integers [1,C,H,W]; `index` is not used."""
        return sample["image"][None]


class ShiftedPhotos:
    """For each scene the real image of another scene of the same size, half the set away."""

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
        """Return the real image of another scene of the same size, integers [1,C,H,W].

        The other scene is half of these scenes away in their order. The only scene of a size has
        its own image. `sample` is not used.
        """
        return self.scenes.sample(self.partner[index])["image"][None]


class ClassColours:
    """Label maps in the mean colours of their classes, which have a layout but no texture."""

    def __init__(self, scenes: ScoredScenes) -> None:
        self.scenes = scenes

    @cached_property
    def colours(self) -> Tensor:
        """Return the mean colour of each class in the real images of all scenes, integers [N,C].

        The first use reads all scenes. A class without pixels is black.
        """
        info = self.scenes.dataset.metainfo
        count, image_format = len(info["classes"]), format_in(info)
        sums, pixels = np.zeros((count, image_format.channels)), np.zeros(count)
        for index in range(len(self.scenes)):
            sample = self.scenes.sample(index)
            label = sample["label"].flatten().numpy()
            pixels += np.bincount(label, minlength=count)
            for channel in range(image_format.channels):
                values = sample["image"][channel].flatten().numpy()
                sums[:, channel] += np.bincount(label, weights=values, minlength=count)
        means = np.round(sums / np.maximum(pixels, 1)[:, None])
        return torch.from_numpy(means.astype(np.uint8 if image_format.bits == 8 else np.int32))

    def read(self, index: int, sample: Sample) -> Tensor:
        """Return the label map in the mean colours of its classes, integers [1,C,H,W]."""
        return self.colours[sample["label"][0].long()].permute(2, 0, 1)[None]


def real_photos() -> System:
    """Return the control system whose images are the real photos; reports call it the oracle."""
    return System(ORACLE, RealPhotos(), {"control": "oracle"}, control=True)


def list_controls(scenes: ScoredScenes) -> list[System]:
    """Return the control systems that the data allows; [] if a scene has no real image.

    In this order these are the real photos (oracle), label maps in mean class colours (floor; only
    with label classes) and the real photos of other scenes (mismatch; only with at least two
    scenes).
    """
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
    """Find each scene's image in a folder, read it once as a check, and return the image files.

    The name of an image without its suffix is the name of its scene, or begins with it before an
    underscore. If several scenes fit, the scene with the longest name is taken. Folders are
    compared if the scene's name has folders and the images lie in such folders. An image with the
    exact name is preferred to images with longer names. Images without a scene are ignored, and a
    note about them is printed.

    Args:
        folder: the folder of the images, which any code may have made; subfolders are searched too.
        scenes: the scored scenes.
        resize: the filter that resizes images of another size; None refuses such images.

    Raises:
        UserError: the folder has no image, a scene has none or several, a file is damaged, or a
            size is wrong. The message lists the first five faults.
    """
    given = files_by_name(folder)
    candidates = pair_images(scenes.names, given)
    image_format = format_in(scenes.dataset.metainfo)
    files = scenes.dataset.scenes.files
    sizes = {  # the scene's size by the input file's size: reading every scene is slow
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
            faults += _faults(found[0], image_format, None if resize else wanted)
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
    return FolderImages([chosen], resize, image_format=image_format)


def _unused(folder: Path, given: Mapping[str, Path], chosen: Mapping[str, Path]) -> list[str]:
    """Return a list with one note on the images that no scene uses; [] if all images are used."""
    left = sorted(set(given.values()) - set(chosen.values()))
    if not left:
        return []
    return [
        f"{len(left)} of {len(given)} images in {folder} belong to no scene, such as {left[0]}."
    ]


def is_lossy(images: FolderImages) -> bool:
    """Return whether any image file is compressed with loss, such as JPEG, which changes scores."""
    return any(is_lossy_file(path) for files in images.samples for path in files.values())


def pair_images(names: Sequence[str], files: Mapping[str, Path]) -> dict[str, list[Path]]:
    """Return by scene name the image files that fit each scene; scenes without a file are left out.

    A file fits the scene with the longest name that equals the file's name, or precedes a "_" in
    it. If files fit a scene exactly, files with longer names are left out.

    Args:
        names: the names of the scenes, such as "munster/munster_000001".
        files: the image files by path below their folder, without suffix.
    """
    scene_of = {name: name for name in names}
    alone = Counter(name.rpartition("/")[2] for name in names)
    for name in names:  # the name without folders, if it is unique
        short = name.rpartition("/")[2]
        if alone[short] == 1:
            scene_of.setdefault(short, name)
    scene_folders = {name.rpartition("/")[0] for name in names} - {""}
    exact: dict[str, list[Path]] = {}
    longer: dict[str, list[Path]] = {}
    for key, path in files.items():
        folder, _, short = key.rpartition("/")
        for text in (key, short):
            owner = _owner(text, scene_of)
            if owner is not None and not _is_in_other_folder(text, folder, owner, scene_folders):
                (exact if text in scene_of else longer).setdefault(owner, []).append(path)
                break
    return {**longer, **exact}


def _is_in_other_folder(text: str, folder: str, owner: str, scene_folders: Collection[str]) -> bool:
    """Return whether an image fits a scene by file name only and lies in another scene's folder."""
    return "/" not in text and folder in scene_folders and "/" in owner


def _owner(text: str, scene_of: Mapping[str, str]) -> str | None:
    """Return the scene with the longest name that is `text` or precedes a "_" in it, or None."""
    while text and text not in scene_of:
        text = text.rpartition("_")[0]
    return scene_of.get(text)


def _faults(path: Path, image_format: PixelFormat, wanted: tuple[int, ...] | None) -> list[str]:
    """Read an image file; return in a list the reason why it cannot be scored, or [] for none."""
    try:
        found = read_image(path, image_format).shape[:2]
    except UserError as error:
        return [str(error)]
    return [] if wanted in (None, found) else [_other_size(path, found, wanted)]


def _other_size(path: Path, found: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    return (
        f"{path} is {found[1]}x{found[0]}, but the protocol scores {wanted[1]}x{wanted[0]}. Make "
        "images of that size, or name the filter that resizes them: --protocol-options "
        "resize=bicubic (a protocol of its own)."
    )
