"""Translate a folder of label maps with a trained checkpoint.

INPUT_DIR holds one of these layouts: Cityscapes' *_gtFine_labelIds.png and *_instanceIds.png at any
depth; the folders label/, instance/ and image/ with files of equal names (the last two only if the
model needs them); label maps alone. Each label map is translated at its own size.
"""

import argparse
from pathlib import Path

from i2ibench.cli.arguments import (
    add_checkpoint_argument,
    add_compile_argument,
    add_device_argument,
    add_precision_argument,
    add_settings_argument,
    add_weights_argument,
    positive,
    size,
)
from i2ibench.inference import InferenceOptions
from i2ibench.inference.checkpoint_names import find_checkpoint
from i2ibench.inference.checkpoints import open_checkpoint
from i2ibench.inference.translation import STYLES, translate
from i2ibench.io.devices import checked_device
from i2ibench.registry.mmengine_workarounds import silence_third_parties


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command `translate` to its parser, in place."""
    add_checkpoint_argument(parser)
    parser.add_argument("input_dir", type=Path, help="the folder of label maps (see above)")
    parser.add_argument("output_dir", type=Path, help="the folder to write PNG images to")
    parser.add_argument(
        "--size", type=size, metavar="WxH", help="resize the inputs to this size first"
    )
    parser.add_argument(
        "--styles",
        default="random",
        metavar="|".join(STYLES),
        help="the appearance of each instance: drawn from the checkpoint's modes (the default), "
        "encoded from the real image, or drawn from the modes in a file of `styles fit`. An "
        "instance whose class has no modes gets zeros, the middle of the range",
    )
    parser.add_argument(
        "--style-seed", type=int, default=0, help="seed of the styles that are drawn (default: 0)"
    )
    parser.add_argument(
        "--samples", type=positive, default=1, metavar="N",
        help="images of each scene, NAME_0.png and so on, with different styles (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--batch-size", type=positive, default=1, metavar="N",
        help="translate up to N neighbours of equal size at once, which is faster on a GPU",
    )  # fmt: skip
    parser.add_argument(
        "--tile", type=size, metavar="WxH",
        help="compute in tiles of this size, such as 1024x512, which needs less memory and gives "
        "the same images up to rounding",
    )  # fmt: skip
    add_device_argument(parser)
    add_weights_argument(parser)
    add_precision_argument(parser)
    add_compile_argument(parser)
    add_settings_argument(parser)


def run(options: argparse.Namespace) -> None:
    """Translate the scenes in a folder with a checkpoint, and print the number of images."""
    silence_third_parties()
    checkpoint = find_checkpoint(options.checkpoint)
    how = InferenceOptions(options.amp, options.compile, options.tile, options.set)
    opened = open_checkpoint(checkpoint, checked_device(options.device), options.weights, how)
    if opened.inference.bank is not None:
        opened.inference.bank.seed = options.style_seed
    paths = translate(
        opened, options.input_dir, options.output_dir, options.size, options.styles,
        options.samples, batch_size=options.batch_size,
    )  # fmt: skip
    print(f"translated: {len(paths)} images in {options.output_dir}")
