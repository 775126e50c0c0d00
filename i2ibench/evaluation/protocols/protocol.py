"""A protocol: everything a score depends on besides the images."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from i2ibench.errors import UserError
from i2ibench.io.safe_names import safe_name
from i2ibench.registry import DATASETS, PROTOCOLS

Config = Mapping[str, Any]

RESIZING = ("bilinear", "bicubic", "nearest")
GENERAL = ("resize", "samples", "draws", "seed")
"""Attributes of a protocol that are options of every one."""


@dataclass(frozen=True)
class Protocol:
    """The rules of an evaluation: the scenes, the samples of each scene, and the metrics.

    Attributes:
        name: what reports call it.
        data: config of the data set whose scenes are scored, without its root; None for the
            validation set of the config that is evaluated.
        metrics: configs of the metrics by name; None switches one off.
        reference: config of the data set whose photos the distribution distances refer to; None
            for the photos of the scored scenes.
        samples: images per scene of a system that draws styles; the first is scored, all of them
            decide the diversity.
        resize: filter that brings images of another size to the label map's; None refuses them.
            With a filter checkpoints translate at the size that their run was validated at,
            without at the protocol's.
        validation: the metrics, by name, that a training run computes as it goes.
        draws: bootstrap draws behind an interval.
        seed: of everything random in scoring.
        root: where the data is if nothing else says so; not part of the protocol's hash.
    """

    name: str
    metrics: Mapping[str, Config | None]
    data: Config | None = None
    reference: Config | None = None
    samples: int = 1
    resize: str | None = None
    validation: tuple[str, ...] = ("segmentation",)
    draws: int = 1000
    seed: int = 0
    root: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.resize is not None and self.resize not in RESIZING:
            raise UserError(f"A protocol's resize is None or one of {RESIZING}: {self.resize!r}.")
        for name, least in (("samples", 1), ("draws", 1), ("seed", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise UserError(f"A protocol's {name} is an integer from {least} on: {value!r}.")

    def facts(self) -> dict[str, Any]:
        """Return all that the scores depend on, in plain JSON."""
        hidden = ("name", "root", "validation")
        chosen = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in hidden}
        chosen["pictures"] = "uint8 RGB"
        return json.loads(json.dumps(chosen, default=dict))


def build_protocol(cfg: str | Config) -> Protocol:
    """The protocol of a name, or of a dict with `type` and options.

    Every protocol takes `metrics` (more metrics by name, or changes to its own), `resize`,
    `samples`, `draws` and `seed`.

    Raises:
        UserError: unknown protocol or option.
    """
    options: dict[str, Any] = {"type": cfg} if isinstance(cfg, str) else dict(cfg)
    metrics = options.pop("metrics", {})
    own = PROTOCOLS.parameters(options["type"]) if isinstance(options.get("type"), str) else []
    general = {k: options.pop(k) for k in GENERAL if k in options and k not in own}
    protocol: Protocol = PROTOCOLS.build(options)
    for data in (protocol.data, protocol.reference):
        if data is not None:
            DATASETS.part(data.get("type") if isinstance(data, Mapping) else data)
    if not isinstance(metrics, Mapping):
        raise UserError(f"A protocol's metrics are a dict by name, not {metrics!r}.")
    for name in metrics:
        safe_name(name, "A protocol's metric", folders=False)  # its rows lie in a folder so named
    merged = {name: _merged(protocol.metrics.get(name), cfg) for name, cfg in metrics.items()}
    return replace(protocol, metrics={**protocol.metrics, **merged}, **general)


def _merged(own: Config | None, change: Any) -> Config | None:
    """A metric's config with a change: another metric if that has a type, None to switch it off."""
    if change is None or (isinstance(change, Mapping) and "type" in change):
        return change
    if not isinstance(change, Mapping) or own is None:
        raise UserError(f"A metric is a dict with a 'type', or None; not {change!r}.")
    return {**own, **change}


def resized(size: tuple[int, int] | None) -> list[dict[str, Any]]:
    """The transforms that bring scenes to (width, height); none for None.

    Raises:
        UserError: the size is none.
    """
    if size and not all(isinstance(side, int) and side > 0 for side in size):
        raise UserError(f"A protocol's width and height are pixels, not {size[0]!r} x {size[1]!r}.")
    return [{"type": "Resize", "width": size[0], "height": size[1]}] if size else []
