"""Files from strangers: nothing that one says is executed, imported, written or drawn."""

import json
import os
import pickle
import shlex
import sys

import pytest
import torch

from i2ibench.cli.main import main
from i2ibench.errors import UserError
from i2ibench.registry import REGISTRIES
from i2ibench.testing.network_files import write_torchscript
from tests.integration.hostile import PACKAGE, Nest, commands_of


@pytest.fixture(scope="module")
def nest(tmp_path_factory):
    return Nest(tmp_path_factory.mktemp("hostile"))


@pytest.fixture
def run(nest, capsys, monkeypatch, tmp_path):
    """Runs a command in this process; gives its exit code and what it printed on stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(nest.folder / "path")])

    def serve(app, listening, *limits):
        listening.close()
        raise SystemExit(0)

    monkeypatch.setattr("i2ibench.apps.web.serving.serve", serve)

    def run_command(command, *arguments):
        code = 0
        try:
            main(command, [str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code or 0
        error = capsys.readouterr().err
        assert not nest.canary.exists(), f"{command} {arguments} ran what the file said"
        assert PACKAGE not in sys.modules, f"{command} {arguments} imported what the file said"
        assert "Traceback" not in error
        return code, error

    return run_command


OPENING = ("translate", "styles list", "styles fit", "styles preview", "eval config", "edit",
           "study")  # fmt: skip

PLACES = {
    "preprocessor": (("data_preprocessor",), OPENING),
    "translator": (("model",), OPENING),
    "generator": (("model", "generator"), (*OPENING, "convert")),
    "encoder": (("model", "encoder"), (*OPENING, "convert")),
    "discriminator": (("model", "discriminator"), ("convert",)),
    "adversarial loss": (("model", "adversarial"), ()),
    "loss": (("model", "losses", "feature_matching"), ()),
    "training data set": (("train_dataloader", "dataset"), ("styles fit",)),
    "data set": (("val_dataloader", "dataset"), ("styles preview", "edit")),
    "transform": (("val_dataloader", "dataset", "transforms"), ("styles preview", "edit")),
    "hook": (("hooks", "styles"), ()),
    "schedule": (("param_scheduler",), ()),
    "log": (("vis_backends",), ()),
    "protocol": (("protocol",), ("eval",)),
    "scored data": (("protocol", "data"), ("eval",)),
    "reference data": (("protocol", "reference"), ("eval",)),
    "segmenter": (("protocol", "segmenter"), ("eval",)),
    "metric": (("protocol", "metrics", "new"), ("eval",)),
    "features": (("protocol", "metrics", "new", "features"), ("eval",)),
}
"""By kind of part where it stands in a checkpoint's config, and which commands look there."""

LISTS = ("transforms", "param_scheduler", "vis_backends")


def place(config, path, part, data_root):
    """Put a part into a config; a protocol around it scores the run's own validation data."""
    if path[0] == "protocol":
        own = {"type": "PairedFolder", "split": "val", "root": data_root}
        config["protocol"] = {"type": "own", "data": own, "segmenter": None}
        if path[-1] == "features":
            config["protocol"]["metrics"] = {"new": {"type": "DistributionDistance"}}
    for key in path[:-1]:
        config = config.setdefault(key, {})
    config[path[-1]] = [part] if path[-1] in LISTS else part


@pytest.mark.parametrize("name", ["subprocess.Popen", "import"])
@pytest.mark.parametrize("kind", PLACES)
def test_a_checkpoint_names_no_program(kind, name, nest, run, tmp_path):
    path, looking = PLACES[kind]
    data, part = str(nest.folder / "p"), nest.places[name]
    checkpoint = nest.hostile(lambda config: place(config, path, part, data))
    commands = commands_of(nest, checkpoint, tmp_path)
    tried = looking or ("translate",)
    for command in tried if name == "subprocess.Popen" else tried[-1:]:
        code, error = run(*commands[command])
        assert code == (2 if looking else 0), f"{command}: {error}"
        if looking:
            assert part["type"] in error, command


