"""Registries and discovery: what a user sees when a name is wrong."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from torch import nn

from i2ibench.errors import UserError
from i2ibench.registry import (
    GENERATORS,
    HOOKS,
    LOSSES,
    REGISTRIES,
    Registry,
    discovery,
    plugin_records,
)
from i2ibench.registry.sources import blame


def test_a_misspelt_type_names_the_near_match_and_everything_known():
    with pytest.raises(UserError, match=r"No generator named 'CoarseToFine'\. Did you mean") as e:
        GENERATORS.build({"type": "CoarseToFine"})
    assert "Known: " in str(e.value) and "CoarseToFineGenerator" in str(e.value)


def test_a_misspelt_option_names_the_part_and_the_near_match():
    with pytest.raises(UserError, match=r"has no option 'nun_blocks'\. Did you mean 'num_blocks'"):
        GENERATORS.build({"type": "CoarseToFineGenerator", "nun_blocks": 3}, in_channels=4)


def test_a_part_without_a_constructor_takes_no_options():
    with pytest.raises(UserError, match=r"HingeGAN has no option 'margin'\. Options: none"):
        LOSSES.build({"type": "HingeGAN", "margin": 2})


def test_a_missing_option_is_named():
    with pytest.raises(UserError, match="needs the option 'in_channels'"):
        GENERATORS.build({"type": "CoarseToFineGenerator"})


def test_a_derived_value_cannot_be_configured():
    with pytest.raises(UserError, match="gets 'in_channels' from the rest of the config"):
        GENERATORS.build({"type": "CoarseToFineGenerator", "in_channels": 3}, in_channels=4)


def test_a_config_without_a_type_lists_the_kinds():
    with pytest.raises(UserError, match="needs a 'type'; known: .*LeastSquaresGAN"):
        LOSSES.build({})


def test_hooks_of_mmengine_can_be_used_by_name():
    assert HOOKS.build({"type": "EmptyCacheHook"}) is not None


def test_the_repositorys_plugin_is_found_like_any_third_partys():
    assert "i2ibench_plugins.hinge_gan" in discovery.load_plugins()
    assert "HingeGAN" in LOSSES.names()


def test_plugins_are_found_from_any_directory(tmp_path):
    code = "from i2ibench.registry import LOSSES; print(LOSSES.find('HingeGAN').__module__)"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "i2ibench_plugins.hinge_gan"


def write_plugin(folder, name, text):
    (folder / f"{name}.py").write_text(text)
    return name


@pytest.fixture
def plugin_folder(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(Registry, "skipped", {})
    return tmp_path


def test_a_plugin_whose_dependency_is_missing_is_skipped_with_a_note(plugin_folder):
    name = write_plugin(plugin_folder, "needy_plugin", "import a_package_nobody_has")
    assert discovery._load(name) is False
    with pytest.raises(UserError, match="'needy_plugin' was skipped: it needs the package 'a_pack"):
        LOSSES.find("NeedyLoss")


def test_a_plugin_that_fails_otherwise_is_skipped_and_named_where_it_is_missed(plugin_folder):
    name = write_plugin(plugin_folder, "broken_plugin", BROKEN)
    assert discovery._load(name) is False
    assert "HalfLoaded" not in LOSSES.names(), "a plugin is loaded whole or not at all"
    with pytest.raises(UserError, match=r"ZeroDivisionError: division by zero \(.*line 8; `python"):
        LOSSES.find("HalfLoaded")


BROKEN = """
from i2ibench.registry import LOSSES
@LOSSES.register_module()
class HalfLoaded:
    pass


1 / 0
"""


@pytest.fixture
def claims(monkeypatch):
    monkeypatch.setattr(LOSSES, "conflicts", {})


def test_two_parts_with_one_name_are_refused_naming_both(claims):
    both = (
        r"Two parts are registered as the loss 'HingeGAN': "
        r"i2ibench_plugins.hinge_gan \(plugins/, .*hinge_gan.py"
    )
    with pytest.raises(UserError, match=both + r"\) and tests\.test_registry"):
        LOSSES.register_module(module=type("HingeGAN", (nn.Module,), {}))


def test_a_name_that_two_plugins_claim_belongs_to_neither(plugin_folder, claims):
    text = "from i2ibench.registry import LOSSES\n@LOSSES.register_module()\nclass HingeGAN: pass"
    assert discovery._load(write_plugin(plugin_folder, "second_plugin", text)) is False
    with pytest.raises(UserError, match="hinge_gan.* and second_plugin .*uninstall its plugin"):
        LOSSES.build({"type": "HingeGAN"})
    assert "second_plugin" in Registry.skipped["second_plugin"]


def test_a_part_that_is_defined_again_in_its_own_module_replaces_the_first(monkeypatch):
    monkeypatch.setattr(LOSSES, "_module_dict", dict(LOSSES.module_dict))
    first, second = (type("Cell", (nn.Module,), {"__module__": "__main__"}) for _ in range(2))
    LOSSES.register_module(module=first)
    LOSSES.register_module(module=second)
    assert LOSSES.find("Cell") is second


def test_an_error_is_blamed_on_the_deepest_plugin_in_its_traceback():
    with pytest.raises(TypeError) as caught:
        LOSSES.build({"type": "HingeGAN"}).generator(None)
    assert "plugin i2ibench_plugins.hinge_gan (plugins/, " in blame(caught.value)
    assert "hinge_gan.py, line 1" in blame(caught.value)
    assert blame(ValueError("mine")) is None
    file = LOSSES.find("HingeGAN").generator.__code__.co_filename
    from_worker = ValueError(f'Original Traceback:\n  File "{file}", line 7, in generator')
    assert "hinge_gan.py, line 7)" in blame(from_worker)


def test_the_record_of_plugins_names_distribution_file_hash_and_parts():
    records = {record["module"]: record for record in plugin_records.plugin_records()}
    hinge = records["i2ibench_plugins.hinge_gan"]
    file = Path(LOSSES.find("HingeGAN").generator.__code__.co_filename)
    assert hinge["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (hinge["distribution"], hinge["parts"]) == ("i2ibench", ["loss HingeGAN"])
    assert not any(name.startswith("i2ibench.") for name in records)


def test_every_part_has_a_docstring_that_starts_with_a_sentence():
    for registry in REGISTRIES.values():
        for name in registry.names():
            summary = (registry.find(name).__doc__ or "").partition("\n")[0]
            assert summary.endswith((".", "?")), name
