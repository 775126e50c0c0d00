"""The protocol that a checkpoint names: a wish of whoever wrote it, carried out without trust."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from i2ibench.errors import UserError
from i2ibench.evaluation.protocols.protocol import Config, Protocol, build_protocol
from i2ibench.registry import FEATURES, SEGMENTERS
from i2ibench.registry.contracts import Feature, Segmenter


def foreign_protocol(cfg: str | Config, path: Path) -> Protocol:
    """Return the protocol that the checkpoint at `path` names, if no part of it runs a program.

    TorchScript and ONNX files are programs. They run where the user names them, in a config or
    with `--protocol` and `--protocol-options`, and never because a checkpoint names them.

    Raises:
        UserError: an unknown protocol or option, or one that runs such a file.
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
    """Return whether a part executes the file that its option `weights` names."""
    kind = options.get("type")
    parts = [r.get(kind) for r in (SEGMENTERS, FEATURES)] if isinstance(kind, str) else []
    classes = [part for part in parts if isinstance(part, type)]
    runs = any(issubclass(c, Segmenter | Feature) and c.executes_weights for c in classes)
    return runs and options.get("weights") is not None


def _parts(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every dict in nested dicts and lists."""
    if isinstance(value, Mapping):
        yield value
        for inner in value.values():
            yield from _parts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _parts(inner)
