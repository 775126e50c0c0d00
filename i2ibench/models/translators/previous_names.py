"""Names that the weights of a growing generator and discriminator had in the stage before."""

import re
from collections.abc import Mapping
from typing import Any


def names_in_smaller_system(
    own: Mapping[str, Any], before: Mapping[str, Any]
) -> dict[str, str | None]:
    """Return by own name what a weight was called in a smaller system; None if it is new."""
    return {name: _name_before(name, own, before) for name in own}


def _name_before(name: str, own: Mapping[str, Any], before: Mapping[str, Any]) -> str | None:
    """Return what a weight was called in the stage before; None for one that starts fresh."""
    if name.startswith("generator.head."):
        return name if _body(own) == _body(before) else None
    scale = re.match(r"(discriminator\.scales\.)(\d+)(\..*)", name)
    if scale:
        pattern = r"discriminator\.scales\.(\d+)"
        older = int(scale[2]) - (_count(pattern, own) - _count(pattern, before))
        return f"{scale[1]}{older}{scale[3]}" if older >= 0 else None
    return name


def _body(names: Mapping[str, Any]) -> set[str]:
    """The generator's weights below its output layers."""
    return {n for n in names if n.startswith("generator.") and not n.startswith("generator.head.")}


def _count(pattern: str, names: Mapping[str, Any]) -> int:
    return len({m[1] for m in (re.match(pattern, name) for name in names) if m})
