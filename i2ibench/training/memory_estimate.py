"""Estimates of the memory that training a config and translating with it take."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch._subclasses.fake_tensor import DynamicOutputShapeException as DynamicShape
from torch.utils.flop_counter import FlopCounterMode

from i2ibench.data.kinds import in_order
from i2ibench.data.loaders import BatchSpec, batch_spec
from i2ibench.data.pixel_formats import PixelFormat, format_in
from i2ibench.errors import UserError
from i2ibench.inference import Inference
from i2ibench.models.ops.images import to_levels
from i2ibench.models.ops.peak_memory import TensorMemoryCounter, bytes_of, peak_of
from i2ibench.models.translators.base import Translator
from i2ibench.models.translators.build import build_translator, drop_training_parts, method_of
from i2ibench.training.optimizers import build_optimizers


@dataclass(frozen=True)
class NetworkMemory:
    """The parameters of a network and their memory.

    Attributes:
        parameters: the number of parameters.
        trained: the number of parameters that an optimiser trains.
        weights: bytes of parameters and buffers.
        gradients: bytes of all gradients together.
        state: bytes of the optimiser's state.
    """

    parameters: int
    trained: int
    weights: int
    gradients: int
    state: int


@dataclass(frozen=True)
class MemoryEstimate:
    """The memory of a stage at one precision, in bytes of tensors.

    Attributes:
        train: the batches of the training data.
        val: the batches of the validation data.
        networks: the networks by name; "others" are the networks of losses, such as VGG19.
        average: bytes of the averaged weights; 0 if the config averages none.
        activations: bytes of activations and other temporary tensors at the peak of a step.
        gradients: bytes of the gradients that exist at the peak of a step.
        step: peak bytes of a training step after the first: the sum of weights, optimiser state,
            average, gradients and activations.
        translation: peak bytes of translating a batch of `val`, without training-only parts.
        step_flop: floating-point operations of a training step, which updates all networks.
        image_flop: those of translating one image of `val`.

    Operations are counted by torch's FlopCounterMode: those of convolutions, matrix products and
    attention, a multiplication with its addition as two.
    """

    train: BatchSpec
    val: BatchSpec
    networks: dict[str, NetworkMemory]
    average: int
    activations: int
    gradients: int
    step: int
    translation: int
    step_flop: int
    image_flop: int


def estimate_memory(config: Config, precision: str | None) -> MemoryEstimate:
    """Estimate the memory of one stage with fake tensors, which have a shape but no data.

    The real networks, optimisers, training steps and a translation run on fake tensors, in float32
    or under autocast as on a GPU. No scene and no weights file is read, and no large tensor is
    allocated. The data may be missing if its data set implements `static_info`. `compiled` parts
    are estimated without compilation. Only tensors are counted: a GPU needs more for its context,
    the scratch space of libraries and gaps between blocks.

    Args:
        config: the config of one stage.
        precision: "bf16", "fp16", or None for float32. The estimates of bf16 and fp16 are equal.

    Raises:
        UserError: the config is wrong, or a part reads the values of a tensor, which fake tensors
            do not have.
    """
    precision = precision and "bf16"  # fp16 needs as much memory, and the CPU cannot train in it
    train, val = (
        batch_spec(config[f"{name}_dataloader"], config.get("data_root"))
        for name in ("train", "val")
    )
    with FakeTensorMode(allow_non_fake_inputs=True):
        try:
            return _count(config, precision, train, val)
        except UserError:
            raise
        except (DataDependentOutputException, DynamicShape) as error:
            raise UserError(
                "The memory of this config cannot be estimated: a part reads the values of a "
                f"tensor, and the estimate has shapes only ({error})."
            ) from None
        except (RuntimeError, ValueError) as error:
            size = f"{train.width}x{train.height}"
            raise UserError(
                f"The networks and losses do not go together at {size}: {error}"
            ) from error


def _count(
    config: Config, precision: str | None, train: BatchSpec, val: BatchSpec
) -> MemoryEstimate:
    translator = build_translator(_without(config, ("compiled",)), train.metainfo).train()
    optimizers = build_optimizers(translator.networks(), config.get("optimizers", {}), precision)

    def train_step() -> None:
        accumulate = config.train_dataloader.get("accumulate", 1)
        parts = [_batch(train, translator) for _ in range(accumulate)]
        translator.train_step(parts if len(parts) > 1 else parts[0], optimizers)

    with TensorMemoryCounter() as counter:
        for _ in range(2):  # the first step makes the optimisers' state
            counter.restart()
            train_step()
    states = [item for o in optimizers.values() for item in o.optimizer.state.items()]
    state_of = {id(p): [x for x in s.values() if isinstance(x, Tensor)] for p, s in states}
    kept = bytes_of(x for tensors in state_of.values() for x in tensors)
    gradients = counter.at_peak(p.grad for p in translator.parameters() if p.grad is not None)
    average = _average(config, translator)
    weights = bytes_of([*translator.parameters(), *translator.buffers()])
    translation, image_flop = _translation(config, val)
    return MemoryEstimate(
        train=train,
        val=val,
        networks=_networks(translator, state_of),
        average=average,
        activations=counter.peak - kept - gradients,
        gradients=gradients,
        step=weights + average + counter.peak,
        translation=translation,
        step_flop=_operations(train_step),
        image_flop=image_flop,
    )


def _without(config: Config, options: Collection[str]) -> Config:
    """Return a copy of a config whose `model` lacks the named options."""
    model = {key: value for key, value in config.model.items() if key not in options}
    return Config({**config, "model": model})


def _batch(images: BatchSpec, translator: Translator) -> dict[str, Any]:
    """Return a collated batch of empty tensors, by kind of data.

    The batch has labels, images and every other kind that the translator needs.
    """
    needs = set(translator.data_preprocessor.needs) | {"label", "image"}
    if translator.encoder is not None:
        needs.add("instance")
    count, size = images.batch_size, (images.height, images.width)
    batch: dict[str, Any] = {"name": ["scene"] * count}
    for kind in in_order(needs):
        pixels = PixelFormat(1) if kind.is_map else format_in(images.metainfo, kind.name)
        dtype = torch.int32 if kind.wide or pixels.bits == 16 else torch.uint8
        batch[kind.name] = torch.empty(count, pixels.channels, *size, dtype=dtype)
    return batch


def _networks(
    translator: Translator, state_of: Mapping[int, list[Tensor]]
) -> dict[str, NetworkMemory]:
    """Return the memory of every part of the translator that has weights, by name.

    The entry "others" has the weights that belong to no part. Its `parameters` count buffers too,
    and so do those of a part whose weights are all buffers, such as a frozen network.
    """
    tensors = [*translator.named_parameters(), *translator.named_buffers()]
    networks = {}
    parts = translator.parts()
    for name in (*parts, "others"):
        own = [x for full, x in tensors if _part(full, parts) == name and x.numel()]
        if own:
            parameters = [x for x in own if isinstance(x, nn.Parameter)]
            trained = [p for p in parameters if p.requires_grad]
            counted = own if name == "others" or not parameters else parameters
            networks[name] = NetworkMemory(
                parameters=sum(x.numel() for x in counted),
                trained=sum(p.numel() for p in trained),
                weights=bytes_of(own),
                gradients=bytes_of(trained),
                state=bytes_of(x for p in trained for x in state_of.get(id(p), [])),
            )
    return networks


def _part(name: str, parts: Collection[str]) -> str:
    first = name.partition(".")[0]
    return first if first in parts else "others"


def _average(config: Config, translator: Translator) -> int:
    """Return the bytes of weights that the hook ExponentialMovingAverage keeps; 0 without one."""
    hooks = config.get("hooks", {}).values()
    if not any((hook or {}).get("type") == "ExponentialMovingAverage" for hook in hooks):
        return 0
    state = translator.state_dict().items()
    averaged = translator.translation_parts()
    return bytes_of(x for name, x in state if name.partition(".")[0] in averaged)


def _translation(config: Config, val: BatchSpec) -> tuple[int, int]:
    """Return the peak bytes of translating one validation batch in float32, and an image's FLOP.

    The bytes include weights, buffers and activations, without training-only parts. A method that
    is not `batched` translates one image after the other.
    """
    config = _without(config, method_of(config).TRAINING_ONLY)
    translator = drop_training_parts(build_translator(config, val.metainfo)).eval()
    inference = Inference(translator)

    def translate() -> Tensor:
        batch = translator.data_preprocessor(_batch(val, translator))
        values: Any = inference.inputs(batch, translator.blank_features(batch["condition"]))
        if not translator.batched:  # one image after the other
            values = {key: value[:1] for key, value in values.items()}
        return to_levels(translator.synthesise(values, inference.settings), translator.image_depth)

    with torch.inference_mode():
        peak = peak_of(translate)
    with torch.no_grad():  # torch's counter fails on parametrised weights in inference mode
        operations = _operations(translate)
    weights = bytes_of([*translator.parameters(), *translator.buffers()])
    return weights + peak, operations // (val.batch_size if translator.batched else 1)


def _operations(function: Callable[[], Any]) -> int:
    """Call a function, and return the number of its floating-point operations."""
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops()
