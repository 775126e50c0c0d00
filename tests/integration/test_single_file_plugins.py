"""Plugins of one file in a folder that the user names: they come along to every command."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from i2ibench.registry.scaffold import new_module
from i2ibench.testing.tiny_datasets import write_paired_scenes
from tests.conftest import write_tiny_config

WITHOUT_POSIX = Path(__file__).with_name("without_posix.py")

CONFIG = """
_base_ = "tiny.py"
{plugins}
model = dict(generator=dict(_delete_=True, type="OwnSizes"))
train_dataloader = dict(dataset=dict(transforms=[dict(type="OwnTurn")]), num_workers=1)
hooks = dict(images=None)
protocol = dict(_delete_=True, type="own", metrics=dict(
    segmentation=None, distribution=None, lpips=None, diversity=None, objects=None))
train_cfg = dict(max_epochs=1)
"""

TRANSFORM = """
from i2ibench.registry.contracts import Transform
from i2ibench.registry import TRANSFORMS
from ._sides import UPSIDE_DOWN

@TRANSFORMS.register_module()
class OwnTurn(Transform):
    "The scene upside down."

    def transform(self, arrays):
        names = [name for name in arrays if name != "rng"]
        return {**arrays, **{name: arrays[name][UPSIDE_DOWN].copy() for name in names}}
"""

STUDY = """
title = "x"
scenes = dict(folder="paired/val")
methods = dict(a=dict(checkpoint="work_dirs/own/epoch_0001.pth"), b=dict(photos=True))
per_pair, participants, repeats, catch, practice = 1, 1, 0, 0, 0
"""

CHECKPOINT = "work_dirs/own/epoch_0001.pth"


def command(*arguments, cwd, script=("-m", "i2ibench.cli"), code=0, **variables):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables}
    answer = subprocess.run(
        [sys.executable, *map(str, script), *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert answer.returncode == code, answer.stdout + answer.stderr
    assert "Traceback" not in answer.stderr
    return answer


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A user's folder with a config, its data, and plugins in two folders; a run is trained."""
    folder = tmp_path_factory.mktemp("home")
    write_tiny_config(folder / "tiny.py", write_paired_scenes(folder / "paired", count=4))
    (folder / "own.py").write_text(CONFIG.format(plugins='plugins = ["turns", "sizes"]'))
    (folder / "bare.py").write_text(CONFIG.format(plugins=""))
    (folder / "study.py").write_text(STUDY)
    new_module("generator", "OwnSizes", folder / "sizes")
    (folder / "turns").mkdir()
    (folder / "turns" / "own_turn.py").write_text(TRANSFORM)
    (folder / "turns" / "_sides.py").write_text("UPSIDE_DOWN = slice(None, None, -1)\n")
    command("train", "own.py", cwd=folder)
    return folder


def test_a_checkpoint_names_the_files_of_its_plugins(home):
    records = torch.load(home / CHECKPOINT, weights_only=True)["meta"]["plugins"]
    found = {record["module"]: record["parts"] for record in records if record["sha256"]}
    assert found["sizes/own_sizes.py"] == ["generator OwnSizes"]
    assert found["turns/own_turn.py"] == ["transform OwnTurn"]
    assert found["turns/_sides.py"] == []


COMMANDS = [
    f"translate {CHECKPOINT} paired/val OUT",
    f"styles list {CHECKPOINT}",
    f"eval bare.py {CHECKPOINT} --output OUT",
    "validate bare.py",
    "train bare.py --estimate-memory",
    "study create study.py --output OUT",
]


@pytest.mark.parametrize("line", COMMANDS)
def test_a_folder_that_is_named_comes_along(line, home, tmp_path):
    words = shlex.split(line.replace("OUT", str(tmp_path / "out")))
    command(*words, "--plugins", "sizes", "--plugins", "turns", cwd=home)


WITHOUT = [
    (f"translate {CHECKPOINT} paired/val OUT", "generator", "sizes/own_sizes.py"),
    (f"edit {CHECKPOINT} --autosave OUT", "generator", "sizes/own_sizes.py"),
    ("study create study.py --output OUT", "generator", "sizes/own_sizes.py"),
    ("train bare.py --work-dir OUT", "transform", ""),
]


@pytest.mark.parametrize(("line", "kind", "file"), WITHOUT)
def test_without_it_the_message_names_the_plugin_and_the_option(line, kind, file, home, tmp_path):
    words = shlex.split(line.replace("OUT", str(tmp_path / "out")))
    variables = {"PYTHONPATH": os.pathsep.join([*sys.path, str(home / "sizes")])}
    answer = command(*words, cwd=home, code=2, **variables)  # though it could be imported
    assert f"No {kind} named 'Own" in answer.stderr and "--plugins DIR" in answer.stderr
    assert not file or f"had it from {file!r} (SHA-256 '" in answer.stderr
    assert not list((tmp_path / "out").glob("*.png"))


