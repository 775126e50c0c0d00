"""Configs of the package by name, from any folder."""

from pathlib import Path

import pytest

from i2ibench.apps.study.define.definition import load_definition
from i2ibench.errors import UserError
from i2ibench.grids.grid_definition import load_grid
from i2ibench.io.docstrings import first_line
from i2ibench.registry.configuration import load_config
from i2ibench.registry.shipped_configs import (
    configs_folder,
    find_config,
    independent_text,
    named_file,
    shipped_configs,
)
from tests.integration.runs import command, refusal

SYSTEMS, GRIDS, STUDIES = (shipped_configs(kind) for kind in ("config", "grid", "study"))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def copied(path):
    target = Path(path.name)
    target.write_text(independent_text(path), encoding="utf-8")
    return target


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_copy_of_a_config_is_the_config_itself_in_any_folder(name):
    by_name = load_config(Path(name))
    assert load_config(copied(SYSTEMS[name])).to_dict() == by_name.to_dict()
    assert first_line(SYSTEMS[name]).endswith("."), "`configs list` shows the first line"


@pytest.mark.parametrize("name", GRIDS)
def test_a_copy_of_a_grid_has_the_same_cells(name):
    own = load_grid(Path(name))
    copy = load_grid(copied(GRIDS[name]))
    assert [(c.name, c.hash) for c in copy.cells] == [(c.name, c.hash) for c in own.cells]


def test_a_list_without_a_match_says_so(capsys):
    command("configs", "list", "FLOW", "toystreet")
    assert "flow_toystreet" in capsys.readouterr().out
    assert "No config of the package has 'zzz'" in refusal(capsys, "configs", "list", "zzz")


@pytest.mark.parametrize("name", STUDIES)
def test_studies_are_found_by_name(name):
    assert load_definition(Path(name)) == load_definition(copied(STUDIES[name]))


def test_the_users_own_file_comes_before_the_packages():
    Path("spade_toystreet").write_text("")
    assert find_config("spade_toystreet") == Path("spade_toystreet")
    assert find_config("spade_toystreet.py") == configs_folder() / "spade_toystreet.py"
    grid = configs_folder() / "grids" / "methods_toystreet.py"
    assert find_config("methods_toystreet", "grid") == grid


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("spade_toystret", "no config spade_toystret. Did you mean 'spade_toystreet'?"),
        ("configs/spade_toystreet.py", "the package's own is called spade_toystreet"),
        ("mine/own.py", "There is no config mine/own.py"),
    ],
)
def test_a_missing_config_names_the_nearest(name, message):
    with pytest.raises(UserError) as caught:
        load_config(Path(name))
    assert message in str(caught.value)


def test_a_base_of_the_package_that_is_missing_is_named():
    Path("own.py").write_text('_base_ = "i2ibench::_base_/systems/pix3pix.py"\n')
    with pytest.raises(UserError, match=r"own.py cannot be loaded: .*pix3pix.py"):
        load_config(Path("own.py"))
    assert named_file("i2ibench::x.py", Path("here")) == configs_folder() / "x.py"
    assert named_file("x.py", Path("here")) == Path("here/x.py")
