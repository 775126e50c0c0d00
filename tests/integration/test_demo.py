"""The demo: two methods, trained one after the other and compared in one report."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from i2ibench.cli.main import main

ROOT = Path(__file__).parents[2]
STREETS = [
    *(f"{split}_dataloader.dataset.{option}" for split in ("train", "val")
      for option in ("num_scenes=4", "width=64", "height=32")),
    "hooks.images=None", "hooks.log.interval=1",
]  # fmt: skip
SMALL = {
    "configs/pix2pixhd_demo.py": [
        *STREETS, "model.generator.base_channels=4",
        "model.discriminator.discriminator.base_channels=4",
    ],
    "configs/flow_demo.py": [*STREETS, "model.widths=(8,16)", "model.encoder.base_channels=4"],
}  # fmt: skip
PROTOCOL = ["num_scenes=2", "width=64", "height=32"]


def demo_commands():
    """The four commands that the documentation gives for a machine without make."""
    page = (ROOT / "docs" / "get-started.md").read_text(encoding="utf-8")
    block = re.search(r"Without `make`.*?```bash\n(.*?)```", page, re.S)[1]
    return [shlex.split(line)[1:] for line in block.replace("\\\n", "").splitlines()]


def test_its_commands_train_two_methods_and_say_which_is_better(tmp_path, monkeypatch, capsys):
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    for words in demo_commands():
        if words[0] == "eval":
            words += ["--cfg-options", *SMALL[words[1]], "--protocol-options", *PROTOCOL]
        else:
            words += ["--cfg-options", *SMALL[words[1]]]
        main(arguments=words)
    said = capsys.readouterr().out
    assert re.search(r"^mean IoU: (pix2pixHD|flow), styles sampled is best", said, re.M)
    results = json.loads(Path("work_dirs/demo/results.json").read_text(encoding="utf-8"))
    rows = {f"{name}, styles {where}" for name in ("pix2pixHD", "flow")
            for where in ("sampled", "from the photo")}  # fmt: skip
    assert rows == results["systems"].keys() - set(results["controls"])
    assert all(origin["weights"] == "average" for origin in results["origins"].values())
    page = Path("work_dirs/demo/report.html").read_text(encoding="utf-8")
    assert page.index("<figure>") < page.index("is best") < page.index("<h2>Scores</h2>")


@pytest.mark.parametrize("name", ["pix2pixhd_demo", "flow_demo"])
def test_make_demo_runs_the_documented_commands(name):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = re.search(r"^demo:.*?\n\n", makefile, re.S | re.M)[0]
    assert f"train configs/{name}.py" in recipe
    assert ["train", f"configs/{name}.py"] in demo_commands()
