"""Subjects: the checkpoints and image folders that are evaluated, by name."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from i2ibench.data.pixel_formats import format_in
from i2ibench.errors import UserError, near_match
from i2ibench.evaluation.checkpoint_images import fill_store
from i2ibench.evaluation.image_sources import CONTROLS, System, given_images, is_lossy
from i2ibench.evaluation.protocols.protocol import Protocol
from i2ibench.evaluation.scored_scenes import ScoredScenes
from i2ibench.evaluation.style_samples import StyleProbe
from i2ibench.inference.checkpoint_contents import read_config
from i2ibench.inference.checkpoints import (
    OpenedCheckpoint,
    building_from,
    has_ema,
    open_checkpoint,
    read_checkpoint,
)
from i2ibench.inference.inference import DEFAULT_OPTIONS, InferenceOptions
from i2ibench.io.provenance import fingerprint, sha256
from i2ibench.io.run_folders import run_folder
from i2ibench.models.translators.build import method_of
from i2ibench.models.translators.settings import describe_settings

ENCODED_NOTE = "the styles are read from the very photo that is to be predicted"


@dataclass(frozen=True)
class SystemSource:
    """A checkpoint file, or a folder of images, that is evaluated.

    Attributes:
        name: what reports call it.
        path: where it is.
        is_folder: images of any code instead of a checkpoint.
        options: how a checkpoint makes its images.
    """

    name: str
    path: Path
    is_folder: bool = False
    options: InferenceOptions = DEFAULT_OPTIONS


def parse_systems(checkpoints: Iterable[str], folders: Iterable[str]) -> list[SystemSource]:
    """Subjects of arguments such as `runs/a/epoch_0200.pth` or `spade=results/spade`.

    Without a name a checkpoint is called after its run's folder and a folder after itself.

    Raises:
        UserError: two subjects have one name, or a path is not there.
    """
    subjects = [_subject(text, is_folder=False) for text in checkpoints]
    subjects += [_subject(text, is_folder=True) for text in folders]
    names = [subject.name for subject in subjects]
    for subject in subjects:
        if not subject.name.strip() or subject.name in CONTROLS:
            raise UserError(f"{subject.name!r} is no name for {subject.path}; choose another.")
        if names.count(subject.name) > 1:
            raise UserError(
                f"Two systems are called {subject.name!r}; name them apart, as in "
                f"ours={subject.path}."
            )
    return subjects


def _subject(text: str, is_folder: bool) -> SystemSource:
    name, given, rest = text.partition("=")
    path = Path(rest if given and not Path(text).exists() else text)
    if is_folder and not path.is_dir():
        what = "is no folder" if path.exists() else "does not exist"
        raise UserError(f"{path} {what}: images are named by their folder.")
    if not is_folder and not path.is_file():
        raise UserError(f"There is no checkpoint at {path}.")
    if given and path == Path(rest):
        return SystemSource(name, path, is_folder)
    return SystemSource(path.resolve().name if is_folder else _run_name(path), path, is_folder)


def _run_name(checkpoint: Path) -> str:
    """The run's folder; of a stage also its own."""
    folder = checkpoint.resolve().parent
    return folder.relative_to(run_folder(folder).parent).as_posix()


def given_system(
    subject: SystemSource, scenes: ScoredScenes, protocol: Protocol
) -> tuple[System, dict[str, Any]]:
    """The row of a folder of images, and where it comes from.

    Raises:
        UserError: images are missing or unusable.
    """
    images = given_images(subject.path, scenes, protocol.resize)
    hashes = {name: sha256(path) for name, path in images.samples[0].items()}
    notes = (
        ("some images are stored with loss, such as JPEG: compression counts",)
        if is_lossy(images)
        else ()
    )
    content = fingerprint(hashes)
    origin = {"folder": str(subject.path), "sha256": content}
    system = System(
        subject.name, images, {"pictures": content}, notes=notes,
        no_styles="Images from a folder have no styles that could be chosen.",
    )  # fmt: skip
    return system, origin


def translated_systems(
    subject: SystemSource,
    scenes: ScoredScenes,
    protocol: Protocol,
    output_dir: Path,
    device: str,
    batch_size: int,
    root: str | None = None,
) -> tuple[list[System], dict[str, Any]]:
    """The rows that a checkpoint contributes, their images made, and where they come from.

    `root` is the folder of its training data, None for the one in its config.

    Raises:
        UserError: the checkpoint does not suit the data.
    """
    opened = open_checkpoint(subject.path, device, options=subject.options)
    if protocol.resize is not None:
        watched = opened.config.get("val_dataloader", {}).get("dataset", {})
        with building_from(opened.path):
            scenes = scenes.at_size_of(watched.get("transforms", []))
    origin = _origin(opened)
    systems = _translated(subject.name, opened, scenes, protocol, output_dir, batch_size, root)
    if has_ema(subject.path):
        opened = open_checkpoint(subject.path, device, ema=True, options=subject.options)
        name = f"{subject.name}, EMA"
        systems += _translated(name, opened, scenes, protocol, output_dir, batch_size, root)
    return systems, origin


