"""An executor promises to be called as the others are."""

import inspect

import pytest

from i2ibench.registry.contracts import Executor


@pytest.mark.contract("executor")
def test_an_executor_is_called_as_every_executor_is(name, contract_part):
    executor = contract_part("executor", name)
    wanted = list(inspect.signature(Executor.run).parameters)[1:]
    taken = inspect.signature(executor.run)
    try:
        taken.bind(*wanted)
    except TypeError as error:
        raise AssertionError(
            f"run must take ({', '.join(wanted)}), in this order; {name}.run{taken} does not: "
            f"{error}"
        ) from None
