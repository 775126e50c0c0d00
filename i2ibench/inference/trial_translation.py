"""Trial translations on the meta device, which need no memory and find most errors."""

import copy
from dataclasses import replace
from typing import Any, NoReturn, TypeVar

import torch
from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.inference.inference import REAL_IMAGES, Inference
from i2ibench.models.translators.base import Translator
from i2ibench.registry.sources import blame
from i2ibench.structures import Batch

Module = TypeVar("Module", bound=nn.Module)


def try_translation(inference: Inference, height: int, width: int) -> None:
    """Translate a blank scene of the given size on the meta device, which needs no memory.

    The trial works in float32, without tiles and compilation, also if the options say otherwise,
    since they do not change shapes.

    Args:
        inference: the translator with its options; it stays as it is.
        height: the height of the scene.
        width: the width of the scene.

    Raises:
        UserError: the method fails at this size, reads real images, depends on the values of
            tensors, or returns images of another size.
    """
    # Tiles, compilation and precision do not change shapes.
    options = replace(inference.options, tile=None, compile_mode=None, precision=None)
    shadow = Inference(weightless_copy(inference.translator).eval(), options)
    scene = blank_batch(shadow.translator, height, width)
    try:
        images = shadow.images(scene, shadow.translator.blank_features(scene["condition"]))
    except UserError as error:
        raise UserError(f"Scenes of {width}x{height} cannot be translated: {error}") from None
    except (RuntimeError, ValueError) as error:
        _refuse_synthesis(shadow.translator, error, (height, width))
    except KeyError as error:
        if error.args[0] not in REAL_IMAGES:
            raise
        raise UserError(
            f"{type(shadow.translator).__name__}.synthesise reads {error} of the batch: a "
            "translation does not get the real image, which only `losses` may read."
        ) from error
    _require_shape(shadow, images, (height, width))


def _refuse_synthesis(method: Translator, error: Exception, size: tuple[int, int]) -> NoReturn:
    """Raise the UserError for a method that has failed in a trial translation."""
    require_shapes_alone(method, "synthesise", error)
    without = f", without {', '.join(method.TRAINING_ONLY)}" if method.TRAINING_ONLY else ""
    raise UserError(
        f"{type(method).__name__}.synthesise fails for a scene of {size[1]}x{size[0]}: "
        f"{describe_failure(error)}. It is given sides that are multiples of its stride, "
        f"{method.stride}, and at least {method.smallest_side}{without}."
    ) from error


def _require_shape(inference: Inference, images: Tensor, size: tuple[int, int]) -> None:
    """Check that a method's images have the padded size of the scene and the right channels."""
    method = inference.translator
    blank = torch.empty(1, method.image_channels, *size, device="meta")
    wanted = tuple(inference.padded(blank).shape)
    if tuple(images.shape) != wanted:
        raise UserError(
            f"{type(method).__name__}.synthesise gives images of the shape {tuple(images.shape)} "
            f"for a scene of {wanted}: their channels are image_channels, their height and width "
            f"those of the batch, which are multiples of its stride, {method.stride}."
        )


def blank_batch(translator: Translator, height: int, width: int) -> Batch:
    """Return a preprocessed scene of zeros with a real image, on the meta device.

    Args:
        translator: the translator that the scene is for.
        height: the height of the scene.
        width: the width of the scene.
    """
    channels = translator.data_preprocessor.condition_channels
    return translator.blank_scene(torch.empty(1, channels, height, width, device="meta"))


def describe_failure(error: Exception) -> str:
    """Return the first line of an error and, if a plugin raised it, the plugin's file and line."""
    source = blame(error)
    reason = next(iter(str(error).splitlines()), "")
    return f"{reason}{f' ({source})' if source else ''}"


def require_shapes_alone(translator: Translator, what: str, error: Exception) -> None:
    """Raise a UserError if a method's error shows that it does not run on tensors without contents.

    Every NotImplementedError and every error that mentions a meta tensor counts; for other errors
    the function returns.

    Args:
        translator: the method.
        what: the name of the function that failed.
        error: the error.

    Raises:
        UserError: `error` is about meta tensors.
    """
    if isinstance(error, NotImplementedError) or "meta tensor" in str(error):
        raise UserError(
            f"{type(translator).__name__}.{what} does not run on tensors without contents (torch's "
            "meta device), on which a config is checked before it trains. Nothing in it may depend "
            "on the values of a tensor: numbers that are known beforehand, such as the steps of a "
            f"schedule, must be Python numbers, not tensors. {describe_failure(error)}"
        ) from error


def weightless_copy(module: Module) -> Module:
    """Return a copy of a network with weights and buffers on the meta device, without memory.

    The network itself stays as it is.
    """
    memo: dict[int, Any] = {}
    for weight in module.parameters():
        memo[id(weight)] = nn.Parameter(weight.to("meta"), requires_grad=weight.requires_grad)
    for buffer in module.buffers():
        memo[id(buffer)] = buffer.to("meta")
    return copy.deepcopy(module, memo)