@pytest.mark.parametrize("kind", REGISTRIES)
def test_a_registry_knows_registered_names_only(kind, nest, monkeypatch):
    monkeypatch.syspath_prepend(str(nest.folder / "path"))
    for part in (
        *nest.places.values(),
        {"type": ["subprocess.Popen"]},
        {"type": None},
        {"type": {}},
    ):
        for use in (REGISTRIES[kind].build, lambda cfg: REGISTRIES[kind].build_for(cfg, {})):
            with pytest.raises(UserError, match="named|is a name"):
                use(part)
        with pytest.raises(UserError, match="named|is a name"):
            REGISTRIES[kind].parameters(part["type"])
    assert not nest.canary.exists()


def test_training_goes_on_from_a_checkpoint_without_running_its_text(nest, run, tmp_path):
    program = f"open({str(nest.canary)!r}, 'w').close()\n"
    checkpoint = nest.hostile(lambda config: None, meta={"config": program, "cfg": program})
    options = ("protocol=None", "hooks.images=None", "train_cfg.max_epochs=2")
    code, error = run(
        "train", nest.config, "--work-dir", tmp_path / "run", "--resume", checkpoint,
        "--cfg-options", *options,
    )  # fmt: skip
    assert code == 0, error


@pytest.mark.parametrize("name", ["subprocess.Popen", "import"])
def test_training_starts_from_a_checkpoint_without_building_what_it_names(
    name, nest, run, tmp_path
):
    checkpoint = nest.hostile(lambda config: config.update(data_preprocessor=nest.places[name]))
    code, error = run(
        "train", nest.config, "--work-dir", tmp_path / "run", "--start-from", checkpoint
    )  # fmt: skip
    assert code == 2 and "No preprocessor named" in error


def test_imports_that_a_checkpoint_asks_for_are_not_made(nest, run, tmp_path):
    checkpoint = nest.hostile(lambda config: config.update(custom_imports={"imports": [PACKAGE]}))
    for command in commands_of(nest, checkpoint, tmp_path).values():
        run(*command)


def test_plugin_folders_that_a_checkpoint_names_are_not_loaded(nest, run, tmp_path):
    folder = str(nest.folder / "path" / PACKAGE)
    record = {"module": f"{PACKAGE}.registry", "sha256": "0", "parts": ["loss OwnLoss"]}
    records = [record, {"parts": "x"}, {"parts": [["x"]]}, {"parts": ["x", "a b c"]}, 3]
    checkpoint = nest.hostile(
        lambda config: config.update(plugins=[folder]), meta={"plugins": records}
    )
    for command in commands_of(nest, checkpoint, tmp_path).values():
        run(*command)
    options = ("--cfg-options", "protocol=None", "hooks.images=None", "train_cfg.max_epochs=2")
    run("train", nest.config, "--work-dir", tmp_path / "r", "--resume", checkpoint, *options)
    assert folder not in os.environ.get("I2IBENCH_PLUGINS", "")


def test_a_metrics_name_is_no_folder(nest, run, tmp_path):
    victim = tmp_path / "victim" / "precious"
    victim.mkdir(parents=True)
    named = {"../../../victim": {"type": "PixelSimilarity"}}
    data = {"type": "PairedFolder", "split": "val", "root": str(nest.folder / "p")}
    protocol = {"type": "own", "data": data, "metrics": named}
    checkpoint = nest.hostile(lambda config: config.update(protocol=protocol))
    code, error = run("eval", checkpoint, "--output", tmp_path / "e", "--device", "cpu")
    assert code == 2 and "'../../../victim'" in error and victim.is_dir()


def test_a_torchscript_file_runs_only_where_the_user_names_it(nest, run, tmp_path):
    data = {"type": "PairedFolder", "split": "val", "root": str(nest.folder / "p")}
    script = {"type": "TorchScriptSegmenter", "weights": str(tmp_path / "x.ts")}
    features = {"type": "TorchScriptFeatures", "weights": str(tmp_path / "x.ts")}
    distance = {"new": {"type": "DistributionDistance", "features": features}}
    for more in ({"segmenter": script}, {"metrics": distance}):
        protocol = {"type": "own", "data": data, **more}
        checkpoint = nest.hostile(lambda config, p=protocol: config.update(protocol=p))
        code, error = run("eval", checkpoint, "--output", tmp_path / "e", "--device", "cpu")
        assert code == 2 and "runs the file" in error and "--protocol own" in error


