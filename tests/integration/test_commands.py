"""The user's commands, as a user runs them: exit codes, messages, files."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from i2ibench.testing.tiny_datasets import save, write_paired_scenes
from tests.conftest import write_tiny_config

ROOT = Path(__file__).parents[2]


def tool(name, *arguments, cwd, env=None):
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / f"{name}.py"), *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, env={**os.environ, **(env or {})}, check=False,
    )  # fmt: skip


def assert_user_error(answer, *parts):
    assert answer.returncode == 2, answer.stderr
    assert sum("error: " in line for line in answer.stderr.splitlines()) == 1
    assert "Traceback" not in answer.stderr
    for part in parts:
        assert part in answer.stderr


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A trained tiny run in a directory of its own, made by the command line."""
    folder = tmp_path_factory.mktemp("user")
    write_tiny_config(folder / "tiny.py", write_paired_scenes(folder / "paired", count=6))
    answer = tool("train", "tiny.py", cwd=folder)
    assert answer.returncode == 0, answer.stderr
    assert "trained: work_dirs/tiny/epoch_0002.pth" in answer.stdout
    return folder


def test_training_shows_progress_with_an_estimate(run):
    answer = tool("train", "tiny.py", "--fresh", cwd=run)
    assert "training 6/6  eta 0:00:00" in answer.stderr
    assert "seg/miou" in answer.stderr


