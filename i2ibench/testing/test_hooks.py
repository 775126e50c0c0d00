"""A hook promises to be mmengine's, with methods that mmengine calls."""

import pytest

from i2ibench.training.hooks import Hook


@pytest.mark.contract("hook")
def test_a_hooks_methods_have_names_that_are_called(name, contract_part):
    hook = contract_part("hook", name)
    assert isinstance(hook, Hook), f"a hook must be an mmengine.hooks.Hook; {name} is none"
    for method in dir(hook):
        if method.startswith(("before_", "after_")) and callable(getattr(hook, method)):
            assert hasattr(Hook, method), (
                f"mmengine never calls a method {method}; {name} misspells it, or it is no event"
            )
