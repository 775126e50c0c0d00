"""The hooks that a config chooses, and those that every run has."""

from collections.abc import Mapping
from typing import Any

from mmengine.hooks import Hook

from i2ibench.registry import HOOKS
from i2ibench.training.hooks.non_finite import SkipNonFinite, StopAtNonFinite


def build_hooks(cfg: Mapping[str, Any]) -> list[Hook]:
    """The hooks of a config, those set to None left out.

    What to do about losses that are not finite is StopAtNonFinite, unless the config has a hook
    for that or an entry `non_finite`.

    Raises:
        UserError: an unknown hook or option.
    """
    hooks = [HOOKS.build(options) for options in cfg.values() if options is not None]
    chosen = any(isinstance(hook, StopAtNonFinite | SkipNonFinite) for hook in hooks)
    return hooks if chosen or "non_finite" in cfg else [StopAtNonFinite(), *hooks]
