"""The tutorials of docs/ do what they say: their blocks are run as they stand."""

import re
from pathlib import Path

from i2ibench.models.translators.base import Translator
from i2ibench.registry.contracts.promises import promises_of
from tests.integration.environment import Environment

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.M | re.S)


def follow(page, folder):
    """Run the blocks of a tutorial in a fresh environment, and return that."""
    text = (DOCS / page).read_text()
    environment = Environment(folder)
    output = ""
    for block in BLOCK.finditer(text):
        language, content = block.groups()
        if language == "bash":
            answer = environment.command("bash", "-euo", "pipefail", "-c", content)
            output = answer.stdout + answer.stderr
        elif language == "python":
            (file,) = re.findall(r"`([^`]+\.py)` by:\n\n$", text[: block.start()])
            (environment.home / file).write_text(content)
        else:
            for line in content.splitlines():
                assert line in output, (line, output)
    return environment


def test_the_generators_blocks_run_and_print_what_it_says(tmp_path):
    environment = follow("add-a-generator.md", tmp_path)
    listed = environment.command("i2ibench", "parts", "generator").stdout
    assert "i2ibench-two-sizes 0.1.0" in listed
    assert len(list((environment.home / "translations").glob("*.png"))) == 2


def test_the_methods_blocks_run_and_print_what_it_says(tmp_path):
    environment = follow("add-a-method.md", tmp_path)
    assert "Restore: steps=4" in environment.command("i2ibench", "translate", "--help").stdout
    images = [path.read_bytes() for path in (environment.home / "translations/few").glob("*.png")]
    assert len(set(images)) == 6


def test_the_methods_table_has_every_promise_of_the_contract():
    table = (DOCS / "add-a-method.md").read_text().partition("## 7.")[2]
    named = set(re.findall(r"`(\w+)", table))
    methods = {name for name, found in vars(Translator).items()
               if callable(found) and name[0] != "_" and isinstance(name, str)}  # fmt: skip
    promises = {promise.name for promise in promises_of(Translator)}
    assert methods | promises <= named, (methods | promises) - named
