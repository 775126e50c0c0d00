"""Checks before training: files, sizes and what the networks need of the data."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import torch
from mmengine.config import Config
from torch import Tensor, nn
from torch.utils.data import default_collate

from i2ibench.contracts import Dataset
from i2ibench.datasets.kinds import KINDS
from i2ibench.datasets.picture_files import picture_size
from i2ibench.datasets.picture_samples import RGB, PictureFormat, format_in
from i2ibench.datasets.validate import require_faultless
from i2ibench.errors import UserError
from i2ibench.inference import Inference, InferenceOptions
from i2ibench.inference.inference import PHOTOS
from i2ibench.ops.images import require_multiple
from i2ibench.progress import Progress, say
from i2ibench.structures import Batch, Losses, Sample
from i2ibench.translators.base import Translator

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


def check_scenes(datasets: Mapping[str, Dataset], translator: Translator, config: Config) -> None:
    """See whether the translator can train on and validate with the data sets' scenes.

    One scene of every size that occurs is read, transformed and tried.

    Raises:
        UserError: a size does not suit the networks or the batch, or photos or instance maps are
            missing.
    """
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
                try_translation(Inference(translator), height, width)


def check_alike(train: Mapping[str, Any], val: Mapping[str, Any]) -> None:
    """Refuse data whose two splits no single generator serves.

    Args:
        train, val: the metainfo of the data sets.

    Raises:
        UserError: the classes differ, or the pictures have other channels or bits.
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
    for kind in {"image", *train.get("formats", {}), *val.get("formats", {})}:
        _check_formats(kind, format_in(train, kind), format_in(val, kind))


def _check_formats(kind: str, train: PictureFormat, val: PictureFormat) -> None:
    if train == val:
        return
    called = KINDS[kind].called
    if {train, val} == {RGB, PictureFormat(1, 8)}:
        grey, colour = ("training", "validation")[:: 1 if val == RGB else -1]
        raise UserError(
            f"The {called} of the {grey} data are grey and those of the {colour} data are in "
            "colour: say what is to be made by image_channels=3 (or 1) in the config of both data "
            "sets."
        )
    raise UserError(
        f"The {called} of the training data have {train} and those of the validation data {val}: "
        "save them alike, or say what they are in the config of both data sets, for photos by "
        "image_channels= and image_depth=."
    )


def one_scene_of_each_size(dataset: Dataset) -> list[int]:
    """The index of one scene for every size that the data set has."""
    first: dict[tuple[int, int], int] = {}
    for index, files in enumerate(dataset.scenes.files):
        first.setdefault(picture_size(files.input), index)
    return list(first.values())


def _check_kinds(name: str, sample: Sample, translator: Translator) -> None:
    if "image" not in sample:
        raise UserError(f"The {name} data has no photos.")
    if "instance" not in sample and translator.encoder is not None:
        raise UserError(f"The encoder needs instance maps, and the {name} data has none.")


def dry_run(translator: Translator, height: int, width: int) -> None:
    """One training pass of a scene of the given size, as shapes without numbers.

    Raises:
        UserError: a network or a loss refuses it, there is nothing to learn from, or the method's
            losses do not belong to its networks.
    """
    shadow = _shadow(translator).train()
    if translator.encoder is not None:
        require_multiple(torch.empty(1, 1, height, width), translator.encoder.stride)
    try:
        losses = shadow.losses(_batch(shadow, height, width))
    except UserError as error:
        raise UserError(
            f"{error} Sizes are set in train_dataloader.dataset.transforms, for example with "
            "dict(type='Resize', width=512, height=256)."
        ) from None
    except (RuntimeError, ValueError) as error:
        _require_shapes_alone(translator, "losses", error)
        raise UserError(
            f"The networks and losses do not go together at {width}x{height}: {error}"
        ) from error
    if not any(total.requires_grad for total in losses.totals.values()):
        raise UserError("There is nothing to train: give the model losses, or unfreeze a network.")
    _require_totals(translator, losses)


