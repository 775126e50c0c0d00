"""Pages name files, parts and modules that there are."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from i2ibench.registry import REGISTRIES
from i2ibench.registry.discovery import load_plugins

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
FOLDERS = "i2ibench|plugins|configs|benchmarks|tests|tools|docs"
WINGS = "io|registry|data|models|inference|evaluation|training|reports|grids|apps|cli|testing"
TUTORIALS = ("add-a-generator.md", "add-a-method.md")
"""They write files of their own."""

WRITTEN = {"configs/wide_toystreet.py", "plugins/one_size.py"}
"""Files that a page asks its reader to write."""

FENCED = re.compile(r"^```.*?^```", re.M | re.S)
CODE = re.compile(r"`([^`]+)`")


def paths_in(text):
    """Yield the paths of the repository in code within sentences."""
    for code in CODE.findall(FENCED.sub("", text)):
        for word in code.split():
            word = re.sub(r":+\w*$", "", word)
            if re.fullmatch(rf"(?:{FOLDERS})/[\w./*-]*", word):
                yield word
            elif re.fullmatch(rf"(?:{WINGS})/[\w/*-]*(?:\.py|/)", word):
                yield f"i2ibench/{word}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_exists(page):
    if page.name not in TUTORIALS:
        missing = {
            path
            for path in paths_in(page.read_text(encoding="utf-8"))
            if path not in WRITTEN and "<" not in path and not any(ROOT.glob(path.rstrip("/")))
        }
        assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_module_exists(page):
    for name in set(re.findall(r"`(i2ibench\.[\w.]+)`", page.read_text(encoding="utf-8"))):
        module, _, attribute = name.rpartition(".")
        if name not in ("i2ibench.plugins",):  # the entry point
            assert hasattr(import_module(module), attribute) or import_module(name), name


def test_the_table_of_papers_names_parts_that_there_are():
    load_plugins()
    text = (ROOT / "docs/paper-to-code.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z]\w+[a-z]\w+[A-Z]\w*)(?:\(.*?)?`", text))
    registered = {name for registry in REGISTRIES.values() for name in registry.names()}
    sources = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "plugins").glob("*.py")
    )
    assert named and all(name in registered or f"class {name}(" in sources for name in named)


def test_every_config_is_in_the_gallery():
    text = (ROOT / "docs/methods.md").read_text(encoding="utf-8")
    configs = {path.name for path in (ROOT / "configs").glob("*.py")}
    assert not {name for name in configs if f"`{name}`" not in text}
