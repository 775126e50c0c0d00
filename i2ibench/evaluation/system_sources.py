"""Systems from checkpoints and from folders of images."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

from i2ibench.data.pixel_formats import format_in
from i2ibench.errors import UserError, near_match
from i2ibench.evaluation.checkpoint_images import translate_scenes
from i2ibench.evaluation.image_sources import CONTROLS, System, given_images, is_lossy
from i2ibench.evaluation.protocol_scenes import ScoredScenes
from i2ibench.evaluation.protocols.protocol import Protocol
from i2ibench.evaluation.style_probes import StyleProbe
from i2ibench.inference.checkpoint_checks import read_config
from i2ibench.inference.checkpoint_names import find_checkpoint, is_shipped
from i2ibench.inference.checkpoints import (
    OpenedCheckpoint,
    Weights,
    building_from,
    open_checkpoint,
    read_checkpoint,
)
from i2ibench.inference.inference import DEFAULT_OPTIONS, InferenceOptions
from i2ibench.io.provenance import fingerprint, sha256
from i2ibench.io.run_folders import run_folder
from i2ibench.models.translators.build import method_of
from i2ibench.models.translators.inference_settings import describe_settings

ENCODED_NOTE = "the styles are read from the very photo that is to be predicted"


@dataclass(frozen=True)
class SystemSource:
    """A checkpoint file or a folder of images that is evaluated.

    Attributes:
        name: the name in reports.
        path: the file or folder.
        is_folder: True for a folder of images, which any code may have made.
        options: the options for translating with a checkpoint.
        weights: the weights of a checkpoint to score, see `open_checkpoint`, or "both".
    """

    name: str
    path: Path
    is_folder: bool = False
    options: InferenceOptions = DEFAULT_OPTIONS
    weights: Weights | Literal["both"] | None = None


def parse_systems(checkpoints: Iterable[str], folders: Iterable[str]) -> list[SystemSource]:
    """Parse arguments such as `runs/a/epoch_0200.pth` or `spade=results/spade` to systems.

    The text before the first "=" is the system's name, unless the whole text is an existing path.
    Without a name, a checkpoint has the name of its run's folder, and a folder its own name. No
    file is opened.

    Args:
        checkpoints: arguments that name checkpoint files.
        folders: arguments that name folders of images.

    Returns:
        The checkpoints, then the folders.

    Raises:
        UserError: two sources have one name, a name is empty or is that of a control system, or a
            path does not exist or is of the wrong kind.
    """
    sources = [_parse_source(text, is_folder=False) for text in checkpoints]
    sources += [_parse_source(text, is_folder=True) for text in folders]
    names = [source.name for source in sources]
    for source in sources:
        if not source.name.strip() or source.name in CONTROLS:
            raise UserError(f"{source.name!r} is no name for {source.path}; choose another.")
        if names.count(source.name) > 1:
            raise UserError(
                f"Two systems are called {source.name!r}; name them apart, as in "
                f"ours={source.path}."
            )
    return sources


def _parse_source(text: str, is_folder: bool) -> SystemSource:
    name, given, rest = text.partition("=")
    named = rest if given and not Path(text).exists() else text
    path = Path(named)
    if is_folder and not path.is_dir():
        what = "is no folder" if path.exists() else "does not exist"
        raise UserError(f"{path} {what}: images are named by their folder.")
    if not is_folder:
        path = find_checkpoint(named)
    if given and named == rest:
        return SystemSource(name, path, is_folder)
    return SystemSource(path.resolve().name if is_folder else _run_name(path), path, is_folder)


def _run_name(checkpoint: Path) -> str:
    """Return the name of a checkpoint's run folder, or "<run>/<stage>" inside a stage's folder."""
    folder = checkpoint.resolve().parent
    return folder.relative_to(run_folder(folder).parent).as_posix()


def given_system(
    source: SystemSource, scenes: ScoredScenes, protocol: Protocol
) -> tuple[System, dict[str, Any]]:
    """Check a folder of images; return its system and the origin for the results.

    The origin has the keys "folder" and "sha256" (of the contents of the images). The system has a
    note if some images are compressed with loss, such as JPEG.

    Raises:
        UserError: images are missing or cannot be used.
    """
    images = given_images(source.path, scenes, protocol.resize)
    hashes = {name: sha256(path) for name, path in images.samples[0].items()}
    notes = (
        ("some images are stored with loss, such as JPEG: compression counts",)
        if is_lossy(images)
        else ()
    )
    content = fingerprint(hashes)
    origin = {"folder": str(source.path), "sha256": content}
    system = System(
        source.name, images, {"pictures": content}, notes=notes,
        no_styles="Images from a folder have no styles that could be chosen.",
    )  # fmt: skip
    return system, origin


def translated_systems(
    source: SystemSource,
    scenes: ScoredScenes,
    protocol: Protocol,
    output_dir: Path,
    device: str,
    batch_size: int,
    root: str | None = None,
) -> tuple[list[System], dict[str, Any]]:
    """Translate the scenes with a checkpoint; return its systems and its origin for the results.

    A checkpoint with an encoder gives two systems: with sampled styles and with styles encoded from
    the real images. If both kinds of weights are asked for, and the checkpoint has averaged ones,
    it gives the same again with these, called EMA. The origin has the file, its hash, epoch, seed,
    kind of weights and config. Images that exist already and are up to date are not made again.

    Args:
        source: the checkpoint.
        scenes: the scored scenes. If the protocol resizes images, the checkpoint translates at the
            size of its own validation data instead.
        protocol: the rules of the evaluation.
        output_dir: the folder of the evaluation, where images are written below `pictures/`.
        device: the device that computes networks.
        batch_size: the number of scenes that are translated at once.
        root: the folder of the checkpoint's training data; None for the folder in its config.

    Raises:
        UserError: the checkpoint cannot be opened or cannot translate the scenes.
    """
    weights = None if source.weights == "both" else source.weights
    opened = open_checkpoint(source.path, device, weights, source.options)
    if protocol.resize is not None:
        watched = opened.config.get("val_dataloader", {}).get("dataset", {})
        with building_from(opened.path):
            scenes = scenes.at_size_of(watched.get("transforms", []))
    origin, named = _origin(opened), {source.name: opened}
    if source.weights == "both" and opened.averaged:
        last = open_checkpoint(source.path, device, "last", source.options)
        origin["weights"], named = "both", {source.name: last, f"{source.name}, EMA": opened}
    systems = []
    for name, each in named.items():
        systems += _translated(name, each, scenes, protocol, output_dir, batch_size, root)
    return systems, origin


def _translated(
    source: str,
    opened: OpenedCheckpoint,
    scenes: ScoredScenes,
    protocol: Protocol,
    output_dir: Path,
    batch_size: int,
    root: str | None,
) -> list[System]:
    """Translate the scenes and return one system, or two for a checkpoint with an encoder.

    The two are the system with sampled styles, which can be probed for styles, and the system with
    styles from the real images, which is not ranked.
    """
    systems = []
    probe = StyleProbe(opened, root) if opened.translator.encoder is not None else None
    for name, encoded in _modes(source, opened).items():
        bank = opened.inference.bank
        chosen: dict[str, Any] = {
            "name": source,
            "encode_photo": encoded,
            **opened.inference.image_options(),
            **({"weights": "average"} if opened.averaged else {}),
            "style_seed": bank.seed if bank is not None else None,
        }
        folder = output_dir / "pictures" / slug(name)
        store = translate_scenes(folder, opened, scenes, chosen, protocol.samples, batch_size)
        images = replace(store.images, resize=protocol.resize)
        dependencies = {"pictures": store.key, "samples": protocol.samples}
        notes = (*((ENCODED_NOTE,) if encoded else ()), *_selection_note(opened, scenes))
        notes += inference_notes(opened)
        system = System(name, images, dependencies, informed=encoded, notes=notes)
        if encoded:
            system = replace(system, no_styles="Styles are measured where they are sampled.")
        else:
            system = replace(system, styles=probe)
        systems.append(system)
    return systems


def inference_notes(opened: OpenedCheckpoint) -> tuple[str, ...]:
    """Return notes on how a checkpoint makes its images: weights, precision, settings, evaluations.

    A note is left out for the weights of the last step, for float32, for no chosen settings and for
    one network evaluation per image.
    """
    options = opened.inference.image_options()
    settings = ", ".join(f"{name}={value}" for name, value in options.get("settings", {}).items())
    evaluations = opened.translator.evaluations(opened.inference.settings)
    notes = {
        "its weights are averaged over training (EMA)": opened.averaged,
        f"its images are computed in {options.get('amp')}": "amp" in options,
        f"settings: {settings}": bool(settings),
        f"{evaluations} network evaluations for each image (NFE)": evaluations > 1,
    }
    return tuple(note for note, holds in notes.items() if holds)


def with_own_settings(sources: Sequence[SystemSource]) -> list[SystemSource]:
    """Return the sources, each checkpoint with only those chosen settings that its method has.

    Sources of folders lose all settings. Without any chosen setting the sources stay as they are.

    Raises:
        UserError: a setting exists in no evaluated method (the message names the near match and all
            settings), or a checkpoint cannot be read.
    """
    chosen = {name for source in sources for name in source.options.settings}
    if not chosen:
        return list(sources)
    own = {s: _settings_of(s.path) for s in sources if not s.is_folder}
    known = {name: text for settings in own.values() for name, text in settings.items()}
    for name in chosen - known.keys():
        listing = ", ".join(known.values()) or "none"
        raise UserError(
            f"No evaluated method has a setting {name!r}.{near_match(name, known)} "
            f"Settings: {listing}."
        )
    return [_keeping(source, own.get(source, {})) for source in sources]


def _settings_of(checkpoint: Path) -> dict[str, str]:
    """Read a checkpoint and return its method's settings: a description of each by its name."""
    with building_from(checkpoint):
        return describe_settings(method_of(read_config(read_checkpoint(checkpoint), checkpoint)))


