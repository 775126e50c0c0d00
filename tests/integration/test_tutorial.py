"""docs/add-a-generator.md does what it says: its blocks are run as they stand."""

import re
from pathlib import Path

import pytest

from tests.integration.environment import Environment

TUTORIAL = Path(__file__).parents[2] / "docs" / "add-a-generator.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.M | re.S)
pytestmark = pytest.mark.slow


def test_the_tutorials_blocks_run_and_print_what_it_says(tmp_path):
    text = TUTORIAL.read_text()
    environment = Environment(tmp_path)
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
    assert (
        "i2ibench-two-sizes 0.1.0" in environment.command("i2ibench", "parts", "generator").stdout
    )
    assert len(list((environment.home / "translations").glob("*.png"))) == 2
