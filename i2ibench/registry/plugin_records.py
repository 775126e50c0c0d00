"""Records of the plugins of a run: written to checkpoints and results, compared when read again.

Nothing is imported because a checkpoint names it. The names in a checkpoint are only printed, and
its hashes are only compared with the plugins that are installed here.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from i2ibench.errors import UnknownPartError
from i2ibench.io.provenance import sha256
from i2ibench.registry.code_hashes import named_types
from i2ibench.registry.discovery import load_plugins
from i2ibench.registry.registries import REGISTRIES
from i2ibench.registry.sources import display_name, is_core, origin_of, plugin_modules


def plugin_records() -> list[dict[str, Any]]:
    """Return a record of every plugin module of this process, sorted by module.

    Plugins are imported first. The modules are those of all plugins, and other modules that
    registered parts (`custom_imports`).

    Returns:
        Dicts with "module" (`my_plugins/own.py` for a file in a plugin folder), "distribution" and
        "version" (None outside an installed plugin), "sha256" of the file (None without one) and
        "parts", such as ["loss HingeGAN"].
    """
    load_plugins()
    parts: dict[str, list[str]] = {module: [] for module in plugin_modules()}
    for kind, registry in REGISTRIES.items():
        for name in registry.names():
            module = registry.module_dict[name].__module__
            if not is_core(module):
                parts.setdefault(module, []).append(f"{kind} {name}")
    return [
        {
            "module": display_name(module),
            "distribution": (origin := origin_of(module)).distribution,
            "version": origin.version,
            "sha256": sha256(origin.file) if origin.file and origin.file.is_file() else None,
            "parts": names,
        }
        for module, names in sorted(parts.items())
    ]


def missing_plugin(meta: Mapping[str, Any], error: UnknownPartError) -> str:
    """Return a sentence that names the plugin from which the checkpoint's run had an unknown part.

    The sentence has the plugin's SHA-256 and warns that the plugin is a program.

    Args:
        meta: the checkpoint's `meta`, with the records of its plugins.
        error: the error that names the unknown part.

    Returns:
        The sentence, with a space before it; "" if the checkpoint has no record of the part.
    """
    record = _records_by_part(meta).get(f"{error.kind} {error.name}")
    if record is None:
        return ""
    where = record.get("distribution") or record.get("module")
    version = f" {str(record['version'])[:20]}" if record.get("version") else ""
    return (
        f" The run that wrote the checkpoint had it from {str(where)[:100] + version!r} (SHA-256 "
        f"{str(record.get('sha256'))[:12]!r}), a program: use it only if you trust it."
    )


def changed_plugins(path: Path, meta: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Return a line that lists the plugins whose files differ from those of a checkpoint's run.

    Parts that are not registered now, and plugins without a recorded hash, are left out.

    Args:
        path: the checkpoint, for the message.
        meta: the checkpoint's `meta`, with the records of its plugins.
        config: the config whose parts are compared; other plugins are ignored.

    Returns:
        The line; "" if no plugin has changed.
    """
    named = set(named_types(config))
    changed = set()
    for part, record in _records_by_part(meta).items():
        kind, _, name = part.partition(" ")
        here = REGISTRIES[kind].module_dict.get(name) if kind in REGISTRIES else None
        file = origin_of(here.__module__).file if here is not None and name in named else None
        if file is not None and record.get("sha256") not in (None, now := sha256(file)):
            changed.add(f"{file} ({str(record['sha256'])[:12]!r} then, {now[:12]!r} now)")
    listed = ", ".join(sorted(changed))
    return f"{path} was written with other plugins, by SHA-256: {listed}." if changed else ""


def _records_by_part(meta: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the record of each part's plugin by part, such as "loss HingeGAN".

    Malformed records are left out: anybody may have written the checkpoint.
    """
    records = meta.get("plugins")
    by_part = {}
    for record in records if isinstance(records, list) else []:
        parts = record.get("parts") if isinstance(record, dict) else None
        for part in parts if isinstance(parts, list) else []:
            if isinstance(part, str):
                by_part[part] = record
    return by_part