def _keeping(source: SystemSource, names: Collection[str]) -> SystemSource:
    settings = {n: value for n, value in source.options.settings.items() if n in names}
    return replace(source, options=replace(source.options, settings=settings))


def check_classes(checkpoint: Path, scenes: ScoredScenes) -> None:
    """Check that a checkpoint was trained on the classes, channels and bits of the scored scenes.

    The classes must have the same names in the same order.

    Raises:
        UserError: they differ (the message names both), or the file is no checkpoint.
    """
    own, data = read_checkpoint(checkpoint)["meta"]["dataset_meta"], scenes.dataset.metainfo
    for number, (mine, theirs) in enumerate(zip_longest(own["classes"], data["classes"])):
        if mine != theirs:
            raise UserError(
                f"{checkpoint} was trained on {own['dataset']} with {len(own['classes'])} "
                f"classes, but the scored scenes are {data['dataset']} with "
                f"{len(data['classes'])}; class {number} is {mine!r} there and {theirs!r} here."
            )

    fake, real = format_in(own), format_in(data)
    if fake != real:
        raise UserError(
            f"{checkpoint} makes images of {fake}, and the photos of the scored scenes have {real}."
        )


def _selection_note(opened: OpenedCheckpoint, scenes: ScoredScenes) -> tuple[str, ...]:
    """Return a tuple with a note if the training run scored checkpoints on these scenes, else ().

    Data sets are compared by type and split. A training run without a protocol scored nothing.
    """
    watched = opened.config.get("val_dataloader", {}).get("dataset", {})
    split = watched.get("split") if opened.config.get("protocol") is not None else None
    if not split or (watched.get("type"), split) != (
        scenes.description.get("type"),
        scenes.description.get("split"),
    ):
        return ()
    return (
        f"its training run scored {watched['type']}'s split {split!r} as it went: a checkpoint "
        "chosen by that is chosen on what is scored here",
    )


