"""Initial weights: a new run begins with those of any checkpoint, classes matched by name.

What fits is taken as it is. Where the classes or the kinds of the condition differ, the rows of
every convolution that sees the condition are carried over one by one, by name: a new class begins
as the mean of the old ones. A larger generator grows as between the stages of a run.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.inference import Inference
from i2ibench.inference.checkpoint_contents import read_config
from i2ibench.inference.checkpoints import building_from, read_checkpoint
from i2ibench.models.translators.base import Translator
from i2ibench.models.translators.conditions import dataset_options
from i2ibench.registry import PREPROCESSORS
from i2ibench.registry.contracts import Dataset, Preprocessor
from i2ibench.training.optimizers import NetworkOptimizer
from i2ibench.training.previous_stage import carry_moments

CLASS = "class "
"""The name of a condition's channel begins so if the channel shows where a class is."""

SMALL_SIDE = 128
"""Pixels of a side at which networks are run to see where the condition arrives."""

_FIRST_MARK = 1000.0
_STYLES = "style_bank."


@dataclass(frozen=True)
class StartFrom:
    """A config's choice of initial weights.

    Attributes:
        checkpoint: the file.
        moments: take over the optimisers' state too, for weights that are taken unchanged.
    """

    checkpoint: Path
    moments: bool = False


def start_of(value: Any) -> StartFrom | None:
    """Return what the value of a config's `start_from` says; None without one.

    Raises:
        UserError: it is neither a path nor a dict with `checkpoint` and by choice `moments`.
    """
    if not value:
        return None
    options = {"checkpoint": value} if isinstance(value, str) else value
    known = isinstance(options, Mapping) and options.keys() <= {"checkpoint", "moments"}
    if not known or not isinstance(options.get("checkpoint"), str):
        raise UserError(
            "start_from is the path of a checkpoint, or dict(checkpoint=PATH, moments=True) to "
            f"take over the optimisers' state too, not {value!r}."
        )
    return StartFrom(Path(options["checkpoint"]), bool(options.get("moments", False)))


