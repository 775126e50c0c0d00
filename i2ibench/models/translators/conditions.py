"""Preprocessors, which turn integer maps and images into condition and image tensors."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from i2ibench.data.kinds import BUILT_IN, KINDS, images_among
from i2ibench.errors import UserError, near_match
from i2ibench.models.ops.images import colour_labels, sobel_edges, to_signed
from i2ibench.models.ops.labels import instance_boundaries, one_hot_into
from i2ibench.registry import PREPROCESSORS
from i2ibench.registry.contracts import Preprocessor
from i2ibench.structures import Batch

CONDITIONS = {
    "labels": "label", "colours": "label", "instances": "instance", "image": "source",
    "edges": "", "features": "",
}  # fmt: skip
"""The built-in parts of a condition, and the kind of data that each needs; see `conditions`."""

EDGES_OF = {"source": "source", "photo": "image", "labels": "label"}


def conditions() -> dict[str, str]:
    """Return all possible parts of a condition, each with the kind of data that it needs.

    The value is "" for `edges`, whose kind depends on `edges_of`, and for `features`. A kind of
    data that a plugin adds (see `i2ibench.data.kinds.register_kind`) is a part of the same name. An
    image becomes channels in [-1, 1], a map becomes the boundaries between its ids.
    """
    return {**CONDITIONS, **{kind: kind for kind in KINDS if kind not in BUILT_IN}}


@PREPROCESSORS.register_module()
class ConditionPreprocessor(Preprocessor):
    """A condition that concatenates a list of parts.

    The parts are `labels`, one channel per class; `colours`, the label map in colour, in [-1, 1];
    `instances`, the instance boundary map (Sec. 3.3); `image`, the source image in [-1, 1];
    `edges`, computed on the device, in [0, 1]; and `features`, which the model's encoder appends
    to all others (Sec. 3.4).

    Args:
        condition: the parts in their order, each at most once.
        num_classes: the number of classes; comes from the data set.
        palette: (red, green, blue) of each class, 0..255; comes from the data set.
        edges_of: the origin of the edges: the `source` or the `photo` by Sobel's gradient, or the
            boundaries between `labels`. Edges of the real image give away a part of the solution.
        channels_by_kind: channels of each kind of image that is not RGB; comes from the data set.

    Attributes:
        condition_channels: channels of the condition without the encoder's features.
        needs: keys of a sample that the condition is computed from.
        one_hot_channels: the number of one-hot label channels at the beginning.
        takes_features: state that `features` are a part of the condition.

    Raises:
        UserError: a part is unknown, or the data has no classes for it.
    """

    palette: Tensor

    def __init__(
        self,
        condition: Sequence[str],
        num_classes: int = 0,
        palette: Sequence[Sequence[int]] = (),
        edges_of: str = "source",
        channels_by_kind: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        super().__init__()
        self.num_classes, self.channels_by_kind = num_classes, dict(channels_by_kind)
        self.kinds = _check_condition(condition, num_classes, edges_of)
        self.takes_features = "features" in condition
        self.edges_of = EDGES_OF[edges_of]
        sources = {**conditions(), "edges": self.edges_of}
        self.needs = tuple(dict.fromkeys(sources[kind] for kind in self.kinds))
        widths = {"labels": num_classes, "colours": 3, "image": channels_by_kind.get("source", 3)}
        for kind in images_among(self.kinds_of_plugins):
            widths[kind] = channels_by_kind.get(kind, 3)
        self.channels = [widths.get(kind, 1) for kind in self.kinds]
        self.condition_channels = sum(self.channels)
        self.one_hot_channels = num_classes if self.kinds[0] == "labels" else 0
        colours = torch.tensor(palette if "colours" in condition else (), dtype=torch.uint8)
        self.register_buffer("palette", colours, persistent=False)

    def forward(self, data: dict[str, Any], training: bool = False) -> Batch:
        """Return the batch of collated samples on this module's device, with its condition.

        The batch has the names, the `condition` float BCHW without the encoder's features, all maps
        of ids in the data, and the real images in [-1, 1] as `real` if the data has any. Source
        images are part of the condition only.

        Args:
            data: collated samples: tensors by kind of data, and `name`.
            training: ignored.

        Raises:
            UserError: the data lacks a kind of data that the condition needs.
        """
        data = self.on_device(data)
        for need in self.needs:
            if need not in data:
                raise UserError(
                    f"The data has no {KINDS[need].called}, and the condition is {self}. "
                    f"{KINDS[need].way_out}."
                )
        return {**_maps(data), "condition": self.condition_of(data)}

    @property
    def kinds_of_plugins(self) -> list[str]:
        """Return the parts of this condition that are kinds of data which plugins have added."""
        return [kind for kind in self.kinds if kind not in CONDITIONS]

    def __str__(self) -> str:
        return " + ".join(self.kinds)

    def condition_of(self, data: dict[str, Any]) -> Tensor:
        """Return the condition of collated samples on the device, float BCHW.

        Parts are written in place to avoid a copy by torch.cat. `features` are not among them.
        """
        if self.kinds in (("image",), ("colours",)):
            return self._part(self.kinds[0], data)
        first = data[self.needs[0]]
        size = (len(first), self.condition_channels, *first.shape[-2:])
        planes = torch.zeros(size, device=first.device)
        for kind, part in zip(self.kinds, planes.split(self.channels, 1), strict=True):
            if kind == "labels":
                one_hot_into(part, data["label"])
            else:
                part.copy_(self._part(kind, data))
        return planes

    def _part(self, kind: str, data: dict[str, Any]) -> Tensor:
        if kind == "image":
            return to_signed(data["source"])
        if kind == "colours":
            return to_signed(colour_labels(data["label"], self.palette))
        if kind in self.kinds_of_plugins:
            return instance_boundaries(data[kind]) if KINDS[kind].is_map else to_signed(data[kind])
        if kind == "instances" or self.edges_of == "label":
            return instance_boundaries(data["instance" if kind == "instances" else "label"])
        return sobel_edges(data[self.edges_of])


def _check_condition(condition: Sequence[str], num_classes: int, edges_of: str) -> tuple[str, ...]:
    """Return the parts of a condition in their order, without `features`, after checking them."""
    if isinstance(condition, str):
        raise UserError(f"A condition is a list, such as ['labels', 'edges'], not {condition!r}.")
    known = conditions()
    for kind in condition:
        if kind not in known:
            raise UserError(
                f"No condition {kind!r}.{near_match(kind, known)} Known: {', '.join(known)}."
            )
        if kind in ("labels", "colours") and not num_classes:
            raise UserError(
                f"The condition has {kind!r}, but the data has no classes: give the data set "
                "classes and label maps, or take 'image', the source image."
            )
    kinds = tuple(kind for kind in condition if kind != "features")
    if not kinds or len(set(condition)) < len(condition) or "features" in condition[:-1]:
        raise UserError(
            "A condition has one of "
            f"{', '.join(k for k in known if k != 'features')} at least, each once, and "
            f"'features' last, not {list(condition)}."
        )
    if edges_of not in EDGES_OF:
        raise UserError(f"edges_of is one of {', '.join(EDGES_OF)}, not {edges_of!r}.")
    return kinds


@PREPROCESSORS.register_module()
class LabelPreprocessor(ConditionPreprocessor):
    """A condition of one-hot labels and, optionally, the instance boundary map (Sec. 3.3).

    Args:
        num_classes: the number of one-hot channels; comes from the data set.
        boundaries: append the boundary map, which needs instance maps.
    """

    def __init__(self, num_classes: int, boundaries: bool = True) -> None:
        super().__init__(["labels", "instances"] if boundaries else ["labels"], num_classes)
        self.boundaries = boundaries


@PREPROCESSORS.register_module()
class ColourPreprocessor(ConditionPreprocessor):
    """A condition that is the label map in colour, in [-1, 1], as in pix2pix's data sets.

    Args:
        palette: (red, green, blue) of each class, 0..255; comes from the data set.
    """

    def __init__(self, palette: Sequence[Sequence[int]]) -> None:
        super().__init__(["colours"], len(palette), palette)


@PREPROCESSORS.register_module()
class ImagePreprocessor(ConditionPreprocessor):
    """A condition that is the source image in [-1, 1], such as edges.

    Args:
        num_classes: the classes of the label maps, if there are any; comes from the data set.
        channels_by_kind: see `ConditionPreprocessor`; comes from the data set.
    """

    def __init__(
        self, num_classes: int = 0, channels_by_kind: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        super().__init__(["image"], num_classes, channels_by_kind=channels_by_kind)


def dataset_options(metainfo: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a preprocessor that a data set determines.

    These are `num_classes`, `palette`, and `channels_by_kind`: the channels of each kind of image
    that the metainfo states.
    """
    formats = metainfo.get("formats", {})
    return {
        "num_classes": len(metainfo["classes"]),
        "palette": metainfo["palette"],
        "channels_by_kind": {kind: channels for kind, (channels, _) in formats.items()},
    }


def without_condition(preprocessor: Preprocessor, data: dict[str, Any]) -> Batch:
    """Return the batch of collated samples on the device, without its condition.

    Instead the batch has the data that the condition is computed from (`needs`), as far as the
    samples have it, besides the names, all maps of ids, and `real`.

    Args:
        preprocessor: the preprocessor of the condition.
        data: collated samples.
    """
    data = preprocessor.on_device(data)
    kept = {kind: data[kind] for kind in preprocessor.needs if kind in data}
    return {**_maps(data), **kept}  # type: ignore[typeddict-item]


def _maps(data: dict[str, Any]) -> Batch:
    """Return a batch with names, all maps of ids and, in [-1, 1], the real images.

    `real` is absent if the samples have no `image`.
    """
    batch: Any = {"names": data["name"]}
    batch |= {kind: data[kind] for kind in data.keys() & KINDS.keys() if KINDS[kind].is_map}
    if "image" in data:
        batch["real"] = to_signed(data["image"])
    return batch
