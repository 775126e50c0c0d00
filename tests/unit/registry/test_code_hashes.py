"""The hash of the code that parts come from: of the core, of plugins, of what those import."""

import sys
from importlib import import_module

import pytest
import torch
from torch import nn

from i2ibench.registry import GENERATORS
from i2ibench.registry.code_hashes import hash_code_of, named_types
from i2ibench.registry.plugin_folders import package_of


@pytest.fixture
def own(tmp_path):
    """A file of a plugin folder, imported; it uses one neighbour and not the other."""
    (tmp_path / "own.py").write_text(
        "from torch import nn\nfrom .scale import scaled\n\n\nclass Own(nn.Module):\n    pass\n"
    )
    (tmp_path / "scale.py").write_text("def scaled(x):\n    return 2 * x\n")
    (tmp_path / "other.py").write_text("")
    return import_module(f"{package_of(tmp_path)}.own")


@pytest.mark.parametrize(("file", "changes"), [("own", True), ("scale", True), ("other", False)])
def test_a_change_of_a_file_counts_where_the_part_comes_from_it(own, tmp_path, file, changes):
    parts = [nn.Sequential(nn.ReLU(), own.Own())]
    before = hash_code_of(parts, {}, ("models/generators",))
    assert hash_code_of(parts, {}, ("models/generators",)) == before
    path = tmp_path / f"{file}.py"
    path.write_text(path.read_text() + "# edited\n")
    assert (hash_code_of(parts, {}, ("models/generators",)) != before) == changes


def test_a_part_counts_that_a_config_names_and_no_object_is_of():
    built_by_a_function = [{"type": "ResNet9Generator"}, {"losses": [{"type": "HingeGAN"}]}]
    assert set(named_types(built_by_a_function)) == {"ResNet9Generator", "HingeGAN"}
    assert GENERATORS.find("ResNet9Generator")
    alone = hash_code_of([], {}, ("models/generators",))
    assert hash_code_of([], built_by_a_function, ("models/generators",)) != alone
    assert hash_code_of([], {"type": "UNetGenerator"}, ("models/generators",)) == alone, (
        "of the core already"
    )
    assert hash_code_of([], {"type": "NoSuchPart"}, ("models/generators",)) == alone


def test_packages_of_the_core_count_whole_and_libraries_do_not():
    assert hash_code_of([], {}, ("models/generators",)) != hash_code_of(
        [], {}, ("models/generators", "models/ops")
    )
    library = [nn.Conv2d(1, 1, 1), torch.optim.Adam, sys, "text", 3]
    assert hash_code_of(library, {}, ("models/ops",)) == hash_code_of([], {}, ("models/ops",))
