"""A folder of official pix2pixHD or pix2pix files as one checkpoint of this project, and back."""

from functools import partial
from pathlib import Path
from typing import Any

import torch

from i2ibench.errors import UserError
from i2ibench.inference.checkpoint_contents import read_config
from i2ibench.inference.checkpoints import read_checkpoint
from i2ibench.inference.interop import pix2pix, pix2pixhd
from i2ibench.inference.interop.findings import Answers
from i2ibench.inference.interop.official import CLUSTERS, FILES, read_folder, write_official
from i2ibench.inference.interop.released_options import (
    OPTIONS_FILE,
    option_text,
    released_options,
    require_released,
)
from i2ibench.inference.interop.style_clusters import write_clusters
from i2ibench.io.files import write_file, write_text

NAMES = {
    "CoarseToFineGenerator": pix2pix.generator_names,
    "UNetGenerator": pix2pix.generator_names,
    "MultiScaleDiscriminator": pix2pixhd.discriminator_names,
    "PatchDiscriminator": pix2pix.discriminator_names,
    "InstanceEncoder": pix2pixhd.encoder_names,
}


def import_folder(
    folder: Path,
    output: Path,
    num_labels: int | None = None,
    dropout: bool | None = None,
    evaluation_mode: bool | None = None,
    classes: Path | None = None,
) -> dict[str, Any]:
    """Write a checkpoint of official files; return its config.

    Args:
        folder: see `read_folder`.
        output: the checkpoint to write.
        num_labels, dropout, evaluation_mode, classes: see `Answers`.

    Raises:
        UserError: see `read_folder`.
    """
    official = read_folder(folder, Answers(num_labels, dropout, evaluation_mode, classes))
    write_official(official, output)
    return official.config


def export_folder(checkpoint: Path, folder: Path) -> list[Path]:
    """Write the official files of a checkpoint, and their options; return the paths.

    `opt.txt` holds what the weights do not tell, as the released code writes it. The released
    programs do not read it: give them the same options.

    Raises:
        UserError: the checkpoint is broken, or its networks are not the released code's. Nothing
            has been written then.
    """
    saved = read_checkpoint(checkpoint)
    state, config = saved["state_dict"], read_config(saved, checkpoint)
    weights = _official_weights(checkpoint, state, config["model"])
    options = released_options(checkpoint, config, saved["meta"]["dataset_meta"], weights)
    written = []
    for kind, own in weights.items():
        write_file(folder / FILES[kind], partial(torch.save, own))
        written.append(folder / FILES[kind])
    if "style_bank.counts" in state and state["style_bank.counts"].any():
        counts, centres = state["style_bank.counts"], state["style_bank.centres"]
        clusters = {c: centres[c, :n].numpy() for c, n in enumerate(counts.tolist()) if n}
        write_clusters(clusters, folder / CLUSTERS)
        written.append(folder / CLUSTERS)
    write_text(folder / OPTIONS_FILE, option_text(options))
    return [*written, folder / OPTIONS_FILE]


def _official_weights(
    checkpoint: Path, state: dict[str, torch.Tensor], model: dict[str, Any]
) -> dict[str, dict[str, torch.Tensor]]:
    """Return the networks' weights by kind under the official names.

    Raises:
        UserError: a network is not the released code's.
    """
    weights = {}
    for kind in FILES:
        options = model.get(kind)
        if not options:
            continue
        known = options.get("type")
        if not isinstance(known, str) or known not in NAMES:
            raise UserError(
                f"{checkpoint} has the {kind} {known!r}, which neither pix2pixHD nor pix2pix has."
            )
        require_released(checkpoint, kind, options)
        try:
            weights[kind] = NAMES[known](_part(state, kind))
        except (AttributeError, IndexError, TypeError, ValueError):  # names of other weights
            raise UserError(f"The weights in {checkpoint} are not a {known}'s.") from None
    if "generator" not in weights:
        raise UserError(f"{checkpoint} has no generator.")
    return weights


def _part(state: dict[str, torch.Tensor], kind: str) -> dict[str, torch.Tensor]:
    prefix = f"{kind}."
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
