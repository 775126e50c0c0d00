"""Try a translation on shapes without numbers, which takes no memory and shows every refusal."""

import copy
from dataclasses import replace
from typing import Any, NoReturn, TypeVar

import torch
from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.inference.inference import PHOTOS, Inference
from i2ibench.inference.options import InferenceOptions
from i2ibench.models.translators.base import Translator
from i2ibench.models.translators.blank_scenes import blank_scene
from i2ibench.registry.sources import blame
from i2ibench.structures import Batch

Module = TypeVar("Module", bound=nn.Module)


def try_translation(inference: Inference, height: int, width: int) -> None:
    """Translate a scene of the given size, as shapes without numbers.

    Raises:
        UserError: the method refuses the size, or gives images of another one.
    """
    shadow = Inference(weightless_copy(inference.translator).eval(), _whole(inference))
    scene = blank_batch(shadow.translator, height, width)
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
    require_shapes_alone(method, "synthesise", error)
    without = f", without {', '.join(method.TRAINING_ONLY)}" if method.TRAINING_ONLY else ""
    raise UserError(
        f"{type(method).__name__}.synthesise fails for a scene of {size[1]}x{size[0]}: "
        f"{describe_failure(error)}. It is given sides that are multiples of its stride, "
        f"{method.stride}, and at least {method.smallest_side}{without}."
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


def blank_batch(translator: Translator, height: int, width: int) -> Batch:
    """A preprocessed scene with a photo, as shapes without numbers."""
    channels = translator.data_preprocessor.condition_channels
    return blank_scene(translator, torch.empty(1, channels, height, width, device="meta"))


def describe_failure(error: Exception) -> str:
    """Return what an error says, and in which plugin's file and line it arose."""
    source = blame(error)
    reason = next(iter(str(error).splitlines()), "")
    return f"{reason}{f' ({source})' if source else ''}"


def require_shapes_alone(translator: Translator, what: str, error: Exception) -> None:
    """Refuse a method that decides by the values of tensors, if that is what has failed.

    Raises:
        UserError: names the method and what it asked for.
    """
    if isinstance(error, NotImplementedError) or "meta tensor" in str(error):
        raise UserError(
            f"{type(translator).__name__}.{what} does not run on tensors without contents (torch's "
            "meta device), on which a config is checked before it trains. Nothing in it may depend "
            "on the values of a tensor: numbers that are known before, such as the steps of a "
            f"schedule, are Python's, not tensors. {describe_failure(error)}"
        ) from error


def weightless_copy(module: Module) -> Module:
    """A copy of a network whose weights are shapes without numbers; it takes no memory."""
    memo: dict[int, Any] = {}
    for weight in module.parameters():
        memo[id(weight)] = nn.Parameter(weight.to("meta"), requires_grad=weight.requires_grad)
    for buffer in module.buffers():
        memo[id(buffer)] = buffer.to("meta")
    return copy.deepcopy(module, memo)
