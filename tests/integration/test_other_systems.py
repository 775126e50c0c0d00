"""Windows and macOS, imitated: without POSIX, with spawned workers, with consoles of a country."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from i2ibench.cli.main import main
from i2ibench.inference.checkpoints import read_checkpoint
from tests.integration.runs import differences

WITHOUT_POSIX = Path(__file__).with_name("without_posix.py")
QUICK = ["hooks.images=None", "hooks.styles=None", "train_cfg.max_epochs=1"]
SHORT = ["--cfg-options", "protocol=None", *QUICK]


def without_posix(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, WITHOUT_POSIX, *map(str, arguments)], cwd=cwd, capture_output=True,
        encoding="utf-8", timeout=300,
    )  # fmt: skip


def test_every_module_is_imported_without_posix():
    answer = without_posix("import everything")
    assert answer.returncode == 0, answer.stderr


def test_spawned_workers_without_posix_train_the_same(tiny_config, tmp_path):
    ends = []
    options = ["train_dataloader.num_workers=1", "train_dataloader.cache=True"]
    answer = without_posix("train", tiny_config, "--work-dir", tmp_path / "w", *SHORT, *options)
    assert answer.returncode == 0, answer.stderr
    main(None, ["train", str(tiny_config), "--work-dir", str(tmp_path / "p"), *SHORT])
    for folder in ("w", "p"):
        state = read_checkpoint(tmp_path / folder / "epoch_0001.pth")["state_dict"]
        ends.append({name: x for name, x in state.items() if "style_bank" not in name})
    assert list(differences(*ends)) == []
    inputs = tiny_config.parent / "paired" / "val"
    answer = without_posix("translate", tmp_path / "w/epoch_0001.pth", inputs, tmp_path / "t")
    assert answer.returncode == 0, answer.stderr


NAMES = [
    "天空", "forêt – «x»", {"name": "voiture", "thing": True}, {"name": "пусто", "scored": False}
]  # fmt: skip


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """A config of classes whose names no single console of Windows can show."""
    from i2ibench.testing.tiny_datasets import write_paired_scenes
    from tests.conftest import write_tiny_config

    folder = tmp_path_factory.mktemp("foreign")
    root = write_paired_scenes(folder / "paired", count=2)
    (root / "classes.json").write_text(json.dumps(NAMES, ensure_ascii=False), encoding="utf-8")
    return write_tiny_config(folder / "tiny.py", root)


@pytest.mark.filterwarnings("ignore:Glyph")  # of fonts without Chinese, in the report's charts
@pytest.mark.parametrize("encoding", ["cp1252", "cp932", "cp936", "ascii"])
def test_printing_loses_no_work_where_a_console_lacks_letters(foreign, encoding, monkeypatch):
    def command(*arguments):
        shown = io.BytesIO()
        for name in ("stdout", "stderr"):
            console = io.TextIOWrapper(shown, encoding, errors="strict", write_through=True)
            monkeypatch.setattr(sys, name, console)
        try:
            main(None, arguments)
        except SystemExit as end:
            assert not end.code, shown.getvalue()
        return shown.getvalue().decode(encoding)

    monkeypatch.chdir(foreign.parent)
    said = command("validate", "tiny.py")
    assert NAMES[0].encode(encoding, "backslashreplace").decode(encoding) in said
    command("train", "--help")
    command("parts")
    if encoding == "cp1252":
        options = ["--cfg-options", "train_cfg.max_epochs=1", "hooks.images=None"]
        command("train", "tiny.py", "--work-dir", "work", *options)
        assert r"\u5929\u7a7a" in command("styles", "list", "work/epoch_0001.pth")
        command("eval", "tiny.py", "--work-dir", "work", *options)
        assert (foreign.parent / "work/evaluation/report.html").is_file()
