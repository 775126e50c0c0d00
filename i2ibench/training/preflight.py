"""Checks before training: of data files, of image sizes, and of a trial step of the networks."""

from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from mmengine.config import Config
from torch import Tensor, nn
from torch.utils.data import default_collate

from i2ibench.data.kinds import KINDS
from i2ibench.data.pixel_formats import RGB, PixelFormat, format_in
from i2ibench.data.validation import require_valid_files
from i2ibench.errors import UserError
from i2ibench.inference import Inference
from i2ibench.inference.trial_translation import (
    blank_batch,
    describe_failure,
    require_shapes_alone,
    try_translation,
    weightless_copy,
)
from i2ibench.io.progress import Progress, say
from i2ibench.models.ops.images import require_multiple
from i2ibench.models.translators.base import Translator
from i2ibench.registry.contracts import Dataset
from i2ibench.structures import Losses, Sample

Module = TypeVar("Module", bound=nn.Module)


def check_files(datasets: Mapping[str, Dataset]) -> None:
    """Read and check every file of the data sets, and print notes on them.

    Args:
        datasets: by name, such as "train", which stands in the messages.

    Raises:
        UserError: some files are broken or hold wrong ids; the message names them.
    """
    for name, dataset in datasets.items():
        with Progress(f"checking {name} files", len(dataset)) as progress:
            notes = require_valid_files(dataset.scenes, progress.advance)
        for note in notes:
            say(f"{name}: {note}")


def check_scenes(datasets: Mapping[str, Dataset], translator: Translator, config: Config) -> None:
    """Check that the translator can train on and validate with the scenes of the data sets.

    One scene of every size is read and transformed. For each resulting size, the losses (training
    data) or a translation (validation data) are computed on tensors without data.

    Args:
        datasets: the data sets "train" and "val".
        translator: the translator, just built.
        config: the config of the stage.

    Raises:
        UserError: a size does not suit the networks, scenes of several sizes meet in a batch, or
            images or instance maps are missing.
    """
    for name, dataset in datasets.items():
        sizes = set()
        for index in dataset.scenes.one_of_each_size():
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
    """Refuse training and validation data that differ in classes, instance ids or pixel formats.

    Args:
        train: the metainfo of the training data.
        val: the metainfo of the validation data.

    Raises:
        UserError: the classes, the meaning of instance ids, or the channels or bits of images
            differ.
    """
    if train["classes"] != val["classes"]:
        raise UserError(
            f"The training and the validation data have different classes: {train['classes']} and "
            f"{val['classes']}. Give both data sets the same list."
        )
    ids = [info.get("instance_ids", "classes") for info in (train, val)]
    if ids[0] != ids[1]:
        raise UserError(
            f"The instance ids of the training data look like {ids[0]!r} and those of the "
            f'validation data like {ids[1]!r}: set instance_ids="numbers" or '
            'instance_ids="classes" in the config of both data sets.'
        )
    for kind in {"image", *train.get("formats", {}), *val.get("formats", {})}:
        _check_formats(kind, format_in(train, kind), format_in(val, kind))


def _check_formats(kind: str, train: PixelFormat, val: PixelFormat) -> None:
    if train == val:
        return
    called = KINDS[kind].called
    if {train, val} == {RGB, PixelFormat(1, 8)}:
        grey, colour = ("training", "validation")[:: 1 if val == RGB else -1]
        raise UserError(
            f"The {called} of the {grey} data are grey and those of the {colour} data are in "
            "colour: set image_channels=3 (or 1), the channels of the images to generate, in the "
            "config of both data sets."
        )
    raise UserError(
        f"The {called} of the training data have {train} and those of the validation data {val}: "
        "save them in one format, or set the format in the config of both data sets, for photos by "
        "image_channels= and image_depth=."
    )


def _check_kinds(name: str, sample: Sample, translator: Translator) -> None:
    if "image" not in sample:
        raise UserError(f"The {name} data has no photos.")
    if "instance" not in sample and translator.encoder is not None:
        raise UserError(f"The encoder needs instance maps, and the {name} data has none.")


def dry_run(translator: Translator, height: int, width: int) -> None:
    """Compute the losses of a scene of the given size on tensors without data.

    A line is printed for each network with trainable weights on which no loss depends.

    Args:
        translator: the translator, which is not changed.
        height: the height of the scene in pixels.
        width: the width of the scene in pixels.

    Raises:
        UserError: a network or a loss refuses the size, no loss has a gradient, or the totals of
            the losses do not match the networks.
    """
    shadow = weightless_copy(translator).train()
    if translator.encoder is not None:
        require_multiple(torch.empty(1, 1, height, width), translator.encoder.stride)
    try:
        losses = shadow.losses(blank_batch(shadow, height, width))
    except UserError as error:
        raise UserError(
            f"{error} Set the size in train_dataloader.dataset.transforms, for example with "
            "dict(type='Resize', width=512, height=256)."
        ) from None
    except (RuntimeError, ValueError) as error:  # other errors keep their traceback
        require_shapes_alone(translator, "losses", error)
        raise UserError(
            f"The networks and losses do not go together at {width}x{height}: "
            f"{describe_failure(error)}"
        ) from error
    if not isinstance(losses, Losses):
        raise UserError(
            f"{type(translator).__name__}.losses returns {type(losses).__name__}: it must return "
            "i2ibench.structures.Losses(totals, logs)."
        )
    if not any(total.requires_grad for total in losses.totals.values()):
        raise UserError("There is nothing to train: give the model losses, or unfreeze a network.")
    _require_totals(translator, losses)
    _require_gradients(shadow, losses)


def _require_totals(translator: Translator, losses: Losses) -> None:
    """Refuse losses with totals for unknown networks, or without a total for a trained network."""
    method, networks = type(translator).__name__, translator.networks()
    unknown = [name for name in losses.totals if name not in networks]
    without = [name for name, weights in networks.items() if weights and name not in losses.totals]
    if unknown or without:
        raise UserError(
            f"{method}.losses gives totals for {', '.join(losses.totals) or 'nothing'}, and "
            f"{method}.networks names {', '.join(networks) or 'nothing'}: there must be exactly "
            "one total for each network that is trained, with the same name."
        )


def _require_gradients(shadow: Translator, losses: Losses) -> None:
    """Refuse totals without a gradient for their network, and print weights without a gradient.

    The printed line names up to three of the weights on which their network's total does not
    depend.
    """
    method, networks = type(shadow).__name__, shadow.networks()
    for name, total in losses.totals.items():
        if total.dim():
            raise UserError(
                f"{method}.losses gives a total of the shape {tuple(total.shape)} for {name!r}: a "
                "total must be a scalar; take its mean or sum."
            )
        weights = networks[name]
        reached = _reached(total, list(weights.values())) if total.requires_grad else set()
        if weights and not reached:
            raise UserError(
                f"{method}.losses gives a total for {name!r} that depends on none of its weights: "
                "the network would not be trained. Compute the total from the output of the "
                "network, without detach or no_grad."
            )
        left = [n for n, weight in weights.items() if id(weight) not in reached]
        if left:
            more = f" and {len(left) - 3} more" if len(left) > 3 else ""
            say(f"{name}: no loss depends on {', '.join(left[:3])}{more}; they are not trained.")


def _reached(total: Tensor, weights: list[nn.Parameter]) -> set[int]:
    """Return the `id` of each weight on which a loss depends."""
    gradients = torch.autograd.grad(total, weights, retain_graph=True, allow_unused=True)
    pairs = zip(weights, gradients, strict=True)
    return {id(weight) for weight, gradient in pairs if gradient is not None}
