"""A folder of official pix2pixHD or pix2pix files as one checkpoint of this project, and back."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from i2ibench import __version__
from i2ibench.checkpoints import read_checkpoint
from i2ibench.datasets.cityscapes import CITYSCAPES_CLASSES
from i2ibench.datasets.classes import class_table
from i2ibench.errors import UserError
from i2ibench.files import write_file
from i2ibench.interop import pix2pix, pix2pixhd
from i2ibench.interop.clusters import read_clusters, write_clusters
from i2ibench.interop.state_dict import cleaned
from i2ibench.progress import say
from i2ibench.styles.bank import StyleBank
from i2ibench.weights import load_state

CLUSTERS = "features_clustered_010.npy"

FILES = {
    "generator": "latest_net_G.pth",
    "discriminator": "latest_net_D.pth",
    "encoder": "latest_net_E.pth",
}
OPTIONS = {
    "generator": pix2pix.generator_options,
    "discriminator": pix2pixhd.discriminator_options,
    "encoder": pix2pixhd.encoder_options,
}
READ = {
    "generator": pix2pix.generator_from_official,
    "discriminator": pix2pixhd.discriminator_from_official,
    "encoder": pix2pixhd.encoder_from_official,
}
NAMES = {
    "CoarseToFineGenerator": pix2pix.generator_names,
    "UNetGenerator": pix2pix.generator_names,
    "MultiScaleDiscriminator": pix2pixhd.discriminator_names,
    "PatchDiscriminator": pix2pix.discriminator_names,
    "InstanceEncoder": pix2pixhd.encoder_names,
}


def import_folder(folder: Path, output: Path, num_labels: int | None = None) -> dict[str, Any]:
    """Write a checkpoint that translate and eval open; gives its config.

    Args:
        folder: holds latest_net_G.pth and, if there are, latest_net_D.pth, latest_net_E.pth and
            features_clustered_010.npy.
        output: the checkpoint to write.
        num_labels: label classes; None takes 35 where the generator has 35 or 36 condition
            channels, and pictures where it has 3. With 3 channels and a number the condition is
            the label map in colour.

    Raises:
        UserError: a file is missing or does not fit.
    """
    official = {
        kind: load_state(folder / name)
        for kind, name in FILES.items()
        if kind == "generator" or (folder / name).is_file()
    }
    networks = {kind: _network(kind, state) for kind, state in official.items()}
    options = {kind: _options(kind, state) for kind, state in official.items()}
    features = options["encoder"]["out_channels"] if "encoder" in options else 0
    condition = options["generator"].pop("in_channels") - features
    preprocessor, num_labels = _condition(condition, num_labels)
    model = _model(options, condition)
    state = {
        f"{kind}.{name}": value
        for kind, network in networks.items()
        for name, value in network.state_dict().items()
    }
    if features:
        bank = _bank(folder / CLUSTERS, num_labels, features)
        model["encoder"]["num_styles"] = bank["style_bank.centres"].shape[1]
        state |= bank
    config = {"model": model, "data_preprocessor": preprocessor, "seed": 0}
    checkpoint = {
        "i2ibench": __version__,
        "config": json.dumps(config),
        "meta": {"epoch": 0, "dataset_meta": _metainfo(num_labels)},
        "state_dict": state,
    }
    write_file(output, lambda aside: torch.save(checkpoint, aside))
    return config


def _is_pix2pix_discriminator(kind: str, state: Mapping[str, Any]) -> bool:
    return kind == "discriminator" and "model.0.weight" in cleaned(state)


def _network(kind: str, state: Mapping[str, Any]) -> nn.Module:
    if _is_pix2pix_discriminator(kind, state):
        return pix2pix.discriminator_from_official(state)
    return READ[kind](state)


def _options(kind: str, state: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a network, `type` and `in_channels` included."""
    if _is_pix2pix_discriminator(kind, state):
        return pix2pix.discriminator_options(state)
    types = {"discriminator": "MultiScaleDiscriminator", "encoder": "InstanceEncoder"}
    return {"type": types.get(kind), **OPTIONS[kind](state)}


