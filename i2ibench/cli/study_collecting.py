"""What `study` does before the analysis: making studies, serving them, moving answers."""

import argparse
import secrets
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

from i2ibench.apps.study.analyse.simulation import Crowd
from i2ibench.apps.study.collect.answer_files import (
    answers_csv,
    count_by_kind,
    participant_json,
    participants_csv,
    read_collected,
)
from i2ibench.apps.study.collect.client import send_participants
from i2ibench.apps.study.collect.mturk import export_mturk
from i2ibench.apps.study.collect.static_page import export_page
from i2ibench.apps.study.collect.store import AnswerStore
from i2ibench.apps.study.define.creation import create_study
from i2ibench.apps.study.define.definition import load_definition
from i2ibench.apps.study.define.study import Study, open_study
from i2ibench.cli.arguments import checked_device, require_web
from i2ibench.errors import UserError, near_match
from i2ibench.io.files import read_text, write_private, write_text
from i2ibench.io.folder_locks import lock_folder


def create(options: argparse.Namespace) -> None:
    """Choose scenes, translate them and make the study's folder.

    A creation that was stopped goes on.
    """
    definition = load_definition(options.study)
    folder = options.output or Path("work_dirs") / "studies" / options.study.stem
    study = create_study(definition, folder, checked_device(options.device))
    print(
        f"study: {folder} ({len(study.scenes)} scenes, pairs: {len(definition.compared)})\n"
        f"a sitting: {study.design.summary()}\n"
        f"serve: i2ibench study serve {shlex.quote(str(folder))}"
    )


def serve_study(options: argparse.Namespace) -> None:
    """Serve the page for participants, until Ctrl+C.

    On this machine alone unless --host says otherwise. Behind a proxy that speaks https, give the
    address that participants see as --public-url. The lab's own page is /results.
    """
    require_web("study")
    from i2ibench.apps.study.collect.server import create_app
    from i2ibench.apps.web.serving import address, listen, serve

    study = open_study(options.folder)
    study.require_images()
    key = None if options.results_key is None else _key(options.results_key)
    with lock_folder(study.folder, "serving a study", "stop that server"):
        listening = listen(options.host, options.port)
        port = listening.getsockname()[1]
        url = options.public_url or address(options.host, listening)
        app = create_app(study, options.host, port, options.public_url, key)
        print(f"study: {url} (Ctrl+C ends it)\nresults: {_results(options, url)}", flush=True)
        serve(app, listening)


def _results(options: argparse.Namespace, url: str) -> str:
    """Where the lab reads the results, or what that takes."""
    from i2ibench.apps.web.same_origin import ANY, LOOPBACK

    page = f"{url.rstrip('/')}/results"
    if options.results_key is not None:
        return f"{page}?key=KEY, which is the first line of {options.results_key}"
    if options.public_url or options.host not in (*ANY, *LOOPBACK):
        return "need --results-key FILE"
    return page


def _key(path: Path) -> str:
    """The first line of a file, which is made with a random one if it is not there."""
    if path.is_dir() or not path.parent.is_dir():
        raise UserError(f"The results key {path} is a file, in a folder that is there.")
    if not path.exists():
        write_private(path, f"{secrets.token_urlsafe(24)}\n")
        print(f"results key: written to {path}")
    key = read_text(path).partition("\n")[0].strip()
    if len(key) < 12:
        raise UserError(f"The key in {path} has {len(key)} characters; 12 are the least.")
    return key


def status(options: argparse.Namespace) -> None:
    """Say how many came, and how far they are."""
    study = open_study(options.folder)
    with AnswerStore(study) as store:
        collected = store.collected()
    for kind, n in count_by_kind(collected).items():
        finished, answers = n["finished"], n["answers"]
        print(f"{kind}: {n['begun']} participants, {finished} finished, {answers} answers")
    print(f"planned: {study.definition.participants} of {study.design.num_trials} answers each")


def simulate(options: argparse.Namespace) -> None:
    """Let programs take part through the page's interface, to try a study out.

    They are counted apart: no analysis mixes them with people.
    """
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
    """The address of the study, which is served meanwhile if it is not yet."""
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
    """How the simulated participants answer."""
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
                raise UserError(f"{name} is a number, not {value!r}.")
    strengths = dict.fromkeys(study.definition.methods, 0.0) | options.strengths
    return Crowd(strengths, **options.crowd)


def export(options: argparse.Namespace) -> None:
    """Write a page for a lab without a server, MTurk's files, or the answers."""
    study = open_study(options.folder)
    slots = options.slots or study.definition.participants
    wanted = "a file" if options.static or options.token else "a folder"
    if options.output.exists() and options.output.is_dir() is (wanted == "a file"):
        raise UserError(f"The output is {wanted}, and {options.output} is not; choose another.")
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


def add_answers(options: argparse.Namespace) -> None:
    """Take in what static pages or MTurk collected; a file twice counts once."""
    study = open_study(options.folder)
    collected = read_collected(study, options.files)
    with AnswerStore(study) as store:
        new = store.add(collected)
    print(f"imported: {new} new participants of {len(collected.participants)}")


def forget(options: argparse.Namespace) -> None:
    """Delete the answers of a participant, or of all simulated ones."""
    study = open_study(options.folder)
    if bool(options.token) is options.simulated:
        raise UserError("study forget takes a token or --simulated, one of both.")
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
            "Another program is reading the answers, so the file's log still holds the deleted "
            "ones; the next `study` command that finds the file free empties it."
        )
