"""Hostile checkpoints: copies of a trained one whose JSON names programs, files and folders."""

import copy
import json
from pathlib import Path

import torch

from i2ibench.registry.configuration import load_config
from i2ibench.testing.tiny_datasets import write_paired_scenes
from i2ibench.training.run import train
from tests.conftest import write_tiny_config
from tests.integration.runs import SHORT

PACKAGE = "canary_of_a_hostile_file"


class Nest:
    """A folder with a tiny run, from whose checkpoint hostile ones are made.

    Attributes:
        folder: of everything.
        config: the user's own config.
        checkpoint: of the run's first epoch.
        canary: the file that a hostile checkpoint tries to make.
    """

    def __init__(self, folder):
        self.folder, self.canary = folder, folder / "canary"
        self.config = write_tiny_config(folder / "tiny.py", write_paired_scenes(folder / "p", 4))
        options = {**SHORT, "train_cfg.max_epochs": 1}
        train(load_config(self.config, options, folder / "run"))
        self.checkpoint = folder / "run" / "epoch_0001.pth"
        self.saved = torch.load(self.checkpoint, weights_only=True)
        package = folder / "path" / PACKAGE
        package.mkdir(parents=True)
        writes = f"open({str(self.canary)!r}, 'w').close()\ndef part(**options):\n    pass\n"
        for module in ("__init__", "registry"):
            (package / f"{module}.py").write_text(writes)

    @property
    def places(self):
        """By name a hostile part's config: each would make the canary, if it were built."""
        return {
            "subprocess.Popen": {"type": "subprocess.Popen", "args": ["touch", str(self.canary)]},
            "os.system": {"type": "os.system", "command": f"touch {self.canary}"},
            "builtins.eval": {"type": "builtins.eval"},
            "import": {"type": f"{PACKAGE}.part"},
            "scope": {"type": f"{PACKAGE}.Part"},
            "mmengine": {"type": "mmengine::EmptyCacheHook"},
        }

    def hostile(self, change, name="hostile.pth", meta=None):
        """A checkpoint whose config `change` has altered in place; `meta` is added to its own."""
        config = copy.deepcopy(json.loads(self.saved["config"]))
        change(config)
        path = self.folder / name
        changed = {"config": json.dumps(config), "meta": {**self.saved["meta"], **(meta or {})}}
        torch.save({**self.saved, **changed}, path)
        return path


def commands_of(nest, checkpoint, output: Path):
    """By name every command that takes a checkpoint, with its arguments."""
    labels = nest.folder / "p" / "val"
    study = output / "study.py"
    study.parent.mkdir(parents=True, exist_ok=True)
    study.write_text(
        f"title = 'x'\nscenes = dict(folder={str(labels)!r})\n"
        f"methods = dict(a=dict(checkpoint={str(checkpoint)!r}), b=dict(photos=True))\n"
        "per_pair = 1\nparticipants = 1\nrepeats = 0\ncatch = 0\npractice = 0\n"
    )
    cpu = ("--device", "cpu")
    return {
        "translate": ("translate", checkpoint, labels, output / "t", *cpu),
        "styles list": ("styles", "list", checkpoint),
        "styles fit": ("styles", "fit", checkpoint, *cpu, "--output", output / "b.safetensors"),
        "styles preview": ("styles", "preview", checkpoint, *cpu, "--output", output / "b.png"),
        "eval": ("eval", checkpoint, "--output", output / "e", *cpu),
        "eval config": ("eval", nest.config, checkpoint, "--output", output / "f", *cpu),
        "edit": ("edit", checkpoint, "--port", 0, "--autosave", output / "a", *cpu),
        "study": ("study", "create", study, "--output", output / "s", *cpu),
        "convert": ("convert", checkpoint, output / "o"),
    }  # fmt: skip
