"""New plugins: every kind is generated, works and keeps its contract; nothing is overwritten."""

import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from i2ibench.cli import new_plugin
from i2ibench.cli.main import main
from i2ibench.errors import UserError
from i2ibench.registry.scaffold import KINDS, new_package, snake

ROOT = Path(__file__).parents[3]


def test_generated_files_are_formatted_as_this_project_is(tmp_path):
    for kind in KINDS:
        new_package(kind, f"Fine{kind.capitalize()}", tmp_path)
    for verb in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *verb, "--config", str(ROOT / "pyproject.toml")]
        answer = subprocess.run([*ruff, str(tmp_path)], capture_output=True, text=True)
        assert answer.returncode == 0, answer.stdout


def test_the_command_says_what_to_do_next(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main(arguments=["new-plugin", "loss", "SoftHinge"])
    printed = capsys.readouterr().out
    assert "wrote plugins/soft_hinge.py and configs/soft_hinge.py" in printed
    assert "--plugin plugins/soft_hinge.py" in printed
    assert "i2ibench train configs/soft_hinge.py --plugins plugins\n" in printed
    (tmp_path / "plugins" / "soft_hinge.py").unlink()
    with pytest.raises(SystemExit):
        main("new_plugin", ["loss", "SoftHinge"])
    assert "configs/soft_hinge.py exists already" in capsys.readouterr().err
    assert not (tmp_path / "plugins" / "soft_hinge.py").exists()


def test_in_a_checkout_of_this_project_the_folder_need_not_be_named(tmp_path, monkeypatch, capsys):
    spec = ModuleSpec("i2ibench_plugins", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path / "plugins")]
    monkeypatch.setattr(new_plugin, "find_spec", lambda name: spec)
    monkeypatch.chdir(tmp_path)
    main("new_plugin", ["loss", "SoftHinge"])
    assert "i2ibench train configs/soft_hinge.py\n" in capsys.readouterr().out


def test_a_package_is_not_written_over(tmp_path):
    new_package("loss", "SoftHinge", tmp_path)
    with pytest.raises(UserError, match="i2ibench-soft-hinge exists already"):
        new_package("loss", "SoftHinge", tmp_path)


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("los", "SoftHinge", "No kind 'los'. Did you mean 'loss'"),
        ("loss", "soft_hinge", "begins with a capital letter"),
        ("loss", "../Evil", "begins with a capital letter"),
        ("loss", "Class", "begins with a capital letter"),
        ("loss", "HingeGAN", "already, in i2ibench_plugins.hinge_gan"),
    ],
)
def test_bad_names_and_kinds_are_refused(tmp_path, kind, name, message):
    with pytest.raises(UserError, match=message):
        new_package(kind, name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_modules_name_follows_from_its_classes():
    assert (
        snake("SoftHinge2GAN") == "soft_hinge2_gan" and snake("UNetGenerator") == "u_net_generator"
    )
