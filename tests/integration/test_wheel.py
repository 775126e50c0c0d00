"""The built wheel, without a checkout, in an empty folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from i2ibench.registry.shipped_configs import configs_folder

ROOT = Path(__file__).parents[2]
SMALL = [
    "--cfg-options", "model.generator.num_levels=3", "model.generator.base_channels=4",
    "model.discriminator.base_channels=4", "train_cfg.max_epochs=1", "hooks.images=None",
    *(f"{part}_dataloader.dataset.{option}" for part in ("train", "val")
      for option in ("num_scenes=2", "width=64", "height=32")),
]  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", folder]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, ROOT], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder that the wheel's packages were installed to."""
    folder = tmp_path_factory.mktemp("site")
    options = ["--no-deps", "--quiet", "--target", folder]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, wheel], check=True)
    return folder


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    return tmp_path_factory.mktemp("empty")


def i2ibench(installed, cwd, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}
    answer = subprocess.run(
        [sys.executable, "-m", "i2ibench.cli", *map(str, arguments)],
        cwd=cwd, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_it_holds_every_config_plugin_and_static_file(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in configs_folder().rglob("*.py"):
        assert f"i2ibench_configs/{path.relative_to(configs_folder()).as_posix()}" in names
    for folder, package in (("i2ibench", "i2ibench"), ("plugins", "i2ibench_plugins")):
        tracked = subprocess.run(
            ["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines()
        missing = [f for f in tracked if f"{package}{f.removeprefix(folder)}" not in names]
        assert not missing, "files of the package that the wheel lacks"
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "build/"))]


def test_the_commands_of_a_user_run_without_a_checkout(installed, empty):
    where = i2ibench(installed, empty, "parts", "generator", "--json")
    assert "CoarseToFineGenerator" in where
    assert "pix2pix_toystreet" in i2ibench(installed, empty, "configs", "list", "pix2pix")
    i2ibench(installed, empty, "configs", "copy", "pix2pix_toystreet", "mine.py")
    told = i2ibench(installed, empty, "train", "mine.py", *SMALL)
    assert "trained: work_dirs/mine/epoch_0001.pth" in told
    labels, run = "data/toystreet/gtFine/val", "work_dirs/mine"
    i2ibench(installed, empty, "translate", run, labels, "images")
    assert len(list((empty / "images").glob("*.png"))) == 2
    size = ["--protocol-options", "num_scenes=2", "width=64", "height=32", "samples=1"]
    told = i2ibench(installed, empty, "eval", "mine.py", "--protocol", "toystreet", *size)
    assert (empty / told.split("report:")[1].strip()).is_file()
    cells = i2ibench(installed, empty, "grid", "run", "methods_toystreet", "--dry-run")
    assert "method=pix2pix,seed=0" in cells


def test_its_code_is_the_wheels_and_not_the_checkouts(installed, empty):
    code = "import i2ibench; print(i2ibench.__file__)"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=empty, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(installed)},
    )  # fmt: skip
    assert Path(answer.stdout.strip()).is_relative_to(installed)
