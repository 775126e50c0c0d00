"""The results that the server shows to the lab: how far the study is, and the answers as tables."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse

from i2ibench.apps.study.answers import Collected
from i2ibench.apps.study.collect.answer_files import answers_csv, count_by_kind, participants_csv
from i2ibench.apps.study.collect.results_access import may_read, refusal
from i2ibench.apps.study.define.design import MAIN
from i2ibench.apps.study.define.study import Study
from i2ibench.reports.rendering import render

_PRIVATE = {"Cache-Control": "no-store"}


def add_results(
    app: FastAPI,
    study: Study,
    collect: Callable[[], Awaitable[Collected]],
    key: str | None,
    behind_proxy: bool,
) -> None:
    """Add `/results`, `/results/answers.csv` and `/results/participants.csv`.

    Args:
        app: of the study.
        study: whose results.
        collect: gives the answers up to now.
        key: that opens them from elsewhere.
        behind_proxy: whether visitors come through a proxy.
    """

    own = replace(study)  # plans are made in another thread here, and a design is of one thread
    turn = asyncio.Lock()

    async def made(request: Request, make: Callable[..., str], *arguments: str) -> str:
        if not may_read(request, key, behind_proxy):
            raise HTTPException(403, refusal(behind_proxy))
        async with turn:
            return await asyncio.to_thread(make, own, await collect(), *arguments)

    @app.get("/results")
    async def status(request: Request) -> Response:
        page = await made(request, status_page, _query(request))
        return HTMLResponse(page, headers=_PRIVATE)

    @app.get("/results/answers.csv")
    async def answers(request: Request) -> Response:
        return Response(await made(request, answers_csv), 200, _PRIVATE, "text/csv")

    @app.get("/results/participants.csv")
    async def participants(request: Request) -> Response:
        return Response(await made(request, participants_csv), 200, _PRIVATE, "text/csv")


def status_page(study: Study, collected: Collected, query: str = "") -> str:
    """How many took part and how many answers each pair has, as HTML."""
    return render(
        "study_status.html",
        title=study.definition.title,
        planned=study.definition.participants,
        kinds=count_by_kind(collected),
        pairs=_answers_by_pair(study, collected),
        query=query,
    )


def _answers_by_pair(study: Study, collected: Collected) -> list[tuple[str, str, int, int]]:
    """(one method, other, real answers, simulated answers) to main trials."""
    found: Counter[tuple[frozenset[str], bool]] = Counter()
    for p in collected.participants:
        plan = study.plan(p.slot)
        for answer in collected.answers.get(p.token, ()):
            trial = plan[answer.trial]
            if trial.kind == MAIN:
                found[frozenset((trial.left, trial.right)), p.simulated] += 1
    return [
        (one, other, found[frozenset((one, other)), False], found[frozenset((one, other)), True])
        for one, other in study.definition.compared
    ]


def _query(request: Request) -> str:
    """What links keep: the key, if it came in the address."""
    return f"?{request.url.query}" if "key" in request.query_params else ""
