"""Run a perceptual study that asks people which of two images looks more realistic.

study create STUDY.py         choose scenes, translate them and write the study's folder
study serve FOLDER            serve the web page for participants
study report FOLDER           write a report of the preferences with intervals, tables and plots
study power                   print the number of answers that tell 55 % from 50 %
"""

import argparse
import inspect
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from i2ibench.apps.study.analyse.analysis import analyse, write_analysis
from i2ibench.apps.study.analyse.power import Clusters, Question, power_lines, study_question
from i2ibench.apps.study.analyse.simulation import Crowd
from i2ibench.apps.study.collect.answer_files import (
    answers_csv,
    count_by_kind,
    participant_json,
    participants_csv,
    read_collected,
)
from i2ibench.apps.study.collect.answer_store import AnswerStore
from i2ibench.apps.study.collect.mturk_export import export_mturk
from i2ibench.apps.study.collect.simulated_participants import send_participants
from i2ibench.apps.study.collect.static_page import export_page
from i2ibench.apps.study.define.creation import create_study
from i2ibench.apps.study.define.definition import Definition, load_definition
from i2ibench.apps.study.define.study import Study, open_study
from i2ibench.cli.access_keys import read_key
from i2ibench.cli.arguments import (
    Values,
    add_address_arguments,
    add_device_argument,
    add_public_url_argument,
    positive,
    require_web,
)
from i2ibench.cli.plugin_option import PLUGIN_OPTION
from i2ibench.errors import UserError, near_match
from i2ibench.io.devices import checked_device
from i2ibench.io.files import write_text
from i2ibench.io.folder_locks import lock_folder
from i2ibench.registry.mmengine_workarounds import silence_third_parties
from i2ibench.reports.study_page import write_study_report

ACTIONS = True
"""A mark of commands whose actions have parsers of their own; see `main`."""

CROWD = "such as lapse=0.05 side_bias=0.2 participant_sd=0.5 scene_sd=0.5 missing=0.02 seed=1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of the command `study`, with their arguments, to its parser."""
    actions = parser.add_subparsers(metavar="ACTION", required=True, title="actions")

    def action(name: str, act: Callable[..., None]) -> argparse.ArgumentParser:
        text = inspect.getdoc(act) or ""
        form = argparse.RawDescriptionHelpFormatter
        own: argparse.ArgumentParser = actions.add_parser(
            name, help=text.partition("\n")[0], description=text, formatter_class=form,
            parents=[PLUGIN_OPTION],
        )  # fmt: skip
        own.set_defaults(act=act)
        return own

    _add_create(action("create", create))
    _add_serve(_of_folder(action("serve", serve_study)))
    _of_folder(action("status", status))
    _add_simulate(_of_folder(action("simulate", simulate)))
    _add_export(_of_folder(action("export", export)))
    imports = _of_folder(action("import", import_answers))
    imports.add_argument("files", type=Path, nargs="+", metavar="FILE", help=".json, MTurk's .csv")
    forget_parser = _of_folder(action("forget", forget))
    forget_parser.add_argument("token", nargs="?", help="the participant's token")
    forget_parser.add_argument("--simulated", action="store_true", help="all simulated ones")
    for name, act in (("analyse", analyse_study), ("report", report_study)):
        _of_folder(action(name, act)).add_argument(
            "--participants", choices=("real", "simulated"),
            help="whose answers to analyse (default: all, which must be of one kind)",
        )  # fmt: skip
    _add_power(action("power", power))


def run(options: argparse.Namespace) -> None:
    """Run the action that the command line names, such as `create`."""
    silence_third_parties()
    options.act(options)


