"""Checks before training: files, sizes and what the networks need of the data."""

from collections.abc import Mapping

import torch
from mmengine.config import Config
from torch.utils.data import default_collate

from i2ibench.datasets.scenes import SceneDataset, picture_size
from i2ibench.datasets.validate import require_faultless
from i2ibench.errors import UserError
from i2ibench.ops.images import require_multiple
from i2ibench.progress import Progress
from i2ibench.structures import Sample
from i2ibench.translators.paired import PairedTranslator


def check_files(datasets: Mapping[str, SceneDataset]) -> None:
    """Check every file of the data sets.

    Raises:
        UserError: some are broken or hold wrong ids; they are named.
    """
    for name, dataset in datasets.items():
        with Progress(f"checking {name} files", len(dataset)) as progress:
            require_faultless(dataset.scenes, progress.advance)


def check_scenes(
    datasets: Mapping[str, SceneDataset], translator: PairedTranslator, config: Config
) -> None:
    """See whether the translator can train on and validate with the data sets' scenes.

    One scene of every size that occurs is read, transformed and tried.

    Raises:
        UserError: a size does not suit the networks or the batch, photos or instance maps are
            missing, or the classes differ.
    """
    if datasets["train"].metainfo["classes"] != datasets["val"].metainfo["classes"]:
        raise UserError("The training and the validation data have different classes.")
    for name, dataset in datasets.items():
        sizes = set()
        for index in one_scene_of_each_size(dataset):
            sample = dataset[index]
            _check_kinds(name, sample, translator)
            batch = translator.data_preprocessor(default_collate([sample]))
            sizes.add(tuple(batch["condition"].shape[-2:]))
        if len(sizes) > 1 and config[f"{name}_dataloader"].get("batch_size", 1) > 1:
            listing = ", ".join(f"{width}x{height}" for height, width in sorted(sizes))
            raise UserError(
                f"The {name} scenes have several sizes ({listing}): set batch_size=1, or bring "
                f"them to one size with a transform in {name}_dataloader.dataset.transforms."
            )
        if name == "train":
            for height, width in sizes:
                dry_run(translator, height, width)


def one_scene_of_each_size(dataset: SceneDataset) -> list[int]:
    """The index of one scene for every size of label map that the data set has."""
    first: dict[tuple[int, int], int] = {}
    for index, files in enumerate(dataset.scenes.files):
        first.setdefault(picture_size(files.label), index)
    return list(first.values())


def _check_kinds(name: str, sample: Sample, translator: PairedTranslator) -> None:
    if "image" not in sample:
        raise UserError(f"The {name} data has no photos.")
    if "instance" not in sample and translator.encoder is not None:
        raise UserError(f"The encoder needs instance maps, and the {name} data has none.")


def dry_run(translator: PairedTranslator, height: int, width: int) -> None:
    """One pass of a scene of the given size through the networks, as shapes without numbers.

    Raises:
        UserError: a network refuses the size.
    """
    channels = translator.data_preprocessor.condition_channels
    features = translator.encoder.out_channels if translator.encoder is not None else 0
    try:
        _on_meta(translator.generator, (1, channels + features, height, width))
        if translator.encoder is not None:
            require_multiple(torch.empty(1, 1, height, width), translator.encoder.stride)
        if translator.discriminator is not None:
            _on_meta(translator.discriminator, (1, channels + 3, height, width))
    except UserError as error:
        raise UserError(
            f"{error} Set it in train_dataloader.dataset.transforms, for example with "
            "dict(type='Resize', width=512, height=256)."
        ) from None
    except (RuntimeError, ValueError) as error:
        raise UserError(f"The networks refuse scenes of {width}x{height}: {error}") from error


def _on_meta(network: torch.nn.Module, shape: tuple[int, ...]) -> None:
    tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    stand_ins = {name: tensor.to("meta") for name, tensor in tensors.items()}
    torch.func.functional_call(network, stand_ins, (torch.empty(shape, device="meta"),))
