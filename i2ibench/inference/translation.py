"""Translation of folders of label maps or other images with a checkpoint."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from torch.utils.data import default_collate

from i2ibench.data.classes import stored_table
from i2ibench.data.image_reading import image_size
from i2ibench.data.kinds import KINDS, in_order
from i2ibench.data.pixel_formats import formats_in
from i2ibench.data.scene_search import find_inputs, is_cityscapes
from i2ibench.data.scenes import SceneFiles, Scenes
from i2ibench.data.validation import require_valid_files
from i2ibench.errors import UserError
from i2ibench.inference.batch_splitting import equal_neighbours
from i2ibench.inference.checkpoints import OpenedCheckpoint
from i2ibench.inference.image_cache import ImageCache, file_hashes, readers_of, recipe_of
from i2ibench.inference.trial_translation import try_translation
from i2ibench.io.files import ending_for, remove_leftovers, require_possible_names
from i2ibench.io.progress import Progress, say
from i2ibench.io.provenance import fingerprint, sha256
from i2ibench.models.styles.bank_files import load_bank
from i2ibench.registry.configuration import own_work_dir


def translate(
    opened: OpenedCheckpoint,
    input_dir: Path,
    output_dir: Path,
    size: tuple[int, int] | None = None,
    styles: str = "random",
    samples: int = 1,
    only: Collection[str] | None = None,
    batch_size: int = 1,
) -> list[Path]:
    """Translate every scene of a folder into image files, each at the size of its input.

    Images of an earlier call with the same files, checkpoint, options and code are kept. Tiles are
    not compared, since they give the same images up to rounding. If only code has changed, such as
    a plugin's, the images are made again.

    Args:
        opened: the checkpoint. The seed of its style bank determines the sampled styles.
        input_dir: the input folder, see `find_inputs`.
        output_dir: the output folder. It gets `name.png` for each scene, or `name_0.png`, ... for
            several samples. Images of other than one or three channels become `name.npy`.
        size: the (width, height) to which scenes are resized first; None keeps their sizes.
        styles: "random" from the checkpoint's bank, "encode" from the real images, or "bank:FILE".
        samples: the number of images of each scene, with different random styles or noise.
        only: the names of the scenes to translate; None for all.
        batch_size: the most scenes that go through the networks together; they are neighbours of
            equal size. The images are the same up to rounding.

    Returns:
        The paths of all images by scene and sample, also of those that were kept.

    Raises:
        UserError: the folder has no scenes, a file is invalid, the styles do not suit the
            checkpoint, or the output folder holds other files or lies in the input folder. Nothing
            has been written then. Or the networks return NaN or infinity, after some images.
    """
    needs = opened.translator.data_preprocessor.needs
    files = [f for f in find_inputs(input_dir, needs) if only is None or f.name in only]
    encoded = styles == "encode"
    chosen = take_styles(opened, styles, samples)
    _check_needs(opened, files, encoded)
    scenes = _open_scenes(opened, files, input_dir, size)
    if output_dir.resolve().is_relative_to(input_dir.resolve()):
        raise UserError(f"The output folder {output_dir} lies in the input folder; choose another.")
    ending = ending_for(opened.translator.image_channels)
    paths = [_image_paths(output_dir, scene.name, samples, ending) for scene in files]
    require_possible_names(path for own in paths for path in own)
    settings = {"size": list(size) if size else None, **chosen, "samples": samples}
    reading = readers_of(files)
    recipe = recipe_of(opened.path, opened.translator, opened.config, settings, reading)
    hashes = [fingerprint(file_hashes(scene)) for scene in files]
    sizes = [size or image_size(scene.input) for scene in files]
    cache = ImageCache(output_dir, recipe, hashes, paths, equal_neighbours(sizes, batch_size))
    with own_work_dir(output_dir, "translating", "choose another output folder"):
        cache.claim(refuse=True)
        remove_leftovers(*{path.parent for own in paths for path in own})
        cache.fill(
            lambda batch: default_collate([scenes.read(number) for number in batch]),
            lambda data, sample: opened.inference.predict(data, encoded, sample),
        )
    return [path for own in paths for path in own]


def _open_scenes(
    opened: OpenedCheckpoint,
    files: Sequence[SceneFiles],
    folder: Path,
    size: tuple[int, int] | None,
) -> Scenes:
    """Return the scenes of a list of files, after checking each file and trying each size.

    Remarks on the files are printed. A size is tried without memory, on the meta device.
    """
    transforms = [{"type": "Resize", "width": size[0], "height": size[1]}] if size else []
    scenes = Scenes(files, stored_table(opened.metainfo), transforms)
    scenes.formats = formats_in(opened.metainfo)
    scenes.folders = [] if is_cityscapes(files) else [folder]
    with Progress("checking files", len(files)) as progress:
        notes = require_valid_files(scenes, progress.advance)
    for note in notes:
        say(note)
    for columns, rows in {size or image_size(scene.input)[::-1] for scene in files}:
        try_translation(opened.inference, rows, columns)
    return scenes


STYLES = ("random", "encode", "bank:FILE")
"""Sources of styles: sampled from the checkpoint's bank, encoded, sampled from another bank."""


