"""Train a segmenter on the real images of a config, to score translations of that data with it."""

import argparse
from pathlib import Path

from i2ibench.cli.arguments import (
    add_config_arguments,
    add_device_argument,
    config_of,
)
from i2ibench.data.loaders import build_dataset, build_loader, prepare_datasets
from i2ibench.evaluation.segmenters.fitting import fit_segmenter, save_segmenter, score_segmenter
from i2ibench.io.devices import checked_device
from i2ibench.io.folder_locks import lock_target
from i2ibench.registry import SEGMENTERS
from i2ibench.registry.configuration import prepare_work_dir
from i2ibench.registry.mmengine_workarounds import silence_third_parties
from i2ibench.training.hooks.random_states import seed_everything

SEGMENTER_TYPES = {"compact": "CompactSegmenter", "pspnet": "SMPSegmenter"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command `train_segmenter` to its parser, in place."""
    add_config_arguments(parser)
    parser.add_argument("output", type=Path, help="the file of weights to write, such as x.pth")
    parser.add_argument(
        "--segmenter",
        choices=SEGMENTER_TYPES,
        default="compact",
        help="compact (small and fast), or pspnet: a PSPNet with a ResNet-18 that starts from "
        'random weights and needs pip install "i2ibench[segmenters]" (default: compact)',
    )
    parser.add_argument("--epochs", type=int, default=30, help="epochs to train (default: 30)")
    parser.add_argument("--batch-size", type=int, default=8, help="images in a batch (default: 8)")
    add_device_argument(parser)


def run(options: argparse.Namespace) -> None:
    """Train a segmenter, save its weights, and print its scores on the validation images.

    Raises:
        UserError: the config, its data or the device cannot be used, or another process writes the
            file.
    """
    silence_third_parties()
    with lock_target(options.output, "training a segmenter"):
        _train(options)


def _train(options: argparse.Namespace) -> None:
    config, device = config_of(options), checked_device(options.device)
    prepare_work_dir(options.output.parent)
    seed_everything(config.get("seed", 0))
    prepare_datasets(config)
    loaders = {}
    for split in ("train", "val"):
        cfg = {**config[f"{split}_dataloader"], "batch_size": options.batch_size}
        dataset = build_dataset(cfg, config.get("data_root"), config.get("seed", 0))
        loaders[split] = build_loader(dataset, cfg, training=split == "train")
    classes = loaders["train"].dataset.metainfo["scored_classes"]
    derived = {"num_classes": len(classes), "scored_classes": classes}
    segmenter = SEGMENTERS.build_for({"type": SEGMENTER_TYPES[options.segmenter]}, derived)
    fit_segmenter(segmenter, loaders["train"], options.epochs, device=device)
    save_segmenter(segmenter, options.output)
    for name, value in score_segmenter(segmenter, loaders["val"], device).items():
        print(f"validation {name}: {value:.4f}")
    print(f"saved: {options.output}")
