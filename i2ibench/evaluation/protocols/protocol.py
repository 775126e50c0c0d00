"""The rules of an evaluation: everything that a score depends on besides the images."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from i2ibench.errors import UserError
from i2ibench.io.safe_names import safe_name
from i2ibench.registry import DATASETS, FEATURES, PROTOCOLS, SEGMENTERS
from i2ibench.registry.contracts import Feature, Segmenter

Config = Mapping[str, Any]

RESIZING = ("bilinear", "bicubic", "nearest")
GENERAL = ("resize", "samples", "draws", "seed")
"""The attributes that are options of every protocol."""


@dataclass(frozen=True)
class Protocol:
    """The rules of an evaluation: the scenes, the samples of each scene, and the metrics.

    Attributes:
        name: the name in reports.
        metrics: the configs of the metrics by name; None disables a metric.
        data: the config of the data set whose scenes are scored, without its root. None for the
            validation set of the evaluated config.
        reference: the config of the data set whose real images the distribution distances are
            measured from. None for the real images of the scored scenes.
        samples: the number of images of each scene, for systems with random styles. The first
            image is scored; diversity uses all of them.
        resize: the filter that resizes images of another size to the label map's size. None refuses
            such images. With a filter, checkpoints translate at the size of their validation data;
            without, at the size of the protocol.
        validation: the names of the metrics that a training run computes.
        draws: the number of bootstrap draws of an interval.
        seed: the seed of all random choices in scoring.
        root: the default folder of the data; not part of the protocol's hash.

    Raises:
        UserError: `resize`, `samples`, `draws` or `seed` has an impossible value.
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

    def settings(self) -> dict[str, Any]:
        """Return as JSON values the attributes of the protocol that the scores depend on.

        The attributes `name`, `root` and `validation` are left out. The key "pictures" is added
        with the usual format of images, "uint8 RGB".
        """
        hidden = ("name", "root", "validation")
        chosen = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in hidden}
        chosen["pictures"] = "uint8 RGB"
        return json.loads(json.dumps(chosen, default=dict))


def build_protocol(cfg: str | Config) -> Protocol:
    """Build the protocol of a registered name, or of a dict with `type` and options.

    Besides its own options every protocol takes `metrics`, `resize`, `samples`, `draws` and `seed`.
    `metrics` is a dict by metric name. A dict with a `type` adds or replaces a metric, a dict
    without one changes options of the protocol's own metric, and None disables a metric. The
    metrics themselves are not built here.

    Raises:
        UserError: the protocol, an option or a data set is unknown, or a value is impossible.
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
        safe_name(name, "A protocol's metric", folders=False)  # the name of a folder of rows
    merged = {name: _merged(protocol.metrics.get(name), cfg) for name, cfg in metrics.items()}
    return replace(protocol, metrics={**protocol.metrics, **merged}, **general)


def _merged(own: Config | None, change: Any) -> Config | None:
    """Return the config of one metric after a change: None if the metric is disabled."""
    if change is None or (isinstance(change, Mapping) and "type" in change):
        return change
    if not isinstance(change, Mapping) or own is None:
        raise UserError(f"A metric is a dict with a 'type', or None; not {change!r}.")
    return {**own, **change}


def resize_transforms(size: tuple[int, int] | None) -> list[dict[str, Any]]:
    """Return a list with the config of the transform that resizes scenes to `size`; [] for None.

    Args:
        size: width and height in pixels.

    Raises:
        UserError: a side is no positive integer.
    """
    if size and not all(isinstance(side, int) and side > 0 for side in size):
        raise UserError(f"A protocol's width and height are pixels, not {size[0]!r} x {size[1]!r}.")
    return [{"type": "Resize", "width": size[0], "height": size[1]}] if size else []


def common_metrics(segmenter: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the configs of the metrics that most protocols share, by name.

    They are segmentation scores, object borders, FID and KID, LPIPS, PSNR and SSIM, diversity of
    samples and of colours, and distances of objects.

    Args:
        segmenter: the config of the segmenter; None disables the segmentation scores.
    """
    segmentation = {"type": "SegmentationScores", "segmenter": segmenter} if segmenter else None
    return {
        "segmentation": segmentation,
        "edges": {"type": "InstanceEdges"},
        "distribution": {
            "type": "DistributionDistance", "features": {"type": "InceptionFeatures"},
        },
        "lpips": {"type": "PerceptualDistance"},
        "pixels": {"type": "PixelSimilarity"},
        "diversity": {"type": "PerceptualDiversity"},
        "colour_diversity": {"type": "ColourDiversity"},
        "objects": {"type": "ObjectDistance"},
    }  # fmt: skip


def foreign_protocol(cfg: str | Config, path: Path) -> Protocol:
    """Build the protocol that a checkpoint names, and refuse it if a part runs a file as a program.

    TorchScript and ONNX files are programs. They run only if the user names them, in a config or
    with `--protocol` and `--protocol-options`. A checkpoint, which anybody may have written, cannot
    make them run.

    Args:
        cfg: the protocol in the checkpoint, a name or a dict with `type`.
        path: the checkpoint, for the message.

    Raises:
        UserError: the protocol or an option is unknown, or the protocol runs such a file.
    """
    protocol = build_protocol(cfg)
    for options in _parts(protocol.metrics):
        if _runs_a_file(options):
            kind = cfg if isinstance(cfg, str) else cfg.get("type")
            raise UserError(
                f"{path} asks for the protocol {kind!r}, whose {options['type']} runs the file "
                f"{options['weights']!r} as a program. A checkpoint cannot do that: if you trust "
                f"the file, ask for it yourself with --protocol {kind} (and --protocol-options), "
                "or evaluate with your own config."
            )
    return protocol


def _runs_a_file(options: Mapping[str, Any]) -> bool:
    """Return whether a config is that of a segmenter or feature network that runs a file.

    Such parts run the file of their option `weights` as a program. Without this option the result
    is False.
    """
    kind = options.get("type")
    parts = [r.get(kind) for r in (SEGMENTERS, FEATURES)] if isinstance(kind, str) else []
    classes = [part for part in parts if isinstance(part, type)]
    runs = any(issubclass(c, Segmenter | Feature) and c.executes_weights for c in classes)
    return runs and options.get("weights") is not None


def _parts(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every dict in nested dicts, lists and tuples, each before the dicts inside it."""
    if isinstance(value, Mapping):
        yield value
        for inner in value.values():
            yield from _parts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _parts(inner)
