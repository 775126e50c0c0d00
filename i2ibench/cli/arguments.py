"""Command-line arguments that several commands share, and conversions of their values."""

import argparse
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

from i2ibench.errors import UserError
from i2ibench.inference.checkpoint_names import shipped_systems
from i2ibench.inference.checkpoints import Weights
from i2ibench.io.devices import best_device
from i2ibench.models.translators.base import method_named
from i2ibench.models.translators.compilation import MODES
from i2ibench.models.translators.inference_settings import describe_settings
from i2ibench.registry import TRANSLATORS
from i2ibench.registry.assignments import Written, resolve
from i2ibench.registry.configuration import Config, load_config
from i2ibench.registry.mmengine_workarounds import LAUNCHERS


class Overrides(argparse.Action):
    """An action that collects KEY=VALUE pairs as a dict of `Written` texts."""

    def __call__(self, parser, namespace, values, option_string=None):  # type: ignore[no-untyped-def]
        """Add KEY=VALUE pairs to the option's dict of `Written` texts, split at their first "=".

        A repeated option adds to the same dict, and a later value replaces an earlier one. A text
        without key or "=" is a usage error, which ends the program.
        """
        pairs = dict(getattr(namespace, self.dest) or {})
        for value in values:
            key, equals, text = value.partition("=")
            if not (key and equals):
                parser.error(f"{option_string} takes KEY=VALUE, not {value!r}")
            pairs[key] = Written(text)
        setattr(namespace, self.dest, pairs)


class Values(Overrides):
    """An action that collects KEY=VALUE pairs as a dict of Python literals."""

    def __call__(self, parser, namespace, values, option_string=None):  # type: ignore[no-untyped-def]
        """Add KEY=VALUE pairs to the option's dict, with the values read as Python literals.

        See `Overrides` for repeated options and usage errors.
        """
        super().__call__(parser, namespace, values, option_string)
        setattr(namespace, self.dest, resolve(getattr(namespace, self.dest)))


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the required argument CONFIG and the options --cfg-options and --work-dir to a parser."""
    add_config_arguments(parser)
    add_work_dir_argument(parser)


def add_work_dir_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option --work-dir, the folder of a run, to a parser.

    Its value is a Path; None, the default, stands for the work directory of the config.
    """
    parser.add_argument(
        "--work-dir", type=Path, help="the folder of the run (default: work_dirs/<config name>)"
    )


def add_checkpoint_argument(parser: argparse.ArgumentParser) -> None:
    """Add the required argument CHECKPOINT to a parser; `find_checkpoint` finds the file it names.

    Its value is the text as it was written.
    """
    parser.add_argument(
        "checkpoint",
        help="a .pth file that `train` wrote, the folder of a run (for its newest epoch), or the "
        f"name of a trained system in the package ({', '.join(shipped_systems())}) or on the "
        "Hugging Face hub (USER/NAME)",
    )


def add_launcher_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option --launcher to a parser.

    Its value is one of LAUNCHERS; "none", the default, is for one process.
    """
    parser.add_argument(
        "--launcher", choices=LAUNCHERS, default="none",
        help="the program that starts several processes: pytorch (torchrun), slurm (srun) or mpi "
        "(mpirun); none, the default, is for one process",
    )  # fmt: skip


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the required argument CONFIG, a Path, and the option --cfg-options to a parser."""
    parser.add_argument(
        "config", type=Path,
        help="a config file, or the name of one in the package (`i2ibench configs list`)",
    )  # fmt: skip
    add_options_argument(parser)


def add_options_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option --cfg-options KEY=VALUE ... to a parser.

    Its value is a dict of `Written` texts by dotted key; {} by default.
    """
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=Overrides,
        default={},
        metavar="KEY=VALUE",
        help="values that replace those of the config, such as data_root=/data "
        "train_cfg.max_epochs=2. VALUE is a Python literal: 2, 1e-4, True, None, [1, 2], word. It "
        "is a string if the config has a string at KEY, or if KEY names a path (data_root, root, "
        "work_dir, *_dir, weights and so on). None switches an entry off; data_root=None, "
        "root=None and work_dir=None name a folder. Quote spaces and brackets for the shell",
    )


def config_of(options: argparse.Namespace) -> Config:
    """Load and return the config that parsed arguments describe.

    Args:
        options: has `config`, `cfg_options` and, if the command takes it, `work_dir`.

    Raises:
        UserError: see `load_config`.
    """
    return load_config(options.config, options.cfg_options, getattr(options, "work_dir", None))


def add_device_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option --device to a parser; the default is the best device of this machine.

    The text is not checked here; see `checked_device`.
    """
    device = best_device()
    parser.add_argument(
        "--device", default=device, help=f"cpu, cuda, cuda:N or mps (default here: {device})"
    )


