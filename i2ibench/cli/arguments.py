"""Arguments that several commands share."""

import argparse
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import torch

from i2ibench.errors import UserError
from i2ibench.io.devices import best_device
from i2ibench.models.translators.base import method_named
from i2ibench.models.translators.compilation import MODES
from i2ibench.models.translators.settings import describe_settings
from i2ibench.registry import TRANSLATORS
from i2ibench.registry.assignments import Written, resolve
from i2ibench.registry.configuration import Config, load_config


class Overrides(argparse.Action):
    """Collect KEY=VALUE pairs as a dict of `Written` texts; anything else is a usage error."""

    def __call__(self, parser, namespace, values, option_string=None):  # type: ignore[no-untyped-def]
        """Split the pairs at their first "="."""
        pairs = dict(getattr(namespace, self.dest) or {})
        for value in values:
            key, equals, text = value.partition("=")
            if not (key and equals):
                parser.error(f"{option_string} takes KEY=VALUE, not {value!r}")
            pairs[key] = Written(text)
        setattr(namespace, self.dest, pairs)


class Values(Overrides):
    """Collect KEY=VALUE pairs as a dict of Python literals."""

    def __call__(self, parser, namespace, values, option_string=None):  # type: ignore[no-untyped-def]
        """Split the pairs and read their values."""
        super().__call__(parser, namespace, values, option_string)
        setattr(namespace, self.dest, resolve(getattr(namespace, self.dest)))


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """CONFIG, --cfg-options and --work-dir."""
    add_config_arguments(parser)
    parser.add_argument("--work-dir", type=Path, help="default: work_dirs/<config name>")


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """CONFIG and --cfg-options."""
    parser.add_argument("config", type=Path, help="a config file, such as configs/x.py")
    add_options_argument(parser)


def add_options_argument(parser: argparse.ArgumentParser) -> None:
    """--cfg-options."""
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=Overrides,
        default={},
        metavar="KEY=VALUE",
        help="values that replace the config's, such as data_root=/data train_cfg.max_epochs=2. "
        "Text stays as it is written (in the shell, quote spaces and brackets) where the config "
        "has a string now and for places and paths (data_root, root, work_dir, *_dir, weights and "
        "the like); elsewhere it is a Python literal: 2, 1e-4, True, None, [1, 2], word. None "
        "switches off, except for data_root, root and work_dir, where it is a name",
    )


def config_of(options: argparse.Namespace) -> Config:
    """The config that the arguments describe."""
    return load_config(options.config, options.cfg_options, getattr(options, "work_dir", None))


def add_device_argument(parser: argparse.ArgumentParser) -> None:
    """--device."""
    default = best_device()
    parser.add_argument("--device", default=default, help=f"cpu, cuda, cuda:N or mps ({default})")


def add_precision_argument(parser: argparse.ArgumentParser) -> None:
    """--amp."""
    parser.add_argument(
        "--amp", choices=("bf16",),
        help="run the networks in bf16: faster where the machine computes in it, and slightly "
        "other images (default: float32)",
    )  # fmt: skip


def add_compile_argument(parser: argparse.ArgumentParser, modes: Sequence[str] = MODES) -> None:
    """--compile."""
    parser.add_argument(
        "--compile", choices=modes, metavar="MODE",
        help=f"compile the networks: {', '.join(modes)}; for GPUs. The first image waits a "
        "minute or more for it, and so does the first of a second size",
    )  # fmt: skip


def add_settings_argument(parser: argparse.ArgumentParser) -> None:
    """--set."""
    described = {name: _settings_of(name) for name in TRANSLATORS.names()}
    known = "; ".join(f"{name}: {settings}" for name, settings in described.items() if settings)
    listing = known.replace("%", "%%")  # argparse would fill it in
    parser.add_argument(
        "--set", nargs="+", action=Values, default={}, metavar="NAME=VALUE",
        help="settings of the checkpoint's method, in place of its own "
        f"({listing or 'the installed methods have none'})",
    )  # fmt: skip


def _settings_of(name: str) -> str:
    """Return a method's settings with their defaults; "" for a class that keeps no contract.

    Commands that use other methods go on, and those that use this one say what it lacks.
    """
    try:
        return ", ".join(describe_settings(method_named(name)).values())
    except UserError:
        return ""


def add_address_arguments(parser: argparse.ArgumentParser) -> None:
    """--host and --port."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=_port, default=8000, help="0 takes a free one (8000)")


def _port(text: str) -> int:
    """A port number."""
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"a number in 0..65535, not {text!r}")
    return int(text)


def require_web(what: str) -> None:
    """Refuse to go on where the packages of the servers are missing.

    Raises:
        UserError: names the package and how to get it.
    """
    for package in ("fastapi", "uvicorn", "websockets"):  # without the last no WebSocket works
        if find_spec(package) is None:
            raise UserError(f"The {what} needs {package}; get it with: pip install 'i2ibench[web]'")


def positive(text: str) -> int:
    """An integer from 1 on."""
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"an integer from 1 on, not {text!r}")
    return int(text)


def size(text: str) -> tuple[int, int]:
    """(width, height) from "512x256"."""
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"a size looks like 512x256, not {text!r}")
    return int(width), int(height)


def checked_device(name: str) -> str:
    """`name`, if torch can use it.

    Raises:
        UserError: there is no such device.
    """
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"--device {name} cannot be used: {str(error).splitlines()[0]}") from None
    return name
