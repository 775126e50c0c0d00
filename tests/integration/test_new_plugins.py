"""Every kind of plugin that new-plugin writes works as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from i2ibench.registry import REGISTRIES
from i2ibench.registry.scaffold import KINDS, new_module, new_package

ROOT = Path(__file__).parents[2]


def python(*arguments, cwd):
    """A Python of its own: the parts must not stay in the registries of this one."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(cwd), *sys.path])}
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, env=environment
    )


def test_every_kind_but_three_is_generated_and_keeps_its_contract(tmp_path):
    assert set(REGISTRIES) - set(KINDS) == {"transform", "preprocessor", "executor"}
    package = tmp_path / "generated"
    for kind in KINDS:
        new_module(kind, f"Own{kind.capitalize()}", package)
    modules = "\n".join(f"import generated.own_{kind}" for kind in KINDS)
    (package / "__init__.py").write_text(modules)
    option = ("-p", "i2ibench.testing.pytest_plugin", "--plugin", "generated")
    tests = ("-m", "pytest", "-v", "-W", "error::UserWarning", "--pyargs", "i2ibench.testing")
    answer = python(*tests, *option, cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout
    for kind in KINDS:
        assert re.search(rf"Own{kind.capitalize()}.*PASSED", answer.stdout), (kind, answer.stdout)


BUILD = """
import importlib, sys
from pathlib import Path
from mmengine.config import Config
from i2ibench.registry.configuration import load_config
from i2ibench.data.classes import class_table
from i2ibench.training.stage import build_hooks
from i2ibench.evaluation.metric_building import build_metrics
from i2ibench.evaluation.protocols.protocol import build_protocol
from i2ibench.registry import DATASETS
from i2ibench.models.translators.build import build_translator
for kind in sys.argv[1:]:
    name, root = f"fine_{kind}", f"i2ibench-fine-{kind}"
    sys.path.insert(0, root)
    importlib.import_module(f"{name}.{kind}")
    config = load_config(Path(root) / "configs" / f"{name}.py", {}, Path("work"))
    info = class_table(["a", "b"]).metainfo("x")
    build_translator(config, info)
    build_hooks(config.hooks)
    DATASETS.find(config.train_dataloader.dataset.type)
    if config.protocol and kind != "segmenter":
        assert build_metrics(build_protocol(config.protocol).metrics, info)
    used = "data/fine_reader" if kind == "reader" else f"Fine{kind.capitalize()}"  # by file ending
    assert used in config.pretty_text
"""


def test_the_config_of_a_generated_package_uses_its_part(tmp_path):
    for kind in KINDS:
        new_package(kind, f"Fine{kind.capitalize()}", tmp_path)
        project = (tmp_path / f"i2ibench-fine-{kind}" / "pyproject.toml").read_text()
        assert '[project.entry-points."i2ibench.plugins"]' in project
        assert f'fine_{kind} = "fine_{kind}"' in project
    answer = python("-c", BUILD, *KINDS, cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr


FOLLOW = """
import contextlib, importlib, io, re, shlex, shutil, sys
from pathlib import Path
import numpy as np, torch
from PIL import Image
from i2ibench.cli.main import main
from i2ibench.cli.plugin_option import take_plugins
from i2ibench.registry.discovery import _load_all
from i2ibench.registry import SEGMENTERS
from i2ibench.apps.web import serving

def serve(app, listening, *limits):
    listening.close()

def follow(told, *steps):
    for step in steps:
        main(arguments=shlex.split(told[step].removeprefix("i2ibench ")))

def data(folder):
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        (folder / split).mkdir(parents=True)
        for number in range(4):
            label = np.zeros((32, 64), np.uint8)
            label[10 + number:] = 1
            photo = rng.integers(0, 255, (32, 64, 3), dtype=np.uint8)
            Image.fromarray(label).save(folder / split / f"{number}_label.png")
            Image.fromarray(photo).save(folder / split / f"{number}.png")

serving.serve = serve
package = sys.argv[1] == "package"
for kind in sys.argv[2:]:
    name = f"Very{kind.capitalize()}"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        main(arguments=["new-plugin", kind, name, *(["--package"] if package else [])])
    told = dict(re.findall("^  ([a-z]+): +(.*)$", printed.getvalue(), re.M))
    _load_all.cache_clear()  # of folders to which a file was added
    take_plugins(shlex.split(told["train"]))
    if package:
        sys.path.insert(0, told["install"].removeprefix("pip install -e "))
        importlib.import_module(f"very_{kind}.{kind}")  # as the entry point does once installed
    if kind == "dataset":
        folder = Path(re.search("into ([^ ]+)/train", told["first"])[1])
        data(folder)
        labels = Path("labels")
        labels.mkdir()
        for file in (folder / "val").glob("*_label.png"):
            shutil.copy(file, labels)
        told["translate"] = told["translate"].replace("LABELS", "labels")
    if kind == "reader":
        for split in ("train", "val"):
            folder = Path("data", f"very_{kind}", split)
            for below in ("image", "label"):
                (folder / below).mkdir(parents=True)
            for number in range(4):
                label = np.zeros((32, 64), np.uint8)
                label[10 + number:] = 1
                Image.fromarray(label).save(folder / "label" / f"{number}.png")
                levels = (label * 200 + 7).astype(np.uint8).tobytes()
                (folder / "image" / f"{number}.very_{kind}").write_bytes(b"64 32\\n" + levels)
    if kind == "segmenter":
        weights = Path(re.search("as ([^ ]+)$", told["first"])[1])
        weights.parent.mkdir()
        torch.save(SEGMENTERS.find(name)(num_classes=19).state_dict(), weights)
    follow(told, "train", "eval")
    if not package:
        told["edit"] += " --port 0"
        follow(told, "translate", "edit")
    print("followed", kind, flush=True)
"""


@pytest.mark.parametrize("form", ["package", "file"])
def test_the_commands_that_are_printed_work_for_every_kind(form, tmp_path):
    """Takes its time: every kind is trained and scored, in a Python of their own."""
    answer = python("-c", FOLLOW, form, *KINDS, cwd=tmp_path)
    followed = re.findall(r"^followed (\w+)$", answer.stdout, re.M)
    assert answer.returncode == 0 and followed == list(KINDS), answer.stdout + answer.stderr
