"""Write a trained system as one file for other programs, and compare its images.

export CHECKPOINT model.onnx    for onnxruntime, TensorRT, browsers, mobile phones
export CHECKPOINT model.pt2     for torch, without i2ibench

The file takes a label map and, as the system needs them, an instance map, the mode of each pixel's
instance and noise, of any size, and returns an image of 8 bits. model.onnx.json describes both.
"""

import argparse
from pathlib import Path

from i2ibench.cli.arguments import (
    add_checkpoint_argument,
    add_settings_argument,
    add_weights_argument,
)
from i2ibench.errors import UserError
from i2ibench.inference import InferenceOptions
from i2ibench.inference.checkpoint_names import find_checkpoint
from i2ibench.inference.checkpoints import open_checkpoint
from i2ibench.inference.export.files import export_system
from i2ibench.registry.mmengine_workarounds import silence_third_parties


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command `export` to its parser, in place."""
    add_checkpoint_argument(parser)
    parser.add_argument("target", type=Path, help="the file to write, NAME.onnx or NAME.pt2")
    parser.add_argument(
        "--fp16", action="store_true",
        help="compute in 16-bit floats: half the size, and images that differ by a few grey levels",
    )  # fmt: skip
    add_weights_argument(parser)
    add_settings_argument(parser)


def run(options: argparse.Namespace) -> None:
    """Export a checkpoint, and print how far the file's images are from the original's.

    Raises:
        UserError: the checkpoint or the target cannot be used; see `export_system`.
    """
    silence_third_parties()
    if options.target.is_dir():
        raise UserError(f"{options.target} is a folder; name the file, such as model.onnx.")
    opened = open_checkpoint(
        find_checkpoint(options.checkpoint), "cpu", options.weights,
        InferenceOptions(settings=options.set),
    )  # fmt: skip
    for parity in export_system(opened, options.target, options.fp16):
        print(parity)
    size = options.target.stat().st_size / 2**20
    print(f"written: {options.target}, {size:.1f} MiB; {options.target.name}.json describes it")