def test_opening_a_checkpoint_draws_nothing_and_says_how_to(nest, run, tmp_path):
    streets = {"type": "ToyStreet", "root": str(tmp_path / "home"), "split": "val",
               "num_scenes": 2, "width": 64, "height": 32}  # fmt: skip
    (tmp_path / "home").mkdir()

    def change(config):
        for loader in ("train_dataloader", "val_dataloader"):
            config[loader]["dataset"] = streets
        config["protocol"] = {"type": "own", "data": {k: streets[k] for k in streets}}

    checkpoint = nest.hostile(change)
    commands = commands_of(nest, checkpoint, tmp_path)
    for command in ("styles fit", "styles preview", "edit", "eval"):
        code, error = run(*commands[command])
        assert code == 2 and not list((tmp_path / "home").iterdir()), command
    words = shlex.split(error.strip().rpartition("To draw it: ")[2])
    assert words[:3] == ["i2ibench", "prepare_data", "toystreet"]
    assert run(words[1], *words[2:])[0] == 0
    assert len(list((tmp_path / "home").rglob("*labelIds.png"))) == 2


BROKEN = {
    "config is no object": {"config": "[]"},
    "config is no JSON": {"config": "{"},
    "config is deep": {"config": "[" * 100_000},
    "a key of mmengine's": {"config": '{"filename": "x"}'},
    "no model": {"config": "{}"},
    "weights are numbers": {"state_dict": {"generator.x": 3}},
    "weights have numbers for names": {"state_dict": {3: torch.zeros(1)}},
    "no epoch": {"meta": {"epoch": "many"}},
    "no classes": {"meta": {"epoch": 1, "dataset_meta": {"classes": 5}}},
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_checkpoint_that_no_run_wrote_is_refused_by_name(fault, nest, run, tmp_path):
    path = tmp_path / "broken.pth"
    torch.save({**nest.saved, **BROKEN[fault]}, path)
    for command in commands_of(nest, path, tmp_path).values():
        code, error = run(*command)
        assert code == 2 and "broken.pth" in error, command


def test_half_a_character_in_a_class_name_is_an_error_that_names_it(nest, run, tmp_path):
    meta = json.loads(json.dumps(nest.saved["meta"]))
    meta["dataset_meta"]["classes"][1] = "ro\ud800ad"
    path = nest.hostile(lambda config: None, meta=meta)
    for command in ("translate", "styles list", "eval config", "edit"):
        code, error = run(*commands_of(nest, path, tmp_path)[command])
        assert code == 2 and "half a character" in error, command


class Program:
    """Pickles as a call of os.system."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.system, (f"touch {self.canary}",)


@pytest.mark.parametrize("form", ["zip", "pickle", "script"])
def test_a_pickle_is_refused_without_torchs_advice_to_run_it(form, nest, run, tmp_path):
    path, folder = tmp_path / "evil.pth", tmp_path / "official"
    if form == "zip":
        torch.save({"config": Program(nest.canary)}, path)
    elif form == "pickle":
        path.write_bytes(pickle.dumps(Program(nest.canary)))
    else:
        write_torchscript(tmp_path, 3).rename(path)
    folder.mkdir()
    (folder / "latest_net_G.pth").write_bytes(path.read_bytes())
    commands = commands_of(nest, path, tmp_path)
    commands["import"] = ("convert", folder, tmp_path / "new.pth")
    for command in commands.values():
        code, error = run(*command)
        assert code == 2 and "cannot be read as" in error, command
        assert "weights_only" not in error.replace("`", "") and "safe_globals" not in error


@pytest.mark.parametrize("name", ["[/red]", "[bold]void", "a]b"])
def test_a_class_name_in_brackets_is_shown_as_it_is(name, nest, capsys, tmp_path):
    meta = json.loads(json.dumps(nest.saved["meta"]))
    meta["dataset_meta"]["classes"][1] = name
    path = nest.hostile(lambda config: None, meta=meta)
    main("styles", ["list", str(path)])
    assert name in capsys.readouterr().out


def test_a_weight_that_is_no_plain_tensor_is_refused(nest, run, tmp_path):
    state = dict(nest.saved["state_dict"])
    name = next(name for name, value in state.items() if value.ndim == 4)
    for other in (torch.zeros(state[name].shape, device="meta"), state[name].to_sparse()):
        path = tmp_path / "odd.pth"
        torch.save({**nest.saved, "state_dict": {**state, name: other}}, path)
        code, error = run(*commands_of(nest, path, tmp_path)["translate"])
        assert code == 2 and "odd.pth" in error
