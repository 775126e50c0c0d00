"""Reading a folder of official pix2pixHD or pix2pix files as one checkpoint of this project."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from i2ibench import __version__
from i2ibench.data.pixel_formats import PixelFormat
from i2ibench.errors import UserError
from i2ibench.inference.interop import data_options, pix2pix, pix2pixhd
from i2ibench.inference.interop import network_option_checks as network_options
from i2ibench.inference.interop.conversion_options import (
    PIX2PIX,
    PIX2PIXHD,
    WEIGHTS,
    Conversion,
    ConversionOptions,
)
from i2ibench.inference.interop.official_state_dict import modernised
from i2ibench.inference.interop.style_clusters import read_clusters
from i2ibench.io.files import write_file
from i2ibench.io.progress import say
from i2ibench.io.weights import load_state
from i2ibench.models.styles.bank import StyleBank

CLUSTERS_FILE = "features_clustered_010.npy"

WEIGHT_FILES = {
    "generator": "latest_net_G.pth",
    "discriminator": "latest_net_D.pth",
    "encoder": "latest_net_E.pth",
}
"""The official file of each kind of network."""


@dataclass(frozen=True)
class ConvertedModel:
    """A model read from official files, as the parts of a checkpoint.

    Attributes:
        config: of the checkpoint.
        metainfo: of the classes and the images.
        state: the weights under this project's names.
        conversion: with the report of the values that were read or assumed.
    """

    config: dict[str, Any]
    metainfo: dict[str, Any]
    state: dict[str, torch.Tensor]
    conversion: Conversion


def import_folder(
    folder: Path, output: Path, options: ConversionOptions | None = None
) -> dict[str, Any]:
    """Convert a folder of official files into a checkpoint; return the checkpoint's config.

    Args:
        folder: see `read_folder`.
        output: the checkpoint file to write; an existing file is replaced.
        options: see `read_folder`; None reads everything from the files.

    Raises:
        UserError: see `read_folder`. Nothing has been written then.
    """
    model = read_folder(folder, options or ConversionOptions())
    write_checkpoint(model, output)
    return model.config


def read_folder(folder: Path, options: ConversionOptions) -> ConvertedModel:
    """Read a folder of official files; report every assumption that affects images.

    Args:
        folder: contains latest_net_G.pth. It may contain latest_net_D.pth, latest_net_E.pth, a
            K-means file such as features_clustered_010.npy, which is used with an encoder only, and
            the option files opt.txt, train_opt.txt and test_opt.txt.
        options: of the user, which have precedence over the option files.

    Returns:
        The model; the report is in its `conversion`.

    Raises:
        UserError: a file is missing, does not fit or contradicts another file, or a value that
            affects images is unknown.
    """
    _require_generator(folder)
    conversion = Conversion(folder, options)
    weights = {
        kind: load_state(folder / name)
        for kind, name in WEIGHT_FILES.items()
        if kind == "generator" or (folder / name).is_file()
    }
    networks = {kind: network_config(kind, state) for kind, state in weights.items()}
    program = _program(conversion, networks)
    network_options.check_option_files(conversion, networks, program)
    image_channels = _image_channels(conversion, networks)
    network_options.set_dropout_and_mode(conversion, networks)
    state = {
        f"{kind}.{name}": value
        for kind, official in weights.items()
        for name, value in _network(kind, official).state_dict().items()
    }
    features = networks["encoder"]["out_channels"] if "encoder" in networks else 0
    condition = networks["generator"].pop("in_channels") - features
    preprocessor, num_labels = data_options.determine_condition(conversion, condition, program)
    data_options.check_features(conversion, bool(features), bool(preprocessor.get("boundaries")))
    classes, data_set = data_options.determine_classes(conversion, num_labels)
    if image_channels != 3:
        networks["generator"].pop("out_channels")  # follows from the data's images
    model = _model_config(networks, condition + image_channels)
    if features:
        bank = _style_bank(conversion, num_labels, features)
        model["encoder"]["num_styles"] = bank["style_bank.centres"].shape[1]
        state |= bank
    config = {"model": model, "data_preprocessor": preprocessor, "seed": 0}
    size = data_options.determine_size(conversion, program)
    if data_set == "Cityscapes":
        known_size = {} if size is None else {"width": size[0], "height": size[1]}
        config["protocol"] = {"type": "cityscapes", **known_size}
    data_options.report_assumptions(conversion, program, model["generator"]["type"])
    metainfo = classes.metainfo(data_set, {"image": PixelFormat(image_channels)})
    return ConvertedModel(config, metainfo, state, conversion)


def write_checkpoint(model: ConvertedModel, output: Path) -> None:
    """Write a converted model as a checkpoint that translate, eval, edit, styles and study open.

    The checkpoint has no state of training. An existing file is replaced.
    """
    meta = {
        "epoch": 0,
        "dataset_meta": model.metainfo,
        "official": [asdict(row) for row in model.conversion.rows],
    }
    checkpoint = {
        "i2ibench": __version__,
        "config": json.dumps(model.config),
        "meta": meta,
        "state_dict": model.state,
    }
    write_file(output, lambda unfinished: torch.save(checkpoint, unfinished))


def _require_generator(folder: Path) -> None:
    """Check that a folder holds latest_net_G.pth."""
    name = WEIGHT_FILES["generator"]
    if (folder / name).is_file():
        return
    others = ", ".join(path.name for path in sorted(folder.glob("*_net_G*.pth"))[:5])
    way_out = f" It has {others}: copy the files of the epoch that you mean to latest_net_*.pth."
    raise UserError(f"{folder} has no {name}.{way_out if others else ''}")


def _program(conversion: Conversion, networks: dict[str, dict[str, Any]]) -> str:
    """Return the program that wrote the official files, PIX2PIX or PIX2PIXHD.

    Option files with no_dropout and without label_nc are pix2pix's. Otherwise the networks decide.
    """
    files = conversion.option_files
    if files.find("no_dropout") is not None and not files.find("label_nc"):
        return PIX2PIX
    return program_of(networks)


def program_of(networks: dict[str, dict[str, Any]]) -> str:
    """Return the released program that has networks with these options, PIX2PIX or PIX2PIXHD.

    A U-Net, a single patch discriminator, dropout, or no bias before norms mean PIX2PIX.

    Args:
        networks: the options of each network here, by kind; the generator must be among them.
    """
    generator = networks["generator"]
    only_in_pix2pix = (
        generator["type"] == "UNetGenerator",
        networks.get("discriminator", {}).get("type") == "PatchDiscriminator",
        bool(generator.get("dropout")),
        not generator.get("bias_before_norm", True),
    )
    return PIX2PIX if any(only_in_pix2pix) else PIX2PIXHD


def _image_channels(conversion: Conversion, networks: Mapping[str, dict[str, Any]]) -> int:
    """Return the number of channels of the generator's images, 1 or 3; report grey images."""
    channels: int = networks["generator"]["out_channels"]
    if channels not in (1, 3):
        raise UserError(
            f"latest_net_G.pth makes images of {channels} channels; only those of 3 channels, "
            "or grey ones of 1, can be translated and scored here."
        )
    if channels == 1:
        conversion.report("images", "grey", WEIGHTS)
    return channels


