"""A folder of official pix2pixHD files as one checkpoint of this project, and back."""

import json
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
from i2ibench.interop import pix2pixhd
from i2ibench.interop.clusters import read_clusters, write_clusters
from i2ibench.progress import say
from i2ibench.styles.bank import StyleBank
from i2ibench.weights import load_state

CLUSTERS = "features_clustered_010.npy"

FILES = {
    "generator": "latest_net_G.pth",
    "discriminator": "latest_net_D.pth",
    "encoder": "latest_net_E.pth",
}
READ = {
    "generator": pix2pixhd.generator_from_official,
    "discriminator": pix2pixhd.discriminator_from_official,
    "encoder": pix2pixhd.encoder_from_official,
}
OPTIONS = {
    "generator": pix2pixhd.generator_options,
    "discriminator": pix2pixhd.discriminator_options,
    "encoder": pix2pixhd.encoder_options,
}
NAMES = {
    "generator": pix2pixhd.generator_names,
    "discriminator": pix2pixhd.discriminator_names,
    "encoder": pix2pixhd.encoder_names,
}


def import_folder(folder: Path, output: Path, num_labels: int | None = None) -> dict[str, Any]:
    """Write a checkpoint that translate and eval open; gives its config.

    Args:
        folder: holds latest_net_G.pth and, if there are, latest_net_D.pth, latest_net_E.pth and
            features_clustered_010.npy.
        output: the checkpoint to write.
        num_labels: label classes; None takes 35 where the generator has 35 or 36 condition
            channels.

    Raises:
        UserError: a file is missing or does not fit.
    """
    official = {
        kind: load_state(folder / name)
        for kind, name in FILES.items()
        if kind == "generator" or (folder / name).is_file()
    }
    networks: dict[str, nn.Module] = {kind: READ[kind](s) for kind, s in official.items()}
    options = {kind: OPTIONS[kind](s) for kind, s in official.items()}
    features = options["encoder"]["out_channels"] if "encoder" in options else 0
    condition = options["generator"].pop("in_channels") - features
    num_labels = _label_count(condition, num_labels)
    model = _model(networks, options, condition)
    state = {
        f"{kind}.{name}": value
        for kind, network in networks.items()
        for name, value in network.state_dict().items()
    }
    if features:
        bank = _bank(folder / CLUSTERS, num_labels, features)
        model["encoder"]["num_styles"] = bank["style_bank.centres"].shape[1]
        state |= bank
    boundaries = condition > num_labels
    config = {
        "model": model,
        "data_preprocessor": {"type": "LabelPreprocessor", "boundaries": boundaries},
        "seed": 0,
    }
    checkpoint = {
        "i2ibench": __version__,
        "config": json.dumps(config),
        "meta": {"epoch": 0, "dataset_meta": _metainfo(num_labels)},
        "state_dict": state,
    }
    write_file(output, lambda aside: torch.save(checkpoint, aside))
    return config


def _model(
    networks: dict[str, nn.Module], options: dict[str, dict[str, Any]], condition: int
) -> dict[str, Any]:
    """The config of the translator that is made of the networks."""
    parts = {kind: {"type": type(networks[kind]).__name__, **options[kind]} for kind in networks}
    model: dict[str, Any] = {"type": "PairedTranslator", **parts}
    if "discriminator" in model:
        judged = model["discriminator"].pop("in_channels")
        if judged != condition + 3:
            raise UserError(
                f"{FILES['discriminator']} judges {judged} channels, but the generator's condition "
                f"and an image have {condition + 3}: the files are of different models."
            )
        model["adversarial"] = {"type": "LeastSquaresGAN"}
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
        if options["type"] != READ[kind].__annotations__["return"].__name__:
            raise UserError(f"{checkpoint} has the {kind} {options['type']}, not pix2pixHD's.")
        weights = NAMES[kind](_part(state, kind))
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


def _label_count(condition: int, num_labels: int | None) -> int:
    if num_labels is None:
        if condition not in (35, 36):
            raise UserError(
                f"The generator's condition has {condition} channels; say with --labels how many "
                "of them are label classes."
            )
        return 35
    if condition - num_labels not in (0, 1):
        raise UserError(
            f"--labels {num_labels} does not fit a condition of {condition} channels, which is the "
            "labels and at most one boundary channel."
        )
    return num_labels


def _metainfo(num_labels: int) -> dict[str, Any]:
    if num_labels == len(CITYSCAPES_CLASSES):
        return CITYSCAPES_CLASSES.metainfo("Cityscapes")
    return class_table([f"class {c}" for c in range(num_labels)]).metainfo("pix2pixHD")


def _bank(path: Path, num_labels: int, channels: int) -> dict[str, torch.Tensor]:
    """The style bank's buffers: the released centres, or an empty bank without the file."""
    if not path.is_file():
        say(f"There is no {path}: the style bank is empty, every style will be zero.")
    centres = read_clusters(path) if path.is_file() else {}
    bank = StyleBank(num_labels, channels, max([10, *(len(c) for c in centres.values())]))
    for label, values in centres.items():
        if not 0 <= label < num_labels or values.shape[1:] != (channels,):
            raise UserError(f"{path} has centres of shape {values.shape} for class {label}.")
        bank.centres[label, : len(values)] = torch.from_numpy(np.ascontiguousarray(values))
        bank.counts[label] = len(values)
    return {f"style_bank.{name}": value for name, value in bank.state_dict().items()}
