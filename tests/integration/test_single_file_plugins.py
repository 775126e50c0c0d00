"""A plugin of one file, as new-plugin advises: train and eval import it, a checkpoint does not."""

import os
import subprocess
import sys

import pytest

from tests.conftest import write_tiny_config

CONFIG = """
_base_ = "tiny.py"
custom_imports = dict(imports=["own_sizes"])
model = dict(generator=dict(_delete_=True, type="OwnSizes"), encoder=None)
hooks = dict(pictures=None, styles=None)
protocol = dict(_delete_=True, type="own", metrics=dict(
    segmentation=None, distribution=None, lpips=None, diversity=None, objects=None))
train_cfg = dict(max_epochs=1)
"""


def command(*arguments, cwd, path=None):
    folders = [*([path] if path else []), *sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    return subprocess.run(
        [sys.executable, "-m", "i2ibench", *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_the_advice_of_new_plugin_serves_train_and_eval_and_no_checkpoint(tmp_path, paired_root):
    advice = command("new-plugin", "generator", "OwnSizes", cwd=tmp_path).stdout
    assert 'custom_imports=dict(imports=["own_sizes"])' in advice
    assert "translate and edit" in advice
    path = advice.partition("PYTHONPATH=")[2].partition(",")[0]
    write_tiny_config(tmp_path / "tiny.py", paired_root)
    (tmp_path / "own.py").write_text(CONFIG, encoding="utf-8")
    for name in ("train", "eval"):
        answer = command(name, "own.py", cwd=tmp_path, path=path)
        assert answer.returncode == 0, answer.stderr
    checkpoint = tmp_path / "work_dirs/own/epoch_0001.pth"
    for arguments in (
        ("translate", checkpoint, paired_root / "val", tmp_path / "out"),
        ("edit", checkpoint),
        ("styles", "list", checkpoint),
    ):
        answer = command(*arguments, cwd=tmp_path, path=path)  # it could be imported
        assert answer.returncode == 2 and "Traceback" not in answer.stderr
        assert "had it from 'own_sizes'" in answer.stderr, answer.stderr
        assert "new-plugin KIND NAME --package" in answer.stderr