@dataclass
class InitialWeights:
    """The weights with which a run begins.

    Attributes:
        path: the checkpoint that they come from.
        optimizers: the saved state of the optimisers to take over, by name.
        state: weights by the new translator's names; what is missing begins fresh.
        sources: by own name the name in the checkpoint, of what is taken unchanged.
        matched: names of the weights whose rows were carried by class name.
        fresh: names of the weights that the checkpoint has no match for, with the reason.
        unused: names of the checkpoint's weights that nothing takes.
        new_classes, left_classes: names of classes that only the new, only the old data has.
    """

    path: Path
    optimizers: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Tensor] = field(default_factory=dict)
    sources: dict[str, str | None] = field(default_factory=dict)
    matched: list[str] = field(default_factory=list)
    fresh: dict[str, str] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    new_classes: list[str] = field(default_factory=list)
    left_classes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return a table of what each network takes, and what begins fresh or is left unused."""
        networks = Counter(_network(name) for name in (*self.state, *self.fresh))
        rows = [f"begins with the weights of {self.path}:"]
        for network in networks:
            taken = sum(_network(n) == network for n in self.sources)
            matched = sum(_network(n) == network for n in self.matched)
            fresh = sum(_network(n) == network for n in self.fresh)
            rows.append(
                f"  {network}: {taken} weights as they are, {matched} by class name, {fresh} fresh"
            )
        if self.new_classes:
            rows.append(f"  new classes, begun as the mean: {', '.join(self.new_classes)}")
        if self.left_classes:
            rows.append(f"  classes left behind: {', '.join(self.left_classes)}")
        rows += _examples("fresh", [f"{name} ({why})" for name, why in self.fresh.items()])
        return rows + _examples("not used", self.unused)


def _examples(what: str, names: Sequence[str]) -> list[str]:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return [f"  {what}: {', '.join(names[:3])}{more}"] if names else []


def _network(name: str) -> str:
    return name.partition(".")[0]


def initial_weights(
    start_from: Any, translator: Translator, dataset: Dataset
) -> InitialWeights | None:
    """Return what a new translator takes of the checkpoint that its config starts from.

    Args:
        start_from: as in the config; None to begin with fresh weights.
        translator: of the new run, just built.
        dataset: that is trained on.

    Raises:
        UserError: `start_from` is malformed, or see `read_initial_weights`.
    """
    start = start_of(start_from)
    if start is None:
        return None
    image = dataset[0]["image"][None].float()
    height, width = Inference(translator).padded(image).shape[-2:]
    classes, size = dataset.metainfo["classes"], (height, width)
    return read_initial_weights(translator, classes, start.checkpoint, size, start.moments)


def read_initial_weights(
    translator: Translator,
    classes: Sequence[str],
    path: Path,
    size: tuple[int, int],
    moments: bool = False,
) -> InitialWeights:
    """Return what a new translator takes of a checkpoint.

    Args:
        translator: of the new run, just built.
        classes: the names of the new data's classes by channel.
        path: the checkpoint, which may be a converted one.
        size: (height, width) of a scene that the networks accept.
        moments: take over the optimisers' state too.

    Raises:
        UserError: the checkpoint cannot be read, or the generator takes none of its weights.
    """
    saved = read_checkpoint(path)
    config, metainfo = read_config(saved, path), saved["meta"]["dataset_meta"]
    with building_from(path):
        before = PREPROCESSORS.build_for(config["data_preprocessor"], dataset_options(metainfo))
    old_classes = metainfo["classes"]
    found = InitialWeights(path, saved.get("optimizer", {}) if moments else {})
    found.new_classes = [name for name in classes if name not in old_classes]
    found.left_classes = [name for name in old_classes if name not in classes]
    own_names = channel_names(translator.data_preprocessor, classes)
    old_names = channel_names(before, old_classes)
    carry = _same_shape
    if own_names != old_names:
        carry = _Carrier(marked_rows(translator, size), own_names, old_names).carry
    _take(found, translator, saved["state_dict"], carry, (classes, old_classes))
    networks = translator.translation_parts()
    if not any(_network(name) in networks for name in found.state):
        raise UserError(
            f"The {' and '.join(networks)} takes none of the weights of {path}: it has other "
            "layers. Start from a checkpoint of the same kind of networks, or leave start_from out."
        )
    return found


def begin(
    translator: Translator,
    optimizers: Mapping[str, NetworkOptimizer],
    initial: InitialWeights,
) -> None:
    """Give a new translator its initial weights, and on request the optimisers their state.

    The optimisers' state is that of the weights that are taken unchanged.

    Args:
        translator: of the new run, just built.
        optimizers: of the new run, just built.
        initial: from `read_initial_weights`.
    """
    translator.load_state_dict({**translator.state_dict(), **initial.state})
    for kind, optimizer in optimizers.items():
        if kind in initial.optimizers:
            carry_moments(optimizer, initial.sources, initial.optimizers[kind])


Carry = Callable[[str, Tensor, Tensor], Tensor | None]
"""Own name, own weight and old weight to the weight to begin with; None if it does not fit."""


def _take(
    found: InitialWeights,
    translator: Translator,
    before: Mapping[str, Tensor],
    carry: Carry,
    classes: tuple[Sequence[str], Sequence[str]],
) -> None:
    own = translator.state_dict()
    sources = translator.previous_names(own, before)
    for name, value in own.items():
        old = before.get(sources[name] or "")
        if old is None:
            found.fresh[name] = "the checkpoint has none"
            continue
        by_class = name.startswith(_STYLES)
        taken = _by_class(value, old, *classes) if by_class else carry(name, value, old)
        if taken is None:
            other = value.shape != old.shape
            shapes = f"the shape is {tuple(value.shape)} instead of {tuple(old.shape)}"
            found.fresh[name] = shapes if other else "the condition has other channels"
            continue
        found.state[name] = taken
        if taken is old:
            found.sources[name] = sources[name]
        else:
            found.matched.append(name)
    used = {sources[name] for name in found.state}
    found.unused = [name for name in before if name not in used]


def _same_shape(name: str, own: Tensor, old: Tensor) -> Tensor | None:
    return old if own.shape == old.shape else None


def _by_class(
    own: Tensor, old: Tensor, classes: Sequence[str], old_classes: Sequence[str]
) -> Tensor | None:
    """Return a style bank's tensor with the rows of the classes of equal names; others fresh."""
    if list(classes) == list(old_classes) and own.shape == old.shape:
        return old
    if own.shape[1:] != old.shape[1:] or len(old) != len(old_classes):
        return None
    rows = own.clone()
    for row, name in enumerate(classes):
        if name in old_classes:
            rows[row] = old[list(old_classes).index(name)]
    return rows