def test_spawned_workers_torchrun_and_grids_see_the_same_plugins(home, tmp_path):
    """Each is another way by which processes begin."""
    both = ("--plugins", f"sizes{os.pathsep}turns")
    arguments = ("train", "bare.py", *both, "--work-dir")
    command(*arguments, tmp_path / "spawned", cwd=home, script=(WITHOUT_POSIX,))
    ranks = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    loader = ("--launcher", "pytorch", "--cfg-options", "train_dataloader.batch_size=1")
    command(*arguments, tmp_path / "two", *loader, cwd=home, script=(*ranks, "-m", "i2ibench.cli"))
    (home / "grid.py").write_text(
        f"base = 'bare.py'\naxes = dict(x=dict(one=dict()))\nseeds = [0]\n"
        f"work_dir = {str(tmp_path / 'grid')!r}\n"
    )
    command("grid", "run", "grid.py", *both, cwd=home)
    for folder in ("spawned", "two", "grid"):
        assert list((tmp_path / folder).rglob("epoch_0001.pth")), folder


def test_a_plugin_that_has_changed_is_told_in_one_line(home, tmp_path):
    shutil.copytree(home / "sizes", tmp_path / "sizes")
    file = tmp_path / "sizes" / "own_sizes.py"
    file.write_text(file.read_text() + "# edited\n")
    both = ("--plugins", tmp_path / "sizes", "--plugins", "turns")
    answer = command("translate", CHECKPOINT, "paired/val", tmp_path / "t", *both, cwd=home)
    lines = [line for line in answer.stderr.splitlines() if "with other plugins" in line]
    assert len(lines) == 1 and str(file) in lines[0] and CHECKPOINT in lines[0]
    resumed = ("train", "bare.py", "--work-dir", tmp_path / "w", "--resume", CHECKPOINT)
    more = ("--cfg-options", "train_cfg.max_epochs=2")
    answer = command(*resumed, *more, *both, cwd=home)
    assert answer.stderr.count("with other plugins") == 1


def test_an_edited_plugin_leaves_no_stale_image_and_no_stale_score(home, tmp_path):
    plugins = shutil.copytree(home / "sizes", tmp_path / "sizes")
    gap = new_module("metric", "OwnGap", plugins)
    named = ("--plugins", plugins, "--plugins", "turns")
    metric = ("--cfg-options", "protocol.metrics.gap.type=OwnGap")

    def made():
        """The images of translate, the score by the plugin, and what was said of stale ones."""
        out = tmp_path / "translated"
        told = command("translate", CHECKPOINT, "paired/val", out, *named, cwd=home).stderr
        evaluated = ("eval", "bare.py", CHECKPOINT, "--output", tmp_path / "scores")
        told += command(*evaluated, *named, *metric, cwd=home).stderr
        results = json.loads((tmp_path / "scores" / "results.json").read_text())
        (system,) = set(results["systems"]) - set(results["controls"]) - set(results["unranked"])
        score = results["systems"][system]["own_gap"]["value"]
        images = {path.name: path.read_bytes() for path in out.glob("*.png")}
        return images, score, told.count("they are made anew")

    before, score, _ = made()
    generator = plugins / "own_sizes.py"
    generator.write_text(generator.read_text().replace(".tanh()", ".tanh().neg()"))
    after, edited, told = made()
    assert before.keys() == after.keys() and all(before[n] != after[n] for n in before)
    assert edited != score and told == 3  # of translate, and for each way of choosing styles
    gap.write_text(gap.read_text().replace("sums[..., 0] /", "2 * sums[..., 0] /"))
    assert made() == (after, pytest.approx(2 * edited), 0)


def test_what_new_plugin_prints_works_as_it_stands(tmp_path):
    printed = command("new-plugin", "generator", "OwnWidths", cwd=tmp_path).stdout
    told = dict(re.findall("^  ([a-z]+): +(.*)$", printed, re.M))
    assert list(told) == ["test", "train", "eval", "translate", "edit"]
    test = ("-m", "pytest", "-p", "i2ibench.testing.pytest_plugin", "-p", "no:cacheprovider")
    command(*shlex.split(told["test"])[1:], cwd=tmp_path, script=test)
    for name in ("train", "eval", "translate"):
        command(*shlex.split(told[name])[1:], cwd=tmp_path)
    assert len(list((tmp_path / "translations" / "own_widths").glob("*.png"))) == 2
    served = subprocess.Popen(
        [sys.executable, "-m", "i2ibench.cli", *shlex.split(told["edit"])[1:], "--port", "0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert served.stdout.readline().startswith("editor: http")
    served.terminate()
    served.communicate()
