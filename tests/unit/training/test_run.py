"""Training runs: the cause of a machine failure is named."""

import pytest

from i2ibench.training.run import _cause


@pytest.mark.parametrize("error", [OSError(), TimeoutError(), OSError(" \n")])
def test_a_system_error_without_text_is_named_by_its_type(error, tmp_path):
    assert _cause(error, tmp_path) == f"{type(error).__name__}."