def _model(options: dict[str, dict[str, Any]], condition: int) -> dict[str, Any]:
    """The config of the translator that is made of the networks."""
    model: dict[str, Any] = {"type": "PairedTranslator", **options}
    if "discriminator" in model:
        judged = model["discriminator"].pop("in_channels")
        if judged != condition + 3:
            raise UserError(
                f"{FILES['discriminator']} judges {judged} channels, but the generator's condition "
                f"and an image have {condition + 3}: the files are of different models."
            )
        pix2pix_like = model["discriminator"]["type"] == "PatchDiscriminator"
        model["adversarial"] = {"type": "VanillaGAN" if pix2pix_like else "LeastSquaresGAN"}
    return model


def export_folder(checkpoint: Path, folder: Path) -> list[Path]:
    """Write the official files of a checkpoint; gives their paths.

    Raises:
        UserError: the checkpoint is broken, or its networks are not pix2pixHD's.
    """
    saved = read_checkpoint(checkpoint)
    state, model = saved["state_dict"], json.loads(saved["config"])["model"]
    written = []
    for kind, name in FILES.items():
        options = model.get(kind)
        if not options:
            continue
        switched = [o for o in ("padding_mode", "hard_condition") if options.get(o)]
        if switched:
            raise UserError(f"{checkpoint} uses {switched[0]}, which the released code has not.")
        if options["type"] not in NAMES:
            raise UserError(
                f"{checkpoint} has the {kind} {options['type']}, which neither pix2pixHD nor "
                "pix2pix has."
            )
        weights = NAMES[options["type"]](_part(state, kind))
        write_file(folder / name, partial(torch.save, weights))
        written.append(folder / name)
    if "style_bank.counts" in state and state["style_bank.counts"].any():
        counts, centres = state["style_bank.counts"], state["style_bank.centres"]
        clusters = {c: centres[c, :n].numpy() for c, n in enumerate(counts.tolist()) if n}
        write_clusters(clusters, folder / CLUSTERS)
        written.append(folder / CLUSTERS)
    return written


def _part(state: dict[str, torch.Tensor], kind: str) -> dict[str, torch.Tensor]:
    prefix = f"{kind}."
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def _condition(channels: int, num_labels: int | None) -> tuple[dict[str, Any], int]:
    """The preprocessor's config and the number of label classes."""
    if num_labels is None and channels == 3:
        return {"type": "ImagePreprocessor"}, 0
    if num_labels is None:
        if channels not in (35, 36):
            raise UserError(
                f"The generator's condition has {channels} channels; say with --labels how many "
                "of them are label classes."
            )
        num_labels = 35
    if channels - num_labels in (0, 1):
        boundaries = channels > num_labels
        return {"type": "LabelPreprocessor", "boundaries": boundaries}, num_labels
    if channels == 3:
        return {"type": "ColourPreprocessor"}, num_labels
    raise UserError(
        f"--labels {num_labels} does not fit a condition of {channels} channels, which is the "
        "labels and at most one boundary channel, or a picture of 3."
    )


def _metainfo(num_labels: int) -> dict[str, Any]:
    if num_labels == len(CITYSCAPES_CLASSES):
        return CITYSCAPES_CLASSES.metainfo("Cityscapes")
    return class_table([f"class {c}" for c in range(num_labels)]).metainfo("pix2pixHD")


def _bank(path: Path, num_labels: int, channels: int) -> dict[str, torch.Tensor]:
    """The style bank's buffers: the released centres, or an empty bank without the file."""
    if not path.is_file():
        say(f"There is no {path}: the style bank is empty, every style will be zero.")
    if not num_labels:
        raise UserError("Styles belong to label classes; say with --labels how many there are.")
    centres = read_clusters(path) if path.is_file() else {}
    bank = StyleBank(num_labels, channels, max([10, *(len(c) for c in centres.values())]))
    for label, values in centres.items():
        if not 0 <= label < num_labels or values.shape[1:] != (channels,):
            raise UserError(f"{path} has centres of shape {values.shape} for class {label}.")
        bank.centres[label, : len(values)] = torch.from_numpy(np.ascontiguousarray(values))
        bank.counts[label] = len(values)
    return {f"style_bank.{name}": value for name, value in bank.state_dict().items()}
