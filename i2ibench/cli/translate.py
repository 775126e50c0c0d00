"""Translate a folder of label maps with a trained checkpoint.

INPUT_DIR holds Cityscapes' *_gtFine_labelIds.png and *_instanceIds.png at any depth, or the
folders label/, instance/ and image/ with files of equal names (the last two where the model needs
them), or label maps alone. Any size is translated at its own size.
"""

import argparse
from pathlib import Path

from i2ibench.cli.arguments import (
    add_compile_argument,
    add_device_argument,
    add_precision_argument,
    add_settings_argument,
    checked_device,
    positive,
    size,
)
from i2ibench.inference import InferenceOptions
from i2ibench.inference.checkpoints import open_checkpoint
from i2ibench.inference.translation import STYLES, translate
from i2ibench.registry.compat import silence_third_parties


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("checkpoint", type=Path, help="a .pth file that train wrote")
    parser.add_argument("input_dir", type=Path, help="label maps (see above)")
    parser.add_argument("output_dir", type=Path, help="gets the images, PNG")
    parser.add_argument("--size", type=size, metavar="WxH", help="resize the maps first")
    parser.add_argument(
        "--styles",
        default="random",
        metavar="|".join(STYLES),
        help="how each instance looks: drawn from the checkpoint's modes (the default), as in the "
        "photo, or drawn from the modes that `styles fit` wrote to a file; an instance whose class "
        "has no modes gets zeros, the middle of the range",
    )
    parser.add_argument("--style-seed", type=int, default=0, help="which styles are drawn (0)")
    parser.add_argument(
        "--samples", type=positive, default=1, metavar="N",
        help="images of each scene, name_0.png and so on, that differ in the styles drawn (1)",
    )  # fmt: skip
    parser.add_argument(
        "--tile", type=size, metavar="WxH",
        help="work in tiles of this size, such as 1024x512: less memory, the same images up to "
        "rounding",
    )  # fmt: skip
    add_device_argument(parser)
    add_precision_argument(parser)
    add_compile_argument(parser)
    add_settings_argument(parser)


def run(options: argparse.Namespace) -> None:
    """Translate."""
    silence_third_parties()
    how = InferenceOptions(options.amp, options.compile, options.tile, options.set)
    opened = open_checkpoint(options.checkpoint, checked_device(options.device), options=how)
    if opened.inference.bank is not None:
        opened.inference.bank.seed = options.style_seed
    paths = translate(
        opened, options.input_dir, options.output_dir, options.size, options.styles, options.samples
    )
    print(f"translated: {len(paths)} images in {options.output_dir}")