LIGHT = """
import sys
from i2ibench.cli.main import main
try:
    main(arguments=sys.argv[1:])
finally:
    heavy = {"torch", "mmengine", "numpy"} & sys.modules.keys()
    assert not heavy, heavy
"""


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--help"], 0, "Translate a folder of label maps with a trained checkpoint."),
        (["--version"], 0, "i2ibench 0"),
        (["trian"], 2, "There is no command 'trian'. Did you mean 'train'?"),
    ],
)
def test_help_and_misspelt_commands_answer_at_once(arguments, code, said):
    answer = subprocess.run(
        [sys.executable, "-c", LIGHT, *arguments], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert answer.returncode == code, answer.stderr
    assert said in " ".join((answer.stdout + answer.stderr).split())
    assert "Error" not in answer.stderr


def test_shells_complete_every_command_and_option():
    command = [sys.executable, "-m", "i2ibench.cli", "completion", "bash"]
    script = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    ask = "COMP_WORDS=(i2ibench {}); COMP_CWORD={}; COMPREPLY=(); _shtab_i2ibench"
    ask += "; echo ${{COMPREPLY[@]}}"
    for words, place, expected in (
        ("tra", 1, "train translate train_segmenter"),
        ("translate --style-", 2, "--style-seed"),
        ("study cre", 2, "create"),
    ):
        line = f"{script}\n{ask.format(words, place)}"
        answer = subprocess.run(["bash"], input=line, capture_output=True, text=True, check=True)
        assert answer.stdout.split() == expected.split(), answer.stderr


@pytest.mark.main_job
def test_eval_writes_numbers_and_a_report_whose_path_comes_last(run):
    answer = tool("eval", "tiny.py", cwd=run, env={"I2IBENCH_WEIGHTS": "", "TORCH_HOME": str(run)})
    assert answer.returncode == 0, answer.stderr
    report = run / "work_dirs/tiny/evaluation/report.html"
    assert answer.stdout.splitlines()[-1].endswith("work_dirs/tiny/evaluation/report.html")
    results = json.loads((report.parent / "results.json").read_text())
    systems = results["systems"]
    assert list(systems) == [
        "tiny, styles sampled",
        "tiny, styles from the photo",
        "real photos (oracle)",
        "class colours (floor)",
        "photos of other scenes (mismatch)",
    ]
    assert 0 <= systems["real photos (oracle)"]["seg/miou"]["value"] <= 1
    fid = systems["tiny, styles sampled"]["distribution"]
    assert fid["status"] == "not computed" and fid["value"] is None
    assert "inception-2015-12-05.pt" in fid["reason"]
    assert {"commit", "origins", "versions", "protocol", "differences"} <= set(results)
    assert "i2ibench_plugins.hinge_gan" in {plugin["module"] for plugin in results["plugins"]}
    assert len(results["weights"]["segmentation: segmenter.pth"]) == 64
    page = report.read_text()
    assert (
        "FID and KID, FID and KID of objects: not computed." in page and page.count("<img") >= 6 * 4
    )
    assert "http" not in page.split("<style>")[1].split("</style>")[0]
    for suffix in ("csv", "md", "tex"):
        assert "tiny, styles sampled" in (report.parent / f"results.{suffix}").read_text()


def test_translate_keeps_every_size_and_goes_on_after_an_interruption(run):
    source = run / "odd"
    for folder in ("label", "instance"):
        for number, size in enumerate([(33, 21), (64, 32)]):
            (source / folder).mkdir(parents=True, exist_ok=True)
            with Image.open(run / f"paired/val/{folder}/s{number}.png") as original:
                small = original.resize(size, Image.Resampling.NEAREST)
            small.save(source / folder / f"s{number}.png")
    checkpoint = "work_dirs/tiny/epoch_0002.pth"
    answer = tool("translate", checkpoint, "odd", "out", cwd=run)
    assert answer.returncode == 0, answer.stderr
    with Image.open(run / "out/s0.png") as image:
        assert image.size == (33, 21)
    kept = (run / "out/s1.png").stat().st_mtime_ns
    first = (run / "out/s0.png").read_bytes()
    (run / "out/s0.png").unlink()
    assert tool("translate", checkpoint, "odd", "out", cwd=run).returncode == 0
    assert (run / "out/s0.png").read_bytes() == first
    assert (run / "out/s1.png").stat().st_mtime_ns == kept
    whole = np.array(Image.open(run / "out/s1.png"), int)
    (run / "out/s1.png").unlink()
    tiled = tool("translate", checkpoint, "odd", "out", "--tile", "64x64", cwd=run)
    assert tiled.returncode == 0, tiled.stderr
    assert abs(np.array(Image.open(run / "out/s1.png"), int) - whole).max() <= 1
    odd = tool("translate", checkpoint, "odd", "out", "--tile", "640x63", cwd=run)
    assert_user_error(odd, "640x64")
    inside = tool("translate", checkpoint, "odd", "odd/out", cwd=run)
    assert_user_error(inside, "lies in the input folder")
    foreign = tool("translate", checkpoint, "odd", "paired", cwd=run)
    assert_user_error(foreign, "holds other files")
    other = tool("translate", checkpoint, "odd", "out", "--style-seed", "3", cwd=run)
    assert_user_error(other, "holds images of another checkpoint or other settings")
    other = tool("translate", checkpoint, "odd", "out", "--amp", "bf16", cwd=run)
    assert_user_error(other, "holds images of another checkpoint or other settings")


def test_translate_says_what_is_missing(run):
    checkpoint = "work_dirs/tiny/epoch_0002.pth"
    labels_only = tool("translate", checkpoint, "paired/val/label", "out2", cwd=run)
    assert_user_error(labels_only, "needs an instance map for every label map")
    assert_user_error(tool("translate", checkpoint, "nowhere", "out2", cwd=run), "nowhere")
    assert_user_error(tool("translate", "no.pth", "paired/val", "out2", cwd=run), "no.pth")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["nothing.py"], ["There is no config nothing.py"]),
        (["tiny.py", "--cfg-options", "model.generator.nun_blocks=3"], ["Did you mean 'num_bl"]),
        (["tiny.py", "--cfg-options", "modle.x=3"], ["Did you mean 'model'"]),
        (["tiny.py", "--cfg-options", "model.generator.type=Tiny"], ["Known: CRN"]),
        (["tiny.py", "--cfg-options", "data_root=/nowhere"], ["/nowhere"]),
        (["tiny.py", "--cfg-options", "amp=int3"], ["bf16"]),
        (["tiny.py", "--launcher", "pytorch"], ["torchrun"]),
        (["tiny.py", "--fresh", "--resume"], ["pass only one of them"]),
        (["tiny.py", "--cfg-options", "abc"], ["KEY=VALUE"]),
        (["tiny.py", "--cfg-options", "train_cfg.max_epoch=3"], ["'max_epochs'"]),
        (["tiny.py", "--cfg-options", "param_scheduler.0.type=LinearLRR"], ["'LinearLR'"]),
        (["tiny.py", "--cfg-options", "protocol.segmenter.type=Foo"], ["Foo"]),
        (["tiny.py", "--cfg-options", "model.generator.num_blocks=a"], ["refuses"]),
        (["tiny.py", "--cfg-options", "train_dataloader.batch_size=0"], ["batch_size"]),
    ],
)
def test_a_users_mistake_is_one_message_and_exit_code_2(run, arguments, parts):
    assert_user_error(tool("train", *arguments, "--work-dir", "work_dirs/bad", cwd=run), *parts)


def test_the_full_size_config_without_data_says_what_to_download(run):
    config = ROOT / "configs" / "pix2pixhd_cityscapes.py"
    answer = tool("train", config, cwd=run)
    assert_user_error(answer, "gtFine_trainvaltest.zip", "CITYSCAPES_ROOT", "data/cityscapes")


