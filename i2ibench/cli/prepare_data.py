"""Prepare a data set: draw ToyStreet, or convert a published data set to this project's layout.

prepare_data CONFIG                  draw the ToyStreet scenes that the config names
prepare_data NAME SOURCE TARGET      read the publisher's files in SOURCE, and write TARGET
prepare_data NAME                    print what to download from where

"""

import argparse
import inspect
import shlex
from pathlib import Path

from i2ibench.cli.arguments import Overrides, add_options_argument, config_of
from i2ibench.data.datasets.cityscapes import OBTAIN
from i2ibench.data.loaders import prepare_dataset, prepare_datasets
from i2ibench.data.prepare.catalogue import READERS, prepare, reader_options
from i2ibench.data.prepare.cityscapes import link_cityscapes
from i2ibench.data.prepare.write import count_photos
from i2ibench.errors import UserError, near_match
from i2ibench.registry import DATASETS, options_of
from i2ibench.registry.assignments import resolve_options
from i2ibench.registry.configuration import list_stages

CITYSCAPES, TOYSTREET = "cityscapes", "toystreet"
WIDTH = max(map(len, READERS))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command `prepare_data` to its parser, in place.

    The parser's description gets a line for each data set that can be prepared.
    """
    parser.description = "\n".join(
        [
            (parser.description or "").rstrip(),
            "",
            f"{CITYSCAPES:{WIDTH}}  Check the files of Cityscapes, and link them.",
        ]
        + [f"{name:{WIDTH}}  {_summary(name)}" for name in READERS]
        + [f"{TOYSTREET:{WIDTH}}  Draw one split of ToyStreet into the folder SOURCE."]
    )
    parser.add_argument("what", help="a config that uses ToyStreet, or a name from above")
    parser.add_argument("source", nargs="?", type=Path, help="the folder of the publisher's files")
    parser.add_argument("target", nargs="?", type=Path, help="the folder to write")
    parser.add_argument(
        "--options",
        nargs="+",
        action=Overrides,
        default={},
        metavar="KEY=VALUE",
        help="options of the data set's reader, as listed above, such as method=sobel",
    )
    add_options_argument(parser)


def _summary(name: str) -> str:
    options = [f"{k}={p.default}" for k, p in reader_options(name).items()]
    first = (inspect.getdoc(READERS[name].read) or "").partition("\n")[0]
    return f"{first}\n{'':{WIDTH}}  --options {' '.join(options)}" if options else first


def run(options: argparse.Namespace) -> None:
    """Draw the ToyStreet scenes of a config, draw one split, or prepare a published data set.

    Without SOURCE and TARGET, the error says what to download for a data set.

    Raises:
        UserError: an argument is missing, unknown or wrong, or the files cannot be read or written.
    """
    known = (TOYSTREET, CITYSCAPES, *READERS)
    if options.options and options.what not in (TOYSTREET, *READERS):
        takers = ", ".join((TOYSTREET, *READERS))
        raise UserError(f"{options.what} has no --options; those are for {takers}.")
    if options.cfg_options and options.what in known:
        raise UserError("--cfg-options change a config; pass options of a data set as --options.")
    if options.what == TOYSTREET:
        _draw_split(options)
    elif options.what in known:
        _prepare(options)
    elif options.source is not None:
        raise UserError(
            f"There is no data set {options.what!r}.{near_match(options.what, known)} "
            f"Known: {', '.join(known)}."
        )
    elif not options.what.endswith(".py") and not Path(options.what).exists():
        raise UserError(
            f"{options.what!r} is neither a config nor a data set."
            f"{near_match(options.what, known)} Known: {', '.join(known)}."
        )
    else:
        options.config = Path(options.what)
        _draw(options)


def _prepare(options: argparse.Namespace) -> None:
    if options.source is None or options.target is None:
        usage = f"i2ibench prepare_data {options.what} SOURCE TARGET"
        obtain = READERS[options.what].obtain if options.what in READERS else OBTAIN
        raise UserError(f"{usage}: {obtain}")
    if options.what == CITYSCAPES:
        counts = link_cityscapes(options.source, options.target)
        print(
            f"ready: {options.target} ({', '.join(f'{n} {s}' for s, n in counts.items())} scenes)"
        )
        return
    chosen = resolve_options(options.options, reader_options(options.what))
    new = prepare(options.what, options.source, options.target, chosen, tell=print)
    print(f"{'ready' if new else 'was ready'}: {options.target}")
    links, files = count_photos(options.target)
    print(f"photos: {links} hard links to files in {options.source}, {files} files of their own")
    config = READERS[options.what].config or "CONFIG"
    print(f"train: i2ibench train {config} --cfg-options {data_root(options.target)}")
    if config == "CONFIG":
        print("CONFIG is a config of yours (README, Your own data)")


def data_root(target: Path) -> str:
    """Return the argument data_root=TARGET for --cfg-options, quoted for a shell."""
    return shlex.quote(f"data_root={target}")


def _draw(options: argparse.Namespace) -> None:
    config = config_of(options)
    drawn = [folder for stage in list_stages(config) for folder in prepare_datasets(stage)]
    if not drawn:
        kind = config.train_dataloader.dataset.type
        raise UserError(
            f"Only ToyStreet is drawn; {options.config} uses {kind}. Name a data set instead: "
            "prepare_data NAME SOURCE TARGET"
        )
    for folder in dict.fromkeys(drawn):
        print(f"ready: {folder}")


def _draw_split(options: argparse.Namespace) -> None:
    """Draw a split of ToyStreet into the folder SOURCE, without a config.

    An error about missing data advises this. The options of the data set come from --options.
    """
    if options.source is None or options.target is not None:
        raise UserError(
            f"{TOYSTREET} needs the folder to draw into: prepare_data {TOYSTREET} FOLDER "
            "[--options split=train num_scenes=200 width=256 height=128 scene_seed=0]"
        )
    chosen = resolve_options(options.options, options_of(DATASETS.find("ToyStreet")))
    dataset = {"type": "ToyStreet", "root": str(options.source), **chosen}
    print(f"ready: {prepare_dataset({'dataset': dataset}, None)}")
