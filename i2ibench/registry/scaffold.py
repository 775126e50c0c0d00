"""The files of a new plugin: one module, or a whole package that can be installed."""

import keyword
import re
from importlib.resources import files
from pathlib import Path

from i2ibench.errors import UserError, near_match
from i2ibench.io.files import write_text
from i2ibench.registry.registries import REGISTRIES

TEMPLATES = files("i2ibench.registry") / "templates"

KINDS = (
    "translator", "generator", "discriminator", "encoder", "loss", "dataset", "reader", "segmenter",
    "metric", "feature", "protocol", "hook",
)  # fmt: skip

_GENERATOR = 'generator=dict(type="CoarseToFineGenerator", base_channels=8, num_blocks=2),'
_DISCRIMINATOR = 'discriminator=dict(type="MultiScaleDiscriminator", num_scales=2, base_channels=8)'
_LOSS = 'losses=dict(feature_matching=dict(type="FeatureMatching", weight=10.0)),'
_ADAM = 'dict(type="Adam", lr=2e-4, betas=(0.5, 0.999))'
_SYSTEM = f"""    type="PairedTranslator",
    {_GENERATOR}
    {_DISCRIMINATOR},
    adversarial=dict(type="LeastSquaresGAN"),
    {_LOSS}
"""
_SCENES = 'dataset=dict(type="ToyStreet", split="{}", num_scenes={}, **_size)'


def _own_scenes(scenes: str, title: str, above: str = "") -> tuple[tuple[str, str], ...]:
    """Return what a config of scenes in data/new_part has in place of drawn streets.

    Args:
        scenes: the beginning of the data set's options.
        title: what the first line of the config says after "A short training on".
        above: a line that the options need.
    """
    return (
        (
            f"dict(\n    {_SCENES.format('train', 8)}, batch_size=2\n)",
            f'dict(dataset=dict({scenes}, split="train"), batch_size=2)',
        ),
        (_SCENES.format("val", 2), f'dataset=dict({scenes}, split="val")'),
        ("data/toystreet", "data/new_part"),
        ('type="LabelPreprocessor"', 'type="LabelPreprocessor", boundaries=False'),
        ("drawn streets that uses NewPart", title),
        ("_size = dict(width=64, height=32)\n", above),
    )


IN_CONFIG: dict[str, tuple[tuple[str, str], ...]] = {
    "translator": (
        (_SYSTEM, '    type="NewPart",\n    base_channels=16,\n    settings=dict(rounds=2),\n'),
        (f"generator={_ADAM}", f"draft={_ADAM}"),
        (f"discriminator={_ADAM}", f"refiner={_ADAM}"),
    ),
    "generator": ((_GENERATOR, 'generator=dict(type="NewPart"),'),),
    "discriminator": ((_DISCRIMINATOR, 'discriminator=dict(type="NewPart")'),),
    "encoder": ((_DISCRIMINATOR, f'{_DISCRIMINATOR},\n    encoder=dict(type="NewPart")'),),
    "loss": ((_LOSS, 'losses=dict(new_part=dict(type="NewPart", weight=10.0)),'),),
    "dataset": _own_scenes('type="NewPart"', "the scenes of NewPart"),
    "reader": _own_scenes(
        "_scenes",
        "images that NewPart reads",
        '_scenes = dict(type="PairedFolder", instance_dir=None, classes=["sky", "road"])\n',
    ),
    "segmenter": (
        (
            "protocol = None",
            'protocol = dict(\n    type="own", '
            'segmenter=dict(type="NewPart", weights="weights/new_part.pth")\n)',
        ),
    ),
    "metric": (
        (
            "protocol = None",
            'protocol = dict(type="own", metrics=dict(new_part=dict(type="NewPart")))',
        ),
    ),
    "feature": (
        (
            "protocol = None",
            '_distance = dict(type="DistributionDistance", features=dict(type="NewPart"))\n'
            'protocol = dict(type="own", metrics=dict(new_part=_distance))',
        ),
    ),
    "protocol": (("protocol = None", 'protocol = dict(type="NewPart")'),),
    "hook": (("hooks = dict(\n", 'hooks = dict(\n    new_part=dict(type="NewPart"),\n'),),
}
"""By kind, what the config of a package has in place of the template's."""


