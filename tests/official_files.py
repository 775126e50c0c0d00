"""Folders as the released pix2pixHD and pix2pix leave them, of narrow random networks, and data."""

import json

import numpy as np
import torch

from i2ibench.inference.interop import pix2pix, pix2pixhd
from i2ibench.inference.interop.import_official import CLUSTERS_FILE
from i2ibench.models.discriminators import MultiScaleDiscriminator
from i2ibench.models.discriminators.patch import PatchDiscriminator
from i2ibench.models.encoders import InstanceEncoder
from i2ibench.models.generators import CoarseToFineGenerator, UNetGenerator
from i2ibench.testing.tiny_datasets import save

CENTRES = {7: np.array([[0.5, -0.25, 0.125]], np.float32), 26: np.eye(3, dtype=np.float32)}

HD = {
    "global": {"channels": 36},
    "global without instances": {"channels": 35},
    "global with encoder": {"channels": 36, "encoder": True, "clusters": CENTRES},
    "global with encoder, not clustered": {"channels": 36, "encoder": True},
    "local with encoder": {"channels": 36, "encoder": True, "clusters": CENTRES, "enhancers": 1},
    "two enhancers": {"channels": 36, "enhancers": 2},
    "batch norm": {"channels": 36, "encoder": True, "norm_type": "batch"},
    "five labels": {"channels": 6, "options": {"label_nc": 5, "no_instance": False}},
    "pictures": {"channels": 3, "options": {"label_nc": 0, "no_instance": True}},
}
"""pix2pixHD's files by kind."""

U_NET = {"num_levels": 6, "base_channels": 2}


def write_hd(folder, channels, encoder=False, clusters=None, enhancers=0, options=None,
             norm_type="instance"):  # fmt: skip
    """Write pix2pixHD's files of a narrow network."""
    folder.mkdir(parents=True)
    features = 3 if encoder else 0
    sizes = {"num_blocks": 1, "num_downsamplings": 2, "num_enhancer_blocks": 1}
    generator = CoarseToFineGenerator(
        channels + features, base_channels=2, num_enhancers=enhancers, norm_type=norm_type, **sizes
    )
    judge = MultiScaleDiscriminator(channels + 3, 2, 4, norm_type=norm_type)
    networks = {
        "G": pix2pixhd.generator_to_official(generator),
        "D": pix2pixhd.discriminator_to_official(judge),
    }
    if encoder:
        own = InstanceEncoder(3, base_channels=2, num_downsamplings=2, norm_type=norm_type)
        networks["E"] = pix2pixhd.encoder_to_official(own)
    _write(folder, networks)
    if clusters is not None:
        np.save(folder / CLUSTERS_FILE, np.array(clusters, dtype=object), allow_pickle=True)
    if options is not None:
        write_options(folder / "opt.txt", **options)
    return folder


def write_pix2pix(folder, generator="unet", options=None, norm_type="batch", **sizes):
    """Write pix2pix's files of a narrow network, U-Net or ResNet."""
    folder.mkdir(parents=True)
    if generator == "unet":
        network = UNetGenerator(3, norm_type=norm_type, **{**U_NET, **sizes})
    else:
        network = CoarseToFineGenerator(
            3, base_channels=2, num_downsamplings=2, num_blocks=2, norm_type=norm_type,
            bias_before_norm=norm_type != "batch", **sizes,
        )  # fmt: skip
    judge = PatchDiscriminator(
        6, base_channels=2, padding=1, norm_type=norm_type, bias_before_norm=norm_type != "batch"
    )
    names = pix2pix.generator_names(network.state_dict())
    _write(folder, {"G": names, "D": pix2pix.discriminator_names(judge.state_dict())})
    if options is not None:
        write_options(folder / "train_opt.txt", **options)
    return folder


def _write(folder, networks):
    for letter, state in networks.items():
        torch.save(state, folder / f"latest_net_{letter}.pth")


def write_options(path, **options):
    """Write an option file in the form of pix2pix, whose changed values name their default."""
    lines = ["----------------- Options ---------------"]
    lines += [f"{name:>25}: {value!s:<30}\t[default: None]" for name, value in options.items()]
    path.write_text("\n".join([*lines, "----------------- End -------------------"]))


def write_scenes(root, names=("aachen_000000_000019", "bochum_000001_000313"), labels=(7, 26, 23)):
    """Write scenes in the released layout: train and test, of labels and of images.

    Files of `SPLIT_label`, `SPLIT_inst` and `SPLIT_img` have Cityscapes' endings.
    """
    rng = np.random.default_rng(0)
    road, car, sky = labels
    for split in ("train", "test"):
        for number, name in enumerate(names):
            label = np.full((32, 64), sky, np.uint8)
            label[16:] = road
            label[12:24, 8 + 9 * number : 30 + 9 * number] = car
            instance = label.astype(np.uint16)
            instance[label == car] = car * 1000 + number
            photo = rng.integers(0, 255, (32, 64, 3), np.uint8)
            save(root / f"{split}_label" / f"{name}_gtFine_labelIds.png", label)
            save(root / f"{split}_inst" / f"{name}_gtFine_instanceIds.png", instance)
            save(root / f"{split}_img" / f"{name}_leftImg8bit.png", photo)
            save(root / f"{split}_A" / f"{name}.png", 255 - photo)
            save(root / f"{split}_B" / f"{name}.png", photo)
    return root


def name_classes(folder, count):
    """Write a class list for so many labels."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [{"name": f"kind {n}", "thing": n == 1} for n in range(count)]
    (folder / "classes.json").write_text(json.dumps(names), encoding="utf-8")
    return folder