def channel_names(preprocessor: Preprocessor, classes: Sequence[str]) -> list[str]:
    """Return what each channel of a condition shows, such as "class road" or "instances"."""
    names: list[str] = []
    for kind, count in zip(preprocessor.kinds, preprocessor.channels, strict=True):
        labels = [f"{CLASS}{name}" for name in classes]
        others = [kind] if count == 1 else [f"{kind} {k}" for k in range(count)]
        names += labels if kind == "labels" else others
    return names


def marked_rows(translator: Translator, size: tuple[int, int]) -> dict[str, list[int]]:
    """Return for every convolution that sees the condition where its channels arrive.

    The condition's channels are filled with numbers that tell them apart, the networks run once,
    and what arrives at each convolution is looked at. No list of layers has to be kept for it.

    Args:
        translator: whose networks are run.
        size: (height, width) of a scene that the networks accept; a smaller one is tried first.

    Returns:
        By the name of a weight [O,I,...] the input channel of each channel of the condition.
    """
    side = math.ceil(SMALL_SIDE / translator.stride) * translator.stride
    try:
        return _watch(translator, (side, side))
    except (UserError, RuntimeError, ValueError):  # CRN has one height, for example
        return _watch(translator, size)


def _watch(translator: Translator, size: tuple[int, int]) -> dict[str, list[int]]:
    channels = translator.data_preprocessor.condition_channels
    device = next(translator.parameters()).device
    marks = _FIRST_MARK + torch.arange(channels, dtype=torch.float32, device=device)
    condition = marks[None, :, None, None].expand(1, channels, *size)
    found: dict[str, list[int]] = {}
    handles = [
        module.register_forward_pre_hook(_Watcher(name, marks, found))
        for name, module in translator.named_modules()
        if isinstance(module, nn.Conv2d)
    ]
    training = translator.training
    try:
        translator.eval()
        with torch.no_grad():
            translator.run_networks(translator.blank_scene(condition))
    finally:
        translator.train(training)
        for handle in handles:
            handle.remove()
    return found


class _Watcher:
    """A hook that notes at which input channels of a convolution the marks arrive."""

    def __init__(self, name: str, marks: Tensor, found: dict[str, list[int]]) -> None:
        self.name, self.marks, self.found = name, marks, found

    def __call__(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """Note the channels whose every pixel has a mark's number."""
        image = inputs[0][0].float().flatten(1)
        lowest, highest = image.amin(1), image.amax(1)
        near = (lowest[None] - self.marks[:, None]).abs() < 0.1
        rows = near & ((highest - lowest)[None] < 0.1)
        if rows.any(1).all():
            self.found[f"{self.name}.weight"] = rows.int().argmax(1).tolist()


class _Carrier:
    """Carries the rows of the condition's channels from one order of channels to another.

    Args:
        rows: from `marked_rows`, of the new translator.
        own_names, old_names: from `channel_names`, of the new and the old condition.
    """

    def __init__(
        self, rows: Mapping[str, list[int]], own_names: Sequence[str], old_names: Sequence[str]
    ) -> None:
        self.rows, self.own_names, self.old_names = rows, own_names, old_names

    def carry(self, name: str, own: Tensor, old: Tensor) -> Tensor | None:
        """Return the weight [O,I,...] to begin with; None if it does not fit."""
        rows = self.rows.get(name)
        if rows is None:
            return _same_shape(name, own, old)
        start, count, before = rows[0], len(self.own_names), len(self.old_names)
        consecutive = rows == list(range(start, start + count))
        wanted = (own.shape[0], own.shape[1] - count + before, *own.shape[2:])
        shared = set(self.own_names) & set(self.old_names)
        if not consecutive or tuple(old.shape) != wanted or not shared:
            return None
        weight = own.clone()
        weight[:, :start] = old[:, :start]
        weight[:, start + count :] = old[:, start + before :]
        classes = [start + k for k, n in enumerate(self.old_names) if n.startswith(CLASS)]
        for row, channel in zip(rows, self.own_names, strict=True):
            if channel in self.old_names:
                weight[:, row] = old[:, start + self.old_names.index(channel)]
            elif channel.startswith(CLASS) and classes:
                weight[:, row] = old[:, classes].mean(1)
        return weight
