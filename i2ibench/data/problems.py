"""Problems of a data set and the commands or edits that fix them."""

import shlex
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from i2ibench.data.classes import ClassTable
from i2ibench.data.image_reading import InexactMapError
from i2ibench.data.maps import ColouredMapError
from i2ibench.data.pixel_formats import ColourError
from i2ibench.data.scenes import SceneFiles
from i2ibench.data.survey import Fault, SceneSurvey, count_classes

MAX_NAMED = 20
"""The most files that one problem names."""

ABOVE_CLASSES = "np.where(instance == 0, label, instance.astype('uint16') + 256)"
"""Code that gives pixels without an object the class's id, and objects ids above all classes."""

ONE_PER_PAIR = (
    "(256 + np.unique(label.astype('int64') * 65536 + instance, return_inverse=True)[1])"
    ".reshape(label.shape).astype('uint16')"
)
"""Code that gives each pair of class and old instance id a new instance id."""


@dataclass(frozen=True)
class Problem:
    """A problem of a data set.

    Attributes:
        split: the split, such as "train".
        kind: the kind of problem in one or two words.
        message: a description that names files.
        fix: the command or edit that fixes the problem.
        fatal: whether training cannot begin; other problems are warnings.
    """

    split: str
    kind: str
    message: str
    fix: str
    fatal: bool = False


def find_problems(split: str, surveys: Sequence[SceneSurvey], classes: ClassTable) -> list[Problem]:
    """Return the problems of one split, fatal ones (files that cannot be used) first.

    Warnings follow: several sizes, instance ids that cover several classes, no instances, scored
    classes in no scene, and duplicates of a photo.

    Args:
        split: the name of the split, such as "train".
        surveys: the survey of each scene of the split.
        classes: the class table.
    """
    problems = [
        Problem(split, _kind(kind, f), f.message, _fix(scene.files, kind, f), True)
        for scene in surveys
        for kind, f in scene.faults.items()
    ]
    return [
        *problems,
        *_several_sizes(split, surveys),
        *_ids_of_several_classes(split, surveys, classes),
        *_ids_equal_to_classes(split, surveys, classes),
        *_unused_classes(split, surveys, classes),
        *_duplicates(split, surveys),
    ]


def _kind(kind: str, fault: Fault) -> str:
    if issubclass(fault.error, ColourError):
        return "in colour"
    return "sizes differ" if kind == "sizes" else "unreadable"


def _fix(files: SceneFiles, kind: str, fault: Fault) -> str:
    leave_out = f"or leave the scene out: {remove_command(paths_of(files))}"
    if kind == "sizes":
        return f"Save the files of {files.name} in one size, label and instance maps with nearest-"\
               f"neighbour resampling; {leave_out}"  # fmt: skip
    if issubclass(fault.error, ColourError):
        option = "image_channels=3 in the data set's config"
        return f"Set {option}, or save the photo as grey; {leave_out}"
    if fault.unknown_id is not None:
        value = fault.unknown_id
        return (
            f'Add {{"name": "class {value}", "id": {value}, "scored": false}} to the classes '
            f"(classes.json in the data's root, or the data set's classes=), {leave_out}"
        )
    if issubclass(fault.error, ColouredMapError):
        return (
            "Save one channel of integers, one value per class or instance; colours become ids by "
            f"`i2ibench prepare_data folder SOURCE TARGET`; {leave_out}"
        )
    if issubclass(fault.error, InexactMapError):
        return f"Save the map anew as a PNG, instance ids with 16 bits; {leave_out}"
    return f"Copy or download the file anew; {leave_out}"


def paths_of(files: SceneFiles) -> list[Path]:
    """Return the files of a scene, its maps and images and its attributes file, each once."""
    extra = [] if files.attributes is None else [files.attributes]
    return list(dict.fromkeys([*files.paths.values(), *extra]))


def remove_command(paths: Sequence[Path]) -> str:
    """Return the shell command that removes files; nothing is removed here.

    At most `MAX_NAMED` files are named; "..." stands for the others.
    """
    named = " ".join(shlex.quote(str(path)) for path in paths[:MAX_NAMED])
    return f"rm -- {named}{' ...' if len(paths) > MAX_NAMED else ''}"


def _several_sizes(split: str, surveys: Sequence[SceneSurvey]) -> list[Problem]:
    sizes = Counter(scene.size for scene in surveys if scene.size)
    if len(sizes) < 2:
        return []
    (width, height), _ = sizes.most_common(1)[0]
    listing = ", ".join(f"{w}x{h} ({n} scenes)" for (w, h), n in sizes.most_common(5))
    return [Problem(
        split, "several sizes", f"The scenes have {len(sizes)} sizes: {listing}.",
        f"Set {split}_dataloader.batch_size=1, or add dict(type='Resize', width={width}, "
        f"height={height}) to {split}_dataloader.dataset.transforms",
    )]  # fmt: skip


