"""Initial weights: a new run can start with the weights of any checkpoint (`start_from`).

Weights that fit are copied. If the classes or the kinds of the condition differ, the input channels
of every convolution that sees the condition are copied one by one, matched by name. A new class
starts with the average of the old classes. A larger generator grows as between stages of a run.
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
from i2ibench.inference.checkpoint_checks import read_config
from i2ibench.inference.checkpoint_names import find_checkpoint
from i2ibench.inference.checkpoints import building_from, read_checkpoint
from i2ibench.models.translators.base import Translator
from i2ibench.models.translators.conditions import dataset_options
from i2ibench.registry import PREPROCESSORS
from i2ibench.registry.contracts import Dataset, Preprocessor
from i2ibench.training.optimizers import NetworkOptimizer
from i2ibench.training.previous_stage import load_optimizer_state

CLASS = "class "
"""The beginning of the name of a condition's channel that is the one-hot map of a class."""

SMALL_SIDE = 128
"""Side in pixels of the condition with which networks are run to find its channels."""

_FIRST_MARK = 1000.0
_STYLES = "style_bank."


@dataclass(frozen=True)
class StartFrom:
    """The value of a config's `start_from`.

    Attributes:
        checkpoint: the file.
        moments: whether to load the state of the optimisers too, for weights that are copied
            unchanged.
    """

    checkpoint: Path
    moments: bool = False


def parse_start_from(value: Any) -> StartFrom | None:
    """Return a config's `start_from` as a StartFrom; None if it is None or empty.

    Raises:
        UserError: it is neither a path nor a dict with `checkpoint` and optionally `moments`.
    """
    if not value:
        return None
    options = {"checkpoint": value} if isinstance(value, str) else value
    known = isinstance(options, Mapping) and options.keys() <= {"checkpoint", "moments"}
    if not known or not isinstance(options.get("checkpoint"), str):
        raise UserError(
            "start_from must be the path of a checkpoint, or dict(checkpoint=PATH, moments=True) "
            f"to load the state of the optimisers too, not {value!r}."
        )
    return StartFrom(find_checkpoint(options["checkpoint"]), bool(options.get("moments", False)))