def _modes(name: str, opened: OpenedCheckpoint) -> dict[str, bool]:
    """Return by system name whether the system encodes its styles from the real image.

    A checkpoint without an encoder has one system, called `name`; with an encoder it has two.
    """
    if opened.translator.encoder is None:
        return {name: False}
    return {f"{name}, styles sampled": False, f"{name}, styles from the photo": True}


def _origin(opened: OpenedCheckpoint) -> dict[str, Any]:
    return {
        "checkpoint": opened.path.stem if is_shipped(opened.path) else str(opened.path),
        "sha256": sha256(opened.path),
        "epoch": opened.epoch,
        "seed": opened.config.get("seed", 0),
        "weights": "average" if opened.averaged else "last",
        "evaluations": opened.translator.evaluations(opened.inference.settings),
        **opened.inference.image_options(),
        "config": opened.config.to_dict(),
    }


def slug(name: str) -> str:
    """Return a folder name of letters, digits and "-" for a system's name.

    It ends in six hex digits of a hash, so that names such as "a b" and "a-b" have two folders.
    """
    text = "".join(c if c.isalnum() else "-" for c in name)
    readable = "-".join(part for part in text.split("-") if part)
    return f"{readable}-{fingerprint(name)[:6]}"  # "a b" and "a-b" are two systems
