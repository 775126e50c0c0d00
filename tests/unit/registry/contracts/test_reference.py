"""docs/parts.md has every promise of every kind, as the contracts say it."""

from pathlib import Path

from i2ibench.registry import REGISTRIES
from i2ibench.registry.contracts.promises import promises_of
from i2ibench.registry.contracts.reference import reference

PAGE = Path(__file__).parents[4] / "docs" / "parts.md"


def test_the_page_is_what_the_contracts_say():
    kinds = {kind: registry.base_classes() for kind, registry in REGISTRIES.items()}
    assert PAGE.read_text(encoding="utf-8") == reference(kinds), (
        "a contract has changed: i2ibench parts --promises > docs/parts.md"
    )


def test_no_promise_and_no_kind_is_missing():
    text = PAGE.read_text(encoding="utf-8")
    for kind, registry in REGISTRIES.items():
        for name, contract in registry.base_classes().items():
            section = text.partition(f"## {kind}: `{name}`\n")[2].partition("\n## ")[0]
            assert section, name
            for promise in promises_of(contract):
                assert f"| `{promise.name}` | " in section, f"{name}.{promise.name}"