@dataclass
class InitialWeights:
    """The weights that a run starts with.

    Attributes:
        path: the checkpoint that holds them.
        optimizers: the saved state of the optimisers to load, by name.
        state: the weights by their names in the new translator. Weights that are missing here keep
            their fresh values.
        sources: the name in the checkpoint of each weight that is copied unchanged, by its name in
            the new translator.
        matched: names of the weights whose channels were matched by class name.
        fresh: by name of a weight that has no match in the checkpoint, the reason.
        unused: names of the checkpoint's weights that are not used.
        new_classes: classes that only the new data has.
        left_classes: classes that only the old data has.
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
        """Return lines of text that tell with which weights the run starts.

        They count copied, matched and fresh weights by network, and name classes and example
        weights.
        """
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
            rows.append(f"  new classes, started as the average: {', '.join(self.new_classes)}")
        if self.left_classes:
            rows.append(f"  classes that are dropped: {', '.join(self.left_classes)}")
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
    """Return the weights that a new translator takes from the checkpoint `start_from`.

    The checkpoint and the first scene are read now. Nothing is loaded into the translator.

    Args:
        start_from: as in the config; None to start with fresh weights.
        translator: the translator of the new run, just built.
        dataset: the training data.

    Returns:
        The weights; None without `start_from`.

    Raises:
        UserError: `start_from` is malformed, or see `read_initial_weights`.
    """
    start = parse_start_from(start_from)
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
    """Return the weights that a new translator takes from a checkpoint, and load none of them.

    Args:
        translator: the translator of the new run, just built.
        classes: the names of the new data's classes by channel.
        path: the checkpoint; a converted one works too.
        size: (height, width) in pixels of a scene that the networks accept.
        moments: take the saved state of the optimisers too, if the checkpoint has any.

    Raises:
        UserError: the checkpoint cannot be read, or the networks that make images take none of its
            weights.
    """
    saved = read_checkpoint(path)
    config, metainfo = read_config(saved, path), saved["meta"]["dataset_meta"]
    with building_from(path):
        before = PREPROCESSORS.build_for(config["data_preprocessor"], dataset_options(metainfo))
    old_classes = metainfo["classes"]
    initial = InitialWeights(path, saved.get("optimizer", {}) if moments else {})
    initial.new_classes = [name for name in classes if name not in old_classes]
    initial.left_classes = [name for name in old_classes if name not in classes]
    own_names = channel_names(translator.data_preprocessor, classes)
    old_names = channel_names(before, old_classes)
    match = _same_shape
    if own_names != old_names:
        match = _ChannelMatcher(condition_inputs(translator, size), own_names, old_names).match
    _collect(initial, translator, saved["state_dict"], match, (classes, old_classes))
    networks = translator.translation_parts()
    if not any(_network(name) in networks for name in initial.state):
        raise UserError(
            f"The {' and '.join(networks)} takes none of the weights of {path}: it has other "
            "layers. Start from a checkpoint of the same kind of network, or remove start_from."
        )
    return initial


def load_initial_weights(
    translator: Translator,
    optimizers: Mapping[str, NetworkOptimizer],
    initial: InitialWeights,
) -> None:
    """Load the initial weights of a new run, and the optimiser state that comes with them.

    Args:
        translator: the translator of the new run, just built. Other weights stay fresh.
        optimizers: the optimisers of the new run, just built.
        initial: from `read_initial_weights`. Optimiser state is loaded for weights that were copied
            unchanged only.
    """
    translator.load_state_dict({**translator.state_dict(), **initial.state})
    for kind, optimizer in optimizers.items():
        if kind in initial.optimizers:
            load_optimizer_state(optimizer, initial.sources, initial.optimizers[kind])


Match = Callable[[str, Tensor, Tensor], Tensor | None]
"""A function of name, own weight and old weight: the initial weight; None if it does not fit."""


def _collect(
    initial: InitialWeights,
    translator: Translator,
    before: Mapping[str, Tensor],
    match: Match,
    classes: tuple[Sequence[str], Sequence[str]],
) -> None:
    """Fill the lists of `initial` with the weights of a checkpoint's state dict `before`.

    `match` decides on all weights except the style bank's. `classes` are the new and the old names.
    """
    own = translator.state_dict()
    sources = translator.previous_names(own, before)
    for name, value in own.items():
        old = before.get(sources[name] or "")
        if old is None:
            initial.fresh[name] = "the checkpoint has none"
            continue
        by_class = name.startswith(_STYLES)
        taken = _by_class(value, old, *classes) if by_class else match(name, value, old)
        if taken is None:
            other = value.shape != old.shape
            shapes = f"the shape is {tuple(value.shape)} instead of {tuple(old.shape)}"
            initial.fresh[name] = shapes if other else "the condition has other channels"
            continue
        initial.state[name] = taken
        if taken is old:
            initial.sources[name] = sources[name]
        else:
            initial.matched.append(name)
    used = {sources[name] for name in initial.state}
    initial.unused = [name for name in before if name not in used]


def _same_shape(name: str, own: Tensor, old: Tensor) -> Tensor | None:
    return old if own.shape == old.shape else None


def _by_class(
    own: Tensor, old: Tensor, classes: Sequence[str], old_classes: Sequence[str]
) -> Tensor | None:
    """Return a style bank's tensor [classes,...] with the rows of classes of equal names copied.

    Rows of new classes keep their values. With equal lists of classes, `old` itself is returned.
    The result is None if the shapes do not fit.
    """
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
    """Return the name of each channel of a condition, such as "class road" or "instances".

    `classes` has the names of the one-hot channels in order. Several channels of another kind are
    numbered from 0, such as "image 2". The list is empty if the preprocessor names no kinds.
    """
    names: list[str] = []
    for kind, count in zip(preprocessor.kinds, preprocessor.channels, strict=True):
        labels = [f"{CLASS}{name}" for name in classes]
        others = [kind] if count == 1 else [f"{kind} {k}" for k in range(count)]
        names += labels if kind == "labels" else others
    return names


def condition_inputs(translator: Translator, size: tuple[int, int]) -> dict[str, list[int]]:
    """Return the input channels of each convolution at which the channels of the condition arrive.

    Each channel of the condition is filled with a number of its own. The networks run once, and
    hooks look for these numbers in the inputs of all convolutions. Convolutions that do not get
    every channel are left out.

    Args:
        translator: the translator whose networks are run.
        size: (height, width) in pixels that the networks accept; a smaller size is tried first.

    Returns:
        By the name of a weight [O,I,...], the input channel of each channel of the condition.
    """
    side = math.ceil(SMALL_SIDE / translator.stride) * translator.stride
    try:
        return _find_marks(translator, (side, side))
    except (UserError, RuntimeError, ValueError):  # CRN accepts one height only, for example
        return _find_marks(translator, size)


def _find_marks(translator: Translator, size: tuple[int, int]) -> dict[str, list[int]]:
    channels = translator.data_preprocessor.condition_channels
    device = next(translator.parameters()).device
    marks = _FIRST_MARK + torch.arange(channels, dtype=torch.float32, device=device)
    condition = marks[None, :, None, None].expand(1, channels, *size)
    found: dict[str, list[int]] = {}
    handles = [
        module.register_forward_pre_hook(_MarkFinder(name, marks, found))
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


class _MarkFinder:
    """A hook that records the input channels of a convolution that hold the marks."""

    def __init__(self, name: str, marks: Tensor, found: dict[str, list[int]]) -> None:
        self.name, self.marks, self.found = name, marks, found

    def __call__(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """Record the input channels in which every pixel has the number of a mark.

        Nothing is recorded unless every mark is found.
        """
        image = inputs[0][0].float().flatten(1)
        lowest, highest = image.amin(1), image.amax(1)
        near = (lowest[None] - self.marks[:, None]).abs() < 0.1
        rows = near & ((highest - lowest)[None] < 0.1)
        if rows.any(1).all():
            self.found[f"{self.name}.weight"] = rows.int().argmax(1).tolist()


class _ChannelMatcher:
    """A matcher of weights whose input channels are those of another condition.

    Args:
        rows: from `condition_inputs`, for the new translator.
        own_names: from `channel_names`, for the new condition.
        old_names: from `channel_names`, for the old condition.
    """

    def __init__(
        self, rows: Mapping[str, list[int]], own_names: Sequence[str], old_names: Sequence[str]
    ) -> None:
        self.rows, self.own_names, self.old_names = rows, own_names, old_names

    def match(self, name: str, own: Tensor, old: Tensor) -> Tensor | None:
        """Return the initial weight [O,I,...] of this name; None if the old weight does not fit.

        A convolution that sees the condition gets the old weights of channels with equal names. A
        new class gets the average of the old classes. Other new channels stay fresh as in `own`.
        All other weights fit if the shapes are equal, and are copied unchanged.
        """
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
