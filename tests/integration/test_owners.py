"""Commands and folders that another process owns: refused before anything is touched."""

import json
import os

import pytest
import torch

from i2ibench.cli.main import main
from i2ibench.errors import UserError
from i2ibench.inference.checkpoints import latest_checkpoint, open_checkpoint
from i2ibench.inference.translation import translate
from i2ibench.io import folder_locks
from i2ibench.registry.configuration import load_config
from i2ibench.training import run as experiment
from i2ibench.training.run import train
from tests.integration.owners import owner_of, snapshot
from tests.integration.runs import SHORT, run
from tests.study_folder import write_study


@pytest.fixture(autouse=True)
def _hasty(monkeypatch):
    monkeypatch.setattr(folder_locks, "PATIENCE", 0.1)


@pytest.fixture
def trained(tiny_config, tmp_path):
    return run(tiny_config, tmp_path / "run", **SHORT)


def refused(capsys, folder, *command):
    """The message of a command whose folder is another's; the folder is as it was."""
    with owner_of(folder) as process:
        before = snapshot(folder)
        with pytest.raises(SystemExit) as end:
            main(None, [str(argument) for argument in command])
        assert end.value.code == 2
        assert snapshot(folder) == before
        said = capsys.readouterr().err
        assert f"{folder} is in use: process {process.pid} on {os.uname().nodename}" in said
    return said


@pytest.mark.parametrize("fresh", [[], ["--fresh"]])
def test_a_second_training_of_a_live_run_is_refused(tiny_config, trained, capsys, fresh):
    (trained / ".epoch_0003.pth.1.tmp").write_text("a living process writes this")
    said = refused(capsys, trained, "train", tiny_config, "--work-dir", trained, *fresh)
    assert "give another --work-dir" in said
    assert not list(trained.parent.glob("run.before-*"))


def test_a_run_can_be_read_while_it_trains(tiny_config, trained, tmp_path):
    with owner_of(trained):
        main(
            "eval", [str(tiny_config), "--work-dir", str(trained), "--output", str(tmp_path / "e")]
        )
    assert json.loads((tmp_path / "e" / "results.json").read_text())["systems"]


def test_two_runs_of_one_second_log_into_folders_of_their_own(tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr(experiment.Runner, "setup_env", in_one_second(experiment.Runner.setup_env))
    short = {**SHORT, "train_cfg__val_interval": 9}
    run(tiny_config, tmp_path / "run", train_cfg__max_epochs=1, **short)
    config = load_config(
        tiny_config, {"train_cfg.max_epochs": 2, **dotted(short)}, tmp_path / "run"
    )
    train(config, resume=True)
    logs = sorted(p.parent.parent.name for p in (tmp_path / "run").glob("*/vis_data/scalars.json"))
    assert logs == ["20260101_000000", "20260101_000000-2"]


def in_one_second(setup):
    def fixed(runner, env_cfg):
        setup(runner, env_cfg)
        runner._timestamp = "20260101_000000"

    return fixed


def dotted(overrides):
    return {key.replace("__", "."): value for key, value in overrides.items()}


def test_an_evaluation_of_another_process_keeps_its_output(tiny_config, trained, tmp_path, capsys):
    output = tmp_path / "scores"
    command = ["eval", tiny_config, "--work-dir", trained, "--output", output]
    assert "--output" in refused(capsys, output, *command)


def test_a_translation_of_another_process_keeps_its_output(trained, paired_root, tmp_path):
    opened, output = open_checkpoint(latest_checkpoint(trained)), tmp_path / "out"
    with owner_of(output), pytest.raises(UserError, match=r"out is in use: process \d+ on"):
        translate(opened, paired_root / "val", output)
    assert not output.exists() or not list(output.iterdir())


def test_a_study_has_one_server_and_one_creator(tmp_path, capsys):
    study = write_study(tmp_path / "study")
    assert "stop that server" in refused(capsys, study.folder, "study", "serve", study.folder)
    said = refused(capsys, study.folder, "study", "simulate", study.folder, "--number", "1")
    assert "as --url" in said


def test_an_editor_has_its_autosaves_alone(trained, tmp_path, capsys):
    command = ["edit", latest_checkpoint(trained), "--autosave", tmp_path / "saves"]
    assert "--autosave" in refused(capsys, tmp_path / "saves", *command)


def test_shards_and_conversions_have_their_folders_alone(tiny_config, trained, tmp_path, capsys):
    refused(capsys, tmp_path / "shards", "shards", tiny_config, tmp_path / "shards")
    refused(capsys, tmp_path / "official", "convert", latest_checkpoint(trained),
            tmp_path / "official")  # fmt: skip
    assert torch.load(latest_checkpoint(trained), weights_only=True)["meta"]["epoch"] == 2
