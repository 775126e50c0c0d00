"""A plugin package from outside the repository; it and i2ibench installed from wheels.

Beside it stand a package that is broken and one whose dependency is missing.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from i2ibench.registry.scaffold import new_module, new_package
from tests.integration.environment import Environment

BROKEN = "from i2ibench.registry import LOSSES\n\n\ndef f():\n    return 1 / 0\n\n\nf()\n"
NEEDY = "import a_package_nobody_has\n"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outside")
    built = Environment(folder)
    mine = new_package("generator", "OutsideNet", folder / "sources")
    for kind, name in (("loss", "OutsideLoss"), ("dataset", "OutsideData")):
        new_module(kind, name, mine / "outside_net")
    broken = new_package("loss", "BrokenLoss", folder / "sources")
    (broken / "broken_loss" / "loss.py").write_text(BROKEN)
    needy = new_package("loss", "NeedyLoss", folder / "sources")
    (needy / "needy_loss" / "loss.py").write_text(NEEDY)
    for project in (mine, broken, needy):
        built.install(project)
    write_config(mine / "configs" / "outside_net.py", built.home)
    return built


def write_config(template: Path, home: Path) -> None:
    """The package's own config, with its loss and data set too, and a worker that reads."""
    text = template.read_text()
    text = text.replace("losses=dict(", 'losses=dict(mine=dict(type="OutsideLoss"), ')
    text = text.replace('dict(type="ToyStreet", split="train", num_scenes=8, **_size)',
                        'dict(type="OutsideData", split="train")')  # fmt: skip
    text = text.replace('dict(type="ToyStreet", split="val", num_scenes=2, **_size)',
                        'dict(type="OutsideData", split="val")')  # fmt: skip
    text = text.replace("batch_size=2", "batch_size=1, num_workers=1").replace("toystreet", "mine")
    text = text.replace('type="LabelPreprocessor"', 'type="LabelPreprocessor", boundaries=False')
    assert text.count('type="Outside') == 4
    (home / "mine.py").write_text(text)
    code = """
import numpy as np
from pathlib import Path
from PIL import Image
for split in ("train", "val"):
    folder = Path("data/mine") / split
    folder.mkdir(parents=True)
    for number in range(4):
        label = np.zeros((32, 64), np.uint8)
        label[10 + number :] = 1
        Image.fromarray(label).save(folder / f"s{number}_label.png")
        photo = np.repeat(label[..., None] * 90 + 40, 3, 2)
        Image.fromarray(photo).save(folder / f"s{number}.png")
"""
    subprocess.run([sys.executable, "-c", code], cwd=home, check=True)


def test_the_package_is_listed_and_its_siblings_are_told_but_not_fatal(environment):
    answer = environment.run("-m", "i2ibench.cli", "parts", "--json")
    listed = json.loads(answer.stdout)
    (mine,) = [part for part in listed["parts"] if part["name"] == "OutsideNet"]
    assert (mine["distribution"], mine["version"]) == ("i2ibench-outside-net", "0.1.0")
    assert all(str(environment.folder) in part["file"] for part in listed["parts"])
    assert listed["skipped"]["needy_loss.loss"] == "it needs the package 'a_package_nobody_has'"
    assert "ZeroDivisionError" in listed["skipped"]["broken_loss.loss"]
    assert "loss.py, line 5" in listed["skipped"]["broken_loss.loss"]


def test_a_config_that_names_a_broken_plugin_is_told_why(environment):
    option = ("--cfg-options", "model.losses.mine.type=BrokenLoss")
    arguments = ("train", "mine.py", "--work-dir", "broken", *option)
    answer = environment.run("-m", "i2ibench.cli", *arguments, code=2)
    assert "No loss named 'BrokenLoss'" in answer.stderr
    assert "'broken_loss.loss' was skipped: ZeroDivisionError" in answer.stderr


def test_it_trains_by_name_from_another_directory_and_the_run_records_it(environment):
    environment.run("-m", "i2ibench.cli", "train", "mine.py", "--work-dir", "one")
    check_record(environment, "one")


def test_it_trains_in_two_processes(environment):
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    arguments = ("train", "mine.py", "--launcher", "pytorch", "--work-dir", "two")
    environment.run(*torchrun, "-m", "i2ibench.cli", *arguments)
    check_record(environment, "two")


def check_record(environment, work_dir):
    path = environment.home / work_dir / "epoch_0002.pth"
    plugins = torch.load(path, weights_only=True)["meta"]["plugins"]
    records = {record["module"]: record for record in plugins}
    mine = records["outside_net.generator"]
    (file,) = environment.folder.glob("lib/*/site-packages/outside_net/generator.py")
    assert mine["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (mine["distribution"], mine["version"]) == ("i2ibench-outside-net", "0.1.0")
    assert mine["parts"] == ["generator OutsideNet"]
    assert "broken_loss.loss" not in records


GETITEM = "    def __getitem__(self, key):\n        return self.scenes.reed(key)\n\n"
"""An error of the data set that a worker meets."""


@pytest.mark.parametrize(
    ("module", "before", "after"),
    [
        ("outside_loss", "(step.fake - step.real)", "(step.fake - step.reel)"),
        ("outside_data", "    @staticmethod\n", GETITEM + "    @staticmethod\n"),
    ],
    ids=["loss", "data set"],
)
def test_an_error_in_it_keeps_its_traceback_and_names_it(environment, module, before, after):
    (file,) = environment.folder.glob(f"lib/*/site-packages/outside_net/{module}.py")
    text = file.read_text()
    file.write_text(text.replace(before, after))
    try:
        answer = environment.run(
            "-m", "i2ibench.cli", "train", "mine.py", "--work-dir", "bad", code=1
        )
    finally:
        file.write_text(text)
    wrong = "self.scenes.reed(key)" if module == "outside_data" else after
    assert "Traceback" in answer.stderr and wrong in answer.stderr
    start = f"error: plugin outside_net.{module} (i2ibench-outside-net 0.1.0, {file}, line "
    assert [line for line in answer.stderr.splitlines() if line.startswith(start)]


def test_it_keeps_the_contracts(environment):
    option = ("--plugin", "outside_net")
    answer = environment.run("-m", "pytest", "-v", "--pyargs", "i2ibench.testing", *option)
    for part in ("OutsideNet", "OutsideLoss", "OutsideData"):
        assert f"{part}] PASSED" in answer.stdout
    assert "CoarseToFine" not in answer.stdout and "failed" not in answer.stdout