def add_weights_argument(parser: argparse.ArgumentParser, others: Sequence[str] = ()) -> None:
    """Add the option --weights to a parser. Its value is "average", "last", or None by default.

    Args:
        parser: the parser.
        others: further values that the option accepts.
    """
    parser.add_argument(
        "--weights", choices=(*get_args(Weights), *others),
        help="the average of the weights over training, or those of the last step (default: the "
        "average if the checkpoint has one)",
    )  # fmt: skip


def add_precision_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option --amp to a parser. Its value is "bf16", or None for float32 (the default)."""
    parser.add_argument(
        "--amp", choices=("bf16",),
        help="run the networks in bf16, which is faster on devices that support it and changes the "
        "images slightly (default: float32)",
    )  # fmt: skip


def add_compile_argument(parser: argparse.ArgumentParser, modes: Sequence[str] = MODES) -> None:
    """Add the option --compile to a parser.

    Args:
        parser: the parser.
        modes: the values that the option accepts. Without the option, its value is None and
            networks are not compiled.
    """
    parser.add_argument(
        "--compile", choices=modes, metavar="MODE",
        help=f"compile the networks for a GPU: {', '.join(modes)}. Compilation takes a minute or "
        "more at the first image, and again at the first image of a second size",
    )  # fmt: skip


def add_settings_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option --set NAME=VALUE ..., for the settings of a method, to a parser.

    Its value is a dict of Python literals, {} by default; names are not checked here. The help
    lists the settings of every registered method.
    """
    described = {name: _settings_of(name) for name in TRANSLATORS.names()}
    known = "; ".join(f"{name}: {settings}" for name, settings in described.items() if settings)
    listing = known.replace("%", "%%")  # argparse interprets a single %
    parser.add_argument(
        "--set", nargs="+", action=Values, default={}, metavar="NAME=VALUE",
        help="settings of the method that replace those of the checkpoint "
        f"({listing or 'the installed methods have no settings'})",
    )  # fmt: skip


def _settings_of(name: str) -> str:
    """Return a method's settings with their defaults as text, given its registered name.

    The text is "" for a class that breaks its contract. Commands that use other methods still work.
    Commands that use this method report its mistake.
    """
    try:
        return ", ".join(describe_settings(method_named(name)).values())
    except UserError:
        return ""


def add_address_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options --host (default 127.0.0.1) and --port (default 8000) to a parser.

    Port 0 stands for any free port.
    """
    parser.add_argument(
        "--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1)"
    )
    parser.add_argument(
        "--port", type=_port, default=8000, help="the port; 0 chooses a free one (default: 8000)"
    )


def add_public_url_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option --public-url, the address of a page behind a proxy, to a parser."""
    parser.add_argument(
        "--public-url", default="", metavar="URL",
        help="the address that browsers use if the server is behind a proxy, with its path",
    )  # fmt: skip


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"must be a number in 0..65535, not {text!r}")
    return int(text)


def require_web(what: str) -> None:
    """Refuse to go on if a package of the web servers is not installed.

    Args:
        what: the application that needs them, such as "editor", for the message.

    Raises:
        UserError: names the missing package and the command that installs it.
    """
    for package in ("fastapi", "uvicorn", "websockets"):  # without the last no WebSocket works
        if find_spec(package) is None:
            raise UserError(
                f"The {what} needs {package}; install it with: pip install 'i2ibench[web]'"
            )


def positive(text: str) -> int:
    """Convert the text of an argument to an integer from 1 on.

    Raises:
        ArgumentTypeError: it is no such integer; argparse prints the message.
    """
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"must be a positive integer, not {text!r}")
    return int(text)


def size(text: str) -> tuple[int, int]:
    """Convert the text of an argument, such as "512x256", to (width, height).

    Raises:
        ArgumentTypeError: it is no such text, or a side is 0; argparse prints the message.
    """
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"a size looks like 512x256, not {text!r}")
    return int(width), int(height)
