"""The pytest plugin: the option --plugin, and the parts over which each contract test runs.

pytest imports this file whenever i2ibench is installed, so it imports nothing large.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from i2ibench.testing.parts import Workshop

KIND = "contract"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option --plugin to pytest."""
    parser.getgroup("i2ibench").addoption(
        "--plugin",
        metavar="PACKAGE",
        help="run i2ibench's contract tests on the parts of this package, module or .py file only",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker `contract`, and refuse a --plugin that registers no part.

    Raises:
        UsageError: the plugin cannot be imported, or registers nothing.
    """
    config.addinivalue_line(
        "markers",
        f"{KIND}(kind, of=None): runs once for every registered part of this kind, as `name`, or "
        "for those of a base class",
    )
    if config.getoption("--plugin"):
        from i2ibench.errors import UserError
        from i2ibench.testing.parts import parts_of

        try:
            parts_of(config.getoption("--plugin"))
        except UserError as error:
            raise pytest.UsageError(str(error)) from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a contract test once for each part of its kind, whose name is the argument `name`.

    The parts are those of --plugin, else of the test module's PLUGIN, else all. Tests without the
    marker `contract` are left as they are. The test run fails if the plugin cannot be imported.
    """
    marker = metafunc.definition.get_closest_marker(KIND)
    if marker is None:
        return
    from i2ibench.errors import UserError
    from i2ibench.testing.parts import parts_of, parts_of_kind

    plugin = metafunc.config.getoption("--plugin") or getattr(metafunc.module, "PLUGIN", None)
    try:
        if plugin is not None:
            parts_of(plugin)
        names = parts_of_kind(marker.args[0], plugin, **marker.kwargs)
    except UserError as error:
        pytest.fail(str(error), pytrace=False)
    metafunc.parametrize("name", names)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect contract tests of kinds of which the plugin has no part, in place."""
    idle = [item for item in items if _has_no_part(item)]
    if idle:
        config.hook.pytest_deselected(items=idle)
        items[:] = [item for item in items if item not in idle]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Seed torch with 0 before each contract test; do nothing before other tests."""
    if item.get_closest_marker(KIND):
        import torch

        torch.manual_seed(0)


@pytest.fixture(scope="session")
def contract_part(tmp_path_factory: pytest.TempPathFactory) -> "Workshop":
    """Return the builder of parts at test size: `contract_part(kind, name, **derived)`.

    See `Workshop`. All tests of the session share the builder.
    """
    from i2ibench.testing.parts import Workshop

    return Workshop(tmp_path_factory.mktemp)


def _has_no_part(item: pytest.Item) -> bool:
    call = getattr(item, "callspec", None)
    named = call is not None and isinstance(call.params.get("name"), str)
    return item.get_closest_marker(KIND) is not None and not named