def take_styles(opened: OpenedCheckpoint, styles: str, samples: int = 1) -> dict[str, Any]:
    """Prepare a checkpoint for a source of styles.

    A message says so if the style bank is empty.

    Args:
        opened: the checkpoint; with "bank:FILE" its style bank is replaced by the file's.
        styles: "random" for the checkpoint's own bank, "bank:FILE" for the bank in a file, or
            "encode" for the real images.
        samples: the number of images of each scene.

    Returns:
        The options that affect the images, as JSON values: those of `Inference.image_options`,
        `styles`, and, if styles are sampled, `style_seed` and the file's hash `bank`.

    Raises:
        UserError: the checkpoint or the bank does not suit, or all samples would be equal.
    """
    translator = opened.translator
    kind, _, file = styles.partition(":")
    if kind not in ("random", "encode", "bank") or (kind == "bank") != bool(file):
        raise UserError(f"Styles are {', '.join(STYLES[:2])} or {STYLES[2]}, not {styles!r}.")
    if kind != "random" and translator.encoder is None:
        raise UserError(f"{opened.path} has no encoder, so styles {styles!r} mean nothing.")
    if kind == "bank":
        use_bank(opened, Path(file))
    bank = opened.inference.bank if kind != "encode" else None
    varied = bank is not None and bool((bank.counts > 1).any())
    if samples > 1 and not (varied or translator.varies):
        raise UserError(
            f"{opened.path} makes the same image each time with styles {styles!r}: "
            f"{samples} samples would be equal."
        )
    if bank is None:
        return {"styles": kind, **opened.inference.image_options()}
    if not bank.counts.any():
        say("The style bank is empty: every instance gets zeros, the middle of the range.")
    digest = {"bank": sha256(Path(file))} if file else {}
    return {"styles": kind, **digest, "style_seed": bank.seed, **opened.inference.image_options()}


def use_bank(opened: OpenedCheckpoint, path: Path) -> None:
    """Replace a checkpoint's style bank by one from a file; the seed of the sampling stays.

    A message says so if the file's bank was fitted to another checkpoint.

    Args:
        opened: the checkpoint.
        path: the file of the bank, which ends in .safetensors.

    Raises:
        UserError: the checkpoint has no encoder, the file is invalid, or its bank has other classes
            or another number of features than the checkpoint.
    """
    own = opened.inference.bank
    if own is None:
        raise UserError(f"{opened.path} has no encoder, so the style bank {path} means nothing.")
    saved = load_bank(path, opened.metainfo["classes"], own.centres.shape[2])
    if saved.note.get("checkpoint") != sha256(opened.path):
        say(f"{path} was fitted to another file than {opened.path}: its modes may look different.")
    saved.bank.seed = own.seed
    opened.inference.bank = saved.bank.to(own.centres.device)


def _image_paths(output_dir: Path, name: str, samples: int, ending: str) -> list[Path]:
    """Return the paths of a scene's images: NAME.png, or NAME_0.png, ... for samples."""
    if samples == 1:
        return [output_dir / f"{name}{ending}"]
    return [output_dir / f"{name}_{k}{ending}" for k in range(samples)]


def _check_needs(opened: OpenedCheckpoint, files: Sequence[SceneFiles], encoded: bool) -> None:
    """Check that each scene has all files that the checkpoint needs.

    The files are those that the condition needs, an instance map for an encoder, and a real image
    for encoded styles.
    """
    translator = opened.translator
    needed = translator.data_preprocessor.needs
    reasons = dict.fromkeys(needed, "the condition")
    if "instance" in reasons:
        reasons["instance"] = "the boundary map"
    if translator.encoder is not None:
        reasons["instance"] = "the styles of the instances"
    if encoded:
        reasons.setdefault("image", "styles from photos")
    inputs = "label map" if "label" in needed else "picture"
    for scene in files:
        for kind, reason in reasons.items():
            if kind not in scene.paths:
                folders = ", ".join(f"{kind.name}/" for kind in in_order(["label", *reasons]))
                raise UserError(
                    f"{opened.path} needs {KINDS[kind].one} for every {inputs} (for {reason}), and "
                    f"there is none for {scene.input}. Put files of the same names into folders "
                    f"of the input folder, those that are needed of {folders}."
                )
