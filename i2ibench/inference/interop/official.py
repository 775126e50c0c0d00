"""Official files: what a folder of pix2pixHD or pix2pix holds, read as parts of a checkpoint."""

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
from i2ibench.inference.interop import pix2pix, pix2pixhd
from i2ibench.inference.interop.conditions import (
    note_assumptions,
    settle_classes,
    settle_condition,
    settle_encoder,
    settle_size,
)
from i2ibench.inference.interop.findings import WEIGHTS, Answers, Findings
from i2ibench.inference.interop.questions import PIX2PIX, PIX2PIXHD, check_options, settle_networks
from i2ibench.inference.interop.state_dict import cleaned
from i2ibench.inference.interop.style_clusters import read_clusters
from i2ibench.io.files import write_file
from i2ibench.io.progress import say
from i2ibench.io.weights import load_state
from i2ibench.models.styles.bank import StyleBank

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


@dataclass(frozen=True)
class Official:
    """What a folder of official files holds, as parts of a checkpoint.

    Attributes:
        config: of the checkpoint.
        metainfo: the classes.
        state: the weights under this project's names.
        findings: what was read from where.
    """

    config: dict[str, Any]
    metainfo: dict[str, Any]
    state: dict[str, torch.Tensor]
    findings: Findings


def read_folder(folder: Path, answers: Answers) -> Official:
    """Read official files; nothing that decides images is assumed without a finding.

    Args:
        folder: holds latest_net_G.pth and, if there are, latest_net_D.pth, latest_net_E.pth,
            features_clustered_010.npy, and option files (opt.txt, train_opt.txt, test_opt.txt).
        answers: what the weights and the option files do not tell.

    Raises:
        UserError: a file is missing, does not fit or contradicts another, or something that decides
            images is not known.
    """
    _require_generator(folder)
    findings = Findings(folder, answers)
    weights = {
        kind: load_state(folder / name)
        for kind, name in FILES.items()
        if kind == "generator" or (folder / name).is_file()
    }
    options = {kind: network_options(kind, state) for kind, state in weights.items()}
    program = _program(findings, options)
    check_options(findings, options, program)
    made = _image_channels(findings, options)
    settle_networks(findings, options)
    networks = {kind: _network(kind, state) for kind, state in weights.items()}
    features = options["encoder"]["out_channels"] if "encoder" in options else 0
    condition = options["generator"].pop("in_channels") - features
    preprocessor, num_labels = settle_condition(findings, condition, program)
    settle_encoder(findings, bool(features), bool(preprocessor.get("boundaries")))
    table, data = settle_classes(findings, num_labels)
    if made != 3:
        options["generator"].pop("out_channels")  # follows from the data's photos
    model = _model(options, condition + made)
    state = {
        f"{kind}.{name}": value
        for kind, network in networks.items()
        for name, value in network.state_dict().items()
    }
    if features:
        bank = _bank(findings, num_labels, features)
        model["encoder"]["num_styles"] = bank["style_bank.centres"].shape[1]
        state |= bank
    config = {"model": model, "data_preprocessor": preprocessor, "seed": 0}
    config |= _protocol(settle_size(findings, program), data)
    note_assumptions(findings, program, model["generator"]["type"])
    metainfo = table.metainfo(data, {"image": PixelFormat(made)})
    return Official(config, metainfo, state, findings)


def write_official(official: Official, output: Path) -> None:
    """Write a checkpoint that translate, eval, edit, styles and study open."""
    meta = {
        "epoch": 0,
        "dataset_meta": official.metainfo,
        "official": [asdict(row) for row in official.findings.rows],
    }
    checkpoint = {
        "i2ibench": __version__,
        "config": json.dumps(official.config),
        "meta": meta,
        "state_dict": official.state,
    }
    write_file(output, lambda aside: torch.save(checkpoint, aside))


def _require_generator(folder: Path) -> None:
    """Refuse a folder without the latest generator; files of other epochs are named.

    Raises:
        UserError: says what is missing and what is there.
    """
    name = FILES["generator"]
    if (folder / name).is_file():
        return
    others = ", ".join(path.name for path in sorted(folder.glob("*_net_G*.pth"))[:5])
    way_out = f" It has {others}: copy the files of the epoch that you mean to latest_net_*.pth."
    raise UserError(f"{folder} has no {name}.{way_out if others else ''}")


def _program(findings: Findings, options: dict[str, dict[str, Any]]) -> str:
    """Return whose files these are: PIX2PIX or PIX2PIXHD."""
    if findings.files.find("no_dropout") is not None and not findings.files.find("label_nc"):
        return PIX2PIX
    return program_of(options)


