"""The README: short, true to the tree, and its blocks run as they stand."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from i2ibench.data.classes import class_table
from i2ibench.models.translators.build import build_translator
from i2ibench.registry.configuration import load_config

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)


def block(beginning: str) -> str:
    """The one Python block that begins so."""
    (found,) = [text for text in PYTHON if text.startswith(beginning)]
    return found


def test_it_has_at_most_150_lines_and_names_every_wing_once():
    assert README.count("\n") <= 150
    wings = [p.name for p in (ROOT / "i2ibench").iterdir() if (p / "__init__.py").is_file()]
    named = re.findall(r"^\| `i2ibench/(\w+)` \|", README, re.M)
    assert sorted(named) == sorted(wings)


def test_the_files_and_folders_of_its_map_exist():
    for line in re.findall(r"^\| `(?:i2ibench/\w+|plugins|configs)`.*", README, re.M):
        folder, _, change = line.strip("| ").split(" | ")
        base = ROOT / folder.partition(";")[0].strip("`")
        for name in re.findall(r"`([\w/]+(?:\.py|\.js)?)`", change):
            places = (base / name, ROOT / "i2ibench" / name, ROOT / name, base / "editor" / name)
            assert any(place.exists() for place in places), (folder, name)


def test_its_links_lead_to_files():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (ROOT / target).exists(), target


def test_its_config_for_own_data_loads_and_builds(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(block("_base_"), encoding="utf-8")
    with torch.device("meta"):
        metainfo = class_table(["sky", "road", "void"]).metainfo("own")
        translator = build_translator(load_config(path), metainfo)
    assert translator.data_preprocessor.condition_channels == 4


def test_its_plugin_is_the_file_that_it_names():
    assert block('"""Hinge') == (ROOT / "plugins/hinge_gan.py").read_text(encoding="utf-8")


@pytest.mark.slow
def test_its_python_lines_translate_train_and_evaluate(tmp_path, monkeypatch, tiny_config):
    monkeypatch.chdir(tmp_path)
    text = block("import i2ibench").replace("pix2pixhd_toystreet", str(tiny_config))
    names: dict[str, Any] = {}
    exec(compile(text, "README.md", "exec"), names)
    assert (tmp_path / "street.png").is_file()
    assert "seg/miou" in names["table"].scores["ours, styles sampled"]
