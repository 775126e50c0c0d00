"""Checks before training: files, sizes and what the networks need of the data."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NoReturn, TypeVar

import torch
from mmengine.config import Config
from torch import Tensor, nn
from torch.utils.data import default_collate

from i2ibench.data.image_files import picture_size
from i2ibench.data.kinds import KINDS
from i2ibench.data.pixel_formats import RGB, PictureFormat, format_in
from i2ibench.data.validation import require_faultless
from i2ibench.errors import UserError
from i2ibench.inference import Inference, InferenceOptions
from i2ibench.inference.inference import PHOTOS
from i2ibench.io.progress import Progress, say
from i2ibench.models.ops.images import require_multiple
from i2ibench.models.translators.base import Translator
from i2ibench.models.translators.blank_scenes import blank_scene
from i2ibench.registry.contracts import Dataset
from i2ibench.registry.sources import blame
from i2ibench.structures import Batch, Losses, Sample

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
        losses = shadow.losses(_scene(shadow, height, width))
    except UserError as error:
        raise UserError(
            f"{error} Sizes are set in train_dataloader.dataset.transforms, for example with "
            "dict(type='Resize', width=512, height=256)."
        ) from None
    except (RuntimeError, ValueError) as error:  # others keep their traceback, for their author
        _require_shapes_alone(translator, "losses", error)
        raise UserError(
            f"The networks and losses do not go together at {width}x{height}: {_told(error)}"
        ) from error
    if not isinstance(losses, Losses):
        raise UserError(
            f"{type(translator).__name__}.losses returns {type(losses).__name__}: it returns "
            "i2ibench.structures.Losses(totals, logs)."
        )
    if not any(total.requires_grad for total in losses.totals.values()):
        raise UserError("There is nothing to train: give the model losses, or unfreeze a network.")
    _require_totals(translator, losses)
    _require_gradients(shadow, losses)


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


def _require_gradients(shadow: Translator, losses: Losses) -> None:
    """Refuse totals that train nothing of their network; name weights that none of them reaches.

    Args:
        shadow: whose losses they are.
        losses: with their graphs.

    Raises:
        UserError: a total is no scalar, or no weight of its network has a part in it.
    """
    method, networks = type(shadow).__name__, shadow.networks()
    for name, total in losses.totals.items():
        if total.dim():
            raise UserError(
                f"{method}.losses gives a total of the shape {tuple(total.shape)} for {name!r}: a "
                "total is a scalar; take its mean or sum."
            )
        weights = networks[name]
        reached = _reached(total, list(weights.values())) if total.requires_grad else set()
        if weights and not reached:
            raise UserError(
                f"{method}.losses gives a total for {name!r} in which none of its weights has a "
                "part: nothing of it would be trained. Compute the total from the network's "
                "output, without detach or no_grad on the way."
            )
        left = [n for n, weight in weights.items() if id(weight) not in reached]
        if left:
            more = f" and {len(left) - 3} more" if len(left) > 3 else ""
            say(f"{name}: no loss reaches {', '.join(left[:3])}{more}, so they stay as they are.")


def _reached(total: Tensor, weights: list[nn.Parameter]) -> set[int]:
    """The ids of the weights that have a part in a total."""
    gradients = torch.autograd.grad(total, weights, retain_graph=True, allow_unused=True)
    pairs = zip(weights, gradients, strict=True)
    return {id(weight) for weight, gradient in pairs if gradient is not None}


def _told(error: Exception) -> str:
    """Return what an error says, and in which plugin's file and line it arose."""
    source = blame(error)
    reason = next(iter(str(error).splitlines()), "")
    return f"{reason}{f' ({source})' if source else ''}"


def _require_shapes_alone(translator: Translator, what: str, error: Exception) -> None:
    """Refuse a method that decides by the values of tensors, if that is what has failed.

    Raises:
        UserError: names the method and what it asked for.
    """
    if isinstance(error, NotImplementedError) or "meta tensor" in str(error):
        raise UserError(
            f"{type(translator).__name__}.{what} does not run on tensors without contents (torch's "
            "meta device), on which a config is checked before it trains. Nothing in it may depend "
            "on the values of a tensor: numbers that are known before, such as the steps of a "
            f"schedule, are Python's, not tensors. {_told(error)}"
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
    scene = _scene(shadow.translator, height, width)
    try:
        images = shadow.images(scene, shadow.translator.blank_features(scene["condition"]))
    except UserError as error:
        raise UserError(f"Scenes of {width}x{height} cannot be translated: {error}") from None
    except (RuntimeError, ValueError) as error:
        _refuse_synthesis(shadow.translator, error, (height, width))
    except KeyError as error:
        if error.args[0] not in PHOTOS:
            raise
        raise UserError(
            f"{type(shadow.translator).__name__}.synthesise reads {error} of the batch: what "
            "translates is not shown the photo, which only `losses` may read."
        ) from error
    _require_shape(shadow, images, (height, width))


def _refuse_synthesis(method: Translator, error: Exception, size: tuple[int, int]) -> NoReturn:
    """Say what keeps a method from translating.

    Raises:
        UserError: always.
    """
    _require_shapes_alone(method, "synthesise", error)
    without = f", without {', '.join(method.TRAINING_ONLY)}" if method.TRAINING_ONLY else ""
    raise UserError(
        f"{type(method).__name__}.synthesise fails for a scene of {size[1]}x{size[0]}: "
        f"{_told(error)}. It is given sides that are multiples of its stride, {method.stride}, and "
        f"at least {method.smallest_side}{without}."
    ) from error


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


def _scene(translator: Translator, height: int, width: int) -> Batch:
    """A preprocessed scene with a photo, as shapes without numbers."""
    channels = translator.data_preprocessor.condition_channels
    return blank_scene(translator, torch.empty(1, channels, height, width, device="meta"))
