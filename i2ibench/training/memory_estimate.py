"""The memory that training a config and translating with it will take, before either begins."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch._subclasses.fake_tensor import DynamicOutputShapeException as DynamicShape

from i2ibench.data.kinds import in_order
from i2ibench.data.loaders import BatchSpec, batch_spec
from i2ibench.data.pixel_formats import PixelFormat, format_in
from i2ibench.errors import UserError
from i2ibench.inference import Inference
from i2ibench.models.ops.images import to_levels
from i2ibench.models.ops.tensor_memory import TensorMemoryCounter, bytes_of, peak_of
from i2ibench.models.translators.base import Translator
from i2ibench.models.translators.build import build_translator, drop_training_parts, method_of
from i2ibench.training.optimizers import build_optimizers


@dataclass(frozen=True)
class Network:
    """A network's parameters, and the bytes that they take.

    Attributes:
        parameters: how many.
        trained: how many of them an optimiser has.
        weights: bytes, buffers included.
        gradients: bytes, all of them at once.
        state: bytes that the optimiser keeps.
    """

    parameters: int
    trained: int
    weights: int
    gradients: int
    state: int


@dataclass(frozen=True)
class Estimate:
    """The memory of a stage at one precision, in bytes of tensors.

    Attributes:
        train, val: what is trained on, and translated.
        networks: by name; "others" are the losses' own, such as VGG19.
        average: of the averaged weights; 0 where the config has none.
        activations: and other passing tensors, at the peak of a step.
        gradients: those that are there at the peak.
        step: the peak of a training step after the first; the sum of the weights, the optimisers'
            state, the average, the gradients and the activations.
        translation: the peak of translating a batch of `val`, with what only that needs.
    """

    train: BatchSpec
    val: BatchSpec
    networks: dict[str, Network]
    average: int
    activations: int
    gradients: int
    step: int
    translation: int


def estimate_memory(config: Config, precision: str | None) -> Estimate:
    """The memory of one stage, by a count over real steps on tensors without contents.

    Networks, optimisers, the training step and a translation are the real ones, run in float32 or
    under autocast as a GPU runs them. No scene is read and no weights file, and nothing of size
    is allocated; `compiled` parts are counted as they are written. The count is of tensors: a GPU
    takes more for its context, its libraries' scratch space and the gaps between blocks.

    Args:
        config: of one stage.
        precision: bf16, fp16, or None for float32.

    Raises:
        UserError: the config is wrong, or a part decides by values and cannot be counted.
    """
    precision = precision and "bf16"  # fp16 takes as much, and the CPU does not train in it
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
                "This config's memory cannot be estimated: a part asks for the values of a tensor "
                f"({error})."
            ) from None
        except (RuntimeError, ValueError) as error:
            size = f"{train.width}x{train.height}"
            raise UserError(
                f"The networks and losses do not go together at {size}: {error}"
            ) from error


def _count(config: Config, precision: str | None, train: BatchSpec, val: BatchSpec) -> Estimate:
    translator = build_translator(_without(config, ("compiled",)), train.metainfo).train()
    optimizers = build_optimizers(translator.networks(), config.get("optimizers", {}), precision)
    with TensorMemoryCounter() as counter:
        for _ in range(2):  # the first step makes the optimisers' state
            counter.restart()
            parts = [_batch(train, translator) for _ in range(_accumulated(config))]
            translator.train_step(parts if len(parts) > 1 else parts[0], optimizers)
            del parts
    states = [item for o in optimizers.values() for item in o.optimizer.state.items()]
    state_of = {id(p): [x for x in s.values() if isinstance(x, Tensor)] for p, s in states}
    kept = bytes_of(x for tensors in state_of.values() for x in tensors)
    gradients = counter.at_peak(p.grad for p in translator.parameters() if p.grad is not None)
    average = _average(config, translator)
    weights = bytes_of([*translator.parameters(), *translator.buffers()])
    return Estimate(
        train=train,
        val=val,
        networks=_networks(translator, state_of),
        average=average,
        activations=counter.peak - kept - gradients,
        gradients=gradients,
        step=weights + average + counter.peak,
        translation=_translation(config, val),
    )


def _without(config: Config, options: Collection[str]) -> Config:
    """The config with a model that lacks some of its options."""
    model = {key: value for key, value in config.model.items() if key not in options}
    return Config({**config, "model": model})


def _accumulated(config: Config) -> int:
    accumulate: int = config.train_dataloader.get("accumulate", 1)
    return accumulate


def _batch(images: BatchSpec, translator: Translator) -> dict[str, Any]:
    """Collated scenes without contents, of every kind that the translator needs."""
    needs = set(translator.data_preprocessor.needs) | {"label", "image"}
    if translator.encoder is not None:
        needs.add("instance")
    count, size = images.batch_size, (images.height, images.width)
    batch: dict[str, Any] = {"name": ["scene"] * count}
    for kind in in_order(needs):
        made = PixelFormat(1) if kind.is_map else format_in(images.metainfo, kind.name)
        dtype = torch.int32 if kind.wide or made.bits == 16 else torch.uint8
        batch[kind.name] = torch.empty(count, made.channels, *size, dtype=dtype)
    return batch


def _networks(translator: Translator, state_of: Mapping[int, list[Tensor]]) -> dict[str, Network]:
    """Every part that has weights, and what is left of the translator."""
    tensors = [*translator.named_parameters(), *translator.named_buffers()]
    networks = {}
    parts = translator.parts()
    for name in (*parts, "others"):
        own = [x for full, x in tensors if _part(full, parts) == name and x.numel()]
        if own:
            parameters = [x for x in own if isinstance(x, nn.Parameter)]
            trained = [p for p in parameters if p.requires_grad]
            networks[name] = Network(
                parameters=sum(x.numel() for x in (own if name == "others" else parameters)),
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
    """The bytes of the averaged weights that the config asks for."""
    hooks = config.get("hooks", {}).values()
    if not any((hook or {}).get("type") == "ExponentialMovingAverage" for hook in hooks):
        return 0
    state = translator.state_dict().items()
    averaged = translator.translation_parts()
    return bytes_of(x for name, x in state if name.partition(".")[0] in averaged)


def _translation(config: Config, val: BatchSpec) -> int:
    """The peak of a batch's translation in float32, with what only that needs."""
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
    return bytes_of([*translator.parameters(), *translator.buffers()]) + peak
