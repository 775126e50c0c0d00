"""Checks before training: files, sizes and what the networks need of the data."""

import copy
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from mmengine.config import Config
from torch import Tensor, nn
from torch.utils.data import default_collate

from i2ibench.contracts import Dataset
from i2ibench.datasets.picture_files import picture_size
from i2ibench.datasets.validate import require_faultless
from i2ibench.errors import UserError
from i2ibench.ops.images import require_multiple
from i2ibench.progress import Progress, say
from i2ibench.structures import Sample
from i2ibench.translators.paired import PairedTranslator

Module = TypeVar("Module", bound=nn.Module)


def check_files(datasets: Mapping[str, Dataset]) -> None:
    """Check every file of the data sets.

    Raises:
        UserError: some are broken or hold wrong ids; they are named.
    """
    for name, dataset in datasets.items():
        with Progress(f"checking {name} files", len(dataset)) as progress:
            notes = require_faultless(dataset.scenes, progress.advance)
        for note in notes:
            say(f"{name}: {note}")


def check_scenes(
    datasets: Mapping[str, Dataset], translator: PairedTranslator, config: Config
) -> None:
    """See whether the translator can train on and validate with the data sets' scenes.

    One scene of every size that occurs is read, transformed and tried.

    Raises:
        UserError: a size does not suit the networks or the batch, photos or instance maps are
            missing, or the classes differ.
    """
    check_alike(datasets["train"].metainfo, datasets["val"].metainfo)
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
        for height, width in sizes:
            if name == "train":
                dry_run(translator, height, width)
            else:
                try_translation(translator, height, width)


def check_alike(train: Mapping[str, Any], val: Mapping[str, Any]) -> None:
    """Refuse data whose two splits no single generator serves.

    Args:
        train, val: the metainfo of the data sets.

    Raises:
        UserError: the classes differ, or one split's photos are grey and the other's in colour.
    """
    if train["classes"] != val["classes"]:
        raise UserError(
            f"The training and the validation data have different classes: {train['classes']} and "
            f"{val['classes']}. Give both the same list."
        )
    ids = [info.get("instance_ids", "classes") for info in (train, val)]
    if ids[0] != ids[1]:
        raise UserError(
            f"The instance ids of the training data look like {ids[0]!r} and those of the "
            f"validation data like {ids[1]!r}: say what they are in the config of both data sets, "
            'instance_ids="numbers" or instance_ids="classes".'
        )
    made = [info.get("image_channels", 3) for info in (train, val)]
    if made[0] != made[1]:
        grey, colour = ("training", "validation")[:: 1 if made[0] == 1 else -1]
        raise UserError(
            f"The photos of the {grey} data are grey and those of the {colour} data are in colour: "
            "say what is to be made by image_channels=3 (or 1) in the config of both data sets."
        )


def one_scene_of_each_size(dataset: Dataset) -> list[int]:
    """The index of one scene for every size that the data set has."""
    first: dict[tuple[int, int], int] = {}
    for index, files in enumerate(dataset.scenes.files):
        first.setdefault(picture_size(files.input), index)
    return list(first.values())


def _check_kinds(name: str, sample: Sample, translator: PairedTranslator) -> None:
    if "image" not in sample:
        raise UserError(f"The {name} data has no photos.")
    if "instance" not in sample and translator.encoder is not None:
        raise UserError(f"The encoder needs instance maps, and the {name} data has none.")


def dry_run(translator: PairedTranslator, height: int, width: int) -> None:
    """One training pass of a scene of the given size, as shapes without numbers.

    Raises:
        UserError: a network or a loss refuses it, or there is nothing to learn from.
    """
    shadow = _shadow(translator).train()
    condition, features = _inputs(shadow, height, width)
    if translator.encoder is not None:
        require_multiple(torch.empty(1, 1, height, width), translator.encoder.stride)
    try:
        fake = shadow(condition, features)
        real = torch.empty(1, 3, height, width, device="meta")
        step = shadow.judge(condition, fake, real, _label(shadow, height, width))
        total, _ = shadow.generator_loss(step)
        judged = shadow.discriminator_loss(step)
    except UserError as error:
        raise UserError(
            f"{error} Sizes are set in train_dataloader.dataset.transforms, for example with "
            "dict(type='Resize', width=512, height=256)."
        ) from None
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"The networks and losses do not go together at {width}x{height}: {error}"
        ) from error
    if not (total.requires_grad or judged):
        raise UserError("There is nothing to train: give the model losses, or unfreeze a network.")


def _shadow(module: Module) -> Module:
    """A copy of a network whose weights are shapes without numbers; it takes no memory."""
    memo: dict[int, Any] = {}
    for weight in module.parameters():
        memo[id(weight)] = nn.Parameter(weight.to("meta"), requires_grad=weight.requires_grad)
    for buffer in module.buffers():
        memo[id(buffer)] = buffer.to("meta")
    return copy.deepcopy(module, memo)


def _label(translator: PairedTranslator, height: int, width: int) -> Tensor | None:
    """A label map without numbers, if the condition is made of one."""
    if "label" not in translator.data_preprocessor.needs:
        return None
    return torch.empty(1, 1, height, width, dtype=torch.uint8, device="meta")


def try_translation(translator: PairedTranslator, height: int, width: int) -> None:
    """Translate a scene of the given size, as shapes without numbers.

    Raises:
        UserError: the generator refuses the size.
    """
    shadow = _shadow(translator.generator).eval()
    condition, features = _inputs(translator, height, width)
    condition = translator.padded(condition)
    if features is not None:
        condition = torch.cat([condition, translator.padded(features)], 1)
    try:
        shadow(condition)
    except UserError as error:
        raise UserError(f"Scenes of {width}x{height} cannot be translated: {error}") from None


def _inputs(
    translator: PairedTranslator, height: int, width: int
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Condition and features of one scene on the meta device."""
    channels = translator.data_preprocessor.condition_channels
    condition = torch.empty(1, channels, height, width, device="meta")
    if translator.encoder is None:
        return condition, None
    return condition, condition.new_empty(1, translator.encoder.out_channels, height, width)