def program_of(options: dict[str, dict[str, Any]]) -> str:
    """Return whose networks have such options: PIX2PIX or PIX2PIXHD."""
    judge = options.get("discriminator", {}).get("type")
    generator = options["generator"]
    traces = (
        generator["type"] == "UNetGenerator", judge == "PatchDiscriminator",
        bool(generator.get("dropout")), not generator.get("bias_before_norm", True),
    )  # fmt: skip
    return PIX2PIX if any(traces) else PIX2PIXHD


def _image_channels(findings: Findings, options: Mapping[str, dict[str, Any]]) -> int:
    """Return how many channels the generator's images have.

    Raises:
        UserError: the generator makes images of other channels than 1 or 3.
    """
    channels: int = options["generator"]["out_channels"]
    if channels not in (1, 3):
        raise UserError(
            f"latest_net_G.pth makes images of {channels} channels; only those of 3 channels, "
            "or grey ones of 1, can be translated and scored here."
        )
    if channels == 1:
        findings.note("pictures", "grey", WEIGHTS)
    return channels


def _protocol(size: tuple[int, int] | None, data: str) -> dict[str, Any]:
    """Return the config's protocol, if the data has one."""
    if data != "Cityscapes":
        return {}
    known = {} if size is None else {"width": size[0], "height": size[1]}
    return {"protocol": {"type": "cityscapes", **known}}


def _is_pix2pix_discriminator(kind: str, state: Mapping[str, Any]) -> bool:
    return kind == "discriminator" and "model.0.weight" in cleaned(state)


def _network(kind: str, state: Mapping[str, Any]) -> nn.Module:
    if _is_pix2pix_discriminator(kind, state):
        return pix2pix.discriminator_from_official(state)
    return READ[kind](state)


def network_options(kind: str, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of the network that official weights belong to, all of it."""
    if _is_pix2pix_discriminator(kind, state):
        return pix2pix.discriminator_options(state)
    types = {"discriminator": "MultiScaleDiscriminator", "encoder": "InstanceEncoder"}
    return {"type": types.get(kind), **OPTIONS[kind](state)}


def _model(options: dict[str, dict[str, Any]], seen: int) -> dict[str, Any]:
    """The config of the translator that is made of the networks; D sees so many channels."""
    model: dict[str, Any] = {"type": "PairedTranslator", **options}
    if "discriminator" in model:
        judged = model["discriminator"].pop("in_channels")
        if judged != seen:
            raise UserError(
                f"{FILES['discriminator']} judges {judged} channels, but the generator's condition "
                f"and an image have {seen}: the files are of different models."
            )
        pix2pix_like = model["discriminator"]["type"] == "PatchDiscriminator"
        model["adversarial"] = {"type": "VanillaGAN" if pix2pix_like else "LeastSquaresGAN"}
    return model


def _clusters(findings: Findings) -> Path | None:
    """Return the K-means file; its name ends in the number of clusters.

    Raises:
        UserError: there are several and no option file says which one is meant.
    """
    found = sorted(findings.folder.glob("features_clustered_*.npy"))
    option = findings.files.find("n_clusters")
    if len(found) > 1 and option is not None:
        found = [p for p in found if p.stem == f"features_clustered_{option.number():03d}"]
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise UserError(
            f"{findings.folder} has several K-means files, {names}; leave the one that is meant."
        )
    return found[0] if found else None


def _bank(findings: Findings, num_labels: int, channels: int) -> dict[str, torch.Tensor]:
    """The style bank's buffers: the released centres, or an empty bank without the file."""
    if not num_labels:
        raise UserError("Styles belong to label classes; say with --labels how many there are.")
    path = _clusters(findings)
    if path is None:
        say(
            f"{findings.folder} has no {CLUSTERS}: the style bank is empty, every style will be "
            "zero until `styles fit` fills it."
        )
    centres = {} if path is None else read_clusters(path)
    bank = StyleBank(num_labels, channels, max([10, *(len(c) for c in centres.values())]))
    for label, values in centres.items():
        if not 0 <= label < num_labels or values.shape[1:] != (channels,):
            raise UserError(f"{path} has centres of shape {values.shape} for class {label}.")
        bank.centres[label, : len(values)] = torch.from_numpy(np.ascontiguousarray(values))
        bank.counts[label] = len(values)
    modes = f"{int(bank.counts.sum())} modes of {int((bank.counts > 0).sum())} classes"
    findings.note("styles", modes if path else "none", path.name if path else "no K-means file")
    return {f"style_bank.{name}": value for name, value in bank.state_dict().items()}
