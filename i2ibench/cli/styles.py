"""Fit, list or preview a style bank, which holds the modes of appearance of each class.

styles fit CHECKPOINT        cluster the encoder's features on the checkpoint's training scenes
styles list CHECKPOINT|BANK  list the classes with their modes
styles preview CHECKPOINT    write a contact sheet of the modes on validation scenes

The data is that of the checkpoint's config. If it was moved, pass --cfg-options data_root=DIR. Each
scene is read once, at the training size, without random flips and crops.
"""

import argparse
import tempfile
from fractions import Fraction
from pathlib import Path

from rich.console import Console

from i2ibench.cli.arguments import (
    add_device_argument,
    add_options_argument,
    positive,
)
from i2ibench.errors import UserError
from i2ibench.inference.checkpoint_names import find_checkpoint, is_shipped
from i2ibench.inference.checkpoints import OpenedCheckpoint, open_checkpoint
from i2ibench.inference.styles.fitting import (
    FitOptions,
    check_copy,
    describe_fit,
    fit_bank,
    scenes_of,
    write_copy,
)
from i2ibench.inference.styles.preview import bank_of, bank_table, preview
from i2ibench.inference.translation import use_bank
from i2ibench.io.devices import checked_device
from i2ibench.io.files import require_possible_names, write_image
from i2ibench.io.folder_locks import lock_target
from i2ibench.models.styles.bank_files import SUFFIX, read_bank, require_suffix, save_bank
from i2ibench.registry.mmengine_workarounds import silence_third_parties


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command `styles` to its parser, in place."""
    parser.add_argument("action", choices=("fit", "list", "preview"), help="see above")
    parser.add_argument(
        "file", type=Path,
        help="a checkpoint, the folder of a run, or the name of a trained system in the package; "
        "list accepts a bank's file too",
    )  # fmt: skip
    parser.add_argument(
        "--num-styles", type=positive, help="modes per class (default: the checkpoint's)"
    )
    parser.add_argument(
        "--min-area", type=share, default=0.0, metavar="SHARE",
        help="leave out instances that cover no more than this share of the image; pix2pixHD's "
        "code uses 1/64 (default: 0, all instances, as in the paper)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="seed of the clustering (default: 0)")
    parser.add_argument(
        "--max-scenes", type=positive, default=0,
        help="number of training scenes to read, evenly spread (default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--batch-size", type=positive, default=4, help="scenes to encode at once (default: 4)"
    )
    parser.add_argument(
        "--output", type=Path,
        help="the file to write (default: NAME_styles.safetensors or NAME_styles.png beside the "
        "checkpoint)",
    )  # fmt: skip
    parser.add_argument(
        "--into-checkpoint", type=Path, metavar="FILE.pth",
        help="write a copy of the checkpoint with the new bank, instead of a file with the bank",
    )  # fmt: skip
    parser.add_argument("--bank", type=Path, help="the bank to preview (default: the checkpoint's)")
    parser.add_argument(
        "--scenes", type=positive, default=2, help="scenes to preview per class (default: 2)"
    )
    add_options_argument(parser)
    add_device_argument(parser)


def share(text: str) -> float:
    """Convert the text of an argument, such as "0.01" or "1/64", to a number from 0 to below 1.

    Raises:
        ArgumentTypeError: it is no such number; argparse prints the message.
    """
    try:
        value = float(Fraction(text))
    except (ValueError, ZeroDivisionError):
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(
            f"must be a number from 0 to below 1, such as 1/64, not {text!r}"
        )
    return value


def run(options: argparse.Namespace) -> None:
    """Fit, list or preview a style bank, as the argument `action` says."""
    silence_third_parties()
    {"fit": _fit, "list": _list, "preview": _preview}[options.action](options)


def _fit(options: argparse.Namespace) -> None:
    opened = _open(options)
    bank_of(opened)  # refuses models without styles before any data is read
    settings = FitOptions(options.num_styles, options.min_area, options.seed, options.max_scenes)
    copy, output = options.into_checkpoint, options.output
    if copy is not None:
        check_copy(opened, copy, settings)
    elif output is None:
        output = _beside(opened.path, f"_styles{SUFFIX}")
    if output is not None:
        require_suffix(output)
    for path in filter(None, (output, copy)):
        _require_writable(path)
    dataset = scenes_of(opened, "train_dataloader", options.cfg_options)
    bank = fit_bank(opened, dataset, settings, options.batch_size)
    classes = opened.metainfo["classes"]
    origin = describe_fit(opened, dataset, settings)
    if output is not None:
        with lock_target(output, "writing styles", wait=True):  # two files, which are of one bank
            save_bank(bank, classes, output, origin)
    if copy is not None:
        write_copy(opened, copy, bank, origin)
    Console(soft_wrap=True).print(bank_table(bank, classes))
    written = {"styles": output, "checkpoint": copy}
    print("\n".join(f"{what}: {path}" for what, path in written.items() if path))


def _list(options: argparse.Namespace) -> None:
    if options.file.suffix == SUFFIX:
        saved = read_bank(options.file)
        table = bank_table(saved.bank, saved.classes)
    else:
        opened = open_checkpoint(find_checkpoint(options.file))
        table = bank_table(bank_of(opened), opened.metainfo["classes"])
    Console(soft_wrap=True).print(table)


def _preview(options: argparse.Namespace) -> None:
    opened = _open(options)
    if options.bank is not None:
        use_bank(opened, options.bank)
    source = options.bank or opened.path
    if not bank_of(opened).counts.any():
        raise UserError(f"{source} has no modes yet; fit them with `styles fit`.")
    ending = ".png" if options.bank else "_styles.png"
    output = options.output or _beside(source, ending)
    _require_writable(output)
    dataset = scenes_of(opened, "val_dataloader", options.cfg_options)
    sheet = preview(opened, dataset, options.scenes, f"Style modes of {source.name}")
    write_image(output, sheet, compress_level=6)
    print(f"preview: {output}")


def _require_writable(path: Path) -> None:
    """Refuse a file that cannot be written, before the work that it should hold is done.

    The file's folder is created. The file itself is not touched.
    """
    require_possible_names([path])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error}") from None


def _beside(path: Path, ending: str) -> Path:
    """Return a file of the same stem beside a file; in the current folder for the package's own."""
    name = path.stem + ending
    return Path(name) if is_shipped(path) else path.with_name(name)


def _open(options: argparse.Namespace) -> OpenedCheckpoint:
    return open_checkpoint(find_checkpoint(options.file), checked_device(options.device))
