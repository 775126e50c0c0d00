"""No registered part without a contract test."""

from pathlib import Path

from i2ibench import testing
from i2ibench.registry import REGISTRIES

HERE = Path(__file__).parent
CONTRACTS = Path(testing.__file__).parent
TESTED_BESIDES = {
    "metric": "tests/unit/evaluation/metrics",
    "hook": "tests/integration",
    "executor": "tests/integration",
}


def test_every_kind_of_part_has_a_contract_test():
    text = "".join(path.read_text() for path in CONTRACTS.glob("test_*.py"))
    for kind in REGISTRIES:
        assert f'pytest.mark.contract("{kind}"' in text, kind


def test_all_contract_tests_are_run_here():
    text = (HERE / "test_parts.py").read_text()
    for path in CONTRACTS.glob("test_*.py"):
        assert f"from i2ibench.testing.{path.stem} import *" in text, path


def test_what_contracts_say_little_of_is_tested_by_name():
    for kind, folder in TESTED_BESIDES.items():
        files = [*(HERE.parents[1] / folder).glob("*.py"), HERE.parents[0] / "conftest.py"]
        text = "".join(path.read_text() for path in files)
        for name in REGISTRIES[kind].names():
            assert name in text, f"{kind} {name} is in no test of {folder}"