def _of_folder(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("folder", type=Path, help="the folder that `study create` wrote")
    return parser


def _add_create(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", type=Path, help="a study file, such as configs/studies/x.py")
    parser.add_argument(
        "--output", type=Path,
        help="the folder to write (default: work_dirs/studies/<name of the study file>)",
    )  # fmt: skip
    add_device_argument(parser)


def _add_serve(parser: argparse.ArgumentParser) -> None:
    add_address_arguments(parser)
    add_public_url_argument(parser)
    parser.add_argument(
        "--results-key", type=Path, metavar="FILE",
        help="a file whose first line is the key to /results from other machines; without it, "
        "/results can be read on this machine only",
    )  # fmt: skip


def _add_simulate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--number", type=positive, default=20, help="participants (default: 20)")
    parser.add_argument("--concurrent", type=positive, default=5, help="at a time (default: 5)")
    parser.add_argument("--url", help="address of a running page (default: serve one meanwhile)")
    parser.add_argument(
        "--strengths", nargs="+", action=Values, default={}, metavar="METHOD=LOG_ODDS",
        help="the strength of the preference for each method; 0 for other methods",
    )  # fmt: skip
    parser.add_argument(
        "--crowd", nargs="+", action=Values, default={}, metavar="KEY=VALUE", help=CROWD
    )


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("output", type=Path, help="a file; with --mturk and --answers a folder")
    what: Any = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--static", action="store_true", help="an HTML file that needs no server")
    what.add_argument(
        "--mturk", metavar="URL", help="hits.csv, question.xml, layout.html for a page at URL"
    )
    what.add_argument("--answers", action="store_true", help="answers.csv and participants.csv")
    what.add_argument("--token", help="all data of the participant with this token, as JSON")
    parser.add_argument(
        "--slots", type=positive,
        help="plans in the static page, or rows for MTurk (default: the study's participants)",
    )  # fmt: skip


def _add_power(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", type=Path, help="folder or file of a study; optional")
    numbers = (
        ("--per-participant", int, 10, "answers to a pair by each participant"),
        ("--scenes", int, 500, "number of scenes"),
        ("--comparisons", int, 1, "number of pairs that are tested"),
        ("--alpha", float, 0.05, "probability of a false positive, over all comparisons"),
        ("--power", float, 0.8, "probability of finding a preference that exists"),
        ("--participant-share", float, 0.05, "share of variance between participants, 0..1"),
        ("--scene-share", float, 0.05, "share of variance between scenes, 0..1"),
    )
    for name, kind, value, what in numbers:
        parser.add_argument(name, type=kind, help=f"{what} (default: {value})")
    parser.add_argument("--participants", type=positive, help="print what so many can tell")


def create(options: argparse.Namespace) -> None:
    """Choose scenes, translate them and write the study's folder.

    The same command continues a creation that was stopped.
    """
    definition = load_definition(options.study)
    folder = options.output or Path("work_dirs") / "studies" / options.study.stem
    study = create_study(definition, folder, checked_device(options.device))
    print(
        f"study: {folder} ({len(study.scenes)} scenes, pairs: {len(definition.compared)})\n"
        f"a session: {study.design.summary()}\n"
        f"serve: i2ibench study serve {shlex.quote(str(folder))}"
    )


def serve_study(options: argparse.Namespace) -> None:
    """Serve the web page for participants until Ctrl+C.

    Only this machine can reach the page, unless --host names another address. Behind a proxy with
    https, pass the address that participants see as --public-url. The results are at /results.
    """
    require_web("study")
    from i2ibench.apps.study.collect.server import create_app
    from i2ibench.apps.web.serving import address, listen, serve

    study = open_study(options.folder)
    study.require_images()
    key = None if options.results_key is None else read_key(options.results_key, "--results-key")
    with lock_folder(study.folder, "serving a study", "stop that server"):
        listening = listen(options.host, options.port)
        port = listening.getsockname()[1]
        url = options.public_url or address(options.host, listening)
        app = create_app(study, options.host, port, options.public_url, key)
        print(f"study: {url} (Ctrl+C ends it)\nresults: {_results(options, url)}", flush=True)
        serve(app, listening)


def _results(options: argparse.Namespace, url: str) -> str:
    """Return the address of the results page, or the option that is needed to read it."""
    from i2ibench.apps.web.same_origin import ANY, LOOPBACK

    page = f"{url.rstrip('/')}/results"
    if options.results_key is not None:
        return f"{page}?key=KEY, which is the first line of {options.results_key}"
    if options.public_url or options.host not in (*ANY, *LOOPBACK):
        return "need --results-key FILE"
    return page


def status(options: argparse.Namespace) -> None:
    """Print the numbers of real and simulated participants and of their answers."""
    study = open_study(options.folder)
    with AnswerStore(study) as store:
        collected = store.collected()
    for kind, n in count_by_kind(collected).items():
        begun, finished, answers = n["begun"], n["finished"], n["answers"]
        print(f"{kind}: {begun} participants, {finished} finished, {answers} answers")
    print(f"planned: {study.definition.participants} of {study.design.num_trials} answers each")


def simulate(options: argparse.Namespace) -> None:
    """Send simulated participants to the page; their answers are never mixed with people's."""
    study = open_study(options.folder)
    crowd = _crowd(study, options)
    begun = time.perf_counter()
    with _page_of(study, options.url) as url:
        traffic = send_participants(study, url, crowd, options.number, options.concurrent)
    passed = time.perf_counter() - begun
    answers = sum(map(len, traffic.acknowledged.values()))
    print(
        f"simulated: {options.number} participants, {options.concurrent} at a time, {answers} "
        f"answers in {passed:.1f} s; {len(traffic.seconds)} requests, median "
        f"{traffic.took(0.5):.0f} ms, 95 % below {traffic.took(0.95):.0f} ms, "
        f"longest {traffic.took(1):.0f} ms"
    )


@contextmanager
def _page_of(study: Study, url: str | None) -> Iterator[str]:
    """Yield the address of the study's page; without a `url` the page is served meanwhile."""
    if url is not None:
        yield url
        return
    require_web("study")
    study.require_images()
    from i2ibench.apps.study.collect.server import create_app
    from i2ibench.apps.web.serving import served

    with (
        lock_folder(study.folder, "serving a study", "give the page's address as --url"),
        served(lambda port: create_app(study, "127.0.0.1", port)) as address,
    ):
        yield address


def _crowd(study: Study, options: argparse.Namespace) -> Crowd:
    """Return the simulated participants that the options describe; refuse unknown names."""
    known = [f.name for f in fields(Crowd) if f.name != "strengths" and not f.name.startswith("_")]
    for what, given, names in (
        ("--strengths", options.strengths, list(study.definition.methods)),
        ("--crowd", options.crowd, known),
    ):
        for name, value in given.items():
            if name not in names:
                near = near_match(name, names)
                raise UserError(f"{what} has no {name!r}.{near} Known: {', '.join(names)}.")
            if not isinstance(value, int | float):
                raise UserError(f"{what}: {name} must be a number, not {value!r}.")
    strengths = dict.fromkeys(study.definition.methods, 0.0) | options.strengths
    return Crowd(strengths, **options.crowd)


def export(options: argparse.Namespace) -> None:
    """Write a page that needs no server, files for MTurk, all answers or one participant's data."""
    study = open_study(options.folder)
    slots = options.slots or study.definition.participants
    wanted = "a file" if options.static or options.token else "a folder"
    if options.output.exists() and options.output.is_dir() is (wanted == "a file"):
        raise UserError(f"The output must be {wanted}, and {options.output} is not; name another.")
    if options.static:
        size = export_page(study, options.output, slots)
        print(f"page: {size / 1e6:.1f} MB, plans for {slots} participants")
    elif options.mturk:
        export_mturk(study, options.output, options.mturk, slots)
    else:
        with AnswerStore(study) as store:
            collected = store.collected()
        if options.token:
            write_text(options.output, participant_json(study, collected, options.token))
        else:
            write_text(options.output / "answers.csv", answers_csv(study, collected))
            write_text(options.output / "participants.csv", participants_csv(study, collected))
    print(f"exported: {options.output}")


def import_answers(options: argparse.Namespace) -> None:
    """Import answers from static pages or MTurk; importing a file twice changes nothing."""
    study = open_study(options.folder)
    collected = read_collected(study, options.files)
    with AnswerStore(study) as store:
        new = store.add(collected)
    print(f"imported: {new} new participants of {len(collected.participants)}")


def forget(options: argparse.Namespace) -> None:
    """Delete a participant, or all simulated participants, with all answers."""
    study = open_study(options.folder)
    if bool(options.token) is options.simulated:
        raise UserError("study forget needs either a token or --simulated.")
    with AnswerStore(study) as store:
        tokens = [options.token]
        if options.simulated:
            tokens = [p.token for p in store.collected().participants if p.simulated]
        gone = sum(store.forget(token) for token in tokens)
    if options.token and not gone:
        raise UserError(f"The study has no participant {options.token}.")
    print(f"forgotten: {gone} participants")
    if not store.erased:
        print(
            "Another program is reading the answers, so the log of the file still holds the "
            "deleted ones. The next `study` command that finds the file free empties the log."
        )


def analyse_study(options: argparse.Namespace) -> None:
    """Write analysis.json with preferences, their intervals and the excluded participants."""
    study = open_study(options.folder)
    _analyse(study, options)
    print(f"analysis: {study.folder / 'analysis.json'}")


def report_study(options: argparse.Namespace) -> None:
    """Write analysis.json, report.html with tables and plots, and the tables as CSV, MD and TeX."""
    study = open_study(options.folder)
    path = write_study_report(study.folder, _analyse(study, options), study.image_path)
    print(f"report: {path}")


def _analyse(study: Study, options: argparse.Namespace) -> dict[str, Any]:
    with AnswerStore(study) as store:
        collected = store.collected()
    analysis = analyse(study, collected, options.participants)
    write_analysis(study.folder / "analysis.json", analysis)
    return analysis


def power(options: argparse.Namespace) -> None:
    """Print the number of answers and participants that can tell a preference from none.

    The numbers are those of a study (its folder or file), or the options.
    """
    clusters = {"per_participant": 10, "scenes": 500}
    question, participants = Question(), None
    if options.folder is not None:
        definition, scenes = _planned(options.folder)
        clusters = {"per_participant": definition.per_pair, "scenes": scenes or 500}
        question, participants = study_question(definition), definition.participants
        if not scenes and options.scenes is None:
            print("The study file sets no number of scenes: 500 are assumed (see --scenes).")
    lines = power_lines(
        Clusters(**clusters | _given(options, Clusters)),
        replace(question, **_given(options, Question)),
        options.participants or participants,
    )
    print("\n".join(lines))


def _given(options: argparse.Namespace, kind: type) -> dict[str, Any]:
    """Return those fields of a dataclass for which the command line has a value, by name."""
    named = {f.name: getattr(options, f.name) for f in fields(kind)}
    return {name: value for name, value in named.items() if value is not None}


def _planned(path: Path) -> tuple[Definition, int]:
    """Return a study's definition, from its folder or file, and its number of scenes (0: unset)."""
    if path.is_dir():
        study = open_study(path)
        return study.definition, len(study.scenes)
    definition = load_definition(path)
    return definition, definition.scenes.number
