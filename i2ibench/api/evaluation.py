"""Evaluations as a command or a notebook asks for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from i2ibench.errors import UserError
from i2ibench.evaluation.evaluate import WRITTEN
from i2ibench.evaluation.evaluate import evaluate as evaluate_sources
from i2ibench.evaluation.protocol_scenes import prepare_scenes
from i2ibench.evaluation.protocols.protocol import Protocol, build_protocol, foreign_protocol
from i2ibench.evaluation.results import check_computed
from i2ibench.evaluation.system_sources import SystemSource, parse_systems
from i2ibench.inference.checkpoint_checks import read_config
from i2ibench.inference.checkpoints import (
    Weights,
    latest_checkpoint,
    newest_of_config,
    read_checkpoint,
    stage_of,
)
from i2ibench.inference.inference import DEFAULT_OPTIONS, InferenceOptions
from i2ibench.io.devices import best_device
from i2ibench.io.process_group import barrier, is_main_process
from i2ibench.io.run_folders import run_folder
from i2ibench.registry.assignments import resolve
from i2ibench.registry.configuration import Config, load_config, own_work_dir
from i2ibench.reports import score_lines, write_report
from i2ibench.reports.tables import as_markdown
from i2ibench.reports.verdicts import verdicts


@dataclass(frozen=True)
class EvaluationRequest:
    """A request for an evaluation: the systems, the protocol and the folder of the report.

    Attributes:
        config: the config of a run, whose data and protocol are used; None without one.
        checkpoints: checkpoints in the form "NAME=CHECKPOINT" or "CHECKPOINT", see
            `find_checkpoint`. Without checkpoints and images the newest of the config's run.
        images: folders of images in the form "NAME=FOLDER" or "FOLDER".
        protocol: the name of a protocol; None for the config's, else the first checkpoint's.
        protocol_options: options of the protocol by dotted key.
        data_root: the folder of the data; None for that of the config or the protocol.
        output: the folder of the report; None for evaluation/ in the config's work directory or,
            without a config, work_dirs/evaluation/<protocol>.
        require: the names of scores that must be computed.
        batch_size: the number of scenes to translate at once; None for the config's.
        device: the device that computes networks.
        weights: the weights of checkpoints that have averaged ones; None for the average.
        options: how checkpoints translate.
    """

    config: Config | None = None
    checkpoints: Sequence[str] = ()
    images: Sequence[str] = ()
    protocol: str | None = None
    protocol_options: Mapping[str, Any] = field(default_factory=dict)
    data_root: str | None = None
    output: Path | None = None
    require: Sequence[str] = ()
    batch_size: int | None = None
    device: str = "cpu"
    weights: Weights | Literal["both"] | None = None
    options: InferenceOptions = DEFAULT_OPTIONS


class Evaluation:
    """The results of an evaluation, which a notebook shows as a table.

    Attributes:
        results: the content of results.json.
        report: the path of the HTML report.
    """

    def __init__(self, results: dict[str, Any], report: Path) -> None:
        self.results, self.report = results, report

    @property
    def scores(self) -> dict[str, dict[str, float]]:
        """Return the computed scores of every system by name, such as {"A": {"seg/miou": 0.6}}."""
        return {
            system: {n: s["value"] for n, s in table.items() if s.get("value") is not None}
            for system, table in self.results["systems"].items()
        }

    def __repr__(self) -> str:
        return f"{as_markdown(self.results)}\nreport: {self.report}"

    def _repr_markdown_(self) -> str:
        return as_markdown(self.results)

    def lines(self) -> list[str]:
        """Return the scores, what is missing and why, and which system is best, as text."""
        return score_lines(self.results) + verdicts(self.results)


def evaluate(
    systems: Mapping[str, str | Path] | None = None,
    config: str | Path | None = None,
    *,
    images: Mapping[str, str | Path] | None = None,
    protocol: str | None = None,
    output: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    **others: Any,
) -> Evaluation:
    """Score systems by one protocol, and write `results.json` and a report.

    Args:
        systems: by name in the tables, a checkpoint file, the folder of a run, or the name of a
            system in the package. Without systems and images, the newest checkpoint of the
            config's run.
        config: a config file or the name of one in the package, whose data and protocol are used;
            None for the protocol and data of the first checkpoint.
        images: folders of images of any program by name in the tables.
        protocol: the name of a protocol; None for the config's, else the first checkpoint's.
        output: the folder of the report; None for evaluation/ in the config's work directory.
        overrides: values of the config by dotted key, such as {"data_root": "/data"}.
        others: further fields of `EvaluationRequest`, such as `device` or `data_root`.

    Raises:
        UserError: something that is named does not exist or cannot be used.
    """
    request = EvaluationRequest(
        load_config(Path(config), overrides) if config is not None else None,
        [f"{name}={path}" for name, path in (systems or {}).items()],
        [f"{name}={path}" for name, path in (images or {}).items()],
        protocol,
        output=None if output is None else Path(output),
        **{"device": best_device(), **others},
    )
    evaluation = run_evaluation(request)
    assert evaluation is not None  # a notebook is the main process
    check_computed(evaluation.results, request.require)
    return evaluation


def run_evaluation(request: EvaluationRequest) -> Evaluation | None:
    """Evaluate, write `results.json` and the report, and return both.

    Every process of a group takes part, and all but the main process return None. Scores of
    `require` that turn out undefined are not checked, see `check_computed`.

    Raises:
        UserError: something that is named does not exist or cannot be used.
    """
    systems, config = _systems(request)
    protocol, foreign = _protocol(request, config, systems)
    output = request.output or _output(config, protocol, named=bool(request.protocol))
    with own_work_dir(output, "evaluating", "give another folder with --output", WRITTEN):
        if is_main_process():
            prepare_scenes(protocol, config, request.data_root, foreign)
        barrier()
        results = evaluate_sources(
            protocol, systems, output, config, request.data_root, request.device,
            request.batch_size or _batch_size(config), request.require,
        )  # fmt: skip
        if not is_main_process():
            return None
        return Evaluation(results, write_report(output, results))


def _systems(request: EvaluationRequest) -> tuple[list[SystemSource], Config | None]:
    """Return the systems to score, and the config of the stage that they belong to.

    A single checkpoint in the folder of a stage determines the stage's config.
    """
    config, checkpoints = request.config, list(request.checkpoints)
    if config is not None and not checkpoints and not request.images:
        work_dir = Path(config.work_dir)
        checkpoints = [str(newest_of_config(config) or latest_checkpoint(work_dir))]
    systems = parse_systems(checkpoints, list(request.images))
    if not systems:
        raise UserError("Nothing to evaluate: name a config, checkpoints or folders of images.")
    if config is not None and len(systems) == 1 and not systems[0].is_folder:
        config = stage_of(config, systems[0].path)
    chosen = {"options": request.options, "weights": request.weights}
    return [replace(system, **chosen) for system in systems], config  # type: ignore[arg-type]


def _protocol(
    request: EvaluationRequest, config: Config | None, systems: Sequence[SystemSource]
) -> tuple[Protocol, bool]:
    """Return the protocol, and whether it comes from a checkpoint.

    A protocol from a checkpoint may not run programs, such as TorchScript files.
    """
    chosen = request.protocol or (config.get("protocol") if config is not None else None)
    if chosen:
        return build_protocol(_with_options(chosen, request.protocol_options)), False
    path = next((system.path for system in systems if not system.is_folder), None)
    chosen = read_config(read_checkpoint(path), path).get("protocol") if path else None
    if not chosen:
        raise UserError("No protocol is named: pass --protocol NAME, or set it in the config.")
    assert path is not None
    return foreign_protocol(_with_options(chosen, request.protocol_options), path), True


def _with_options(chosen: str | Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a protocol's config, a dict with `type`, with changed options."""
    named = {"type": chosen} if isinstance(chosen, str) else dict(chosen)
    merged = Config({"protocol": named})
    given = resolve(changes, named)
    merged.merge_from_dict({f"protocol.{key}": value for key, value in given.items()})
    changed: dict[str, Any] = merged.protocol.to_dict()
    return changed


def _output(config: Config | None, protocol: Protocol, named: bool) -> Path:
    """Return the default folder of the report."""
    if config is None:
        return Path("work_dirs") / "evaluation" / protocol.name
    name = f"evaluation_{protocol.name}" if named else "evaluation"
    # The report of a stage is written to the folder of its run.
    return run_folder(Path(config.work_dir)) / name


def _batch_size(config: Config | None) -> int:
    return int(config.val_dataloader.get("batch_size", 1)) if config is not None else 1
