"""Print versions, devices, plugins, and which optional weights are installed."""

import argparse
from collections.abc import Mapping, Sequence

from i2ibench.errors import MissingWeightsError, UserError
from i2ibench.evaluation.protocols.protocol import build_protocol
from i2ibench.evaluation.segmenters.framed_segmenter import TRAIN, locate_weights
from i2ibench.io.provenance import commit, devices, versions
from i2ibench.io.weights import ALL, OBTAIN, search_folders
from i2ibench.registry import PROTOCOLS, SEGMENTERS, Registry
from i2ibench.registry.discovery import load_plugins
from i2ibench.registry.sources import display_name, origin_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add no arguments: the command `doctor` takes none."""


def run(options: argparse.Namespace) -> None:
    """Print versions, devices, plugins, skipped plugins, and the weights that are installed."""
    print("versions")
    for package, number in {**versions(), "commit": commit()}.items():
        print(f"  {package:16} {number}")
    print("devices")
    for device in devices():
        print(f"  {device}")
    print("plugins")
    for module in load_plugins():
        print(f"  {display_name(module)} ({origin_of(module)})")
    for module, reason in Registry.skipped.items():
        print(f"  {module}: skipped, {reason}")
    print("weights")
    for weights in ALL:
        path = weights.find()
        print(
            f"  {weights.purpose}: {path or f'missing. Get {weights.name} with: {weights.obtain}'}"
        )
    print("segmenter weights")
    for line in segmenter_lines():
        print(f"  {line}")


def segmenter_lines() -> list[str]:
    """Return one line with the weights of each segmenter that a protocol uses by default.

    The line has the path of the file, or the way to get it. Protocols that need options are left
    out. The last line lists the other registered segmenters.
    """
    users: dict[tuple[str, str], list[str]] = {}
    for name in PROTOCOLS.names():
        for segmenter in _segmenters(name):
            users.setdefault(segmenter, []).append(name)
    lines = [_line(kind, weights, names) for (kind, weights), names in users.items()]
    named = {kind for kind, _ in users}
    others = [name for name in SEGMENTERS.names() if name not in named]
    return [
        *lines,
        f"{', '.join(others)}: with the weights that a config names. To get them: {TRAIN}",
    ]


def _segmenters(protocol: str) -> list[tuple[str, str]]:
    """Return (type, weights) of each segmenter in a protocol that names its weights.

    The list is empty if the protocol cannot be built without options.
    """
    try:
        metrics = build_protocol(protocol).metrics.values()
    except UserError:
        return []
    found = [
        cfg["segmenter"] for cfg in metrics if cfg and isinstance(cfg.get("segmenter"), Mapping)
    ]
    return [(str(s["type"]), str(s["weights"])) for s in found if s.get("weights")]


def _line(kind: str, weights: str, protocols: Sequence[str]) -> str:
    """Return a line with the file of a segmenter's weights, or the way to get it."""
    first = f"{kind} {weights} (protocol {', '.join(protocols)})"
    try:
        return f"{first}: {locate_weights(SEGMENTERS.find(kind), weights)}"
    except MissingWeightsError:
        folder = search_folders()[0]
        return f"{first}: missing. To get it: {OBTAIN.get(weights, TRAIN)}, into {folder}"
