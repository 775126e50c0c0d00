"""The plugins that a checkpoint names: which one is missing here, and which have changed.

A checkpoint's word is no reason to import anything: its names are shown as texts, and its hashes
are compared with those of plugins that are here already.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from i2ibench.errors import UnknownPartError
from i2ibench.io.provenance import sha256
from i2ibench.registry.code_hashes import named_types
from i2ibench.registry.registries import REGISTRIES
from i2ibench.registry.sources import origin_of


def missing_plugin(meta: Mapping[str, Any], error: UnknownPartError) -> str:
    """Return a sentence on the plugin that an unknown part came from, or "".

    Args:
        meta: of the checkpoint.
        error: names the part.
    """
    record = _records(meta).get(f"{error.kind} {error.name}")
    if record is None:
        return ""
    where = record.get("distribution") or record.get("module")
    version = f" {str(record['version'])[:20]}" if record.get("version") else ""
    return (
        f" The run that wrote the checkpoint had it from {str(where)[:100] + version!r} (SHA-256 "
        f"{str(record.get('sha256'))[:12]!r}), a program: use it only if you trust it."
    )


def changed_plugins(path: Path, meta: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Return a line on the plugins of a config's parts whose files have changed, or "".

    Args:
        path: of the checkpoint.
        meta: of the checkpoint, with the plugins that its run had.
        config: whose parts count.
    """
    named = set(named_types(config))
    changed = set()
    for part, record in _records(meta).items():
        kind, _, name = part.partition(" ")
        here = REGISTRIES[kind].module_dict.get(name) if kind in REGISTRIES else None
        file = origin_of(here.__module__).file if here is not None and name in named else None
        if file is not None and record.get("sha256") not in (None, now := sha256(file)):
            changed.add(f"{file} ({str(record['sha256'])[:12]!r} then, {now[:12]!r} now)")
    listed = ", ".join(sorted(changed))
    return f"{path} was written with other plugins, by SHA-256: {listed}." if changed else ""


def _records(meta: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return by part ("loss HingeGAN") the record of its plugin; what is no record is left out."""
    records = meta.get("plugins")
    found = {}
    for record in records if isinstance(records, list) else []:
        parts = record.get("parts") if isinstance(record, dict) else None
        for part in parts if isinstance(parts, list) else []:
            if isinstance(part, str):
                found[part] = record
    return found