def _ids_of_several_classes(
    split: str, surveys: Sequence[SceneSurvey], classes: ClassTable
) -> list[Problem]:
    """Return a problem for each instance id that covers several classes within one scene.

    The five ids of the most scenes have a problem each; one more problem counts the other ids.
    """
    scenes: dict[int, list[str]] = defaultdict(list)
    examples: dict[int, str] = {}
    for scene in surveys:
        parts_of: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for number, label, pixels in [] if scene.regions is None else scene.regions.tolist():
            parts_of[number].append((pixels, label))
        for number, parts in parts_of.items():
            if len(parts) > 1:
                scenes[number].append(scene.files.name)
                listing = (f"{classes.classes[c].name} ({n} px)" for n, c in sorted(parts)[::-1])
                examples.setdefault(number, ", ".join(listing))
    ordered = sorted(scenes, key=lambda number: (-len(scenes[number]), number))
    problems = [_one_id(split, number, scenes[number], examples[number]) for number in ordered[:5]]
    if len(ordered) > 5:
        message = f"{len(ordered) - 5} more instance ids cover several classes."
        problems.append(Problem(split, "instance straddles classes", message, problems[0].fix))
    return problems


def _one_id(split: str, number: int, scenes: Sequence[str], example: str) -> Problem:
    fix = (
        "Give every pixel without an object its class's id, and objects ids above these; save "
        f"16-bit PNGs: instance = {ABOVE_CLASSES}"
        if number == 0
        else f"Give each class its part; save 16-bit PNGs: instance = {ONE_PER_PAIR}"
    )
    place = f"in {len(scenes)} scenes, in {scenes[0]}" if len(scenes) > 1 else f"in {scenes[0]}"
    message = (
        f"The instance id {number} covers several classes, {place}: {example}. It has no "
        "boundary between them, and one style for all."
    )
    return Problem(split, "instance straddles classes", message, fix)


def _ids_equal_to_classes(
    split: str, surveys: Sequence[SceneSurvey], classes: ClassTable
) -> list[Problem]:
    """Return one problem if every instance id in every scene equals its class's id or channel.

    The list is empty otherwise, and without instance maps.
    """
    maps = [scene.regions for scene in surveys if scene.regions is not None]
    pairs = {(number, label) for rows in maps for number, label, _ in rows.tolist()}
    own = [{i, c.id} for i, c in enumerate(classes.classes)]
    if not maps or any(number not in own[label] for number, label in pairs):
        return []
    message = "Every instance id is its class's own: the maps are label maps again."
    fix = "Save one id per object, or set data_preprocessor.boundaries=False"
    return [Problem(split, "no instances", message, fix)]


def _unused_classes(
    split: str, surveys: Sequence[SceneSurvey], classes: ClassTable
) -> list[Problem]:
    if not any(scene.pixels is not None for scene in surveys):
        return []
    scenes = count_classes(surveys, len(classes)).scenes
    unused = [c.name for c, n in zip(classes.classes, scenes, strict=True) if c.scored and not n]
    if not unused:
        return []
    message = f"{len(unused)} scored classes are in no scene: {', '.join(unused)}."
    fix = 'Add scenes with them, set "scored": false for them in the classes, or remove them'
    return [Problem(split, "classes never seen", message, fix)]


def _duplicates(split: str, surveys: Sequence[SceneSurvey]) -> list[Problem]:
    groups: dict[str, list[SceneSurvey]] = defaultdict(list)
    for scene in surveys:
        if scene.digest:
            groups[scene.digest].append(scene)
    twice = [group for group in groups.values() if len(group) > 1]
    if not twice:
        return []
    spare = [path for group in twice for scene in group[1:] for path in paths_of(scene.files)]
    pairs = ", ".join(" = ".join(s.files.name for s in group) for group in twice[:5])
    message = f"{len(twice)} images are there more than once: {pairs}."
    return [Problem(split, "duplicates", message, remove_command(spare))]


def shared_scenes(surveys: Mapping[str, Sequence[SceneSurvey]]) -> list[Problem]:
    """Return one problem if files of the training and the validation data are identical.

    Photos are compared by their bytes, or inputs in scenes without a photo. The list is empty if
    none are identical. The fix removes the training scenes' files, unless both splits name the same
    files.

    Args:
        surveys: the survey of each scene under "train" and "val"; each may be missing.
    """
    trained = {scene.digest: scene for scene in surveys.get("train", ()) if scene.digest}
    both = [(trained[s.digest], s) for s in surveys.get("val", ()) if s.digest in trained]
    if not both:
        return []
    pairs = ", ".join(f"{a.files.name} = {b.files.name}" for a, b in both[:5])
    message = (
        f"{len(both)} images are in train and in val: {pairs}. Scores on them say how well the "
        "system remembers."
    )
    same = all(a.files.input == b.files.input for a, b in both)
    spare = [path for a, _ in both for path in paths_of(a.files)]
    name = "Name another split or folder in val_dataloader.dataset"
    fix = name if same else remove_command(spare)
    return [Problem("train, val", "shared scenes", message, fix)]