def _translated(
    subject: str,
    opened: OpenedCheckpoint,
    scenes: ScoredScenes,
    protocol: Protocol,
    output_dir: Path,
    batch_size: int,
    root: str | None,
) -> list[System]:
    """The rows of a translator, one for each way of choosing styles, their images made."""
    systems = []
    probe = StyleProbe(opened, root) if opened.translator.encoder is not None else None
    for name, encoded in _modes(subject, opened).items():
        bank = opened.inference.bank
        chosen: dict[str, Any] = {
            "name": subject,
            "encode_photo": encoded,
            **opened.inference.image_options(),
            "style_seed": bank.seed if bank is not None else None,
        }
        folder = output_dir / "pictures" / slug(name)
        store = fill_store(folder, opened, scenes, chosen, protocol.samples, batch_size)
        images = replace(store.images, resize=protocol.resize)
        facts = {"pictures": store.key, "samples": protocol.samples}
        notes = (*((ENCODED_NOTE,) if encoded else ()), *_selection_note(opened, scenes))
        notes += inference_notes(opened)
        system = System(name, images, facts, informed=encoded, notes=notes)
        if encoded:
            system = replace(system, no_styles="Styles are measured where they are sampled.")
        else:
            system = replace(system, styles=probe)
        systems.append(system)
    return systems


def inference_notes(opened: OpenedCheckpoint) -> tuple[str, ...]:
    """Say how a checkpoint's images are made where there is a choice: precision, settings."""
    facts = opened.inference.image_options()
    settings = ", ".join(f"{name}={value}" for name, value in facts.get("settings", {}).items())
    evaluations = opened.translator.evaluations(opened.inference.settings)
    notes = {
        f"its images are computed in {facts.get('amp')}": "amp" in facts,
        f"settings: {settings}": bool(settings),
        f"{evaluations} network evaluations for each image (NFE)": evaluations > 1,
    }
    return tuple(note for note, holds in notes.items() if holds)


def with_own_settings(subjects: Sequence[SystemSource]) -> list[SystemSource]:
    """Return the subjects, each with those of the chosen settings that its method has.

    Raises:
        UserError: no method has a setting; names the near match and the settings that there are.
    """
    chosen = {name for subject in subjects for name in subject.options.settings}
    if not chosen:
        return list(subjects)
    own = {s: _settings_of(s.path) for s in subjects if not s.is_folder}
    known = {name: told for settings in own.values() for name, told in settings.items()}
    for name in chosen - known.keys():
        listing = ", ".join(known.values()) or "none"
        raise UserError(
            f"No evaluated method has a setting {name!r}.{near_match(name, known)} "
            f"Settings: {listing}."
        )
    return [_keeping(subject, own.get(subject, {})) for subject in subjects]


def _settings_of(checkpoint: Path) -> dict[str, str]:
    """The settings of a checkpoint's method by name; see `describe_settings`."""
    with building_from(checkpoint):
        return describe_settings(method_of(read_config(read_checkpoint(checkpoint), checkpoint)))


def _keeping(subject: SystemSource, names: Collection[str]) -> SystemSource:
    settings = {n: value for n, value in subject.options.settings.items() if n in names}
    return replace(subject, options=replace(subject.options, settings=settings))


def check_classes(checkpoint: Path, scenes: ScoredScenes) -> None:
    """Refuse a checkpoint whose classes, or whose images' channels or bits, are not the data's.

    Raises:
        UserError: names both, or the file is no checkpoint.
    """
    own, data = read_checkpoint(checkpoint)["meta"]["dataset_meta"], scenes.dataset.metainfo
    for number, (mine, theirs) in enumerate(zip_longest(own["classes"], data["classes"])):
        if mine != theirs:
            raise UserError(
                f"{checkpoint} was trained on {own['dataset']} with {len(own['classes'])} "
                f"classes, but the scored scenes are {data['dataset']} with "
                f"{len(data['classes'])}; class {number} is {mine!r} there and {theirs!r} here."
            )

    made, photos = format_in(own), format_in(data)
    if made != photos:
        raise UserError(
            f"{checkpoint} makes images of {made}, and the photos of the scored scenes have "
            f"{photos}."
        )


def _selection_note(opened: OpenedCheckpoint, scenes: ScoredScenes) -> tuple[str, ...]:
    """Says so if the training run watched the scores of these scenes."""
    watched = opened.config.get("val_dataloader", {}).get("dataset", {})
    split = watched.get("split") if opened.config.get("protocol") is not None else None
    if not split or (watched.get("type"), split) != (
        scenes.facts.get("type"),
        scenes.facts.get("split"),
    ):
        return ()
    return (
        f"its training run scored {watched['type']}'s split {split!r} as it went: a checkpoint "
        "chosen by that is chosen on what is scored here",
    )


def _modes(name: str, opened: OpenedCheckpoint) -> dict[str, bool]:
    """By row name whether styles are read from the photo."""
    if opened.translator.encoder is None:
        return {name: False}
    return {f"{name}, styles sampled": False, f"{name}, styles from the photo": True}


def _origin(opened: OpenedCheckpoint) -> dict[str, Any]:
    return {
        "checkpoint": str(opened.path),
        "sha256": sha256(opened.path),
        "epoch": opened.epoch,
        "seed": opened.config.get("seed", 0),
        "evaluations": opened.translator.evaluations(opened.inference.settings),
        **opened.inference.image_options(),
        "config": opened.config.to_dict(),
    }


def slug(name: str) -> str:
    """A folder name for a system's name."""
    text = "".join(c if c.isalnum() else "-" for c in name)
    readable = "-".join(part for part in text.split("-") if part)
    return f"{readable}-{fingerprint(name)[:6]}"  # "a b" and "a-b" are two systems