def test_a_killed_run_goes_on_with_the_same_command_and_ends_equal(run):
    """Killed twice in the middle of an epoch; the result is that of the uninterrupted run."""
    arguments = ["tiny.py", "--cfg-options", "train_cfg.max_epochs=6", "--work-dir"]
    whole = tool("train", *arguments, "whole", cwd=run)
    assert whole.returncode == 0, whole.stderr
    for epoch in (1, 3):
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "tools/train.py"), *arguments, "killed"],
            cwd=run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 120
        while not list((run / "killed").glob(f"epoch_{epoch:04d}.pth")):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.01)
        time.sleep(0.3 * epoch)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert tool("train", *arguments, "killed", cwd=run).returncode == 0
    one, two = (
        torch.load(run / d / "epoch_0006.pth", weights_only=True)["state_dict"]
        for d in ("whole", "killed")
    )
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_parts_lists_everything_with_options_and_origin(run):
    lines = tool("parts", cwd=run).stdout.splitlines()
    (row,) = [line for line in lines if "CRNGenerator " in line]
    assert (
        row.split("  ")[0] == "generator" and "(in_channels, out_channels=3, num_outputs=1" in row
    )
    assert all(len(line) <= 120 for line in lines)
    (row,) = [line for line in lines if "HingeGAN " in line]
    assert "plugins/" in row and row.index("()") == lines[0].index("options")
    listed = json.loads(tool("parts", "loss", "--json", cwd=run).stdout)
    (hinge,) = [part for part in listed["parts"] if part["name"] == "HingeGAN"]
    assert hinge["module"] == "i2ibench_plugins.hinge_gan" and hinge["distribution"] == "i2ibench"
    assert listed["skipped"] == {} and hinge["summary"].startswith("E[max(0, 1 - D(x))]")


def test_doctor_tells_versions_plugins_and_missing_weights(run):
    answer = subprocess.run(
        [sys.executable, "-m", "i2ibench.cli", "doctor"],
        cwd=run, capture_output=True, text=True, env={**os.environ, "TORCH_HOME": str(run)},
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    for part in (
        "torch ",
        "cpu",
        "i2ibench_plugins.hinge_gan",
        "FID: missing. Get the FID Inception",
        "CompactSegmenter toystreet (protocol toystreet): /",
        "ESPNetv2 espnetv2_s_2.0_city_1024x512.pth (protocol cityscapes): missing. To get it: "
        "download model/segmentation/model_zoo/espnetv2/",
        "drn_d_105_cityscapes.ts (protocol cityscapes_oasis, cityscapes_spade): missing",
        "SMPSegmenter",
    ):
        assert part in answer.stdout


def test_validate_lists_every_fault(run, tmp_path):
    root = write_paired_scenes(tmp_path / "data", count=3)
    save(root / "val" / "label" / "s1.png", np.full((32, 64), 77, np.uint8))
    photo = root / "train" / "image" / "s2.png"
    photo.write_bytes(photo.read_bytes()[:500])
    write_tiny_config(tmp_path / "c.py", root)
    answer = tool("validate", "c.py", "--html", "page.html", cwd=tmp_path)
    assert_user_error(answer, "value 77", "s2.png is broken")
    fixes = [line for line in answer.stdout.splitlines() if line.startswith("  fix: ")]
    assert '"id": 77' in fixes[1] and "s2.png" in fixes[0] and "rm -- " in fixes[0]
    page = (tmp_path / "page.html").read_text()
    assert "value 77" in page and "data:image/jpeg" in page and "http" not in page


def test_shards_are_read_by_the_data_set_that_their_command_names(run, tmp_path):
    """In processes of their own: a test that imports the class has registered it already."""
    answer = tool("shards", "tiny.py", tmp_path / "shards", cwd=run)
    assert answer.returncode == 0, answer.stderr
    advice = answer.stdout.splitlines()[-1]
    data_root = re.search(r"data_root = ('.+?'),", advice)[1]
    (dataset,) = re.findall(r"dict\(.+?\)", advice)
    assert dataset == 'dict(type="Shards", split="train")'
    config = (run / "tiny.py").read_text()
    config = re.sub('type="PairedFolder"', 'type="Shards"', config)
    config = re.sub("data_root = .*", f"data_root = {data_root}", config)
    (tmp_path / "sharded.py").write_text(config)
    for command, line in (("validate", "no problems"), ("train", "trained: "), ("eval", "report")):
        answer = tool(command, "sharded.py", cwd=tmp_path)
        assert answer.returncode == 0, answer.stderr
        assert line in answer.stdout.splitlines()[-1]


def test_toystreet_is_drawn_once_and_trains(tmp_path):
    config = ROOT / "configs" / "pix2pixhd_toystreet.py"
    small = [
        "train_dataloader.dataset.num_scenes=2", "val_dataloader.dataset.num_scenes=1",
        "train_cfg.max_epochs=1", "train_cfg.val_interval=1",
        "train_dataloader.dataset.width=64", "train_dataloader.dataset.height=32",
        "val_dataloader.dataset.width=64", "val_dataloader.dataset.height=32",
    ]  # fmt: skip
    answer = tool("train", config, "--cfg-options", *small, cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    drawn = sorted((tmp_path / "data/toystreet/gtFine/train").rglob("*.json"))
    assert len(drawn) == 2 and "car" in drawn[0].read_text() + drawn[1].read_text()
    mixed = tool(
        "train", config, "--cfg-options", *small, "train_dataloader.dataset.scene_seed=5",
        "--work-dir", "x", cwd=tmp_path,
    )  # fmt: skip
    assert_user_error(mixed, "another data_root")