def new_module(kind: str, name: str, folder: Path, configs: Path | None = None) -> Path:
    """The file written for a new part, `folder/new_part.py`.

    Args:
        kind: of the part.
        name: of its class.
        folder: gets the file.
        configs: gets `new_part.py`, a config that uses the part; None for no config.

    Raises:
        UserError: unknown kind, a name that cannot be used, or a file exists.
    """
    path = folder / f"{snake(check_name(kind, name))}.py"
    files = {path: _filled(f"{kind}.py.txt", kind, name)}
    if configs is not None:
        files[configs / path.name] = _config(kind, name)
    _write(files)
    return path


def new_package(kind: str, name: str, folder: Path) -> Path:
    """The folder written for a package with one new part: `folder/i2ibench-new-part`.

    Its name has a hyphen so that, seen from the folder above, it does not pass for the package.

    Raises:
        UserError: see `new_module`.
    """
    module = snake(check_name(kind, name))
    root = folder / f"i2ibench-{module.replace('_', '-')}"
    if root.exists():
        raise UserError(f"{root} exists; nothing is overwritten.")
    _write(
        {
            root / module / "__init__.py": f'"""{name}, a {kind} for i2ibench."""\n',
            root / module / f"{kind}.py": _filled(f"{kind}.py.txt", kind, name),
            root / "tests" / "test_contract.py": _filled("test_contract.py.txt", kind, name),
            root / "configs" / f"{module}.py": _config(kind, name),
            root / "README.md": _filled("README.md.txt", kind, name),
            root / "pyproject.toml": _filled("pyproject.toml.txt", kind, name),
        }
    )
    return root


def check_name(kind: str, name: str) -> str:
    """The class name of a new part, if it can be used.

    Raises:
        UserError: unknown kind, no class name, or the name of a part that exists.
    """
    if kind not in KINDS:
        raise UserError(f"No kind {kind!r}.{near_match(kind, KINDS)} Known: {', '.join(KINDS)}.")
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]+", name) or keyword.iskeyword(snake(name)):
        raise UserError(
            f"{name!r} cannot be a part's name: it is a class's, such as SoftHinge, of letters and "
            "digits, and begins with a capital letter."
        )
    if name in REGISTRIES[kind].names():
        module = REGISTRIES[kind].find(name).__module__
        raise UserError(f"There is a {kind} named {name!r} already, in {module}.")
    return name


def snake(name: str) -> str:
    """The module's name for a class's: SoftHinge2GAN becomes soft_hinge2_gan."""
    parts = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", parts).lower()


def _config(kind: str, name: str) -> str:
    config = TEMPLATES.joinpath("config.py.txt").read_text(encoding="utf-8")
    for old, new in IN_CONFIG[kind]:
        config = config.replace(old, new)
    return _named(config, kind, name)


def _filled(template: str, kind: str, name: str) -> str:
    text = _named(TEMPLATES.joinpath(template).read_text(encoding="utf-8"), kind, name)
    return (
        f"# SPDX-License-Identifier: Apache-2.0\n{text}" if template == f"{kind}.py.txt" else text
    )


def _named(text: str, kind: str, name: str) -> str:
    tests = {"loss": "test_losses"}.get(kind, f"test_{kind}s")
    filled = text.replace("test_KINDs", tests).replace("KIND", kind).replace("NewPart", name)
    return filled.replace("new_part", snake(name)).replace(
        "new-part", snake(name).replace("_", "-")
    )


def _write(contents: dict[Path, str]) -> None:
    for path in contents:
        if path.exists():
            raise UserError(f"{path} exists; nothing is overwritten.")
    for path, text in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