def _is_pix2pix_discriminator(kind: str, state: Mapping[str, Any]) -> bool:
    return kind == "discriminator" and "model.0.weight" in modernised(state)


def _network(kind: str, state: Mapping[str, Any]) -> nn.Module:
    """Build the network of official weights and return it with these weights loaded."""
    if _is_pix2pix_discriminator(kind, state):
        return pix2pix.discriminator_from_official(state)
    if kind == "discriminator":
        return pix2pixhd.discriminator_from_official(state)
    if kind == "encoder":
        return pix2pixhd.encoder_from_official(state)
    return pix2pix.generator_from_official(state)


def network_config(kind: str, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of the network that official weights belong to, with its type.

    Args:
        kind: "generator", "discriminator" or "encoder".
        state: the official state dict, from whose names and shapes the options are inferred.

    Raises:
        UserError: the names or shapes are not those of an official network.
    """
    if _is_pix2pix_discriminator(kind, state):
        return pix2pix.discriminator_options(state)
    if kind == "discriminator":
        return {"type": "MultiScaleDiscriminator", **pix2pixhd.discriminator_options(state)}
    if kind == "encoder":
        return {"type": "InstanceEncoder", **pix2pixhd.encoder_options(state)}
    return pix2pix.generator_options(state)


def _model_config(networks: dict[str, dict[str, Any]], channels: int) -> dict[str, Any]:
    """Return the config of a PairedTranslator with the networks, and the adversarial loss.

    The loss is the vanilla GAN's for a PatchDiscriminator, least squares for another, and left out
    without a discriminator.
    """
    model: dict[str, Any] = {"type": "PairedTranslator", **networks}
    if "discriminator" in model:
        in_channels = model["discriminator"].pop("in_channels")
        if in_channels != channels:
            raise UserError(
                f"{WEIGHT_FILES['discriminator']} judges {in_channels} channels, but the "
                f"generator's condition and an image have {channels}: the files are of different "
                "models."
            )
        is_patch = model["discriminator"]["type"] == "PatchDiscriminator"
        model["adversarial"] = {"type": "VanillaGAN" if is_patch else "LeastSquaresGAN"}
    return model


def _clusters_file(conversion: Conversion) -> Path | None:
    """Return the K-means file in the folder of official files; None if there is none.

    The file's name ends in the number of clusters. Of several files the one of the option
    n_clusters is taken.
    """
    files = sorted(conversion.folder.glob("features_clustered_*.npy"))
    option = conversion.option_files.find("n_clusters")
    if len(files) > 1 and option is not None:
        files = [p for p in files if p.stem == f"features_clustered_{option.number():03d}"]
    if len(files) > 1:
        names = ", ".join(path.name for path in files)
        raise UserError(
            f"{conversion.folder} has several K-means files, {names}; leave the one that is meant."
        )
    return files[0] if files else None


def _style_bank(conversion: Conversion, num_labels: int, channels: int) -> dict[str, torch.Tensor]:
    """Return the buffers of a style bank that holds the centres of the K-means file.

    The names begin with "style_bank.". Without a K-means file the bank is empty, and a warning is
    printed.
    """
    if not num_labels:
        raise UserError("Styles belong to label classes; say with --labels how many there are.")
    path = _clusters_file(conversion)
    if path is None:
        say(
            f"{conversion.folder} has no {CLUSTERS_FILE}: the style bank is empty, every style "
            "will be zero until `styles fit` fills it."
        )
    centres = {} if path is None else read_clusters(path)
    bank = StyleBank(num_labels, channels, max([10, *(len(c) for c in centres.values())]))
    for label, values in centres.items():
        if not 0 <= label < num_labels or values.shape[1:] != (channels,):
            raise UserError(f"{path} has centres of shape {values.shape} for class {label}.")
        bank.centres[label, : len(values)] = torch.from_numpy(np.ascontiguousarray(values))
        bank.counts[label] = len(values)
    modes = f"{int(bank.counts.sum())} modes of {int((bank.counts > 0).sum())} classes"
    source = path.name if path else "no K-means file"
    conversion.report("styles", modes if path else "none", source)
    return {f"style_bank.{name}": value for name, value in bank.state_dict().items()}
