"""The public contract tests tell a plugin's author in a sentence what is missing."""

import pytest

from i2ibench.contracts import Dataset
from i2ibench.errors import UserError
from i2ibench.registry import DATASETS
from i2ibench.testing import test_datasets
from i2ibench.testing.parts import Workshop


class Poor(Dataset):
    """What a reader of `dataset[i]` and `.metainfo` alone might write."""

    def __init__(self, seed: int = 0) -> None:
        self.metainfo = {"classes": ["a"]}

    def __len__(self):
        return 1

    def __getitem__(self, key):
        return {"name": "a"}


class Seedless(Poor):
    def __init__(self) -> None:
        super().__init__()


@pytest.mark.parametrize(
    ("part", "missing"), [(Poor, "does not say its scenes"), (Seedless, "does not take 'seed'")]
)
def test_a_data_set_without_its_promise_fails_with_the_promise(part, missing, tmp_path):
    DATASETS.register_module(name="Poor", module=part)
    try:
        with pytest.raises(UserError, match=missing):
            test_datasets.test_a_data_set_has_scenes_and_takes_a_seed(
                "Poor", Workshop(lambda name: tmp_path)
            )
    finally:
        DATASETS.module_dict.pop("Poor")
