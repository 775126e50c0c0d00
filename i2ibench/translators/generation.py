"""Generation of a batch's pictures, at a precision, and its check."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.ops.lookup import OneHot
from i2ibench.structures import Batch
from i2ibench.translators.compilation import is_compiled

if TYPE_CHECKING:
    from i2ibench.translators.paired import PairedTranslator

TRAINING_ONLY = ("discriminator", "adversarial", "losses", "frozen", "compiled")
"""The options, and submodules of the same names, without which a translator still translates."""


def generate(translator: "PairedTranslator", batch: Batch, features: Tensor | None) -> Tensor:
    """Images B3HW of the padded size for a preprocessed batch of any size.

    Args:
        translator: whose networks are used.
        batch: preprocessed scenes.
        features: BCHW, or None.
    """
    condition = translator.padded(batch["condition"])
    if features is not None:
        features = translator.padded(features)
    if is_random(translator.generator):
        return one_by_one(translator.forward, condition, features, batch["names"])
    labels = None
    one_hot_channels = getattr(translator.data_preprocessor, "one_hot_channels", 0)
    looks_up = getattr(translator.generator, "looks_up", False)
    if one_hot_channels and looks_up and not is_compiled(translator.generator):
        labels = OneHot(translator.padded(batch["label"]), one_hot_channels)
    return translator.forward(condition, features, labels)


def is_random(generator: Any) -> bool:
    """Whether a generator draws noise, or keeps dropout or batch statistics on."""
    return getattr(generator, "always_train", False) or getattr(generator, "draws_noise", False)


def draws_numbers(generator: Any) -> bool:
    """Return whether a generator's pictures of one scene differ: noise, or dropout that is on.

    Batch norm on the picture's own statistics makes the same picture each time.
    """
    if getattr(generator, "draws_noise", False):
        return True
    drops = (m for m in generator.modules() if isinstance(m, nn.Dropout) and m.p > 0)
    return bool(getattr(generator, "always_train", False)) and any(drops)


def at_precision(precision: str | None, device_type: str) -> AbstractContextManager[Any]:
    """The context for networks at "bf16" or, with None, at float32."""
    return torch.autocast(device_type, torch.bfloat16, enabled=precision == "bf16")


def one_by_one(
    forward: Callable[[Tensor, Tensor | None], Tensor],
    condition: Tensor,
    features: Tensor | None,
    names: Sequence[str],
) -> Tensor:
    """Images B3HW, each made alone and with random numbers that its name decides.

    For generators that are random: what a scene becomes must not depend on its neighbours in the
    batch.

    Args:
        forward: images for a condition and features.
        condition: BCHW.
        features: BCHW, or None.
        names: of the scenes.
    """
    images = []
    for i, name in enumerate(names):
        with drawing_for(name, condition.device):
            own = None if features is None else features[i : i + 1]
            # A CUDA graph writes every picture to the same place.
            images.append(forward(condition[i : i + 1], own).clone())
    return torch.cat(images)


@contextmanager
def drawing_for(name: str, device: torch.device) -> Iterator[None]:
    """Random numbers that a scene's name decides; afterwards they go on as before."""
    apples = torch.mps.get_rng_state() if device.type == "mps" else None  # fork_rng lacks it
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(zlib.crc32(name.encode()))
        try:
            yield
        finally:
            if apples is not None:
                torch.mps.set_rng_state(apples)


def require_finite(images: Tensor, names: Sequence[str]) -> None:
    """Refuse images that hold NaN or infinity.

    Raises:
        UserError: names the scenes.
    """
    if not images.isfinite().all():
        raise UserError(
            f"The networks give NaN or infinity for {', '.join(names)}: the training has diverged; "
            "take an earlier checkpoint or a smaller learning rate."
        )
