"""Plugin folders: how they are named, and under which names their files are imported."""

import json
import os
import pickle
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from i2ibench.errors import UserError
from i2ibench.registry import plugin_folders
from i2ibench.registry.configuration import load_config
from i2ibench.registry.plugin_folders import VARIABLE, folder_of, package_of, use_plugin_folders
from i2ibench.registry.sources import FOLDERS, display_name
from tests.conftest import write_tiny_config

PART = """
from i2ibench.registry import LOSSES
{line}
@LOSSES.register_module()
class {name}:
    "A loss."
"""


@pytest.fixture(autouse=True)
def _no_folders(monkeypatch):
    monkeypatch.setenv(VARIABLE, "")


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return folder


def parts(*arguments, cwd, **environment):
    """What `parts loss --json` prints, in a process of its own: registries keep what they know."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment}
    answer = subprocess.run(
        [sys.executable, "-m", "i2ibench.cli", *arguments],
        cwd=cwd, capture_output=True, text=True, env=variables, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def names(listed):
    return {part["name"]: part["origin"] for part in listed["parts"]}


def test_the_prefix_of_the_modules_is_the_modules_own_name():
    assert f"{plugin_folders.__name__}." == FOLDERS


def test_a_folder_is_named_before_or_after_the_command_or_by_the_environment(tmp_path):
    one = str(write(tmp_path / "one", a=PART.format(line="", name="OneLoss")))
    two = write(tmp_path / "two", a=PART.format(line="", name="TwoLoss"))
    both = {"OneLoss": "folder one", "TwoLoss": "folder two"}
    json_of_parts = ("parts", "loss", "--json")
    before = parts("--plugins", "one", *json_of_parts, cwd=tmp_path, **{VARIABLE: str(two)})
    after = parts(*json_of_parts, f"--plugins=one{os.pathsep}two", "--plugins", one, cwd=tmp_path)
    for listed in (before, after):
        assert both.items() <= names(listed).items() and not listed["conflicts"]


def test_files_of_a_folder_import_each_other_and_leave_the_path_alone(tmp_path):
    write(tmp_path / "mine", helper="WIDTH = 3", a=PART.format(line="", name="Aloss"))
    write(tmp_path / "mine", b=PART.format(line="from .helper import WIDTH", name="Bloss"))
    listed = parts("parts", "loss", "--json", "--plugins", "mine", cwd=tmp_path)
    assert {"Aloss", "Bloss"} <= names(listed).keys() and not listed["skipped"]
    before = list(sys.path)
    module = import_module(f"{package_of(tmp_path / 'mine')}.helper")
    assert module.WIDTH == 3 and sys.path == before and "helper" not in sys.modules
    assert display_name(module.__name__) == "mine/helper.py"
    assert folder_of(module.__name__) == (tmp_path / "mine").resolve()


def test_a_broken_file_is_skipped_and_named_and_its_neighbours_are_there(tmp_path):
    half = PART.format(line="", name="HalfLoss") + "\n1 / 0\n"
    first = PART.format(line="from .whole import WholeLoss", name="FirstLoss") + "\n1 / 0\n"
    mine = write(
        tmp_path / "mine", broken=half, a_first=first, ends="raise SystemExit(3)",
        whole=PART.format(line="", name="WholeLoss"), needs="import a_package_nobody_has",
        undotted="import whole",
    )  # fmt: skip
    missing = {VARIABLE: str(tmp_path / "nowhere")}
    listed = parts("parts", "loss", "--json", "--plugins", "mine", cwd=tmp_path, **missing)
    assert "WholeLoss" in names(listed), "although a broken file imported it first"
    assert not {"HalfLoss", "FirstLoss"} & names(listed).keys()
    skipped = listed["skipped"]
    assert skipped["mine/needs.py"] == "it needs the package 'a_package_nobody_has'"
    assert "write `from .whole import`" in skipped["mine/undotted.py"]
    assert "ZeroDivisionError" in skipped["mine/broken.py"]
    assert f"{mine / 'broken.py'}, line " in skipped["mine/broken.py"]
    assert "SystemExit" in skipped["mine/ends.py"]
    assert "there is no such folder" in skipped[str(tmp_path / "nowhere")]


def test_a_name_that_a_folder_and_the_core_claim_belongs_to_neither(tmp_path):
    write(tmp_path / "mine", a=PART.format(line="", name="HingeGAN"))
    listed = parts("parts", "loss", "--json", "--plugins", "mine", cwd=tmp_path)
    assert "mine/a.py (folder mine, " in listed["conflicts"]["loss HingeGAN"]


def test_a_folder_that_is_an_installed_plugin_is_not_loaded_twice(tmp_path):
    repository = Path(plugin_folders.__file__).parents[2] / "plugins"
    listed = parts("parts", "loss", "--json", "--plugins", str(repository), cwd=tmp_path)
    assert names(listed)["HingeGAN"] == "plugins/" and not listed["conflicts"]


@pytest.mark.parametrize(
    ("named", "message"),
    [("nowhere", "there is no folder"), ("a.py", "is a file; name its folder")],
)
def test_what_is_no_folder_is_refused(tmp_path, named, message):
    write(tmp_path, a="")
    with pytest.raises(UserError, match=f"--plugins: .*{message}"):
        use_plugin_folders([named], tmp_path, "--plugins")
    assert os.environ[VARIABLE] == ""


def test_a_config_names_folders_beside_itself_and_its_run_names_none(tmp_path):
    write(tmp_path / "mine")
    path = write_tiny_config(tmp_path / "tiny.py", tmp_path)
    path.write_text(path.read_text() + "plugins = ['mine']\n")
    config = load_config(path)
    assert os.environ[VARIABLE] == str((tmp_path / "mine").resolve())
    assert "plugins" not in config
    with pytest.raises(UserError, match=r"tiny\.py: plugins: there is no folder .*other"):
        load_config(path, {"plugins": ["other"]})
    with pytest.raises(UserError, match=r"'plugins' is a list"):
        load_config(path, {"plugins": "mine"})
    with pytest.raises(UserError, match="expected a list of folders"):
        load_config(path, {"plugins": [3]})


def test_another_process_finds_a_class_of_a_folder_by_its_name_alone(tmp_path):
    mine = write(tmp_path / "mine", own="class Own:\n    pass\n")
    own = import_module(f"{package_of(mine)}.own").Own
    code = "import pickle, sys; print(pickle.loads(sys.stdin.buffer.read()).__class__.__name__)"
    answer = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(own()), capture_output=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), VARIABLE: str(mine)},
    )  # fmt: skip
    assert answer.stdout.decode().strip() == "Own", answer.stderr.decode()