def _require_totals(translator: Translator, losses: Losses) -> None:
    """Refuse losses of networks that the method does not have, and networks without losses.

    Raises:
        UserError: names them.
    """
    method, networks = type(translator).__name__, translator.networks()
    strange = [name for name in losses.totals if name not in networks]
    untrained = [name for name, found in networks.items() if found and name not in losses.totals]
    if strange or untrained:
        raise UserError(
            f"{method}.losses gives totals for {', '.join(losses.totals) or 'nothing'}, and "
            f"{method}.networks names {', '.join(networks) or 'nothing'}: every network that is "
            "trained needs one total of its name, and no other."
        )


def _require_shapes_alone(translator: Translator, what: str, error: Exception) -> None:
    """Refuse a method that decides by the values of tensors, if that is what has failed.

    Raises:
        UserError: names the method and what it asked for.
    """
    reason = next(iter(str(error).splitlines()), "")
    if isinstance(error, NotImplementedError) or "meta tensor" in reason:
        raise UserError(
            f"{type(translator).__name__}.{what} does not run on tensors without contents (torch's "
            f"meta device), on which a config is checked before it trains: {reason} Nothing in it "
            "may depend on the values of a tensor."
        ) from error


def _shadow(module: Module) -> Module:
    """A copy of a network whose weights are shapes without numbers; it takes no memory."""
    memo: dict[int, Any] = {}
    for weight in module.parameters():
        memo[id(weight)] = nn.Parameter(weight.to("meta"), requires_grad=weight.requires_grad)
    for buffer in module.buffers():
        memo[id(buffer)] = buffer.to("meta")
    return copy.deepcopy(module, memo)


def try_translation(inference: Inference, height: int, width: int) -> None:
    """Translate a scene of the given size, as shapes without numbers.

    Raises:
        UserError: the method refuses the size, or gives images of another one.
    """
    shadow = Inference(_shadow(inference.translator).eval(), _whole(inference))
    batch = _batch(shadow.translator, height, width)
    features = None
    if shadow.translator.encoder is not None:
        condition = batch["condition"]
        size = (1, shadow.translator.encoder.out_channels, *condition.shape[-2:])
        features = condition.new_empty(size)
    try:
        images = shadow.images(batch, features)
    except UserError as error:
        raise UserError(f"Scenes of {width}x{height} cannot be translated: {error}") from None
    except RuntimeError as error:
        _require_shapes_alone(shadow.translator, "synthesise", error)
        raise
    except KeyError as error:
        if error.args[0] not in PHOTOS:
            raise
        raise UserError(
            f"{type(shadow.translator).__name__}.synthesise reads {error} of the batch: what "
            "translates is not shown the photo, which only `losses` may read."
        ) from error
    _require_shape(shadow, images, (height, width))


def _require_shape(inference: Inference, images: Tensor, size: tuple[int, int]) -> None:
    """Refuse a method whose images have not the channels and sides that it promises.

    Raises:
        UserError: names both.
    """
    method = inference.translator
    blank = torch.empty(1, method.image_channels, *size, device="meta")
    wanted = tuple(inference.padded(blank).shape)
    if tuple(images.shape) != wanted:
        raise UserError(
            f"{type(method).__name__}.synthesise gives images of the shape {tuple(images.shape)} "
            f"for a scene of {wanted}: their channels are image_channels, their height and width "
            f"those of the batch, which are multiples of its stride, {method.stride}."
        )


def _whole(inference: Inference) -> InferenceOptions:
    """The same options without tiles and compilation, which change no shapes."""
    return replace(inference.options, tile=None, compile_mode=None, precision=None)


def _batch(translator: Translator, height: int, width: int) -> Batch:
    """A preprocessed scene with a photo, on the meta device."""
    preprocessor = translator.data_preprocessor
    needs = {*preprocessor.needs, *(("instance",) if translator.encoder is not None else ())}

    def planes(channels: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.empty(1, channels, height, width, dtype=dtype, device="meta")

    batch: Batch = {"names": ["scene"], "condition": planes(preprocessor.condition_channels)}
    batch["real"] = planes(translator.image_channels)
    if "label" in needs:
        batch["label"] = planes(1, torch.uint8)
    if "instance" in needs:
        batch["instance"] = planes(1, torch.int32)
    if "source" in needs:
        batch["source"] = planes(preprocessor.picture_channels.get("source", 3), torch.uint8)
    return batch
